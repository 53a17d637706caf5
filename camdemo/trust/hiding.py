"""Asking back: what the model answers when a part of what it saw is hidden.

NumPy arrays in and out. No network is known here: a function that scores a batch is handed in,
so that everything can be tested by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import ChoiceError, RegionError
from ..question import FILLS
from ..records import Box, Fill, Transform, finite, in_channels

# float32 (n, 3, h, w) -> probabilities, float32 (n, labels)
Score = Callable[[np.ndarray], np.ndarray]

PLACES = 16  # random places of the yardstick, of at least as many that are allowed
_BLUR = 10 / 224  # of the shorter side; Fong and Vedaldi 2017, section 4.1: 10 pixels of 224
_MOST_PIECES = 32  # placed one by one; more than these are moved together


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """What hiding as much does at random places; see `hide_elsewhere`.

    Attributes:
        mean: float32 (labels,), the probabilities on average over the places.
        error: float32 (labels,), the standard error of that mean.
        overlap: how much of the mask the places cover on average, 0 to 1.
    """

    mean: np.ndarray
    error: np.ndarray
    overlap: float


def mask_of(regions: Sequence[Box], box: Box, shape: tuple[int, int]) -> np.ndarray:
    """The input's pixels whose centres lie in one of the regions, bool (h, w).

    Args:
        regions: in pixels of the photo, like `box`.
        box: the part of the photo that became the input.
        shape: height and width of that input.

    Raises:
        RegionError: a region has no area, or none of them is within what the model saw.
    """
    height, width = shape
    x = box.left + (np.arange(width) + 0.5) * box.width / width
    y = box.top + (np.arange(height) + 0.5) * box.height / height
    mask = np.zeros(shape, bool)
    for region in regions:
        if region.width <= 0 or region.height <= 0:
            raise RegionError(f"The region {region.text} has no area.")
        rows = (y >= region.top) & (y < region.bottom)
        columns = (x >= region.left) & (x < region.right)
        mask |= rows[:, np.newaxis] & columns
    return check(mask, shape)


def on_photo(masks: np.ndarray, part: Box | None) -> np.ndarray:
    """What of the masks, bool (..., h, w), lies on this part of the input; None for all."""
    if part is None:
        return masks
    inside = np.zeros(masks.shape[-2:], bool)
    inside[part.slices] = True
    return masks & inside


def check(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mask, if it is one that can be hidden.

    Raises:
        RegionError: another shape or type than bool of this height and width, or nothing in it.
    """
    if mask.dtype != bool or mask.shape != shape:
        raise RegionError(
            f"A mask of type {mask.dtype} and shape {mask.shape} does not fit. "
            f"Give bool values of shape {shape}, the network's input."
        )
    if not mask.any():
        raise RegionError("Nothing of it is within what the model saw. Choose a part of that.")
    return mask


def filling(
    inputs: np.ndarray, fill: Fill, transform: Transform, mean: Sequence[float]
) -> np.ndarray:
    """What takes the place of hidden pixels, float32 (3, h, w), normalised like the input.

    The choice matters. The network never saw a flat or noisy patch in training, and such a
    patch can itself speak for a label. A blurred one still tells the colours.

    Args:
        inputs: float32 (1, 3, h, w), normalised.
        fill: "blur" (the input itself, blurred beyond recognition), "mean" (the mean colour
            of the photos that the network was trained on), "noise" (random greys).
        transform: what `inputs` were normalised with.
        mean: that mean colour, red, green and blue from 0 to 1.

    Raises:
        ChoiceError: another fill.
    """
    if fill not in FILLS:
        raise ChoiceError("fill", fill, FILLS)
    height, width = inputs.shape[-2:]
    if fill == "blur":
        pixels = np.ascontiguousarray(inputs[0].transpose(1, 2, 0))
        blurred = cv2.GaussianBlur(pixels, (0, 0), sigmaX=_BLUR * min(height, width))
        blurred = blurred.reshape(pixels.shape)  # one channel comes back without its axis
        return np.ascontiguousarray(blurred.transpose(2, 0, 1))
    if fill == "mean":
        colour = in_channels(np.array(mean, np.float32), inputs.shape[1])
        values = np.broadcast_to(_by_channel(colour), (inputs.shape[1], height, width))
    else:
        greys = np.random.default_rng(0).random(
            (1, height, width), np.float32
        )  # the same each time
        values = np.broadcast_to(greys, (inputs.shape[1], height, width))
    return normalised(values, transform)


def normalised(values: np.ndarray, transform: Transform) -> np.ndarray:
    """Colours, float32 (channels, h, w) from 0 to 1, as a network's input has them."""
    return (values - _by_channel(transform.mean)) / _by_channel(transform.std)


def _by_channel(values: Sequence[float] | np.ndarray) -> np.ndarray:
    return np.array(values, np.float32)[:, np.newaxis, np.newaxis]


def occlude(inputs: np.ndarray, masks: np.ndarray, filled: np.ndarray) -> np.ndarray:
    """A batch of the input with each of the masks hidden, float32 (n, 3, h, w).

    Args:
        inputs: float32 (1, 3, h, w).
        masks: bool (n, h, w), true where the filling takes the pixel's place.
        filled: float32 (3, h, w), see `filling`.
    """
    return np.where(masks[:, np.newaxis], filled[np.newaxis], inputs)


