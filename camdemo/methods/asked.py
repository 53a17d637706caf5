"""What a pixel method asks of a network: scores and gradients, a few inputs at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..records import Rivals
from .backward import ShortBackward
from .folding import Prepared

AT_ONCE = 4  # inputs in one forward; more no longer fit into the processor's cache
BACKWARD = 1  # a way back through a frozen network costs about as much as the way there


@dataclass(eq=False)
class Asked:
    """One question to a network: why this score, in this input?

    The score is the logit of a label, or that less the mean of others.

    Attributes:
        network: in evaluation mode and frozen; it is left as it was found.
        inputs: float32 (1, 3, h, w), normalised as the weights want it, where the network is.
        target: index of the label.
        versus: labels, all known, the mean of whose logits is subtracted.
        settings: those of the method, all of them, checked.
        fill: from the name of a baseline to what stands for "nothing is there", (1, 3, h, w).
        tell: called with how many forwards are done and how many there are, before each batch:
            others may go first, and may end it.
        total: how many forwards there will be.
    """

    network: nn.Module
    inputs: Tensor
    target: int
    versus: Rivals | None
    settings: Mapping[str, Any]
    fill: Callable[[str], Tensor]
    tell: Callable[[int, int], None]
    total: int
    done: int = field(default=0, init=False)

    @property
    def plain(self) -> nn.Module:
        """The network itself, where rounding would be seen."""
        return self.network.plain if isinstance(self.network, Prepared) else self.network

    def of(self, logits: Tensor) -> Tensor:
        """The scores (n,) in logits (n, labels)."""
        chosen = logits[:, self.target]
        if self.versus is None:
            return chosen
        rivals = logits[:, list(self.versus.labels or ())].mean(dim=1)
        return chosen - self.versus.strength * rivals

    def scored(self, batch: Tensor) -> Tensor:
        """The scores of a batch, (n,), recorded for a way back: what Captum is given."""
        with torch.enable_grad():
            return self._run(batch, ShortBackward(), 1 + BACKWARD)

    def gradients(
        self, batch: Tensor, within: AbstractContextManager | None = None
    ) -> tuple[Tensor, Tensor]:
        """The gradients of the scores with respect to a batch, and the scores.

        Args:
            within: a context for the forward; None for the shortest way back.
        """
        with torch.enable_grad():
            leaf = batch.detach().clone().requires_grad_()
            scores = self._run(leaf, within or ShortBackward(), 1 + BACKWARD)
            (gradient,) = torch.autograd.grad(scores.sum(), leaf)
        return gradient, scores.detach()

    def _run(self, batch: Tensor, within: AbstractContextManager, cost: int) -> Tensor:
        self.step(cost * len(batch))
        with within:
            return self.of(self.plain(batch))

    def scores(self, batches: Iterator[Tensor]) -> np.ndarray:
        """The scores of many inputs, float64 (n,), of which nothing is recorded."""
        found = []
        for batch in batches:
            self.step(len(batch))
            with torch.inference_mode():
                found.append(self.of(self.network(batch)).cpu().double().numpy())
        return np.concatenate(found)

    def step(self, cost: int) -> None:
        """Before some forwards: others may go first."""
        self.tell(min(self.done, self.total), self.total)
        self.done += cost

    def gap(self, found: np.ndarray, baseline: Tensor) -> float:
        """What of the difference between input and baseline a map does not add up to."""
        there, nothing = self.scores(iter([torch.cat([self.inputs, baseline])]))
        return float(there - nothing - found.sum(dtype=np.float64))


def summed(attribution: Tensor) -> np.ndarray:
    """One value a pixel: the sum over the colours, (1, 3, h, w) to float32 (h, w), signed."""
    found = attribution.detach()[0].sum(dim=0).cpu().numpy()
    return found.astype(np.float32, copy=False)
