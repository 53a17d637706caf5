"""The randomisation check: is a map still there when what the network learned is gone?

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3: the weights are set at random
from the last layers on, further and further up (cascading). A map that stays shows the photo, or
the way the network is built, and not what was learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .likeness import spearman, ssim

_ALIKE, _OTHER = 0.7, 0.4  # rank correlations from which on, and up to which, words say so


@dataclass(frozen=True, slots=True, eq=False)
class Randomisation:
    """The same map from networks of which more and more has random weights.

    One random network says little: with the last weights at random Grad-CAM of a photo of a lion
    has a rank correlation from -0.8 to 0.9 with itself. So there are several, and words go by
    their mean.

    Attributes:
        cam: float32 (h, w), the map of the network as it is.
        behind: the stage behind which all weights are random, for each step; "" where all weights
            of the network are.
        maps: float32 (draws, steps, h, w), signed.
    """

    cam: np.ndarray
    behind: tuple[str, ...]
    maps: np.ndarray

    caveat: ClassVar[str] = (
        "A map that stays the same shows the photo, or how the network is built, and not what it "
        "learned. One that changes has passed this test alone."
    )

    @property
    def signed(self) -> np.ndarray:
        """Spearman's rank correlation of each with the map, float64 (draws, steps)."""
        return self._each(lambda one: spearman(self.cam, one))

    @property
    def absolute(self) -> np.ndarray:
        """The same of absolute values, as the paper has it.

        Where little is active, nothing is large in any map of a layer: this one is high as long
        as the layer itself is what it was, whatever the weights behind it.
        """
        return self._each(lambda one: spearman(np.abs(self.cam), np.abs(one)))

    @property
    def ssims(self) -> np.ndarray:
        """The structural similarity of absolute values, float64 (draws, steps).

        Of the maps' own cells, each map divided by its largest absolute value.
        """
        return self._each(lambda one: ssim(_absolute(self.cam), _absolute(one)))

    @property
    def verdict(self) -> str:
        """What follows, in a sentence: how alike the maps are in the end, and at first."""
        first, last = self._means[0], self._means[-1]
        if abs(last) >= _ALIKE:
            found = "stays nearly the same: it does not depend on what was learned"
        elif abs(last) > _OTHER:
            found = "is in part the same: it depends only in part on what was learned"
        elif abs(first) >= _ALIKE:
            found = "is another one, but it hardly heeds the last weights"
        else:
            found = "is another one: it depends on what was learned"
        return f"With {self._where(-1)} this map {found}."

    @property
    def numbers(self) -> str:
        """From what it follows."""
        begin = f", {self._means[0]:.2f} with {self._where(0)}" if len(self.behind) > 1 else ""
        draws = f", the mean of {len(self.maps)} draws" if len(self.maps) > 1 else ""
        last = f"{self._means[-1]:.2f} with {self._where(-1)}"
        return f"Rank correlation with the map itself: {last}{begin}{draws}."

    @property
    def text(self) -> str:
        """What was found: what follows first, then the numbers."""
        return f"{self.verdict} {self.numbers}"

    @property
    def _means(self) -> np.ndarray:
        return self.signed.mean(axis=0)

    def _where(self, step: int) -> str:
        name = self.behind[step]
        return f"random weights behind {name}" if name else "a random network"

    def _each(self, measure: Callable[[np.ndarray], float]) -> np.ndarray:
        return np.array([[measure(one) for one in draw] for draw in self.maps])


def _absolute(cam: np.ndarray) -> np.ndarray:
    largest = np.abs(cam).max()
    return np.abs(cam) / largest if largest > 0 else np.abs(cam)
