"""The parts of a photo, one by one: each patch of a grid is hidden by itself.

What each takes from a label's logit is what `scores` holds the maps to.

NumPy arrays in and out; a function that answers a batch is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import CamdemoError
from ..records import Box, Fill, Rivals, common_lengths, finite
from .hiding import occlude

GRID = 7  # patches of a side
BATCH = 8  # inputs that are asked at once

Answer = Callable[[np.ndarray], np.ndarray]  # float32 (n, 3, h, w) -> logits (n, labels)
Span = tuple[tuple[float, float], tuple[float, float]]  # rows and columns, from where to where
WHOLE: Span = ((0, 1), (0, 1))  # as shares of the input


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """What the model answers without each of the patches, for all labels.

    Attributes:
        whole: float32 (labels,), the logits of the photo as it is.
        without: float32 (fills, grid * grid, labels), those without a patch, row by row; NaN for a
            patch that has not been hidden yet.
        fills: what took the patches' place.
        span: where on the input the patches lie: on the photo, and not on the bars beside it.
    """

    whole: np.ndarray
    without: np.ndarray
    fills: tuple[Fill, ...]
    span: Span = WHOLE

    @property
    def grid(self) -> int:
        """Patches of a side."""
        return round(self.without.shape[1] ** 0.5)

    @property
    def hidden(self) -> int:
        """How many patches have been hidden so far, of grid * grid."""
        return int(np.isfinite(self.without[0, :, 0]).sum())

    def plus(self, other: Patches) -> Patches:
        """The same patches hidden in more ways.

        Raises:
            CamdemoError: other patches.
        """
        if self.span != other.span or self.without.shape[1:] != other.without.shape[1:]:
            raise CamdemoError("These patches are not the same. Hide those of one photo and grid.")
        both = np.concatenate([self.without, other.without])
        return Patches(self.whole, both, (*self.fills, *other.fills), self.span)

    def drops(self, target: int, versus: Rivals | None = None) -> np.ndarray:
        """How much the label's logit loses with each patch, float32 (fills, grid, grid).

        NaN for a patch that has not been hidden yet.

        Args:
            versus: labels; then it is how much the logit less the mean of theirs loses.
        """
        lost = self.whole - self.without
        drop = lost[..., target] - (0 if versus is None else versus.subtracted(lost))
        return drop.reshape(len(self.fills), self.grid, self.grid)


Progress = Callable[[Patches], None]  # takes what is known so far


def masks(shape: tuple[int, int], grid: int = GRID, part: Box | None = None) -> np.ndarray:
    """The patches one by one, row by row: bool (grid * grid, h, w).

    Args:
        shape: height and width of the input.
        part: the pixels that they cover; None for all.
    """
    height, width = shape
    part = part or Box(0, 0, width, height)
    found = np.zeros((grid, grid, height, width), bool)
    rows, columns = (np.arange(size) * grid // size for size in (part.height, part.width))
    which = np.arange(grid)[:, np.newaxis]
    found[:, :, *part.slices] = (rows == which)[:, np.newaxis, :, np.newaxis] & (columns == which)[
        :, np.newaxis
    ]
    return found.reshape(grid * grid, height, width)


def means(cam: np.ndarray, grid: int = GRID, span: Span = WHOLE) -> np.ndarray:
    """The mean of a map (h, w) over each of grid x grid equal parts, float64 (grid, grid).

    A cell that lies in two of them counts in each with its share.

    Args:
        span: what of the map they cover.
    """
    down, across = (
        common_lengths(np.linspace(first, last, grid + 1), np.linspace(0, 1, cells + 1))
        * (grid / (last - first))  # rows add up to 1
        for cells, (first, last) in zip(cam.shape, span, strict=True)
    )
    return down @ cam @ across.T


def hide_each(
    answer: Answer,
    inputs: np.ndarray,
    fillings: Mapping[Fill, np.ndarray],
    grid: int = GRID,
    progress: Progress | None = None,
    part: Box | None = None,
) -> Patches:
    """Hide each patch by itself, and ask: every second one first, as on a chessboard.

    So the first half of them tell of the whole photo, at half the resolution.

    Args:
        inputs: float32 (1, 3, h, w).
        fillings: what takes a patch's place, float32 (3, h, w) each.
        progress: called after each batch, with what is known until then.
        part: the input's pixels that show the photo, which the patches cover; None for all.

    Raises:
        CamdemoError: an answer that is no number.
    """
    height, width = inputs.shape[-2:]
    part = part or Box(0, 0, width, height)
    hidden = masks((height, width), grid, part)
    span = (part.top / height, part.bottom / height), (part.left / width, part.right / width)
    whole = finite(answer(inputs))[0]
    without = np.full((len(fillings), len(hidden), len(whole)), np.nan, np.float32)
    rows, columns = np.divmod(np.arange(len(hidden)), grid)
    order = np.argsort((rows + columns) % 2, kind="stable")
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        for number, filled in enumerate(fillings.values()):
            without[number, some] = finite(answer(occlude(inputs, hidden[some], filled)))
        if progress:
            progress(Patches(whole, without.copy(), tuple(fillings), span))
    return Patches(whole, without, tuple(fillings), span)
