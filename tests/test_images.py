"""What strangers send becomes an upright RGB photo or one sentence; the model sees the pixels
that torchvision's and timm's own transforms would show it."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import timm
import torch
import torchvision
from gradio import media
from PIL import ExifTags, Image
from timm.data import create_transform, resolve_data_config
from torchvision.transforms import functional

from camdemo.errors import ChoiceError, ImageError, RegionError
from camdemo.models.catalogue import CATALOGUE, NAMES, find
from camdemo.photo import images
from camdemo.records import Box

LOSSLESS = {"quality": 100, "lossless": True}  # for WebP
DISTINCT = tuple({spec.transform: spec.name for spec in CATALOGUE}.values())

# The module turns Pillow's warnings off; pytest turns them on again.
pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


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
    photo = images.read(encode(gradient(), kind, **({} if kind == "TIFF" else options)))
    assert photo.mode == "RGB"
    assert distance(photo, gradient()) <= tolerance


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])  # MPO: phones
def test_an_animation_gives_its_first_frame(kind):
    red, blue = Image.new("RGB", (8, 6), "red"), Image.new("RGB", (8, 6), "blue")
    options = LOSSLESS if kind == "WEBP" else {}
    data = encode(red, kind, save_all=True, append_images=[blue], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert distance(images.read(data), red) <= 3  # lossy formats are not exact


def test_a_photo_comes_as_path_bytes_image_or_array(tmp_path):
    file = tmp_path / "photo.png"
    gradient().save(file)
    for given in (file, str(file), file.read_bytes(), gradient(), np.asarray(gradient())):
        assert distance(images.read(given), gradient()) == 0


def test_arrays_with_one_or_four_channels():
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert (np.asarray(images.read(grey)) == grey[..., np.newaxis]).all()
    clear = np.zeros((6, 8, 4), np.uint8)
    assert (np.asarray(images.read(clear)) == 255).all()
    mirrored = np.asarray(gradient())[:, ::-1]  # a view that is not contiguous
    assert (np.asarray(images.read(mirrored)) == mirrored).all()


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
        images.read(array)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK"])
def test_the_given_image_stays_as_it_was(mode):
    given = gradient().convert(mode)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    given.info["exif"] = exif.tobytes()
    before = (given.tobytes(), given.mode, given.size, dict(given.info))
    photo = images.read(given)
    assert photo.size == (24, 40)  # it was turned
    photo.paste("red", (0, 0, 24, 40))
    assert (given.tobytes(), given.mode, given.size, dict(given.info)) == before


def test_the_photo_does_not_follow_later_changes_of_the_given_image():
    given = gradient()
    photo = images.read(given)
    given.paste("red", (0, 0, 40, 24))
    assert distance(photo, gradient()) == 0


# ---------------------------------------------------------------- colours and depths


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_grey(kind):
    grey = gradient().convert("L")
    options = LOSSLESS if kind == "WEBP" else {}
    assert distance(images.read(encode(grey, kind, **options)), grey.convert("RGB")) <= 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("brightest", [255, 12])
def test_sixteen_bits_are_scaled_by_their_depth(kind, brightest):
    """A dark photo stays dark: what counts is 65535, not the brightest pixel."""
    levels = np.linspace(0, brightest, 256).round().astype(np.uint16).reshape(16, 16)
    data = encode(Image.fromarray(levels * np.uint16(257)), kind)
    assert Image.open(io.BytesIO(data)).mode == "I;16"
    assert (np.asarray(images.read(data)) == levels[..., np.newaxis]).all()


def test_sixteen_bits_that_are_nearly_black():
    """All values below 256, but of 65535: not a photo of 8 bits in a wider file."""
    dark = np.array([[0, 128, 129, 255]], np.uint16)
    photo = images.read(encode(Image.fromarray(dark), "PNG"))
    assert np.asarray(photo)[0, :, 0].tolist() == [0, 0, 1, 1]


def test_sixteen_bits_big_endian():
    levels = np.arange(256, dtype=">u2").reshape(16, 16)
    image = Image.frombytes("I;16B", (16, 16), (levels * 257).astype(">u2").tobytes())
    data = encode(image, "TIFF")
    assert Image.open(io.BytesIO(data)).mode == "I;16B"
    assert (np.asarray(images.read(data)) == levels[..., np.newaxis]).all()


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
    photo = images.read(encode(Image.fromarray(values), "TIFF"))
    assert np.asarray(photo)[0, :, 0].tolist() == expected


def test_one_bit():
    bits = np.indices((8, 8)).sum(axis=0) % 2 == 0
    photo = images.read(encode(Image.fromarray(bits), "PNG"))
    assert (np.asarray(photo) == 255 * bits[..., np.newaxis]).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # magenta and yellow make red
    assert distance(images.read(encode(ink, kind)), Image.new("RGB", (16, 16), "red")) <= 3


def palette_image() -> Image.Image:
    image = Image.new("P", (4, 2))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1, 1, 1, 1, 1, 1, 1])  # one red pixel, the rest blue
    return image


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette(kind):
    photo = images.read(encode(palette_image(), kind))
    assert photo.getpixel((0, 0)) == (255, 0, 0)
    assert photo.getpixel((3, 1)) == (0, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_transparent_palette_entries_become_white(kind):
    photo = images.read(encode(palette_image(), kind, transparency=1))
    assert photo.getpixel((0, 0)) == (255, 0, 0)
    assert photo.getpixel((3, 1)) == (255, 255, 255)


def test_transparency_survives_the_turning():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    photo = images.read(encode(palette_image(), "PNG", transparency=1, exif=exif))
    assert photo.getpixel((3, 1)) == (255, 0, 0)
    assert photo.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_laid_over_white(kind):
    image = Image.new("RGBA", (3, 1))
    image.putdata([(200, 0, 0, 255), (200, 0, 0, 0), (0, 0, 0, 128)])
    options = LOSSLESS if kind == "WEBP" else {}
    photo = images.read(encode(image, kind, **options))
    # Half of black over white: 255 x (1 - 128 / 255) = 127.
    assert [photo.getpixel((x, 0))[1] for x in range(3)] == [0, 255, 127]


def test_grey_with_transparency():
    image = Image.new("LA", (2, 1))
    image.putdata([(80, 255), (80, 0)])
    photo = images.read(encode(image, "PNG"))
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
    photo = images.read(encode(stored, kind, exif=exif, **(LOSSLESS if kind == "WEBP" else {})))
    assert photo.size == (40, 24)
    assert distance(photo, gradient()) <= 25  # a wrong turn is off by 255


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientations_that_do_not_exist_leave_the_photo_as_it_lies(value):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    assert distance(images.read(encode(gradient(), "PNG", exif=exif)), gradient()) == 0


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
    assert distance(images.read(encode(gradient(), kind, exif=exif, **options)), gradient()) <= 25


def test_odd_metadata_warns_nobody(tmp_path):
    """In a process of its own, where every warning is an error."""
    gradient().save(tmp_path / "photo.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    code = "import sys; from camdemo import images; images.read(sys.argv[1])"
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
        images.read(header_only(*size))


def test_bombs_are_refused_too():
    """Pillow's own limit, which stays in force for everyone else in this process."""
    with pytest.raises(ImageError, match="more than 50 megapixels"):
        images.read(header_only(60_000, 60_000))
    assert Image.MAX_IMAGE_PIXELS is not None


