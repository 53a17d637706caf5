"""Photos: decoding what strangers send, and cutting out what the model sees.

Everything here is Pillow and NumPy; the arithmetic of the input transform is torchvision's,
to the bit (tests/test_images.py holds it to that).
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from .errors import ChoiceError, ImageError
from .records import FRAMINGS, Box, Framing, Transform

Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray

MAX_PIXELS = 50_000_000
_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # MPO: phones' JPEG
_ACCEPTED = "Send a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF of at most 50 megapixels."

# Pillow's own limit would stop larger files with an error of its own; ours comes first.
Image.MAX_IMAGE_PIXELS = None


def read(photo: Photo) -> Image.Image:
    """The photo upright, as a Pillow image in mode RGB.

    Takes a path, the bytes of a file, a Pillow image, or a uint8 array (H, W), (H, W, 3) or
    (H, W, 4). Animated files give their first frame; transparency is laid over white;
    16-bit values are scaled to 8; the orientation in EXIF is applied.

    Raises:
        ImageError: not a photo of a known format, damaged, empty, or over `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata, which is no error
            image = _open(photo)
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(
                    f"The photo has {image.width} x {image.height} pixels, "
                    f"more than {MAX_PIXELS // 10**6} megapixels. Send a smaller one."
                )
            image.load()
            return _to_rgb(_upright(image))
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {os.fspath(photo)!r}.") from error  # type: ignore[arg-type]
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise ImageError(f"This is not a photo that can be read. {_ACCEPTED}") from error


def _open(photo: Photo) -> Image.Image:
    if isinstance(photo, Image.Image):
        return photo
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    if isinstance(photo, bytes):
        return Image.open(io.BytesIO(photo), formats=_FORMATS)
    return Image.open(Path(photo), formats=_FORMATS)


def _from_array(array: np.ndarray) -> Image.Image:
    has_channels = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not (array.ndim == 2 or has_channels) or array.size == 0:
        raise ImageError(
            f"An array of type {array.dtype} and shape {array.shape} is not a photo. "
            "Give uint8 values 0..255 of shape (height, width, 3)."
        )
    return Image.fromarray(array)


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF: the photo itself is fine, so show it as it lies
        return image
    if orientation not in range(2, 9):
        return image
    # A bare copy: exif_transpose would rewrite the metadata, and fail where it is broken.
    bare = Image.Image.copy(image)
    bare.info = {}
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    bare._exif = exif  # type: ignore[attr-defined]
    return ImageOps.exif_transpose(bare)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of any width as uint8: 0..1 floats, 0..255, or 0..65535."""
    values = np.nan_to_num(values.astype(np.float32))
    if values.dtype.kind == "f" and values.max() <= 1.0:
        values = values * 255
    elif values.max() > 255:
        values = values / 257  # 65535 becomes 255
    return np.rint(values).clip(0, 255).astype(np.uint8)


def seen_region(size: tuple[int, int], transform: Transform, framing: Framing) -> tuple[float, ...]:
    """Left, top, right and bottom of what the model sees, in pixels of the upright photo.

    "crop": the photo is resized so that its shorter side has `transform.resize` pixels and
    the middle is cut out, as the weights were validated (torchvision's Resize and
    CenterCrop, with their rounding). "whole": the entire photo, squeezed.

    Raises:
        ChoiceError: another framing.
    """
    width, height = size
    if framing == "whole":
        return (0.0, 0.0, float(width), float(height))
    if framing != "crop":
        raise ChoiceError("framing", framing, FRAMINGS)
    short, long = sorted(size)
    long_resized = int(transform.resize * long / short)
    resized_width = transform.resize if width <= height else long_resized
    resized_height = long_resized if width <= height else transform.resize
    left = round((resized_width - transform.crop) / 2) * width / resized_width
    top = round((resized_height - transform.crop) / 2) * height / resized_height
    right = left + transform.crop * width / resized_width
    bottom = top + transform.crop * height / resized_height
    return (left, top, right, bottom)


def to_box(region: tuple[float, ...]) -> Box:
    """The region in whole pixels, at least one each way."""
    left, top, right, bottom = (round(edge) for edge in region)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def prepare(image: Image.Image, region: tuple[float, ...], transform: Transform) -> np.ndarray:
    """What the network is given: float32 of shape (1, 3, crop, crop), normalised.

    Resizing only the seen region gives the pixels that resizing the whole photo and then
    cropping gives, since Pillow's filters still read across the region's edge; but a photo
    of 1 x 20000 pixels needs no intermediate picture of five million rows.
    """
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    side = (transform.crop, transform.crop)
    pixels = image.resize(side, filters[transform.interpolation], box=region)  # type: ignore[arg-type]
    values = np.asarray(pixels, dtype=np.float32) / np.float32(255)
    values = (values - np.float32(transform.mean)) / np.float32(transform.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1))[np.newaxis]
