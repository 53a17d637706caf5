"""What the network is given: the pixels that torchvision's and timm's own transforms give it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import timm
import torch
import torchvision
from gradio import media
from PIL import Image
from timm.data import create_transform, resolve_data_config
from torchvision.transforms import functional, v2

from camdemo.errors import RegionError
from camdemo.models import transforms
from camdemo.models.catalogue import CATALOGUE, NAMES, find
from camdemo.photo import photo_part, prepare, read, seen_region, to_box
from camdemo.question import FRAMINGS
from camdemo.records import Box, Transform
from camdemo.trust import hiding

from .hostile import encode

DISTINCT = tuple({spec.transform: spec.name for spec in CATALOGUE}.values())
MOBILE = find("mobilenet_v2")
V2 = MOBILE.transform


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 20_000), (20_000, 1), (3, 19_999), (7, 5)])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite2"])
def test_every_size_has_a_box_and_an_input(size, framing, name):
    transform = find(name).transform
    photo = read(encode(Image.new("RGB", size, (0, 255, 0)), "PNG"))
    inputs = prepare(photo, framing, find(name))
    assert inputs.shape == (1, 3, transform.crop, transform.crop)
    assert inputs.dtype == np.float32
    # One colour stays that colour, however it is stretched.
    seen = inputs[0] * np.reshape(transform.std, (3, 1, 1)) + np.reshape(transform.mean, (3, 1, 1))
    part = photo_part(photo.size, transform, framing)
    assert 0 <= part.left < part.right <= transform.crop
    assert 0 <= part.top < part.bottom <= transform.crop
    seen = seen[:, *part.slices]
    assert np.abs(seen - np.reshape([0, 1, 0], (3, 1, 1))).max() < 1e-6
    box = to_box(seen_region(photo.size, transform, framing)).within(*photo.size)
    assert 0 <= box.left < box.right <= size[0]
    assert 0 <= box.top < box.bottom <= size[1]


WIDE = {
    "timm's": create_transform((3, 96, 320), crop_pct=0.9, interpolation="bicubic"),
    "torchvision's": v2.Compose(
        [v2.Resize(240), v2.CenterCrop((112, 224)), v2.ToImage(), v2.ToDtype(torch.float32, True)]
    ),
}


@pytest.mark.parametrize("given", WIDE.values(), ids=WIDE.keys())
def test_an_input_that_is_no_square_has_their_pixels(photos, given):
    """Where the photo covers the input; torchvision lays the others on black, and we stretch."""
    transform, _ = transforms.read(given)
    spec = replace(MOBILE, transform=transform)
    for photo in photos[:6]:
        ours = prepare(photo, "crop", spec)
        assert ours.shape == (1, *transform.shape)
        np.testing.assert_allclose(ours[0], given(photo).numpy(), atol=2e-6)


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (900, 100), (1, 20_000), (20_000, 1)])
def test_a_photo_fits_into_an_input_that_is_no_square(size):
    transform = Transform((110, 220), (100, 200), "bilinear", (0, 0, 0), (1, 1, 1))
    spec = replace(MOBILE, transform=transform)
    part = photo_part(size, transform, "fit")
    assert (part.left + part.right, part.top + part.bottom) in {(200, 100), (199, 100), (200, 99)}
    assert part.height == 100 or part.width == 200
    for framing in (*FRAMINGS, Box(0, 0, 1, 1)):
        inputs = prepare(Image.new("RGB", size, (255, 0, 0)), framing, spec)
        inside = part if framing == "fit" else Box(0, 0, 200, 100)
        assert (inputs[0, 0][inside.slices] == 1).all()
        assert (inputs[0, 1:, *inside.slices] == 0).all()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_very_long_photo_takes_no_more_memory_than_others(monkeypatch, framing):
    """Resized as torchvision would, 1 x 20000 pixels become 256 x 5120000."""
    resized = []
    resize = Image.Image.resize

    def watched(image, size, *arguments, **options):
        resized.append(size[0] * size[1])
        return resize(image, size, *arguments, **options)

    monkeypatch.setattr(Image.Image, "resize", watched)
    sizes = [(1, 20_000), (20_000, 1), (900, 60), (500, 333)]
    for size in sizes:
        prepare(Image.new("RGB", size), framing, MOBILE)
    assert len(resized) == len(sizes)
    assert max(resized) < 10 * V2.crop**2


# ---------------------------------------------------------------- what the model sees


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Real ones: wide, tall, square, smaller and larger than the input, of odd sizes."""
    real = [read(media.get_image(f"{name}.jpg")) for name in ("cheetah", "lion", "tower")]
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
    theirs = reference(name)
    for photo in photos:
        ours = prepare(photo, "crop", find(name))
        np.testing.assert_array_equal(ours[0], theirs(photo).numpy(), err_msg=str(photo.size))


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("size", [(2003, 1201), (1201, 2003)])  # over 2 megapixels
def test_large_photos_are_resized_in_strips_and_give_the_same(name, size):
    photo = read(media.get_image("cheetah.jpg")).resize(size)
    ours = prepare(photo, "crop", find(name))
    np.testing.assert_array_equal(ours[0], reference(name)(photo).numpy())