def test_fifty_megapixels_are_accepted():
    photo = images.read(encode(Image.new("1", (10_000, 5_000), 1), "PNG"))
    assert photo.size == (10_000, 5_000)
    assert photo.getpixel((9_999, 4_999)) == (255, 255, 255)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 20_000), (20_000, 1), (3, 19_999), (7, 5)])
@pytest.mark.parametrize("framing", ["crop", "whole"])
@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite2"])
def test_every_size_has_a_box_and_an_input(size, framing, name):
    transform = find(name).transform
    photo = images.read(encode(Image.new("RGB", size, (0, 255, 0)), "PNG"))
    region = images.seen_region(photo.size, transform, framing)
    inputs = images.prepare(photo, region, transform)
    assert inputs.shape == (1, 3, transform.crop, transform.crop)
    assert inputs.dtype == np.float32
    # One colour stays that colour, however it is stretched.
    seen = inputs[0] * np.reshape(transform.std, (3, 1, 1)) + np.reshape(transform.mean, (3, 1, 1))
    assert np.abs(seen - np.reshape([0, 1, 0], (3, 1, 1))).max() < 1e-6
    box = images.to_box(region)
    assert 0 <= box.left < box.right <= size[0]
    assert 0 <= box.top < box.bottom <= size[1]


