"""Completeness: do the cells of a map add up to the answer that it explains?

Where only averaging and a linear layer follow on a layer, the logit is the sum of HiResCAM's
cells and a constant, the bias (Draelos and Carin 2020, section 3.3). No network is asked how it is
built: the constant must be the same for other inputs, too, and is not where anything else follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..records import percent

_ROUNDING = 1e-4  # of the range of the logits


@dataclass(frozen=True, slots=True)
class Completeness:
    """What a map adds up to.

    Attributes:
        label: the label, or the two that are compared: "lion rather than cheetah".
        total: the sum of all cells.
        constant: what the network adds for this label whatever it sees; of a method of pixels the
            logit of its baseline.
        logit: the label's logit, or the difference of two: `total` and `constant` but for rounding.
        baseline: what stood for nothing, of a method of pixels: "blurred copy"; else empty.
    """

    label: str
    total: float
    constant: float
    logit: float
    baseline: str = ""

    @property
    def gap(self) -> float:
        """What is left unexplained: rounding; of a method of pixels what its steps left out."""
        return self.logit - self.total - self.constant

    @property
    def text(self) -> str:
        """The sum in words."""
        if self.baseline:
            return rise(self.label, self.baseline, self.total, self.gap)
        return (
            f"The map's cells add up to {self.total:.2f}; with the constant {self.constant:.2f} "
            f"that is the logit of {self.label}, {self.logit:.2f}."
        )


def rise(label: str, baseline: str, total: float, gap: float) -> str:
    """What a map's pixels add up to, in words, and what it should have been."""
    whole = total + gap
    share = f" ({percent(abs(gap / whole))})" if abs(whole) > abs(gap) else ""
    return (
        f"The pixels add up to {total:.2f}. From the baseline ({baseline}) to the photo the logit "
        f"of {label} changes by {whole:.2f}: {abs(gap):.2f}{share} is left unexplained."
    )


def add_up(
    label: str, answers: Sequence[tuple[np.ndarray, float]], span: float
) -> Completeness | None:
    """Whether maps and a constant add up to the logits, from several inputs.

    Args:
        answers: the map (h, w) and the logit of each input; the first is the one explained.
        span: the range of the logits, against which rounding is small.

    Returns:
        None where the constant is another one for another input.
    """
    totals = [float(cam.sum(dtype=np.float64)) for cam, _ in answers]
    constants = [logit - total for (_, logit), total in zip(answers, totals, strict=True)]
    if np.ptp(constants) > _ROUNDING * span:
        return None
    return Completeness(label, totals[0], float(np.mean(constants[1:])), answers[0][1])
