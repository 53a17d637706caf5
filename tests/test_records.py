"""The records that pass between modules: what they refuse, and how people read them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from camdemo.errors import RegionError
from camdemo.records import Box, Occlusion, Prediction, as_integer, common_lengths, percent

# ---------------------------------------------------------------- integers


@pytest.mark.parametrize(
    "value", [291, np.int64(291), np.uint16(291), np.array(291), np.array([291])[0]]
)
def test_any_integer_is_one(value):
    assert as_integer(value) == 291
    assert type(as_integer(value)) is int


@pytest.mark.parametrize(
    "value", [True, False, np.True_, 291.0, np.float32(291), "291", None, [291], np.array([1, 2])]
)
def test_what_is_no_integer(value):
    assert as_integer(value) is None


def test_a_box_has_whole_pixels():
    box = Box(np.int64(12), np.uint8(0), np.int32(345), 333)
    assert box == Box(12, 0, 345, 333)
    assert box.text == "12,0,345,333"
    assert [type(edge) for edge in (box.left, box.top, box.right, box.bottom)] == [int] * 4
    assert box.width == 333


@pytest.mark.parametrize("wrong", [0.5, 12.0, np.float64(12), "12", None, True, math.nan, [1]])
@pytest.mark.parametrize("edge", ["left", "top", "right", "bottom"])
def test_a_box_with_another_edge_is_refused_in_words(edge, wrong):
    edges = {"left": 1, "top": 2, "right": 30, "bottom": 40} | {edge: wrong}
    with pytest.raises(RegionError) as refused:
        Box(**edges)
    assert str(refused.value) == (
        f"The {edge} edge {wrong!r} is not a whole number. "
        "Give left, top, right and bottom as integers, in pixels."
    )


# ---------------------------------------------------------------- percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.105, "11 %"),  # to the even number it were 10
        (0.125, "13 %"),
        (0.135, "14 %"),
        (0.104999, "10 %"),
        (0.9, "90 %"),
        (1, "100 %"),
        (0.995, "100 %"),
        (0.9949, "99 %"),
        (0.0995, "10 %"),  # never "10.0 %"
        (0.0994, "9.9 %"),
        (0.0025, "0.3 %"),
        (0.00125, "0.1 %"),
        (0.0005, "0.1 %"),
        (0.0004999, "<0.1 %"),
        (0, "<0.1 %"),
        (np.float32(0.5), "50 %"),
    ],
)
def test_percent(share, text):
    assert percent(share) == text


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.one_of(st.floats(0, 1), st.integers(0, 2000).map(lambda thousandths: thousandths / 2000)))
@example(math.nextafter(0.0995, 0))
def test_any_percent_is_rounded_half_up(share):
    """Held to decimal arithmetic on the very double, which has no rounding of its own."""
    points = 100 * share
    text = percent(share)
    if points < 0.05:
        assert text == "<0.1 %"
        return
    digit = Decimal(1) if points >= 9.95 else Decimal("0.1")
    # A value a hair under a half counts as the half: adding 0.5 to it is rounded, too.
    for exact in (Decimal(points), Decimal(math.nextafter(points, math.inf))):
        if text == f"{exact.quantize(digit, ROUND_HALF_UP)} %":
            return
    raise AssertionError(f"{points!r} is printed as {text}")


# ---------------------------------------------------------------- asking back


def occlusion(
    after: float = 0.0421, error: float = 0.02, overlap: float = 0, keep: bool = False
) -> Occlusion:
    before, now, elsewhere = (Prediction(291, "lion", share) for share in (0.9, after, 0.812))
    return Occlusion((), before, now, elsewhere, error, overlap, share=0.2, keep=keep)


def test_what_was_hidden_in_sentences():
    assert occlusion().text == (
        "Hiding this: lion 90 % to 4.2 %. "
        "Hiding a random patch of this size: 90 % to 81 % on average, give or take 4.0 %."
    )
    assert occlusion(keep=True).text == (
        "Keeping only this: lion 90 % to 4.2 %. "
        "Keeping a random patch of this size: 90 % to 81 % on average, give or take 4.0 %."
    )


def test_a_difference_within_the_error_is_not_clear():
    assert occlusion(after=0.78).text.endswith(
        "90 % to 81 % on average, give or take 4.0 %: no clear difference."
    )
    # Two standard errors of 0.02 around 0.812, on either side.
    clear = {after: occlusion(after=after).is_clear for after in (0.771, 0.773, 0.851, 0.853)}
    assert clear == {0.771: True, 0.773: False, 0.851: False, 0.853: True}
    assert occlusion(error=0).is_clear
    assert not occlusion(after=0.812, error=0).is_clear


def test_random_patches_that_overlap_the_region_are_told():
    assert occlusion(overlap=0.32).text.endswith(
        "4.0 %. The random patches overlap this one by 32 %."
    )
    assert "overlap" not in occlusion(overlap=0.0049).text
    assert "by 0.5 %." in occlusion(overlap=0.005).text


def test_what_a_region_says_is_what_a_prediction_says():
    assert Prediction(291, "lion", 0.105).text == "lion · 11 %"


def test_pieces_of_two_rows_have_lengths_in_common():
    """By hand: 0 to 2 and 2 to 4 against 1 to 3 and 3 to 7."""
    found = common_lengths(np.array([0, 2, 4.0]), np.array([1, 3, 7.0]))
    assert found.tolist() == [[1, 0], [1, 1]]
