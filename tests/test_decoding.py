"""What strangers send becomes an upright RGB photo, or one sentence."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import ExifTags, Image, ImageFile

from camdemo.errors import ImageError
from camdemo.photo import read

from .hostile import encode

LOSSLESS = {"quality": 100, "lossless": True}  # for WebP

# The module turns Pillow's warnings off; pytest turns them on again.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def gradient(width: int = 40, height: int = 24) -> Image.Image:
    """Smooth, so that lossy formats keep it, and different at every corner."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


def distance(one: Image.Image, other: Image.Image) -> int:
    assert (one.size, one.mode) == (other.size, other.mode)
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("JPEG", 12), ("PNG", 0), ("WEBP", 0), ("BMP", 0), ("TIFF", 0), ("AVIF", 12)],
)
def test_formats(kind, tolerance):
    options = LOSSLESS if kind == "WEBP" else {"quality": 95, "subsampling": "4:4:4"}
    photo = read(encode(gradient(), kind, **({} if kind == "TIFF" else options)))
    assert photo.mode == "RGB"
    assert distance(photo, gradient()) <= tolerance


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])  # MPO: phones
def test_an_animation_gives_its_first_frame(kind):
    red, blue = Image.new("RGB", (8, 6), "red"), Image.new("RGB", (8, 6), "blue")
    options = LOSSLESS if kind == "WEBP" else {}
    data = encode(red, kind, save_all=True, append_images=[blue], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert distance(read(data), red) <= 3  # lossy formats are not exact


def test_a_photo_comes_as_path_bytes_image_or_array(tmp_path):
    file = tmp_path / "photo.png"
    gradient().save(file)
    for given in (file, str(file), file.read_bytes(), gradient(), np.asarray(gradient())):
        assert distance(read(given), gradient()) == 0


def test_arrays_with_one_or_four_channels():
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert (np.asarray(read(grey)) == grey[..., np.newaxis]).all()
    clear = np.zeros((6, 8, 4), np.uint8)
    assert (np.asarray(read(clear)) == 255).all()
    mirrored = np.asarray(gradient())[:, ::-1]  # a view that is not contiguous
    assert (np.asarray(read(mirrored)) == mirrored).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((4, 4, 3), bool),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((3, 8, 8), np.uint8),  # channels first
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.array(["photo"], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_that_are_no_photo(array):
    with pytest.raises(ImageError, match=r"is not a photo.*uint8 values.*height, width, 3"):
        read(array)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK"])
def test_the_given_image_stays_as_it_was(mode):
    given = gradient().convert(mode)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    given.info["exif"] = exif.tobytes()
    before = (given.tobytes(), given.mode, given.size, dict(given.info))
    photo = read(given)
    assert photo.size == (24, 40)  # it was turned
    photo.paste("red", (0, 0, 24, 40))
    assert (given.tobytes(), given.mode, given.size, dict(given.info)) == before


def test_the_photo_does_not_follow_later_changes_of_the_given_image():
    given = gradient()
    photo = read(given)
    given.paste("red", (0, 0, 40, 24))
    assert distance(photo, gradient()) == 0


def test_a_photo_goes_from_memory_at_once():
    """And not when the collector of garbage comes: of 50 megapixels that is 200 MB each time."""
    gc.collect()
    gc.disable()
    try:
        read(encode(gradient(), "PNG"))
        assert not [one for one in gc.get_objects() if isinstance(one, ImageFile.ImageFile)]
    finally:
        gc.enable()


# ---------------------------------------------------------------- colours and depths


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_grey(kind):
    grey = gradient().convert("L")
    options = LOSSLESS if kind == "WEBP" else {}
    assert distance(read(encode(grey, kind, **options)), grey.convert("RGB")) <= 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("brightest", [255, 12])
def test_sixteen_bits_are_scaled_by_their_depth(kind, brightest):
    """A dark photo stays dark: what counts is 65535, not the brightest pixel."""
    levels = np.linspace(0, brightest, 256).round().astype(np.uint16).reshape(16, 16)
    data = encode(Image.fromarray(levels * np.uint16(257)), kind)
    assert Image.open(io.BytesIO(data)).mode == "I;16"
    assert (np.asarray(read(data)) == levels[..., np.newaxis]).all()


def test_sixteen_bits_that_are_nearly_black():
    """All values below 256, but of 65535: not a photo of 8 bits in a wider file."""
    dark = np.array([[0, 128, 129, 255]], np.uint16)
    photo = read(encode(Image.fromarray(dark), "PNG"))
    assert np.asarray(photo)[0, :, 0].tolist() == [0, 0, 1, 1]


def test_sixteen_bits_big_endian():
    levels = np.arange(256, dtype=">u2").reshape(16, 16)
    image = Image.frombytes("I;16B", (16, 16), (levels * 257).astype(">u2").tobytes())
    data = encode(image, "TIFF")
    assert Image.open(io.BytesIO(data)).mode == "I;16B"
    assert (np.asarray(read(data)) == levels[..., np.newaxis]).all()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([[0, 0.5, 1]]), [0, 128, 255]),  # 0..1; 127.5 rounds to even
        (np.float32([[0, 100, 255]]), [0, 100, 255]),
        (np.float32([[0, 257, 65535]]), [0, 1, 255]),
        (np.float32([[-3, 0, 1e6]]), [0, 0, 255]),
        (np.float32([[np.nan, np.inf, 1]]), [0, 0, 255]),  # no data is black
        (np.float32([[0, 0, 0]]), [0, 0, 0]),
        (np.int32([[0, 1, 1]]), [0, 1, 1]),  # an integer 1 is nearly black
        (np.int32([[-5, 77, 255]]), [0, 77, 255]),
        (np.int32([[0, 25700, 65535]]), [0, 100, 255]),
        (np.int32([[0, 0, 10**9]]), [0, 0, 255]),
    ],
)
def test_floats_and_wide_integers(values, expected):
    photo = read(encode(Image.fromarray(values), "TIFF"))
    assert np.asarray(photo)[0, :, 0].tolist() == expected