def test_a_very_long_photo_takes_no_more_memory_than_others(monkeypatch):
    """Resized as torchvision would, 1 x 20000 pixels become 256 x 5120000."""
    resized = []
    resize = Image.Image.resize

    def watched(image, size, *arguments, **options):
        resized.append(size[0] * size[1])
        return resize(image, size, *arguments, **options)

    monkeypatch.setattr(Image.Image, "resize", watched)
    transform = find("mobilenet_v2").transform
    for size in [(1, 20_000), (20_000, 1), (900, 60), (500, 333)]:
        region = images.seen_region(size, transform, "crop")
        images.prepare(Image.new("RGB", size), region, transform)
    assert len(resized) == 4
    assert max(resized) < 10 * transform.crop**2


def test_the_box_never_leaves_the_photo():
    extremes = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 223, 224, 225, 256, 4097, 20_000, 50_000_000]
    for transform in {spec.transform for spec in CATALOGUE}:
        for width in extremes:
            for height in extremes:
                region = images.seen_region((width, height), transform, "crop")
                box = images.to_box(region)
                assert 0 <= box.left < box.right <= width, (width, height, transform)
                assert 0 <= box.top < box.bottom <= height, (width, height, transform)
                # It is the region, to a pixel.
                edges = (box.left, box.top, box.right, box.bottom)
                assert max(abs(a - b) for a, b in zip(edges, region, strict=True)) <= 1


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
        images.read(given)
    sentence = str(refused.value)
    assert sentence.startswith("This is not a photo that can be read. Send a JPEG, PNG")
    # For people: no line of code, no name of a class, no path on the server.
    assert not any(word in sentence for word in ("\n", "Traceback", "Error", "0x", str(tmp_path)))


@pytest.mark.parametrize("given", [None, 7, ["photo.jpg"], object(), "", "a\0b", "x" * 5000])
def test_other_things_are_refused_too(given):
    with pytest.raises(ImageError, match="not a photo that can be read"):
        images.read(given)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_missing_file_is_named(kind, tmp_path):
    with pytest.raises(ImageError, match=r"There is no file '.*/no such photo\.jpg'"):
        images.read(kind(tmp_path / "no such photo.jpg"))


def test_a_folder_is_no_photo(tmp_path):
    with pytest.raises(ImageError, match="not a photo that can be read"):
        images.read(tmp_path)