def hide(
    score: Score,
    inputs: np.ndarray,
    mask: np.ndarray,
    filled: np.ndarray,
    keep: bool = False,
    part: Box | None = None,
) -> np.ndarray:
    """What `score` gives the input without the masked part, float32 (labels,).

    Args:
        keep: whether the mask is what is kept, and the rest is hidden.
        part: the input's pixels that show the photo; None for all. The bars beside it stay what
            they are, whatever is hidden.

    Raises:
        CamdemoError: the score is no number.
    """
    return _scores(score, inputs, mask[np.newaxis], filled, keep, part)[0]


def hide_elsewhere(
    score: Score,
    inputs: np.ndarray,
    mask: np.ndarray,
    filled: np.ndarray,
    keep: bool = False,
    part: Box | None = None,
) -> Yardstick:
    """The yardstick of `hide`: the same mask at 16 random places beside it, in one batch.

    Arguments and errors are those of `hide`; for the places see `elsewhere`. All lie on the photo:
    a patch on a bar would hide nothing, and make the region look important.
    """
    seen = part.slices if part else (slice(None), slice(None))
    places = np.zeros((PLACES, *mask.shape), bool)
    places[:, *seen] = elsewhere(mask[seen])
    scores = _scores(score, inputs, places, filled, keep, part)
    return Yardstick(
        mean=scores.mean(axis=0),
        error=scores.std(axis=0, ddof=1) / np.float32(np.sqrt(len(scores))),
        overlap=float((places & mask).sum() / (len(places) * mask.sum())),
    )


def _scores(
    score: Score,
    inputs: np.ndarray,
    masks: np.ndarray,
    filled: np.ndarray,
    keep: bool,
    part: Box | None,
) -> np.ndarray:
    hidden = ~masks if keep else masks
    return finite(score(occlude(inputs, on_photo(hidden, part), filled)))


def elsewhere(mask: np.ndarray, count: int = PLACES, seed: int = 0) -> np.ndarray:
    """The mask at random places: the yardstick for what hiding it does.

    Each connected piece keeps its size and shape and stays within the frame. Pieces avoid each
    other where there is room, so that as much is hidden as by the mask. They also avoid the
    mask: each lies where it overlaps that least, chosen from at least 16 places, so that they
    differ. A mask of more than 32 pieces moves as a whole, and comes in again at the opposite edge.

    Args:
        mask: bool (h, w).
        count: how many places.
        seed: of the random numbers: the same question has the same answer.

    Returns:
        bool (count, h, w).
    """
    random = np.random.default_rng(seed)
    pieces = _pieces(mask)
    if len(pieces) > _MOST_PIECES:
        shifts = random.choice(_least(_overlaps_around(mask), np.arange(mask.size)), count)
        return np.stack(
            [np.roll(mask, divmod(shift, mask.shape[1]), (0, 1)) for shift in shifts.tolist()]
        )
    overlaps_of = [_overlaps(mask.astype(np.float32), piece) for piece in pieces]
    return np.stack([_scatter(pieces, overlaps_of, mask.shape, random) for _ in range(count)])


def _pieces(mask: np.ndarray) -> list[np.ndarray]:
    """The connected pieces, each cut out, the largest first."""
    count, numbers, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    pieces = []
    for number in range(1, count):  # 0 is what the mask leaves
        left, top, width, height, _area = facts[number]
        pieces.append(numbers[top : top + height, left : left + width] == number)
    return sorted(pieces, key=lambda piece: -piece.sum())


def _scatter(
    pieces: Sequence[np.ndarray],
    overlaps_of: Sequence[np.ndarray],
    shape: tuple[int, ...],
    random: np.random.Generator,
) -> np.ndarray:
    """The pieces, each at a random place: of those where it overlaps the others least, one where
    it overlaps the mask least (`overlaps_of` has that for each piece and place)."""
    taken = np.zeros(shape, np.float32)
    for piece, with_mask in zip(pieces, overlaps_of, strict=True):
        with_others = _overlaps(taken, piece)
        places = _least(with_mask, np.flatnonzero(with_others == with_others.min()))
        top, left = divmod(random.choice(places), with_mask.shape[1])
        height, width = piece.shape
        taken[top : top + height, left : left + width][piece] = 1
    return taken > 0


def _least(overlaps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of these places (flat indices) those with the least overlap: at least 16, if there are."""
    found = overlaps.ravel()[places]
    least = places[found == found.min()]
    if len(least) >= PLACES:
        return least
    rank = min(PLACES, len(found)) - 1
    return places[found <= np.partition(found, rank)[rank]]


def _overlaps(field: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """How many pixels of a field of zeros and ones, float32, the piece covers at each place."""
    return np.rint(cv2.matchTemplate(field, piece.astype(np.float32), cv2.TM_CCORR))


def _overlaps_around(mask: np.ndarray) -> np.ndarray:
    """How many of its own pixels the mask covers when it is rolled, for each shift."""
    spectrum = np.fft.rfft2(mask)
    return np.rint(np.fft.irfft2(np.abs(spectrum) ** 2, mask.shape))
