"""Photos: decoding what strangers send, and cutting out what the model sees.

Everything here is Pillow and NumPy; the pixels a network is given are those of torchvision's
and timm's own transforms, to the bit (tests/test_images.py holds it to that).
"""

from __future__ import annotations

import io
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from ..errors import ChoiceError, ImageError, RegionError
from ..records import FRAMINGS, Box, Framing, Transform

Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray

MAX_PIXELS = 50_000_000  # unless the caller says otherwise
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # JPEG is phones' MPO, too
_FRAME = re.compile(r"\s*\d{1,6}(\s*,\s*\d{1,6}){3}\s*", re.ASCII)
_EDGES = "Give left, top, right and bottom in pixels of the upright photo."
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
_LONGEST = 8  # resized whole up to this many inputs' length; see `prepare`
_STRIP = 256  # rows that are converted at once
_WORTH_THREADS = 2_000_000  # pixels from which two threads are faster; see `_resize`

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
        return upright.copy() if upright is photo else upright  # what is given stays its owner's
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
    if image.has_transparency_data:
        return _over_white(image)
    return image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Strip by strip: all at once, three copies of 50 megapixels would take most of a gigabyte."""
    over = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP):
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        over.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return over


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of any kind, (H, W), as uint8.

    16-bit values are taken for what they are. 32-bit integers and floats don't tell what
    white is: it is the first of 1 (floats only), 255, 65535 and the maximum that holds them.
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


def seen_region(size: tuple[int, int], transform: Transform, framing: Framing) -> tuple[float, ...]:
    """Left, top, right and bottom of what the model sees, in pixels of the upright photo.

    "crop": the photo is resized so that its shorter side has `transform.resize` pixels and
    the middle is cut out, as the weights were validated (torchvision's Resize and
    CenterCrop, with their rounding). "whole": the entire photo, squeezed. A Box: that frame,
    squeezed if it is no square.

    Raises:
        ChoiceError: another framing.
        RegionError: a frame that is not within the photo, or has no area.
    """
    width, height = size
    if isinstance(framing, Box):
        return _checked(framing, width, height)
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


def _checked(frame: Box, width: int, height: int) -> tuple[float, ...]:
    if frame.width <= 0 or frame.height <= 0:
        raise RegionError(f"The frame {frame.text} has no area. {_EDGES}")
    if frame.left < 0 or frame.top < 0 or frame.right > width or frame.bottom > height:
        raise RegionError(
            f"The frame {frame.text} is not within the photo of {width} x {height} pixels. {_EDGES}"
        )
    return (float(frame.left), float(frame.top), float(frame.right), float(frame.bottom))


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
    if isinstance(framing, str) and _FRAME.fullmatch(framing):
        return Box(*(int(edge) for edge in framing.split(",")))
    raise ChoiceError("framing", framing, [*FRAMINGS, "left,top,right,bottom in pixels"])


def to_box(region: tuple[float, ...]) -> Box:
    """The region in whole pixels, at least one each way."""
    left, top, right, bottom = (round(edge) for edge in region)
    return Box(left, top, max(right, left + 1), max(bottom, top + 1))


def prepare(image: Image.Image, region: tuple[float, ...], transform: Transform) -> np.ndarray:
    """What the network is given: float32 of shape (1, 3, crop, crop), normalised.

    The whole photo is resized and the region cut from that, as torchvision does it: resizing
    the region alone is off by a grey level here and there, since Pillow keeps its edges in
    single precision, and that moves a map by 0.0005 of its range. Only a very long photo is
    treated so, lest one of 1 x 20000 pixels becomes a picture of five million rows, and a frame
    of one's own, which begins or ends between the pixels of the resized photo.
    """
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    resample, side = filters[transform.interpolation], transform.crop
    left, top, right, bottom = region
    across, down = (right - left) / side, (bottom - top) / side  # photo pixels per input pixel
    exact = (image.width / across, image.height / down, left / across, top / down)
    width, height, x, y = (round(value) for value in exact)
    aligned = np.abs(np.subtract(exact, (width, height, x, y))).max() < 1e-6
    if aligned and max(width, height) <= _LONGEST * side:
        pixels = _resize(image, (width, height), resample).crop((x, y, x + side, y + side))
    else:
        pixels = image.resize((side, side), resample, box=(left, top, right, bottom))
    values = np.asarray(pixels, dtype=np.float32) / np.float32(255)
    mean, std = (np.array(each, np.float32) for each in (transform.mean, transform.std))
    return np.ascontiguousarray(((values - mean) / std).transpose(2, 0, 1))[np.newaxis]


def _resize(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """`image.resize(size, resample)`, to the bit, but a large photo on two threads.

    Pillow resizes across and then down, with whole grey levels in between. The rows of the
    first pass, which is nearly all of the work, know nothing of each other.
    """
    if image.width * image.height < _WORTH_THREADS:
        return image.resize(size, resample)
    middle = image.height // 2
    halves = [(0, 0, image.width, middle), (0, middle, image.width, image.height)]
    narrow = Image.new("RGB", (size[0], image.height))

    def across(half: tuple[int, int, int, int]) -> None:
        _left, top, _right, bottom = half
        narrow.paste(image.resize((size[0], bottom - top), resample, box=half), (0, top))

    with ThreadPoolExecutor(len(halves)) as pool:
        list(pool.map(across, halves))
    return narrow.resize(size, resample)
