"""Framing: which part of the upright photo the model sees."""

from __future__ import annotations

import re

from .. import question
from ..errors import ChoiceError, RegionError
from ..records import Box, Framing, Transform

_FRAME = re.compile(r"\s*\d{1,6}(\s*,\s*\d{1,6}){3}\s*", re.ASCII)
_EDGES = "Give left, top, right and bottom in pixels of the upright photo."


def find_framing(framing: object) -> Framing:
    """A framing by its name, or the frame of a text such as "12,0,345,333".

    Raises:
        ChoiceError: neither a framing nor a frame.
    """
    if isinstance(framing, Box):
        return framing
    if framing == "crop":
        return "crop"
    if framing == "whole":
        return "whole"
    if framing == "fit":
        return "fit"
    if isinstance(framing, str) and _FRAME.fullmatch(framing):
        return Box(*(int(edge) for edge in framing.split(",")))
    raise ChoiceError("framing", framing, [*question.FRAMINGS, "left,top,right,bottom in pixels"])


def seen_region(size: tuple[int, int], transform: Transform, framing: Framing) -> tuple[float, ...]:
    """Left, top, right and bottom of what the model sees, in pixels of the upright photo.

    "crop": as the weights were validated: the photo is resized until its shorter side has
    `transform.resize` pixels, and the middle is cut out (torchvision's Resize and CenterCrop,
    with their rounding). "whole": the entire photo, squeezed into the input's shape, which is
    mostly a square. "fit": the frame of that shape in which the photo lies unsqueezed, between two
    bars; it reaches beyond the photo, so that an edge is negative and the opposite one lies past
    the photo's. A Box: this frame, squeezed into the input's shape.

    Raises:
        ChoiceError: another framing.
        RegionError: a frame that is not within the photo, or has no area.
    """
    width, height = size
    if isinstance(framing, Box):
        return _checked(framing, width, height)
    if framing == "whole":
        return (0.0, 0.0, float(width), float(height))
    if framing == "fit":
        part, (_, rows, columns) = photo_part(size, transform, framing), transform.shape
        left, right = (edge * width / part.width for edge in (-part.left, columns - part.left))
        top, bottom = (edge * height / part.height for edge in (-part.top, rows - part.top))
        return (left, top, right, bottom)
    if framing != "crop":
        raise ChoiceError("framing", framing, question.FRAMINGS)
    (_, rows, columns), resized = transform.shape, _resized(size, transform.resize)
    left = round((resized[0] - columns) / 2) * width / resized[0]
    top = round((resized[1] - rows) / 2) * height / resized[1]
    right = left + columns * width / resized[0]
    bottom = top + rows * height / resized[1]
    return (left, top, right, bottom)


def _resized(size: tuple[int, int], to: int | tuple[int, int]) -> tuple[int, int]:
    """Width and height of the photo before the middle is cut out, rounded as by those who trained:
    torchvision's Resize to a shorter side, timm's ResizeKeepRatio to what must be covered."""
    width, height = size
    if isinstance(to, tuple):
        factor = min(height / to[0], width / to[1])
        return round(width / factor), round(height / factor)
    short, long = sorted(size)
    long_resized = int(to * long / short)
    return (to, long_resized) if width <= height else (long_resized, to)


def photo_part(size: tuple[int, int], transform: Transform, framing: Framing) -> Box:
    """The pixels of the network's input that show the photo: all, but for the bars of "fit".

    There the photo is as large as the input lets it be, and lies in the middle. Of a very long
    photo one row or column is left, which is wider than it should be.
    """
    (width, height), (_, rows, columns) = size, transform.shape
    if framing != "fit":
        return Box(0, 0, columns, rows)
    if width * rows >= height * columns:
        across, down = columns, max(1, round(columns * height / width))
    else:
        across, down = max(1, round(rows * width / height)), rows
    left, top = (columns - across) // 2, (rows - down) // 2
    return Box(left, top, left + across, top + down)


def _checked(frame: Box, width: int, height: int) -> tuple[float, ...]:
    if frame.width <= 0 or frame.height <= 0:
        raise RegionError(f"The frame {frame.text} has no area. {_EDGES}")
    if frame.left < 0 or frame.top < 0 or frame.right > width or frame.bottom > height:
        raise RegionError(
            f"The frame {frame.text} is not within the photo of {width} x {height} pixels. {_EDGES}"
        )
    return (float(frame.left), float(frame.top), float(frame.right), float(frame.bottom))


def to_box(region: tuple[float, ...]) -> Box:
    """The region in whole pixels, at least one each way."""
    left, top, right, bottom = (round(edge) for edge in region)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))
