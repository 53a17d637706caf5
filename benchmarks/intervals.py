"""Where a mean may well lie: the bootstrap over photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and the bounds of 95 % of the means of redrawn photos."""

    mean: float
    low: float
    high: float

    def text(self, sign: str = "") -> str:
        """With "+" as the sign, that of a difference, in bold where 0 lies beside it."""
        words = f"{self.mean:{sign}.3f} [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"
        return f"**{words}**" if sign and (self.low > 0 or self.high < 0) else words


def bootstrap(values: np.ndarray, photos: np.ndarray, seed: int = 0) -> Interval:
    """The mean of what was observed, and the interval when the photos are drawn again.

    Efron and Tibshirani 1993, "An Introduction to the Bootstrap", sections 6 and 13.3. Photos are
    drawn with replacement, and an observation comes with its photo: as often as that was drawn.
    One of two photos, a pair, comes as often as the product says.

    Args:
        values: float (n,).
        photos: int (n, 1) or (n, 2), which photos each is of, from 0 on.
        seed: of the draws; the same for all that shall be compared.
    """
    many = int(photos.max()) + 1
    mean = float(values.mean())
    numbers = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        counts = np.bincount(numbers.integers(many, size=many), minlength=many)
        weights = counts[photos].prod(axis=1)
        if weights.any():
            drawn.append(weights @ values / weights.sum())
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high))