def test_one_bit():
    bits = np.indices((8, 8)).sum(axis=0) % 2 == 0
    photo = read(encode(Image.fromarray(bits), "PNG"))
    assert (np.asarray(photo) == 255 * bits[..., np.newaxis]).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    assert distance(read(encode(ink, kind)), Image.new("RGB", (16, 16), "red")) <= 3


def palette_image() -> Image.Image:
    image = Image.new("P", (4, 2))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1, 1, 1, 1, 1, 1, 1])  # one red pixel, the rest blue
    return image


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette(kind):
    photo = read(encode(palette_image(), kind))
    assert photo.getpixel((0, 0)) == (255, 0, 0)
    assert photo.getpixel((3, 1)) == (0, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entries_become_white(kind):
    photo = read(encode(palette_image(), kind, transparency=1))
    assert photo.getpixel((0, 0)) == (255, 0, 0)
    assert photo.getpixel((3, 1)) == (255, 255, 255)


def test_transparency_survives_the_turning():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    photo = read(encode(palette_image(), "PNG", transparency=1, exif=exif))
    assert photo.getpixel((3, 1)) == (255, 0, 0)
    assert photo.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_laid_over_white(kind):
    image = Image.new("RGBA", (3, 1))
    image.putdata([(200, 0, 0, 255), (200, 0, 0, 0), (0, 0, 0, 128)])
    options = LOSSLESS if kind == "WEBP" else {}
    photo = read(encode(image, kind, **options))
    # Half of black over white: 255 x (1 - 128 / 255) = 127.
    assert [photo.getpixel((x, 0))[1] for x in range(3)] == [0, 255, 127]


def test_grey_with_transparency():
    image = Image.new("LA", (2, 1))
    image.putdata([(80, 255), (80, 0)])
    photo = read(encode(image, "PNG"))
    assert [photo.getpixel((x, 0)) for x in range(2)] == [(80,) * 3, (255,) * 3]


def in_mode(mode: str) -> Image.Image:
    """Two pixels, of grey 51 and of grey 204, in any mode that Pillow has."""
    if mode.startswith("I;16"):  # 257 times as much, the same in either order of the bytes
        return Image.frombytes(mode, (2, 1), b"\x33\x33\xcc\xcc")
    grey = Image.fromarray(np.array([[51, 204]], np.uint8))
    way = {"La": ["LA"], "RGBa": ["RGBA"], "PA": ["RGB", "P"], "LAB": ["RGB"], "HSV": ["RGB"]}
    for step in [*way.get(mode, []), mode]:  # Pillow does not know every way at once
        grey = grey.convert(step)
    return grey


@pytest.mark.parametrize("mode", Image.MODES)
@pytest.mark.parametrize("turned", [False, True])
def test_every_mode_of_pillow_is_read(mode, turned):
    given = in_mode(mode)
    assert given.mode == mode
    if turned:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 3
        given.info["exif"] = exif.tobytes()
    first, second = (0, 255) if mode == "1" else (51, 204)
    found = np.asarray(read(given).convert("RGB"), int)[0]
    expected = [[second] * 3, [first] * 3] if turned else [[first] * 3, [second] * 3]
    assert np.abs(found - expected).max() <= 2  # LAB and YCbCr round


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_transparency_of_every_mode_is_laid_over_white(mode):
    clear = Image.new("LA", (2, 1), (80, 0))
    clear.putpixel((0, 0), (80, 255))
    way = {"La": [], "PA": ["RGBA", "PA"], "RGBa": ["RGBA"]}.get(mode, [])
    for step in [*way, mode]:
        clear = clear.convert(step)
    photo = read(clear)
    assert [photo.getpixel((x, 0)) for x in range(2)] == [(80,) * 3, (255,) * 3]


# ---------------------------------------------------------------- orientation

# How an upright picture lies in the file, after EXIF 2.3, table of tag 274: which visual
# side the first row and the first column of the file are.
AS_STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.parametrize("orientation", AS_STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation(kind, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = Image.fromarray(np.ascontiguousarray(AS_STORED[orientation](np.asarray(gradient()))))
    photo = read(encode(stored, kind, exif=exif, **(LOSSLESS if kind == "WEBP" else {})))
    assert photo.size == (40, 24)
    assert distance(photo, gradient()) <= 25  # a wrong turn is off by 255


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientations_that_do_not_exist_leave_the_photo_as_it_lies(value):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    assert distance(read(encode(gradient(), "PNG", exif=exif)), gradient()) == 0


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\x00\x00garbage",
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",  # the directory lies outside the file
        # One entry: orientation, as text, far behind the end.
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x02\x00\x00\xff\xff\x7f\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])  # Pillow raises in the last two
def test_broken_exif_does_not_cost_the_photo(kind, exif):
    options = LOSSLESS if kind == "WEBP" else {"quality": 95}
    assert distance(read(encode(gradient(), kind, exif=exif, **options)), gradient()) <= 25


def test_odd_metadata_warns_nobody(tmp_path):
    """In a process of its own, where every warning is an error."""
    gradient().save(tmp_path / "photo.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    code = "import sys; from camdemo import photo; photo.read(sys.argv[1])"
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "photo.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- sizes


def header_only(width: int, height: int) -> bytes:
    """A PNG that only says it is that large: decoding it would fail, for want of pixels."""
    png = bytearray(encode(Image.new("1", (1, 1)), "PNG"))
    png[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    return bytes(png)


@pytest.mark.parametrize("size", [(10_200, 5_000), (1, 50_000_001), (12_000, 12_000)])
def test_too_large_photos_are_refused_before_decoding(size):
    with pytest.raises(ImageError, match=f"{size[0]} x {size[1]} pixels, more than 50 megapixels"):
        read(header_only(*size))


def test_bombs_are_refused_too():
    """Pillow's own limit, which stays in force for everyone else in this process."""
    with pytest.raises(ImageError, match="more than 50 megapixels"):
        read(header_only(60_000, 60_000))
    assert Image.MAX_IMAGE_PIXELS is not None


def test_fifty_megapixels_are_accepted():
    photo = read(encode(Image.new("1", (10_000, 5_000), 1), "PNG"))
    assert photo.size == (10_000, 5_000)
    assert photo.getpixel((9_999, 4_999)) == (255, 255, 255)


# ---------------------------------------------------------------- what is no photo


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("photo.txt", "no photo")
    return buffer.getvalue()


NO_PHOTOS = {
    "empty": b"",
    "text": b"no photo",
    "html": b"<!doctype html><html><body><script>alert(1)</script></body></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "zip": zipped(),
    "zeros": bytes(1000),
    "ppm": encode(gradient(), "PPM"),  # a format that Pillow knows, and the page does not
    "eps": encode(gradient(), "EPS"),  # one that would start Ghostscript
    "truncated jpeg": encode(gradient(400, 300), "JPEG")[:2000],
    "truncated png": encode(Image.fromarray(skimage.data.cat()), "PNG")[:50_000],
    "truncated webp": encode(Image.fromarray(skimage.data.cat()), "WEBP")[:5_000],
    "truncated gif": encode(Image.fromarray(skimage.data.cat()), "GIF")[:20_000],
    "truncated bmp": encode(gradient(), "BMP")[:500],
    "truncated tiff": encode(gradient(), "TIFF")[:500],
    "truncated avif": encode(Image.fromarray(skimage.data.cat()), "AVIF")[:3_000],
    "jpeg header": encode(gradient(), "JPEG")[:20],
}


@pytest.mark.parametrize("kind", NO_PHOTOS)
@pytest.mark.parametrize("as_file", [False, True])
def test_what_is_no_photo_is_refused_with_a_sentence(kind, as_file, tmp_path):
    given = NO_PHOTOS[kind]
    if as_file:
        given = tmp_path / "photo.jpg"
        given.write_bytes(NO_PHOTOS[kind])
    with pytest.raises(ImageError) as refused:
        read(given)
    sentence = str(refused.value)
    assert sentence.startswith("This is not a photo that can be read. Send a JPEG, PNG")
    # For people: no line of code, no name of a class, no path on the server.
    assert not any(word in sentence for word in ("\n", "Traceback", "Error", "0x", str(tmp_path)))


@pytest.mark.parametrize("given", [None, 7, ["photo.jpg"], object(), "", "a\0b", "x" * 5000])
def test_other_things_are_refused_too(given):
    with pytest.raises(ImageError, match="not a photo that can be read"):
        read(given)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_missing_file_is_named(kind, tmp_path):
    with pytest.raises(ImageError, match=r"There is no file '.*/no such photo\.jpg'"):
        read(kind(tmp_path / "no such photo.jpg"))


def test_a_folder_is_no_photo(tmp_path):
    with pytest.raises(ImageError, match="not a photo that can be read"):
        read(tmp_path)
