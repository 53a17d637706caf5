"""Random orders of a photo's pixels: the yardstick of deletion and insertion.

Each is that of a grid of 7 x 7 random numbers, made larger as a map is, so that as large spots go
as in a map. What the model answers meanwhile depends on photo and filling alone: it holds for all
maps, methods and labels, and, read backwards, for what comes in.

NumPy arrays in and out; a function that answers a batch is handed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..records import Box, Fill, finite
from .hiding import occlude
from .patches import BATCH, GRID, Answer

ORDERS = 16
STEPS = 8  # of each: the band of all is wide, and between so many points hardly bent


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """What the model answers as the photo's pixels go in random orders: for all labels and maps.

    Attributes:
        fill: what is seen where pixels are gone.
        shares: float32 (n,), which share of the pixels has gone, from 0 to 1.
        logits: float32 (orders, n, labels).
    """

    fill: Fill
    shares: np.ndarray
    logits: np.ndarray


def place(heat: np.ndarray) -> np.ndarray:
    """When each pixel's turn comes, 0 for the hottest: int (h, w). Of equals, row by row."""
    turns = np.empty(heat.size, np.int64)
    turns[np.argsort(-heat, axis=None, kind="stable")] = np.arange(heat.size)
    return turns.reshape(heat.shape)


def draw(
    answer: Answer,
    inputs: np.ndarray,
    filled: np.ndarray,
    *,
    fill: Fill,
    steps: int = STEPS,
    orders: int = ORDERS,
    seed: int = 0,
    part: Box | None = None,
) -> Iterator[Orders]:
    """Random orders as they come; what all of them begin and end with is asked once.

    Args:
        inputs: float32 (1, 3, h, w).
        filled: float32 (3, h, w), what is seen where pixels are gone.
        steps: how many times pixels go.
        seed: of the random orders.
        part: the input's pixels that show the photo; None for all. What is beside it stays.

    Raises:
        CamdemoError: an answer that is no number.
    """
    if not orders:
        return
    slices = part.slices if part else (slice(None), slice(None))
    shape = inputs[0, 0][slices].shape
    counts, shares = counts_of(shape[0] * shape[1], steps)

    def answers(turns: np.ndarray, counts: np.ndarray) -> np.ndarray:
        gone = turns < counts[:, np.newaxis, np.newaxis]
        return finite(answer(without(inputs, gone, filled, slices)))

    ends = answers(np.zeros(shape, np.int64), np.array([0, 1]))
    numbers = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    for _ in range(orders):
        grid = numbers.random((GRID, GRID), np.float32)
        turns = place(cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_LINEAR))
        inner = [answers(turns, batch) for batch in _batches(counts[1:-1])]
        found.append(np.concatenate([ends[:1], *inner, ends[1:]]))
        yield Orders(fill, shares, np.stack(found))


def counts_of(size: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """How many of so many pixels are gone at each step, int (steps + 1,), and which share."""
    counts = (np.arange(steps + 1) * size * 2 + steps) // (2 * steps)  # halves rounded up
    return counts, (counts / size).astype(np.float32)


def without(
    inputs: np.ndarray, gone: np.ndarray, filled: np.ndarray, slices: tuple[slice, slice]
) -> np.ndarray:
    """A batch of the input without the photo's pixels that are gone, bool (n, h, w)."""
    hidden = np.zeros((len(gone), *inputs.shape[2:]), bool)
    hidden[:, *slices] = gone
    return occlude(inputs, hidden, filled)


def _batches(counts: np.ndarray) -> list[np.ndarray]:
    return np.split(counts, range(BATCH, len(counts), BATCH)) if len(counts) else []
