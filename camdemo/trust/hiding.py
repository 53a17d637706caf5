"""Asking back: what the model answers when a part of what it saw is hidden.

NumPy arrays in and out. The network is not known here: it is handed in as a function that
scores a batch, so that everything can be tested by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from ..errors import ChoiceError, RegionError
from ..records import FILLS, Box, Fill, Transform

Score = Callable[[np.ndarray], np.ndarray]  # float32 (n, 3, side, side) -> float32 (n, labels)

PLACES = 16  # random places of the yardstick
_BLUR = 10 / 224  # of the side; Fong and Vedaldi 2017, section 4.1, blur with 10 pixels of 224
_MOST_PIECES = 32  # placed one by one; more than these are moved together


def mask_of(regions: Sequence[Box], box: Box, side: int) -> np.ndarray:
    """The input's pixels whose centres lie in one of the regions, bool (side, side).

    Args:
        regions: in pixels of the photo, like `box`.
        box: the part of the photo that became the input of `side` x `side` pixels.

    Raises:
        RegionError: a region has no area, or all of them lie outside of what the model saw.
    """
    x = box.left + (np.arange(side) + 0.5) * box.width / side
    y = box.top + (np.arange(side) + 0.5) * box.height / side
    mask = np.zeros((side, side), bool)
    for region in regions:
        if region.width <= 0 or region.height <= 0:
            raise RegionError(f"The region {region.text} has no area.")
        rows = (y >= region.top) & (y < region.bottom)
        columns = (x >= region.left) & (x < region.right)
        mask |= rows[:, np.newaxis] & columns
    return check(mask, side)


def check(mask: np.ndarray, side: int) -> np.ndarray:
    """The mask, if it is one that can be hidden.

    Raises:
        RegionError: another shape or type than bool (side, side), or nothing in it.
    """
    if mask.dtype != bool or mask.shape != (side, side):
        raise RegionError(
            f"A mask of type {mask.dtype} and shape {mask.shape} does not fit. "
            f"Give bool values of shape ({side}, {side}), the network's input."
        )
    if not mask.any():
        raise RegionError("Nothing of it is within what the model saw. Choose a part of that.")
    return mask


def filling(
    inputs: np.ndarray, fill: Fill, transform: Transform, mean: Sequence[float]
) -> np.ndarray:
    """What takes the place of hidden pixels, float32 (3, side, side), normalised like the input.

    The choice matters: a flat or noisy patch is something that the network never saw in
    training and can itself speak for a label, and a blurred one still tells the colours.

    Args:
        inputs: float32 (1, 3, side, side), normalised.
        fill: "blur" (the input itself, blurred beyond recognition), "mean" (the mean colour
            of the photos that the network was trained on), "noise" (random greys).
        transform: what `inputs` were normalised with.
        mean: that mean colour, red, green and blue from 0 to 1.

    Raises:
        ChoiceError: another fill.
    """
    if fill not in FILLS:
        raise ChoiceError("fill", fill, FILLS)
    side = inputs.shape[-1]
    if fill == "blur":
        pixels = np.ascontiguousarray(inputs[0].transpose(1, 2, 0))
        blurred = cv2.GaussianBlur(pixels, (0, 0), sigmaX=_BLUR * side)
        return np.ascontiguousarray(blurred.transpose(2, 0, 1))
    if fill == "mean":
        values = np.broadcast_to(_by_channel(mean), (3, side, side))
    else:
        greys = np.random.default_rng(0).random((1, side, side), np.float32)  # the same each time
        values = np.broadcast_to(greys, (3, side, side))
    return (values - _by_channel(transform.mean)) / _by_channel(transform.std)


def _by_channel(values: Sequence[float]) -> np.ndarray:
    return np.array(values, np.float32)[:, np.newaxis, np.newaxis]


def occlude(inputs: np.ndarray, masks: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """A batch of the input with each of the masks hidden, float32 (n, 3, side, side).

    Args:
        inputs: float32 (1, 3, side, side).
        masks: bool (n, side, side), true where the filling takes the pixel's place.
        filled: float32 (3, side, side), see `filling`.
    """
    return np.where(masks[:, np.newaxis], filled[np.newaxis], inputs)


def hide(
    score: Score, inputs: np.ndarray, mask: np.ndarray, filled: np.ndarray, keep: bool = False
) -> np.ndarray:
    """What `score` gives the input without the masked part, float32 (labels,).

    Args:
        keep: whether the mask is what is kept, and the rest is hidden.
    """
    return _scores(score, inputs, mask[np.newaxis], filled, keep)[0]


def hide_elsewhere(
    score: Score, inputs: np.ndarray, mask: np.ndarray, filled: np.ndarray, keep: bool = False
) -> np.ndarray:
    """The yardstick of `hide`: the mean over the same mask at random places, in one batch."""
    return _scores(score, inputs, elsewhere(mask), filled, keep).mean(axis=0)


def _scores(
    score: Score, inputs: np.ndarray, masks: np.ndarray, filled: np.ndarray, keep: bool
) -> np.ndarray:
    return score(occlude(inputs, ~masks if keep else masks, filled))


def elsewhere(mask: np.ndarray, count: int = PLACES, seed: int = 0) -> np.ndarray:
    """The mask at random places: the yardstick for what hiding it does.

    Each connected piece keeps its size and shape and stays within the frame; pieces avoid each
    other where there is room, so that as much is hidden as by the mask. A mask of more than 32
    pieces moves as a whole, and comes in again at the opposite edge.

    Args:
        mask: bool (side, side).
        count: how many places.
        seed: of the random numbers: the same question has the same answer.

    Returns:
        bool (count, side, side).
    """
    random = np.random.default_rng(seed)
    pieces = _pieces(mask)
    if len(pieces) > _MOST_PIECES:
        shifts = random.integers(0, mask.shape[0], (count, 2))
        return np.stack([np.roll(mask, tuple(shift), (0, 1)) for shift in shifts])
    return np.stack([_scatter(pieces, mask.shape, random) for _ in range(count)])


def _pieces(mask: np.ndarray) -> list[np.ndarray]:
    """The connected pieces, each cut out, the largest first."""
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    pieces = []
    for number in range(1, count):  # 0 is what the mask leaves
        left, top, width, height, _area = facts[number]
        pieces.append(numbers[top : top + height, left : left + width] == number)
    return sorted(pieces, key=lambda piece: -piece.sum())


def _scatter(
    pieces: Sequence[np.ndarray], shape: tuple[int, ...], random: np.random.Generator
) -> np.ndarray:
    """The pieces, each at a random place among those where it overlaps the others least."""
    taken = np.zeros(shape, np.float32)
    for piece in pieces:
        height, width = piece.shape
        overlaps = np.rint(cv2.matchTemplate(taken, piece.astype(np.float32), cv2.TM_CCORR))
        places = np.argwhere(overlaps == overlaps.min())
        top, left = places[random.integers(len(places))]
        part = taken[top : top + height, left : left + width]
        part[piece] = 1
    return taken > 0
