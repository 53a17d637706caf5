"""Deletion and insertion: what happens as the map's strongest pixels go, or come in, first.

Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models", section
4.2. A good map lets the label's probability fall early, or rise early. The yardstick is ours: 16
random orders, each that of a grid of 7 x 7 random numbers, made larger as a map is, so that as
large spots go as in a map. It depends on the photo alone, and is the same for all its maps.

NumPy arrays in and out; a function that answers a batch is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from ..errors import CamdemoError
from ..records import Box, Fill, finite
from .hiding import occlude
from .patches import BATCH, GRID
from .plotting import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEPS = 25
ORDERS = 16

Kind = Literal["deletion", "insertion"]
# float32 (n, 3, side, side) -> the probability of what is explained, float32 (n,)
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
    def text(self) -> str:
        """What was found, in two sentences."""
        act = "Taking away" if self.kind == "deletion" else "Bringing in"
        first = f"{act} first what the map shows most: {self.label}, area {self.area:.2f}."
        if len(self.random) < 2:
            return first
        areas = self.random_areas
        if not self.is_clear:
            verdict = "no clear difference"
        elif self.is_better:
            verdict = "the map finds what the answer rests on"
        else:
            verdict = "the map does worse than chance"
        return (
            f"{first} In {len(areas)} random orders {areas.mean():.2f}, give or take "
            f"{2 * areas.std(ddof=1):.2f}: {verdict}."
        )

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


def place(heat: np.ndarray) -> np.ndarray:
    """When each pixel's turn comes, 0 for the hottest: int (h, w). Of equals, row by row."""
    turns = np.empty(heat.size, np.int64)
    turns[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
    return turns.reshape(heat.shape)


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
    orders: int = ORDERS,
    seed: int = 0,
    band: Curve | None = None,
    part: Box | None = None,
) -> Iterator[Curve]:
    """The curve as it grows: after each batch of its points, then after each random order.

    Args:
        inputs: float32 (1, 3, side, side).
        heat: the map on the input's pixels, float (side, side).
        filled: float32 (3, side, side), what is seen where pixels are gone or not yet there.
        steps: how many times pixels go or come.
        seed: of the random orders.
        band: a curve with random orders that hold for this one, too: of the same photo, label,
            fill and steps, by whatever map. What goes in one order comes in the reverse of it, so
            that it may be of the other kind.
        part: the input's pixels that show the photo; None for all. What is beside it stays.

    Raises:
        CamdemoError: a map that is the same everywhere, a band of other things, or an answer
            that is no number.
    """
    slices = part.slices if part else (slice(None), slice(None))
    heat = heat[slices]
    if np.ptp(heat) == 0:
        raise CamdemoError(
            "The map is the same everywhere, and so puts no part of the photo before another. "
            "Choose another layer, label or method."
        )
    if band and (band.label, band.fill, len(band.shares)) != (label, fill, steps + 1):
        raise CamdemoError(
            f"The random orders are of {band.label}, {band.fill} and {len(band.shares) - 1} steps; "
            f"asked for were {label}, {fill} and {steps}. Leave them away, or ask for the same."
        )
    # Whole numbers, with halves rounded up.
    counts = (np.arange(steps + 1) * heat.size * 2 + steps) // (2 * steps)
    shares = (counts / heat.size).astype(np.float32)

    def answers(turns: np.ndarray, counts: np.ndarray) -> np.ndarray:
        gone = turns < counts[:, np.newaxis, np.newaxis]
        hidden = np.zeros((len(counts), *inputs.shape[2:]), bool)
        hidden[:, *slices] = gone if kind == "deletion" else ~gone
        return finite(probability(occlude(inputs, hidden, filled)))

    def curve(own: np.ndarray, random: list[np.ndarray]) -> Curve:
        n = len(own)
        others = np.array(random, np.float32).reshape(len(random), n)
        return Curve(kind, label, fill, shares[:n], own, others)

    own = np.empty(0, np.float32)
    turns = place(heat)
    for batch in _batches(counts):
        own = np.concatenate([own, answers(turns, batch)], dtype=np.float32)
        yield curve(own, [])
    if band:
        yield curve(own, [*(band.random if band.kind == kind else band.random[:, ::-1])])
        return
    numbers = np.random.default_rng(seed)
    random: list[np.ndarray] = []
    for _ in range(orders):
        grid = numbers.random((GRID, GRID), np.float32)
        turns = place(cv2.resize(grid, heat.shape[::-1], interpolation=cv2.INTER_LINEAR))
        inner = [answers(turns, batch) for batch in _batches(counts[1:-1])]  # the ends are shared
        random.append(np.concatenate([own[:1], *inner, own[-1:]]))
        yield curve(own, random)


def _batches(counts: np.ndarray) -> list[np.ndarray]:
    return np.split(counts, range(BATCH, len(counts), BATCH)) if len(counts) else []


def _area(shares: np.ndarray, probabilities: np.ndarray) -> float:
    return float(np.trapezoid(probabilities.astype(np.float64), shares.astype(np.float64)))