@pytest.mark.parametrize("name", ["mobilenet_v2", "convnext_tiny", "efficientnet_lite1"])
@pytest.mark.parametrize("size", [(900, 60), (41, 700)])
def test_very_long_photos_differ_by_rounding_only(name, size):
    """Of these only the seen part is resized: two grey levels at most, in few pixels."""
    transform = find(name).transform
    photo = read(media.get_image("cheetah.jpg")).resize(size)
    ours = prepare(photo, "crop", find(name))
    off = np.abs(ours[0] - reference(name)(photo).numpy())
    levels = off * np.reshape(transform.std, (3, 1, 1)) * 255
    assert levels.max() < 2.01
    assert (levels > 0.5).mean() < 0.02


@pytest.mark.parametrize("name", DISTINCT)
def test_whole_squeezes_the_entire_photo(name, photos):
    transform = find(name).transform
    mode = torchvision.transforms.InterpolationMode(transform.interpolation)
    for photo in photos:
        region = seen_region(photo.size, transform, "whole")
        assert to_box(region) == Box(0, 0, *photo.size)
        squeezed = functional.resize(photo, [transform.crop, transform.crop], mode)
        theirs = functional.to_tensor(squeezed)
        theirs = functional.normalize(theirs, list(transform.mean), list(transform.std))
        ours = prepare(photo, "whole", find(name))
        np.testing.assert_array_equal(ours[0], theirs.numpy())


# ---------------------------------------------------------------- fit

# Size of the photo, and by hand where it lies in an input of 224 x 224: left, top, right, bottom.
LETTERBOXED = [
    ((600, 400), (0, 37, 224, 186)),  # 149.3 rows
    ((400, 600), (37, 0, 186, 224)),
    ((4000, 600), (0, 95, 224, 129)),  # 33.6 rows
    ((30, 20), (0, 37, 224, 186)),
    ((300, 300), (0, 0, 224, 224)),
    ((900, 1), (0, 111, 224, 112)),  # a quarter of a row would be left
    ((2003, 1201), (0, 45, 224, 179)),  # over 2 megapixels
]


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
@pytest.mark.parametrize(("size", "edges"), LETTERBOXED, ids=lambda each: "x".join(map(str, each)))
def test_fit_is_pillows_photo_on_the_training_mean(name, size, edges):
    spec = find(name)
    transform, part = spec.transform, Box(*edges)
    assert transform.crop == 224
    assert photo_part(size, transform, "fit") == part
    photo = read(media.get_image("cheetah.jpg")).resize(size)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    pixels = photo.resize((part.width, part.height), filters[transform.interpolation])
    # Bar and photo know nothing of each other: the first is exactly what hides a part ...
    theirs = hiding.filling(np.zeros((1, 3, 224, 224)), "mean", transform, spec.training_mean)
    # ... and the other exactly what torchvision makes of the photo alone.
    theirs[:, *part.slices] = functional.normalize(
        functional.to_tensor(pixels), list(transform.mean), list(transform.std)
    )
    np.testing.assert_array_equal(prepare(photo, "fit", spec)[0], theirs)


