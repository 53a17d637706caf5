"""From a map to a picture: resize, colour, blend. NumPy arrays in, NumPy arrays out.

The steps are few and exact, so that the browser can paint the same picture: the small map is
brought to 0..1, upsampled, rounded to one of 256 colours, and blended. In the look "notebook" the
blend is the notebook's: the heat covers the whole photo evenly. In "glow" it covers the photo as
far as there is evidence, so that the photo stays itself where nothing speaks for the label.

Upsampling is bicubic. The notebook's picture ("minmax") keeps OpenCV's, with a = -0.75, which
overshoots: between two hot cells it paints more than either has, and in about a quarter of the
photos the hottest spot then lies outside of the hottest cell. So the other kinds of evidence are
painted with a = 0: every pixel is a mean of the up to four cells around it, and no colour is
painted that no cell has. (Keys 1981, eq. 8; OpenCV's, clamped to those four cells, has seams.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np

from .records import Box, Evidence, LookName

_MARGIN_LIGHT = 0.4  # how bright the margin that the model never saw is left
_ALL = 32768  # the share of a pixel that is wholly covered: whole numbers round everywhere alike
_STRIP = 32  # rows that are drawn at once, so that they stay in the processor's cache

# The diverging map for signed evidence, blue to white to red: OpenCV has none. The five
# colours are ours, with nearly equal lightness left and right of the neutral middle.
_DIVERGING = np.array(
    [[24, 62, 140], [103, 152, 205], [245, 245, 245], [222, 120, 92], [144, 20, 38]]
)


def scale(cam: np.ndarray, evidence: Evidence) -> np.ndarray | None:
    """The signed map as values from 0 to 1 for display, or None when it says nothing.

    "positive": what is negative becomes 0, the largest value 1 (the Grad-CAM paper's ReLU).
    "signed": 0.5 is no evidence, 0 and 1 the largest magnitude against and for the label.
    "minmax": the smallest value 0, the largest 1, whatever their signs (the notebook's way).

    Args:
        cam: float32 (h, w), finite.

    Returns:
        float32 (h, w); None when there is no positive value ("positive"), no value but zero
        ("signed"), or no difference ("minmax").
    """
    low, high = float(cam.min()), float(cam.max())
    if evidence == "positive":
        return np.maximum(cam, 0) / np.float32(high) if high > 0 else None
    if evidence == "signed":
        largest = max(high, -low)
        return cam / np.float32(2 * largest) + np.float32(0.5) if largest > 0 else None
    return (cam - np.float32(low)) / np.float32(high - low) if high > low else None


def smoothed(cam: np.ndarray, sigma: float) -> np.ndarray:
    """A map through a Gaussian of `sigma` cells; beyond the edge the last cell goes on.

    Args:
        cam: float32 (h, w).

    Returns:
        float32 (h, w), the same map for a sigma of 0.
    """
    if not sigma:
        return cam
    reach = int(np.ceil(3 * sigma))
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma * sigma))
    kernel = weights / weights.sum()
    smooth = cv2.sepFilter2D(
        cam.astype(np.float64), cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REPLICATE
    )
    return smooth.astype(np.float32)


@cache
def palette(colormap: str, evidence: Evidence) -> np.ndarray:
    """The 256 colours of a map, uint8 (256, 1, 3), RGB. Signed evidence has its own."""
    if evidence == "signed":
        positions = np.linspace(0, 255, len(_DIVERGING))
        colours = [np.interp(np.arange(256), positions, channel) for channel in _DIVERGING.T]
        return np.rint(np.stack(colours, axis=-1)).astype(np.uint8)[:, np.newaxis]
    ramp = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    blue_first = cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{colormap.upper()}"))
    return np.ascontiguousarray(blue_first[..., ::-1])


def shares(cells: int, pixels: int, evidence: Evidence) -> np.ndarray:
    """How much of each cell is in each pixel along one axis, float32 (pixels, cells).

    At most four in a row are not zero; each row adds up to 1.
    """
    unit = np.eye(cells, dtype=np.float32)
    if evidence == "minmax":
        return cv2.resize(unit, (cells, pixels), interpolation=cv2.INTER_CUBIC)
    # A bicubic with a = 0 has the two cells of a linear one, eased in and out.
    linear = cv2.resize(unit, (cells, pixels), interpolation=cv2.INTER_LINEAR)
    return linear * linear * (3 - 2 * linear)


def covers(opacity: float, evidence: Evidence) -> np.ndarray:
    """How much each of the 256 colours covers the photo in "glow": int32 (256,), 0 to 32768.

    It rises from 0, where nothing speaks for (or, signed, against) the label, to the opacity, flat
    at both ends: weak evidence hardly tints the photo, and a hot spot has no edge.
    """
    index = np.arange(256)
    strength = (np.abs(2 * index - 255) if evidence == "signed" else index) / 255
    share = opacity * strength * strength * (3 - 2 * strength)  # in the browser's order
    return np.floor(share * _ALL + 0.5).astype(np.int32)


def indices(
    values: np.ndarray, box: Box, seen: Box, evidence: Evidence
) -> Iterator[tuple[slice, np.ndarray]]:
    """Which colour each pixel of a map of values 0..1 has, by strips: rows, uint8 (rows, width).

    The map lies on `box`; what is drawn is `seen`, a part of that, and rows count from its top.
    The map at the full size would be 36 MB of floats for a photo of 12 megapixels; a strip
    stays in the processor's cache.
    """
    columns = slice(seen.left - box.left, seen.right - box.left)
    rows = slice(seen.top - box.top, seen.bottom - box.top)
    across = values * np.float32(255) @ shares(values.shape[1], box.width, evidence)[columns].T
    down = shares(values.shape[0], box.height, evidence)[rows]
    for top in range(0, seen.height, _STRIP):
        strip = slice(top, min(top + _STRIP, seen.height))
        near = down[strip].any(axis=0)
        # Not a second matrix product: BLAS would wake its threads for each of the strips.
        large = np.einsum("ij,jk->ik", down[strip, near], across[near])
        # OpenCV's bicubic overshoots; the addition rounds and clips to 0..255 in one pass.
        yield strip, cv2.add(large, 0.0, dtype=cv2.CV_8U)  # type: ignore[call-overload]


def overlay(
    photo: np.ndarray,
    cam: np.ndarray,
    box: Box,
    colormap: str,
    opacity: float,
    evidence: Evidence,
    look: LookName = "notebook",
    top: int = 0,
    height: int | None = None,
) -> np.ndarray:
    """The photo with the map drawn over the pixels that the model saw, and only there.

    The margin that it did not see is dimmed and the seen part outlined. A map that says
    nothing (see `scale`) gives the plain photo.

    Args:
        photo: uint8 (H, W, 3), RGB; or some of its rows, which are drawn as they are of the whole.
        cam: float32 (h, w), the signed map.
        box: where the map lies, in pixels of the photo. What of it is beyond is not drawn.
        opacity: 0 (photo alone) to 1 (heat alone); of the strongest evidence where it glows.
        top: which row of the photo is the first that is given.
        height: of the whole photo; None if all of it is given.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    values = scale(cam, evidence)
    if values is None:
        return photo.copy()
    colours = palette(colormap, evidence)
    share = covers(opacity, evidence)
    left = _ALL - share  # of the photo
    warm = colours[:, 0] * share[:, np.newaxis] + _ALL // 2  # a half more, so that `>>` rounds
    picture = np.empty_like(photo)
    given, width = photo.shape[:2]
    height = height or given
    framed = _moved(box.within(width, height), top)
    first, last = (min(max(edge, 0), given) for edge in (framed.top, framed.bottom))
    seen = Box(framed.left, first, framed.right, last)
    _dim(photo, seen, picture)
    # Views, so that what is written to `over` is written to the picture.
    over, under = picture[seen.slices], photo[seen.slices]
    for rows, index in indices(values, _moved(box, top), seen, evidence):
        if look == "glow":
            # (`take`: indexing takes three times as long.)
            part = np.multiply(under[rows], left.take(index)[..., np.newaxis], dtype=np.int32)
            over[rows] = (part + warm.take(index, axis=0)) >> 15
        else:
            heat = cv2.applyColorMap(index, colours)
            over[rows] = cv2.addWeighted(under[rows], 1 - opacity, heat, opacity, 0)
    _outline(picture, framed, max(1, round(max(height, width) / 500)))
    return picture


def _moved(box: Box, up: int) -> Box:
    """The box in a picture whose first rows are gone."""
    return Box(box.left, box.top - up, box.right, box.bottom - up)


def _dim(photo: np.ndarray, box: Box, picture: np.ndarray) -> None:
    """The photo around the box, darker, into the picture."""
    above, below = slice(0, box.top), slice(box.bottom, None)
    beside, everything = slice(box.top, box.bottom), slice(None)
    left, right = slice(0, box.left), slice(box.right, None)
    for part in ((above, everything), (below, everything), (beside, left), (beside, right)):
        if photo[part].size:
            picture[part] = cv2.convertScaleAbs(photo[part], alpha=_MARGIN_LIGHT)


def _outline(picture: np.ndarray, box: Box, thickness: int) -> None:
    """A white line around the box, on the margin, so that it hides nothing of the map.

    Args:
        box: it may begin above the picture, and end below.
    """
    width = picture.shape[1]
    left, right = max(box.left - thickness, 0), min(box.right + thickness, width)
    above, top, bottom, below = (
        max(row, 0) for row in (box.top - thickness, box.top, box.bottom, box.bottom + thickness)
    )
    picture[above:top, left:right] = 255
    picture[bottom:below, left:right] = 255
    picture[above:below, left : box.left] = 255
    picture[above:below, box.right : right] = 255


def jpeg(photo: np.ndarray) -> bytes:
    """The photo as a JPEG file, for the browser. Args: uint8 (H, W, 3), RGB."""
    blue_first = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
