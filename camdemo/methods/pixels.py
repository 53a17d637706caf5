"""From a network to a map of its input, by a pixel method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CamdemoError
from ..records import Rivals, finite
from . import registry
from .asked import Asked
from .folding import Prepared
from .maps import best


@dataclass(frozen=True, slots=True, eq=False)
class PixelMap:
    """What a pixel method found.

    Attributes:
        map: float32 (h, w), signed, of the input's size.
        logits: float32 (labels,).
        target: index of the label that is explained.
        gap: what the map's sum lacks of f(input) - f(baseline), where it should be that; else None.
    """

    map: np.ndarray
    logits: np.ndarray
    target: int
    gap: float | None


def explain_input(
    network: nn.Module,
    method: str,
    inputs: Tensor,
    target: int | None,
    versus: Rivals | None,
    settings: Mapping[str, Any],
    fill: Callable[[str], np.ndarray],
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> PixelMap:
    """The map of one pixel method for one label, or for one rather than another.

    Args:
        network: in evaluation mode and frozen, or one that is prepared. It is left as it was found.
        method: the name of a pixel method.
        inputs: float32 (1, 3, h, w), as the weights want them, where the network is.
        target: index of the label; None for the most probable one (but `versus`).
        versus: labels the mean of whose logits is subtracted.
        settings: those of the method; what is not given is the default.
        fill: from the name of a baseline to float32 (3, h, w), normalised.
        tell: called with how many forwards are done and how many there are. The network may be run
            then; what it raises ends the computation.

    Raises:
        ChoiceError, RangeError, CamdemoError: a setting that the method does not have; logits or
            a map that are not finite.
    """
    found = registry.find(method)
    chosen = found.set(settings)
    with torch.inference_mode():
        plain = network.plain if isinstance(network, Prepared) else network
        logits = finite(plain(inputs)[0].cpu().numpy())
    index = best(logits, versus) if target is None else target
    total = 1 + found.forwards(chosen, (inputs.shape[-2], inputs.shape[-1]))
    asked = Asked(
        network=network,
        inputs=inputs,
        target=index,
        versus=versus and versus.among(logits, index),
        settings=chosen,
        fill=lambda name: torch.from_numpy(fill(name)[np.newaxis]).to(inputs.device),
        tell=lambda done, _total: tell(1 + done, total),
        total=total - 1,
    )
    cam, gap = found.function(asked)
    tell(total, total)
    if not np.isfinite(cam).all():
        raise CamdemoError(
            f"{found.title} finds no numbers here (NaN or infinite). Choose another method."
        )
    return PixelMap(cam, logits, index, gap)
