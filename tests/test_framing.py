"""Which part of the photo the model sees, and how a frame is read and checked."""

from __future__ import annotations

import numpy as np
import pytest

from camdemo.errors import ChoiceError, RegionError
from camdemo.models.catalogue import CATALOGUE, find
from camdemo.photo import find_framing, photo_part, seen_region, to_box
from camdemo.records import Box

V2 = find("mobilenet_v2").transform


def test_the_box_never_leaves_the_photo():
    extremes = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 223, 224, 225, 256, 4097, 20_000, 50_000_000]
    for transform in {spec.transform for spec in CATALOGUE}:
        for width in extremes:
            for height in extremes:
                region = seen_region((width, height), transform, "crop")
                box = to_box(region)
                assert 0 <= box.left < box.right <= width, (width, height, transform)
                assert 0 <= box.top < box.bottom <= height, (width, height, transform)
                # It is the region, to a pixel.
                edges = (box.left, box.top, box.right, box.bottom)
                assert max(abs(a - b) for a, b in zip(edges, region, strict=True)) <= 1


def test_the_crop_by_hand():
    """512 x 256, resized to 256 and cropped to 224: half of the difference is left out."""
    region = seen_region((512, 256), V2, "crop")
    assert region == (144, 16, 368, 240)
    region = seen_region((512, 1024), V2, "crop")
    assert region == (32, 288, 480, 736)  # twice as many pixels


@pytest.mark.parametrize(
    ("size", "region", "box"),
    [
        # Two thirds of 224 are 149 rows, between 37 above and 38 below: 400 / 149 pixels each.
        ((600, 400), (0, -37 * 400 / 149, 600, 187 * 400 / 149), Box(0, -99, 600, 502)),
        ((400, 600), (-37 * 400 / 149, 0, 187 * 400 / 149, 600), Box(-99, 0, 502, 600)),
        ((4000, 600), (0, -95 * 600 / 34, 4000, 129 * 600 / 34), Box(0, -1676, 4000, 2276)),
        ((300, 300), (0, 0, 300, 300), Box(0, 0, 300, 300)),
    ],
)
def test_the_square_around_a_photo_by_hand(size, region, box):
    found = seen_region(size, V2, "fit")
    assert found == pytest.approx(region)
    assert to_box(found) == box
    assert box.within(*size) == Box(0, 0, *size)


def test_a_fitted_photo_lies_whole_and_unsqueezed_in_the_middle():
    extremes = [1, 2, 3, 7, 8, 17, 223, 224, 225, 4097, 20_000]
    for transform in {spec.transform for spec in CATALOGUE}:
        for size in [(width, height) for width in extremes for height in extremes]:
            part, box = (
                photo_part(size, transform, "fit"),
                to_box(seen_region(size, transform, "fit")),
            )
            assert max(part.width, part.height) == transform.crop
            assert abs(part.left - (transform.crop - part.right)) <= 1
            assert abs(part.top - (transform.crop - part.bottom)) <= 1
            assert box.within(*size) == Box(0, 0, *size), (size, box)
            across, down = size[0] / part.width, size[1] / part.height
            # As many pixels of the photo each way, to half of a row or column of the input.
            short = min(part.width, part.height)
            assert short == 1 or across / down == pytest.approx(1, abs=0.51 / (short - 0.5))


def test_what_of_a_box_lies_on_a_picture():
    assert Box(0, -99, 600, 502).within(600, 400) == Box(0, 0, 600, 400)
    assert Box(3, 4, 50, 60).within(600, 400) == Box(3, 4, 50, 60)
    grid = np.arange(12).reshape(3, 4)
    assert grid[Box(1, 0, 4, 2).slices].tolist() == [[1, 2, 3], [5, 6, 7]]


def test_an_unknown_framing_is_refused():
    with pytest.raises(ChoiceError, match=r"no framing 'half'. Allowed: crop, whole, fit"):
        seen_region((8, 8), V2, "half")


# ---------------------------------------------------------------- frames of one's own


@pytest.mark.parametrize(
    "framing", ["crop", "whole", "fit", Box(12, 0, 345, 333), Box(-1, 0, 5, 5)]
)
def test_a_framing_is_found_as_it_is(framing):
    assert find_framing(framing) == framing


@pytest.mark.parametrize(
    "text",
    ["12,0,345,333", " 12,0,345,333 ", "12, 0, 345, 333", "\t12 ,0\n,345 , 333", "012,0,0345,333"],
)
def test_a_frame_is_found_by_its_text(text):
    assert find_framing(text) == Box(12, 0, 345, 333)


def test_a_frame_says_its_text_as_it_is_read():
    assert Box(12, 0, 345, 333).text == "12,0,345,333"
    assert find_framing(Box(0, 7, 999_999, 8).text) == Box(0, 7, 999_999, 8)


@pytest.mark.parametrize(
    "framing",
    [
        *["", ",", "1,2,3", "1,2,3,4,5", "1,2,3,4,", ",1,2,3,4", "1,,3,4", "1 2 3 4", "1;2;3;4"],
        *["a,b,c,d", "-1,0,5,5", "+1,0,5,5", "0.5,0,5,5", "1e3,0,5,5", "1_0,0,5,5", "0x1,0,5,5"],
        *["nan,0,5,5", "1 2,0,5,5", "\u0661,0,5,5", "\uff11,0,5,5", "1\u00a0,0,5,5", "1,2,3,4\0"],
        *["CROP", "crop ", "middle", "__class__", "[1,2,3,4]", "9999999,0,5,5"],
        *["9" * 100_000, "1,2,3," + "4" * 100_000, " " * 100_000, "1," * 100_000, "\ud800"],
        *[None, 5, 0.5, True, b"crop", [1, 2, 3, 4], (1, 2, 3, 4), {"left": 1}, [], ...],
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_framing_is_refused_with_what_is(framing):
    with pytest.raises(ChoiceError) as refused:
        find_framing(framing)
    sentence = str(refused.value)
    assert sentence.startswith("There is no framing ")
    assert sentence.endswith(" Allowed: crop, whole, fit, left,top,right,bottom in pixels.")
    assert len(sentence) < 200
    assert sentence.isprintable()


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
    region = seen_region((300, 200), V2, frame)
    assert region == (frame.left, frame.top, frame.right, frame.bottom)
    assert to_box(region) == frame


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
        seen_region((300, 200), V2, frame)
    assert str(refused.value) == (
        f"The frame {frame.text} is not within the photo of 300 x 200 pixels. "
        "Give left, top, right and bottom in pixels of the upright photo."
    )


@pytest.mark.parametrize(
    "frame", [Box(0, 0, 0, 0), Box(5, 5, 5, 9), Box(5, 5, 9, 5), Box(9, 5, 5, 9), Box(9, 9, 5, 5)]
)
def test_a_frame_without_area_is_refused(frame):
    with pytest.raises(RegionError, match=f"^The frame {frame.text} has no area. Give left, top"):
        seen_region((300, 200), V2, frame)
