"""Deletion and insertion: what happens as the map's strongest pixels go, or come in, first.

Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", section
4.2. A good map lets the label's probability fall early, or rise early. The yardstick is ours:
random orders, see `orders`.

NumPy arrays in and out; a function that answers a batch is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from ..errors import CamdemoError
from ..records import Box, Fill, finite
from .orders import counts_of, place, without
from .patches import BATCH
from .plotting import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEPS = 25
_ROUNDING = 1e-2  # of a probability; two answers to the same input differ by far less


Kind = Literal["deletion", "insertion"]
# float32 (n, 3, h, w) -> the probability of what is explained, float32 (n,)
Probability = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A label's probability as the photo's pixels go or come in, in the order of a map.

    While it is computed it is as long as what is there; the random orders come last.

    Attributes:
        kind: "deletion" or "insertion".
        label: the label, or the two that are compared: "lion rather than cheetah".
        fill: what is seen where pixels are gone, or not yet there.
        shares: float32 (n,), which share of the photo's pixels has gone or come, from 0 to 1.
        probabilities: float32 (n,), the label's at each; of two labels, the first one's share of
            what both have.
        random: float32 (orders, n), the same in random orders.
    """

    kind: Kind
    label: str
    fill: Fill
    shares: np.ndarray
    probabilities: np.ndarray
    random: np.ndarray

    caveat: ClassVar[str] = (
        "A photo with holes is nothing that the model was trained on, and what fills them can "
        "itself speak for a label. The grey band is where random orders lie: within it nothing "
        "is won."
    )

    @property
    def area(self) -> float:
        """The area under the curve, 0 to 1: of deletion small, of insertion large is good."""
        return _area(self.shares, self.probabilities)

    @property
    def random_areas(self) -> np.ndarray:
        """The areas of the random orders, float64 (orders,)."""
        return np.array([_area(self.shares, each) for each in self.random])

    @property
    def is_clear(self) -> bool:
        """Whether the area is another one than those of random orders, by two deviations."""
        areas = self.random_areas
        return len(areas) > 1 and abs(self.area - areas.mean()) > 2 * areas.std(ddof=1)

    @property
    def is_better(self) -> bool:
        """Whether the area lies on the good side of the mean of random orders."""
        less = self.area < self.random_areas.mean()
        return bool(less if self.kind == "deletion" else not less)

    @property
    def verdict(self) -> str:
        """What follows, in a sentence; empty without random orders."""
        if len(self.random) < 2:
            return ""
        without, goes = ("Without", "goes") if self.kind == "deletion" else ("With", "comes")
        begin = f"{without} what this map shows most, {self.label} {goes}"
        if not self.is_clear:
            return f"{begin} no sooner than by chance, as far as one can tell."
        if not self.is_better:
            return f"{begin} later than by chance: the answer rests on something else."
        is_enough = (
            "the answer rests on it" if self.kind == "deletion" else "it does much of the work"
        )
        return f"{begin} sooner than by chance: {is_enough}."

    @property
    def numbers(self) -> str:
        """From what it follows."""
        act = "taken away" if self.kind == "deletion" else "brought in"
        own = f"Area {self.area:.2f} as pixels are {act}"
        if len(self.random) < 2:
            return f"{own}."
        areas = self.random_areas
        spread = 2 * areas.std(ddof=1)
        return (
            f"{own}; in {len(areas)} random orders {areas.mean():.2f}, give or take {spread:.2f}."
        )

    @property
    def text(self) -> str:
        """What was found: what follows first, then the numbers."""
        return f"{self.verdict} {self.numbers}".strip()

    def beside(self, shares: np.ndarray, random: np.ndarray) -> Curve:
        """This curve beside those of random orders.

        Args:
            shares: float32 (m,), from 0 to 1, which share of the pixels has gone in these.
            random: float32 (orders, m), the probability then. What goes in one order comes in its
                reverse, so that they hold for insertion, too. Between their points they are taken
                to be straight.

        Raises:
            CamdemoError: their ends are others: they are of another photo, label or filling.
        """
        if self.kind == "insertion":
            shares, random = 1 - shares[::-1], random[:, ::-1]
        ends = self.probabilities[[0, -1]]
        if len(random) and not np.allclose(random[0, [0, -1]], ends, _ROUNDING, 1e-6):
            raise CamdemoError(
                f"The random orders do not begin and end as this curve does, so they are not of "
                f"{self.label}, {self.fill} and this photo. Leave them away, or ask for the same."
            )
        others = [np.interp(self.shares, shares, one) for one in random]
        shape = len(others), len(self.shares)
        return replace(self, random=np.array(others, np.float32).reshape(shape))

    def plot(self, axes: Axes | None = None) -> Axes:
        """The curve before the band of the random orders, their mean and two deviations.

        Args:
            axes: matplotlib's, to draw on; None for a new figure's.

        Raises:
            CamdemoError: matplotlib is not installed.
        """
        axes = axes_of(axes)
        if len(self.random) > 1:
            mean, spread = self.random.mean(axis=0), 2 * self.random.std(axis=0, ddof=1)
            band = f"random, area {self.random_areas.mean():.2f}"
            axes.fill_between(self.shares, mean - spread, mean + spread, color="0.85")
            axes.plot(self.shares, mean, color="0.5", linestyle="--", label=band)
        axes.plot(self.shares, self.probabilities, label=f"this map, area {self.area:.2f}")
        done = "away" if self.kind == "deletion" else "there"
        axes.set(xlim=(0, 1), ylim=(0, 1), title=f"{self.kind}: {self.label}")
        axes.set_xlabel(f"share of the pixels that is {done} ({self.fill} instead)")
        axes.set_ylabel("probability")
        axes.legend()
        return axes


def draw(
    kind: Kind,
    probability: Probability,
    inputs: np.ndarray,
    heat: np.ndarray,
    filled: np.ndarray,
    *,
    label: str,
    fill: Fill,
    steps: int = STEPS,
    part: Box | None = None,
) -> Iterator[Curve]:
    """The curve as it grows, after each batch of its points; without random orders.

    Args:
        inputs: float32 (1, 3, h, w).
        heat: the map on the input's pixels, float (side, side).
        filled: float32 (3, h, w), what is seen where pixels are gone or not yet there.
        steps: how many times pixels go or come.
        part: the input's pixels that show the photo; None for all. What is beside it stays.

    Raises:
        CamdemoError: a map that is the same everywhere, or an answer that is no number.
    """
    slices = part.slices if part else (slice(None), slice(None))
    heat = heat[slices]
    if np.ptp(heat) == 0:
        raise CamdemoError(
            "The map is the same everywhere, and so puts no part of the photo before another. "
            "Choose another layer, label or method."
        )
    counts, shares = counts_of(heat.size, steps)
    turns = place(heat)
    own = np.empty(0, np.float32)
    for batch in np.split(counts, range(BATCH, len(counts), BATCH)):
        gone = turns < batch[:, np.newaxis, np.newaxis]
        hidden = gone if kind == "deletion" else ~gone
        answers = finite(probability(without(inputs, hidden, filled, slices)))
        own = np.concatenate([own, answers], dtype=np.float32)
        none = np.empty((0, len(own)), np.float32)
        yield Curve(kind, label, fill, shares[: len(own)], own, none)


def _area(shares: np.ndarray, probabilities: np.ndarray) -> float:
    return float(np.trapezoid(probabilities.astype(np.float64), shares.astype(np.float64)))