# ---------------------------------------------------------------- what the model sees


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Real ones: wide, tall, square, smaller and larger than the input, of odd sizes."""
    real = [images.read(media.get_image(f"{name}.jpg")) for name in ("cheetah", "lion", "tower")]
    real += [Image.fromarray(skimage.data.cat()), Image.fromarray(skimage.data.astronaut())]
    cheetah = real[0]
    cuts = [(0, 50, 502, 131), (101, 0, 198, 343), (3, 5, 354, 306), (9, 9, 46, 32)]
    return real + [cheetah.crop(cut) for cut in cuts] + [cheetah.resize((1203, 802))]


def reference(name: str):
    """torchvision's or timm's own transform for these weights."""
    if find(name).source == "torchvision":
        return torchvision.models.get_model_weights(name).IMAGENET1K_V1.transforms()
    with torch.device("meta"):
        prefix = "tf_" if find(name).source == "bundled" else ""
        network = timm.create_model(prefix + name, pretrained=False)
    return create_transform(**resolve_data_config({}, model=network))


@pytest.mark.parametrize("name", NAMES)
def test_crop_gives_what_the_weights_were_validated_with(name, photos):
    """To the bit: one grey level in a pixel of ten thousand moves a map by 0.0005."""
    transform, theirs = find(name).transform, reference(name)
    for photo in photos:
        ours = images.prepare(photo, images.seen_region(photo.size, transform, "crop"), transform)
        np.testing.assert_array_equal(ours[0], theirs(photo).numpy(), err_msg=str(photo.size))


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("size", [(2003, 1201), (1201, 2003)])  # over 2 megapixels
def test_large_photos_are_resized_in_two_halves_and_give_the_same(name, size):
    transform = find(name).transform
    photo = images.read(media.get_image("cheetah.jpg")).resize(size)
    ours = images.prepare(photo, images.seen_region(size, transform, "crop"), transform)
    np.testing.assert_array_equal(ours[0], reference(name)(photo).numpy())


@pytest.mark.parametrize("name", ["mobilenet_v2", "convnext_tiny", "efficientnet_lite1"])
@pytest.mark.parametrize("size", [(900, 60), (41, 700)])
def test_very_long_photos_differ_by_rounding_only(name, size):
    """Of these only the seen part is resized: two grey levels at most, in few pixels."""
    transform = find(name).transform
    photo = images.read(media.get_image("cheetah.jpg")).resize(size)
    ours = images.prepare(photo, images.seen_region(size, transform, "crop"), transform)
    off = np.abs(ours[0] - reference(name)(photo).numpy())
    levels = off * np.reshape(transform.std, (3, 1, 1)) * 255
    assert levels.max() < 2.01
    assert (levels > 0.5).mean() < 0.02


@pytest.mark.parametrize("name", DISTINCT)
def test_whole_squeezes_the_entire_photo(name, photos):
    transform = find(name).transform
    mode = torchvision.transforms.InterpolationMode(transform.interpolation)
    for photo in photos:
        region = images.seen_region(photo.size, transform, "whole")
        assert images.to_box(region) == images.Box(0, 0, *photo.size)
        squeezed = functional.resize(photo, [transform.crop, transform.crop], mode)
        theirs = functional.to_tensor(squeezed)
        theirs = functional.normalize(theirs, list(transform.mean), list(transform.std))
        ours = images.prepare(photo, region, transform)
        np.testing.assert_array_equal(ours[0], theirs.numpy())


def test_the_crop_by_hand():
    """512 x 256, resized to 256 and cropped to 224: half of the difference is left out."""
    region = images.seen_region((512, 256), find("mobilenet_v2").transform, "crop")
    assert region == (144, 16, 368, 240)
    region = images.seen_region((512, 1024), find("mobilenet_v2").transform, "crop")
    assert region == (32, 288, 480, 736)  # twice as many pixels


def test_an_unknown_framing_is_refused():
    with pytest.raises(ChoiceError, match=r"no framing 'half'. Allowed: crop, whole"):
        images.seen_region((8, 8), find("mobilenet_v2").transform, "half")


# ---------------------------------------------------------------- frames of one's own


@pytest.mark.parametrize("framing", ["crop", "whole", Box(12, 0, 345, 333), Box(-1, 0, 5, 5)])
def test_a_framing_is_found_as_it_is(framing):
    assert images.find_framing(framing) == framing


@pytest.mark.parametrize(
    "text",
    ["12,0,345,333", " 12,0,345,333 ", "12, 0, 345, 333", "\t12 ,0\n,345 , 333", "012,0,0345,333"],
)
def test_a_frame_is_found_by_its_text(text):
    assert images.find_framing(text) == Box(12, 0, 345, 333)


def test_a_frame_says_its_text_as_it_is_read():
    assert Box(12, 0, 345, 333).text == "12,0,345,333"
    assert images.find_framing(Box(0, 7, 999_999, 8).text) == Box(0, 7, 999_999, 8)


@pytest.mark.parametrize(
    "framing",
    [
        *["", ",", "1,2,3", "1,2,3,4,5", "1,2,3,4,", ",1,2,3,4", "1,,3,4", "1 2 3 4", "1;2;3;4"],
        *["a,b,c,d", "-1,0,5,5", "+1,0,5,5", "0.5,0,5,5", "1e3,0,5,5", "1_0,0,5,5", "0x1,0,5,5"],
        *["nan,0,5,5", "1 2,0,5,5", "\u0661,0,5,5", "\uff11,0,5,5", "1\u00a0,0,5,5", "1,2,3,4\0"],
        *["CROP", "crop ", "middle", "__class__", "[1,2,3,4]", "9999999,0,5,5"],
        *["9" * 100_000, "1,2,3," + "4" * 100_000, " " * 100_000, "1," * 100_000, "\ud800"],
        *[None, 5, 0.5, True, b"crop", [1, 2, 3, 4], (1, 2, 3, 4), {"left": 1}, [], object()],
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_framing_is_refused_with_what_is(framing):
    with pytest.raises(ChoiceError) as refused:
        images.find_framing(framing)
    sentence = str(refused.value)
    assert sentence.startswith("There is no framing ")
    assert sentence.endswith(" Allowed: crop, whole, left,top,right,bottom in pixels.")
    assert len(sentence) < 200
    assert sentence.isprintable()


V2 = find("mobilenet_v2").transform


@pytest.mark.parametrize(
    "frame",
    [
        Box(0, 0, 300, 200),
        Box(0, 0, 1, 1),
        Box(299, 199, 300, 200),
        Box(10, 20, 30, 190),
        Box(0, 7, 300, 8),
    ],
)
def test_a_frame_within_the_photo_is_what_is_seen(frame):
    region = images.seen_region((300, 200), V2, frame)
    assert region == (frame.left, frame.top, frame.right, frame.bottom)
    assert images.to_box(region) == frame
    assert images.prepare(gradient(300, 200), region, V2).shape == (1, 3, 224, 224)


@pytest.mark.parametrize(
    "frame",
    [
        Box(0, 0, 301, 200),
        Box(0, 0, 300, 201),
        Box(-1, 0, 300, 200),
        Box(0, -1, 300, 200),
        Box(300, 200, 310, 210),
        Box(-900, -900, 900, 900),
        Box(0, 0, 200, 300),  # the photo is not turned
    ],
)
def test_a_frame_outside_of_the_photo_is_refused(frame):
    with pytest.raises(RegionError) as refused:
        images.seen_region((300, 200), V2, frame)
    assert str(refused.value) == (
        f"The frame {frame.text} is not within the photo of 300 x 200 pixels. "
        "Give left, top, right and bottom in pixels of the upright photo."
    )


@pytest.mark.parametrize(
    "frame", [Box(0, 0, 0, 0), Box(5, 5, 5, 9), Box(5, 5, 9, 5), Box(9, 5, 5, 9), Box(9, 9, 5, 5)]
)
def test_a_frame_without_area_is_refused(frame):
    with pytest.raises(RegionError, match=f"^The frame {frame.text} has no area. Give left, top"):
        images.seen_region((300, 200), V2, frame)


# In the middle; in the corner, where a frame begins on a pixel of the resized photo whatever its
# size; at the far edge; of few pixels; and one whose pixels are those of the photo.
FRAMES = [
    Box(100, 37, 330, 300),
    Box(0, 0, 345, 333),
    Box(0, 0, 499, 341),
    Box(0, 0, 100, 342),
    Box(30, 60, 60, 120),
    Box(250, 200, 502, 343),
    Box(41, 7, 44, 9),
    Box(100, 50, 324, 274),
]


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite1"])
@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.text)
def test_a_frame_gives_pillows_pixels(name, frame):
    transform = find(name).transform
    photo = images.read(media.get_image("cheetah.jpg"))
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    edges = (frame.left, frame.top, frame.right, frame.bottom)
    side = transform.crop
    pixels = photo.resize((side, side), filters[transform.interpolation], box=edges)
    values = functional.to_tensor(pixels)
    theirs = functional.normalize(values, list(transform.mean), list(transform.std)).numpy()
    ours = images.prepare(photo, images.seen_region(photo.size, transform, frame), transform)[0]
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("size", "frame"),
    [((512, 256), Box(144, 16, 368, 240)), ((512, 1024), Box(32, 288, 480, 736))],
)
def test_the_frame_of_the_crop_gives_what_the_crop_gives(size, frame):
    photo = images.read(media.get_image("cheetah.jpg")).resize(size)
    crop = images.prepare(photo, images.seen_region(size, V2, "crop"), V2)
    np.testing.assert_allclose(
        images.prepare(photo, images.seen_region(size, V2, frame), V2), crop, atol=1e-6
    )
    beside = Box(frame.left + 2, frame.top, frame.right + 2, frame.bottom)
    moved = images.prepare(photo, images.seen_region(size, V2, beside), V2)
    assert np.abs(moved - crop).max() > 0.5


def test_the_frame_of_the_photo_gives_what_the_whole_gives(photos):
    for photo in photos:
        frame = images.seen_region(photo.size, V2, Box(0, 0, *photo.size))
        assert frame == images.seen_region(photo.size, V2, "whole")