@pytest.mark.parametrize("name", DISTINCT)
@pytest.mark.parametrize("side", [3, 224, 343, 1500])
def test_a_square_photo_fits_as_a_whole(name, side):
    photo = read(media.get_image("cheetah.jpg")).resize((side, side))
    fit, whole = (prepare(photo, framing, find(name)) for framing in ("fit", "whole"))
    np.testing.assert_array_equal(fit, whole)


# ---------------------------------------------------------------- frames of one's own

# In the middle; in the corner; at the far edge; of few pixels; of one; and one whose pixels are
# those of the photo.
FRAMES = [
    Box(100, 37, 330, 300),
    Box(0, 0, 345, 333),
    Box(0, 0, 499, 341),
    Box(0, 0, 100, 342),
    Box(30, 60, 60, 120),
    Box(250, 200, 502, 343),
    Box(41, 7, 44, 9),
    Box(41, 7, 42, 8),
    Box(100, 50, 324, 274),
]
LARGE = Box(301, 1, 2300, 1600)  # over 2 megapixels
FRAMED = [*((frame, (502, 343)) for frame in FRAMES), (LARGE, (2400, 1601))]


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite1"])
@pytest.mark.parametrize(("frame", "size"), FRAMED, ids=lambda each: getattr(each, "text", ""))
def test_a_frame_gives_pillows_pixels(name, frame, size):
    transform = find(name).transform
    photo = read(media.get_image("cheetah.jpg")).resize(size)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    edges = (frame.left, frame.top, frame.right, frame.bottom)
    side = transform.crop
    pixels = photo.crop(edges).resize((side, side), filters[transform.interpolation])
    values = functional.to_tensor(pixels)
    theirs = functional.normalize(values, list(transform.mean), list(transform.std)).numpy()
    np.testing.assert_array_equal(prepare(photo, frame, find(name))[0], theirs)


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite1"])
@pytest.mark.parametrize(("frame", "size"), FRAMED, ids=lambda each: getattr(each, "text", ""))
def test_nothing_outside_of_a_frame_changes_what_the_network_is_given(name, frame, size):
    photo = read(media.get_image("cheetah.jpg")).resize(size)
    edges = (frame.left, frame.top, frame.right, frame.bottom)
    another = Image.new("RGB", size, "magenta")
    another.paste(photo.crop(edges), edges)
    np.testing.assert_array_equal(
        prepare(photo, frame, find(name)), prepare(another, frame, find(name))
    )


@pytest.mark.parametrize(
    ("size", "frame"),
    [((512, 256), Box(144, 16, 368, 240)), ((512, 1024), Box(32, 288, 480, 736))],
)
def test_the_frame_of_the_crop_gives_what_the_crop_gives(size, frame):
    """But for the outermost pixels: the crop, like torchvision's, mixes what is beside it in."""
    photo = read(media.get_image("cheetah.jpg")).resize(size)
    crop = prepare(photo, "crop", MOBILE)[..., 1:-1, 1:-1]
    np.testing.assert_allclose(prepare(photo, frame, MOBILE)[..., 1:-1, 1:-1], crop, atol=1e-6)
    beside = Box(frame.left + 2, frame.top, frame.right + 2, frame.bottom)
    moved = prepare(photo, beside, MOBILE)[..., 1:-1, 1:-1]
    assert np.abs(moved - crop).max() > 0.5


def test_the_frame_of_the_photo_gives_what_the_whole_gives(photos):
    for photo in photos:
        frame = Box(0, 0, *photo.size)
        assert seen_region(photo.size, V2, frame) == seen_region(photo.size, V2, "whole")
        np.testing.assert_array_equal(
            prepare(photo, frame, MOBILE), prepare(photo, "whole", MOBILE)
        )


@pytest.mark.parametrize("frame", [Box(0, 0, 301, 200), Box(-1, 0, 9, 9), Box(5, 5, 5, 9)])
def test_a_frame_is_checked_before_anything_is_resized(frame):
    with pytest.raises(RegionError, match=f"^The frame {frame.text} "):
        prepare(Image.new("RGB", (300, 200)), frame, MOBILE)
