"""Decoding: what strangers send becomes an upright RGB picture, or one sentence."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile

from ..errors import ImageError

Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
Blank = Callable[[tuple[int, int]], Image.Image]  # from a size to a picture in RGB

MAX_PIXELS = 50_000_000  # unless the caller says otherwise
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # JPEG is phones' MPO, too
_ACCEPTED = "Send a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."
TOO_MUCH = (
    "This photo takes too much time or memory to read. "
    "Send it as a plain JPEG or PNG, or a smaller copy."
)

# What EXIF's orientations ask for; 1 is upright. From 5 on, rows become columns.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FROM_THE_END = (3, 4, 6, 7)  # the first row comes last
_STRIP = 1 << 18  # pixels that are converted at once, but at least a row

# Pillow warns of odd metadata and of large files; neither is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


def _empty(size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size, None)


def read(photo: Photo, max_pixels: int = MAX_PIXELS, blank: Blank = _empty) -> Image.Image:
    """The photo upright, as a Pillow image in mode RGB.

    Takes a path, the bytes of a file, a Pillow image, or a uint8 array (H, W), (H, W, 3) or
    (H, W, 4). Animated files give their first frame; transparency is laid over white;
    16-bit values are scaled to 8; the orientation in EXIF is applied.

    Args:
        blank: makes the picture that is painted on; what its last call returned is the answer.

    Raises:
        ImageError: not a photo of a known format, damaged, empty, over `max_pixels`, which
            are counted before anything is decoded, or more than there is memory for.
    """
    try:
        image = _open(photo)
        if image.width * image.height > max_pixels:
            raise _too_large(f"{image.width} x {image.height} pixels", max_pixels)
        if image is not photo and isinstance(image, ImageFile.ImageFile) and image.mode == "RGB":
            upright = _decoded_on(blank, image)
            if upright is not None:
                return upright
        image.load()
        return _painted(image, blank)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, from 179 megapixels on
        raise _too_large("too many pixels", max_pixels) from error
    except FileNotFoundError as error:
        raise ImageError(f"There is no file {os.fspath(photo)!r}.") from error  # type: ignore[arg-type]
    except MemoryError as error:
        raise ImageError(TOO_MUCH) from error
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


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF: the photo itself is fine, so show it as it lies
        return 1


def _decoded_on(blank: Blank, image: ImageFile.ImageFile) -> Image.Image | None:
    """The image decoded where it shall lie, without a copy; None if it has to be turned."""
    # A PNG's EXIF may stand behind its pixels, so that it is known when they are there.
    if image.format != "PNG" and _orientation(image) in _TURNS:
        return None
    made: list[Image.Image] = []
    prepare = image.load_prepare

    def prepare_on_blank() -> None:
        # That of a WebP or an AVIF has done its work, and holds two more copies.
        image._decoder = None  # type: ignore[attr-defined]
        made[:] = [blank(image.size)]
        image.im = made[0].im
        prepare()

    image.load_prepare = prepare_on_blank  # type: ignore[method-assign]
    try:
        image.load()
    finally:
        del image.load_prepare  # which knows the image: the two would keep each other in memory
    if image.im is made[0].im:
        if _orientation(image) not in _TURNS:
            return made[0]
        image.im = image.im.copy()  # of the blank, which is painted on again
    return None


def _painted(image: Image.Image, blank: Blank) -> Image.Image:
    """The image upright and in RGB, strip by strip: a copy of 50 megapixels takes 200 MB."""
    orientation, flat = _orientation(image), _flattening(image)
    turn = _TURNS.get(orientation)
    is_across = turn is not None and orientation >= 5
    upright = blank((image.height, image.width) if is_across else image.size)
    for top, bottom, strip in _strips(image):
        part = flat(strip) if turn is None else flat(strip).transpose(turn)
        place = image.height - bottom if orientation in _FROM_THE_END else top
        upright.paste(part, (place, 0) if is_across else (0, place))
    return upright


def _strips(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    """Top, bottom, and what lies between. Counted in pixels: a row may have one of them."""
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield top, bottom, image.crop((0, top, image.width, bottom))


def _flattening(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What makes RGB of the strips of an image."""
    if image.mode == "RGB":
        return lambda strip: strip
    if image.mode.startswith(("I", "F")):
        white = _white(image)
        return lambda strip: Image.fromarray(_to_eight_bits(strip, white)).convert("RGB")
    if image.has_transparency_data:
        return _over_white
    return lambda strip: strip.convert("RGB")


def _over_white(strip: Image.Image) -> Image.Image:
    if strip.mode == "La":  # from which Pillow goes nowhere else
        strip = strip.convert("LA")
    white = Image.new("RGBA", strip.size, "white")
    return Image.alpha_composite(white, strip.convert("RGBA")).convert("RGB")


def _white(image: Image.Image) -> float:
    """Which grey value is white.

    In 16 bits it is 65535. 32-bit integers and floats don't say: it is the first of 1 (floats
    only), 255 and 65535 that no value exceeds, or else the largest value.
    """
    if image.mode.startswith("I;16"):
        return 65535.0
    usual = [255.0, 65535.0] if image.mode == "I" else [1.0, 255.0, 65535.0]
    brightest = max(float(_finite(strip).max()) for _, _, strip in _strips(image))
    return next((limit for limit in usual if brightest <= limit), brightest)


def _to_eight_bits(strip: Image.Image, white: float) -> np.ndarray:
    """Grey values of any kind as uint8 (H, W)."""
    return np.rint(_finite(strip) * np.float32(255 / white)).clip(0, 255).astype(np.uint8)


def _finite(strip: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(strip).astype(np.float32), posinf=0, neginf=0)
