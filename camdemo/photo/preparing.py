"""Preparing: the part that the model sees becomes the input of its network.

The pixels are those of torchvision's and timm's own transforms, to the bit
(tests/test_preparing.py holds them to that).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from ..records import Box, Framing, ModelSpec, Transform, in_channels
from .framing import photo_part, seen_region

_LONGEST = 8  # a photo is resized whole if that is at most so many inputs long
_STRIP = 256  # rows that a thread resizes at once
_WORTH_THREADS = 2_000_000  # pixels from which two threads are faster


def prepare(image: Image.Image, framing: Framing, spec: ModelSpec) -> np.ndarray:
    """What the network is given: float32 of shape (1, 3, height, width), normalised.

    The transform and the training mean are those of `spec`.

    "crop" and "whole": the whole photo is resized, and the input cut from that, as torchvision
    does it. To resize the seen part alone is off by a grey level here and there (Pillow keeps
    its edges in single precision), and that moves a map by 0.0005 of its range. Only a very long
    photo is treated so: one of 1 x 20000 pixels would become a picture of five million rows.

    "fit": the photo alone is resized and laid on the training mean, so that neither mixes with
    the other. The mean is no photo's colour in whole grey levels, and is not rounded to them.

    A Box: this part is cut out before it is resized. Resizing mixes neighbours, and nothing
    outside of a frame may change what the model answers.

    Raises:
        ChoiceError, RegionError: see `seen_region`.
    """
    transform = spec.transform
    resample = Image.Resampling[transform.interpolation.upper()]
    _, rows, columns = transform.shape
    left, top, right, bottom = seen_region(image.size, transform, framing)
    width = round(image.width * columns / (right - left))  # of the whole photo, resized
    height = round(image.height * rows / (bottom - top))
    part = photo_part(image.size, transform, framing)
    if isinstance(framing, Box):
        pixels = _resize(image, framing, (columns, rows), resample)
    elif framing == "fit":
        pixels = _resize(image, Box(0, 0, *image.size), (part.width, part.height), resample)
    elif width <= _LONGEST * columns and height <= _LONGEST * rows:
        x, y = round(left * width / image.width), round(top * height / image.height)
        photo = _resize(image, Box(0, 0, *image.size), (width, height), resample)
        pixels = photo.crop((x, y, x + columns, y + rows))
    else:
        pixels = image.resize((columns, rows), resample, box=(left, top, right, bottom))
    values = np.full((rows, columns, 3), spec.training_mean, np.float32)
    values[part.slices] = np.asarray(pixels, dtype=np.float32) / np.float32(255)
    values = in_channels(values, len(transform.mean))
    mean, std = (np.array(each, np.float32) for each in (transform.mean, transform.std))
    return np.ascontiguousarray(((values - mean) / std).transpose(2, 0, 1))[np.newaxis]


def picture(inputs: np.ndarray, transform: Transform) -> Image.Image:
    """What a network is given, as a picture: RGB, of the input's size; opacity is left away.

    Args:
        inputs: float32 (1, channels, h, w), normalised with `transform`.
    """
    mean, std = (np.array(each, np.float32) for each in (transform.mean, transform.std))
    values = inputs[0].transpose(1, 2, 0) * std + mean
    grey_or_colours = values[..., :1] if values.shape[-1] < 3 else values[..., :3]
    pixels = np.broadcast_to(grey_or_colours, (*values.shape[:2], 3))
    return Image.fromarray((255 * pixels.clip(0, 1)).round().astype(np.uint8))


def _resize(
    image: Image.Image, part: Box, size: tuple[int, int], resample: Image.Resampling
) -> Image.Image:
    """`image.crop(part).resize(size, resample)`, to the bit, but a large part on two threads.

    Pillow resizes across and then down, with whole grey levels in between. The rows of the
    first pass, which is nearly all of the work, know nothing of each other: they are cut out
    and resized in strips, so that no copy of millions of pixels is made.
    """
    if part.width * part.height < _WORTH_THREADS:
        return image.crop((part.left, part.top, part.right, part.bottom)).resize(size, resample)
    narrow = Image.new("RGB", (size[0], part.height))

    def across(top: int) -> None:
        bottom = min(top + _STRIP, part.bottom)
        strip = image.crop((part.left, top, part.right, bottom))
        narrow.paste(strip.resize((size[0], bottom - top), resample), (0, top - part.top))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(across, range(part.top, part.bottom, _STRIP)))
    return narrow.resize(size, resample)
