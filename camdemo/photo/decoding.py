"""Decoding: what strangers send becomes an upright RGB picture, or one sentence."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from ..errors import ImageError

Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray

MAX_PIXELS = 50_000_000  # unless the caller says otherwise
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # JPEG is phones' MPO, too
_ACCEPTED = "Send a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."

# What EXIF's orientations ask for; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STRIP = 256  # rows that are converted at once

# Pillow warns of odd metadata and of large files; neither is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


def read(photo: Photo, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The photo upright, as a Pillow image in mode RGB.

    Takes a path, the bytes of a file, a Pillow image, or a uint8 array (H, W), (H, W, 3) or
    (H, W, 4). Animated files give their first frame; transparency is laid over white;
    16-bit values are scaled to 8; the orientation in EXIF is applied.

    Raises:
        ImageError: not a photo of a known format, damaged, empty, or over `max_pixels`, which
            are counted before anything is decoded.
    """
    try:
        image = _open(photo)
        if image.width * image.height > max_pixels:
            raise _too_large(f"{image.width} x {image.height} pixels", max_pixels)
        image.load()
        upright = _to_rgb(_upright(image))
        return upright.copy() if upright is photo else upright  # never the caller's own image
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, from 179 megapixels on
        raise _too_large("too many pixels", max_pixels) from error
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {os.fspath(photo)!r}.") from error  # type: ignore[arg-type]
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise ImageError(f"This is not a photo that can be read. {_ACCEPTED}") from error


def _too_large(size: str, max_pixels: int) -> ImageError:
    limit = max_pixels // 10**6
    return ImageError(f"The photo has {size}, more than {limit} megapixels. Send a smaller one.")


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
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode == "La":  # from which Pillow goes nowhere else
        image = image.convert("LA")
    if image.has_transparency_data:
        return _over_white(image)
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Strip by strip: three copies of 50 megapixels at once would take most of a gigabyte."""
    over = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP):
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        over.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return over


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of any kind, (H, W), as uint8.

    In 16 bits white is 65535. 32-bit integers and floats don't say what white is: it is the
    first of 1 (floats only), 255 and 65535 that no value exceeds, or else the largest value.
    """

    def finite(rows: slice) -> np.ndarray:
        return np.nan_to_num(values[rows].astype(np.float32), posinf=0, neginf=0)

    strips = [slice(top, top + _STRIP) for top in range(0, len(values), _STRIP)]
    white = 65535.0
    if values.dtype.itemsize != 2:
        usual = [255.0, 65535.0] if values.dtype.kind in "iu" else [1.0, 255.0, 65535.0]
        brightest = max(float(finite(rows).max()) for rows in strips)
        white = next((limit for limit in usual if brightest <= limit), brightest)
    grey = np.empty(values.shape, np.uint8)
    for rows in strips:
        grey[rows] = np.rint(finite(rows) * np.float32(255 / white)).clip(0, 255)
    return grey
