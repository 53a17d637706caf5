"""Hiding parts of what the model saw: worked out by hand, with a model of one line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from skimage.measure import label

from camdemo.errors import CamdemoError, ChoiceError, RegionError
from camdemo.question import FILLS
from camdemo.records import Box, Transform
from camdemo.trust import hiding

SEEN = Box(10, 20, 18, 28)  # 8 x 8 pixels of the photo: with a side of 4, each pixel is 2 x 2
HALVES = Transform(8, 4, "bilinear", (0.5, 0.25, 0.5), (0.5, 0.25, 0.25))
MEAN = (1.0, 0.5, 0.25)


def mask_of(*regions: Box, box: Box = SEEN, shape: tuple[int, int] = (4, 4)) -> list[list[int]]:
    mask = hiding.mask_of(regions, box, shape)
    assert mask.dtype == bool
    return mask.astype(int).tolist()


# -- masks


@pytest.mark.parametrize(
    ("region", "rows", "columns"),
    [
        (SEEN, [0, 1, 2, 3], [0, 1, 2, 3]),
        (Box(10, 20, 12, 24), [0, 1], [0]),
        (Box(14, 26, 18, 28), [3], [2, 3]),
        # What counts is the pixel's centre, at 11, 13, 15, 17 across and 21, 23, 25, 27 down;
        # left and top belong to the region, right and bottom don't.
        (Box(11, 21, 13, 23), [0], [0]),
        (Box(12, 22, 14, 24), [1], [1]),
        (Box(12, 22, 16, 23), [], []),
        (Box(13, 25, 18, 26), [2], [1, 2, 3]),
        # What lies outside of the seen part does not count.
        (Box(0, 0, 12, 22), [0], [0]),
        (Box(17, 0, 900, 900), [0, 1, 2, 3], [3]),
        (Box(-5, 24, 900, 25), [], []),
        (Box(-5, 24, 900, 26), [2], [0, 1, 2, 3]),
    ],
)
def test_a_mask_has_the_pixels_whose_centres_are_in_the_region(
    region: Box, rows: list, columns: list
) -> None:
    expected = [[int(row in rows and column in columns) for column in range(4)] for row in range(4)]
    if rows:
        assert mask_of(region) == expected
    else:
        with pytest.raises(RegionError, match="within what the model saw"):
            mask_of(region)


def test_regions_add_up() -> None:
    corner, row, outside = Box(10, 20, 12, 22), Box(10, 20, 18, 22), Box(0, 0, 5, 5)
    bottom = Box(16, 26, 18, 28)
    assert mask_of(corner, bottom) == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert mask_of(corner, row, corner) == mask_of(row)
    assert mask_of(outside, corner) == mask_of(corner)


def test_a_squeezed_frame_has_squeezed_pixels() -> None:
    # 8 x 4 pixels of the photo: centres at 1, 3, 5, 7 across and 0.5, 1.5, 2.5, 3.5 down.
    expected = [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert mask_of(Box(1, 1, 4, 3), box=Box(0, 0, 8, 4)) == expected


def test_an_input_that_is_no_square_has_a_mask_of_its_shape() -> None:
    found = mask_of(Box(2, 0, 4, 2), box=Box(0, 0, 8, 4), shape=(2, 4))  # pixels of 2 x 2
    assert found == [[0, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    "regions",
    [[], [Box(0, 0, 10, 20)], [Box(18, 20, 30, 28)], [Box(0, 0, 5, 5), Box(30, 30, 40, 40)]],
    ids=len,
)
def test_what_the_model_never_saw_can_not_be_hidden(regions: list) -> None:
    with pytest.raises(RegionError, match="Nothing of it is within what the model saw"):
        mask_of(*regions)


@pytest.mark.parametrize("region", [Box(12, 22, 12, 26), Box(12, 22, 16, 22), Box(16, 26, 12, 22)])
def test_a_region_without_area_is_named(region: Box) -> None:
    with pytest.raises(RegionError, match=f"The region {region.text} has no area"):
        mask_of(SEEN, region)


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.ones((4, 4), np.uint8), r"type uint8 and shape \(4, 4\).*bool.*\(4, 4\)"),
        (np.ones((4, 4), np.float32), "type float32"),
        (np.ones((4, 5), bool), r"shape \(4, 5\)"),
        (np.ones((5, 5), bool), r"shape \(5, 5\)"),
        (np.ones((1, 4, 4), bool), r"shape \(1, 4, 4\)"),
        (np.ones(16, bool), r"shape \(16,\)"),
        (np.zeros((4, 4), bool), "Nothing of it"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(mask: np.ndarray, says: str) -> None:
    with pytest.raises(RegionError, match=says):
        hiding.check(mask, (4, 4))


def test_a_mask_that_fits_is_given_back() -> None:
    mask = np.eye(4, dtype=bool)
    assert hiding.check(mask, (4, 4)) is mask


# -- what takes the place of hidden pixels


def test_the_mean_colour_is_normalised_like_the_input() -> None:
    filled = hiding.filling(np.zeros((1, 3, 4, 4), np.float32), "mean", HALVES, MEAN)
    assert filled.shape == (3, 4, 4)
    assert filled.dtype == np.float32
    # (1 - 0.5) / 0.5, (0.5 - 0.25) / 0.25, (0.25 - 0.5) / 0.25
    for channel, expected in zip(filled, (1, 1, -1), strict=True):
        assert (channel == expected).all()


def test_noise_is_grey_and_the_same_each_time() -> None:
    inputs = np.zeros((1, 3, 64, 64), np.float32)
    filled = hiding.filling(inputs, "noise", HALVES, MEAN)
    assert filled.shape == (3, 64, 64)
    assert filled.dtype == np.float32
    mean, std = (np.reshape(each, (3, 1, 1)) for each in (HALVES.mean, HALVES.std))
    greys = filled * std + mean
    np.testing.assert_allclose(greys[1:], greys[[0, 0]], atol=1e-6)
    assert 0 <= greys.min() < 0.01
    assert 0.99 < greys.max() <= 1
    assert greys[0].mean() == pytest.approx(0.5, abs=0.02)
    assert len(np.unique(greys[0])) > 4000  # every pixel has a grey of its own
    assert (filled == hiding.filling(inputs + 1, "noise", HALVES, MEAN)).all()


def test_a_blurred_constant_is_that_constant() -> None:
    inputs = np.full((1, 3, 32, 32), [[[-2]], [[0.5]], [[3]]], np.float32)
    filled = hiding.filling(inputs, "blur", HALVES, MEAN)
    assert filled.dtype == np.float32
    np.testing.assert_allclose(filled, inputs[0], atol=1e-5)


def test_blur_spreads_a_dot_over_ten_pixels_of_224() -> None:
    inputs = np.zeros((1, 3, 112, 112), np.float32)
    inputs[0, 1, 40, 60] = 1
    before = inputs.copy()
    red, green, blue = hiding.filling(inputs, "blur", HALVES, MEAN)
    assert (inputs == before).all()
    assert not red.any()  # colours stay apart
    assert not blue.any()
    assert green.sum() == pytest.approx(1, abs=1e-3)
    assert np.unravel_index(green.argmax(), green.shape) == (40, 60)
    # A Gauss bell of 5 pixels of 112: exp(-1/2) of the peak after 5 pixels, either way.
    for row, column in ((45, 60), (35, 60), (40, 65), (40, 55)):
        assert green[row, column] / green.max() == pytest.approx(np.exp(-0.5), rel=0.01)
    assert np.abs(np.diff(green)).max() < 0.2 * green.max()


def test_fillings_differ() -> None:
    inputs = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    blur, mean, noise = (hiding.filling(inputs, fill, HALVES, MEAN) for fill in FILLS)
    for one, other in ((blur, mean), (mean, noise), (noise, blur)):
        assert np.abs(one - other).max() > 0.1


@pytest.mark.parametrize("fill", ["black", "", "BLUR", None, 0, ["blur"], "x" * 100_000])
def test_another_filling_is_refused(fill: object) -> None:
    with pytest.raises(ChoiceError, match=r"no fill .*Allowed: blur, mean, noise") as refused:
        hiding.filling(np.zeros((1, 3, 4, 4), np.float32), fill, HALVES, MEAN)
    assert len(str(refused.value)) < 200


# -- hiding

INPUTS = np.array([[[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]]], np.float32)
FILLED = -INPUTS[0]
CORNER = np.array([[True, False], [False, False]])


def test_occlude_puts_the_filling_where_the_mask_is() -> None:
    masks = np.array([[[True, False], [False, False]], [[False, True], [True, True]]])
    first, second = hiding.occlude(INPUTS, masks, FILLED)
    assert first.tolist() == [[[-1, 2], [3, 4]], [[-5, 6], [7, 8]], [[-9, 10], [11, 12]]]
    assert second.tolist() == [[[1, -2], [-3, -4]], [[5, -6], [-7, -8]], [[9, -10], [-11, -12]]]
    assert first.dtype == np.float32
    assert INPUTS.min() == 1  # the input stays as it was


class Score:
    """The mean of red, of green and of blue: a model of three labels that counts its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        self.batches.append(len(batch))
        return batch.mean(axis=(2, 3))


def test_hide_by_hand() -> None:
    # Red is -1 2 3 4 without its first pixel, and 1 -2 -3 -4 with that alone.
    hidden = hiding.hide(Score(), INPUTS, CORNER, FILLED)
    kept = hiding.hide(Score(), INPUTS, CORNER, FILLED, keep=True)
    assert hidden.tolist() == [8 / 4, 16 / 4, 24 / 4]
    assert kept.tolist() == [-8 / 4, -16 / 4, -24 / 4]


def test_to_keep_one_part_is_to_hide_the_other() -> None:
    keep = hiding.hide(Score(), INPUTS, CORNER, FILLED, keep=True)
    hide = hiding.hide(Score(), INPUTS, ~CORNER, FILLED)
    assert (keep == hide).all()


@pytest.mark.parametrize(("keep", "expected"), [(False, 12 / 16), (True, 4 / 16)])
def test_hide_elsewhere_is_the_mean_over_places(keep: bool, expected: float) -> None:
    # White on black: wherever four pixels of sixteen are hidden, twelve are left.
    mask = np.zeros((4, 4), bool)
    mask[:2, :2] = True
    score = Score()
    white, black = np.ones((1, 3, 4, 4), np.float32), np.zeros((3, 4, 4), np.float32)
    found = hiding.hide_elsewhere(score, white, mask, black, keep)
    assert found.mean.tolist() == [expected] * 3
    assert found.error.tolist() == [0] * 3  # the same everywhere
    assert found.mean.dtype == found.error.dtype == np.float32
    assert score.batches == [16]  # all places in one batch


def test_hide_elsewhere_hides_other_places() -> None:
    # What one pixel of four is worth depends on where: 1 2 3 4 in red, twice that when it turns.
    places = hiding.elsewhere(CORNER)
    worth = [10 - 2 * INPUTS[0, 0][place].sum() for place in places]
    assert len(set(worth)) == 4
    found = hiding.hide_elsewhere(Score(), INPUTS, CORNER, FILLED)
    assert found.mean[0] == pytest.approx(np.mean(worth) / 4)
    assert found.mean[0] != hiding.hide(Score(), INPUTS, CORNER, FILLED)[0]
    # The standard error of a mean: the spread of the sixteen, with 15 in its denominator, by 4.
    spread = np.sqrt(sum((each - np.mean(worth)) ** 2 for each in worth) / 15)
    assert found.error[0] == pytest.approx(spread / 4 / 4)
    assert found.error.shape == found.mean.shape == (3,)
    # Of so few pixels it may hide the very one, too.
    assert found.overlap == np.mean([place[0, 0] for place in places]) > 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("ask", [hiding.hide, hiding.hide_elsewhere])
def test_an_answer_that_is_no_number_is_refused(ask: Callable, wrong: float) -> None:
    def score(batch: np.ndarray) -> np.ndarray:
        answers = np.zeros((len(batch), 3), np.float32)
        answers[-1, 1] = wrong
        return answers

    with pytest.raises(CamdemoError, match=r"not a number \(NaN or infinite\)"):
        ask(score, INPUTS, CORNER, FILLED)


# -- bars beside the photo


def test_what_lies_on_the_photo() -> None:
    masks = np.ones((2, 4, 4), bool)
    masks[1, 2] = False
    part = Box(0, 1, 4, 3)
    found = hiding.on_photo(masks, part).astype(int).tolist()
    assert found[0] == [[0] * 4, [1] * 4, [1] * 4, [0] * 4]
    assert found[1] == [[0] * 4, [1] * 4, [0] * 4, [0] * 4]
    assert (hiding.on_photo(masks, None) == masks).all()


@pytest.mark.parametrize(("keep", "left"), [(False, 4), (True, 4)])
def test_bars_are_never_hidden(keep: bool, left: int) -> None:
    """Eight white pixels between two bars of 0.5; four of them are hidden by black ones."""
    inputs, black = np.full((1, 3, 4, 4), 0.5, np.float32), np.zeros((3, 4, 4), np.float32)
    inputs[:, :, 1:3] = 1
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True  # bars included
    part = Box(0, 1, 4, 3)
    found = hiding.hide(Score(), inputs, mask, black, keep, part)
    assert found.tolist() == [(left + 8 * 0.5) / 16] * 3
    assert found[0] != hiding.hide(Score(), inputs, mask, black, keep)[0]


def test_random_places_are_on_the_photo() -> None:
    # As before: wherever on the photo four pixels are hidden, four of eight are left.
    inputs, black = np.zeros((1, 3, 8, 8), np.float32), np.zeros((3, 8, 8), np.float32)
    part = Box(0, 3, 8, 5)
    inputs[:, :, 3:5] = 1
    mask = np.zeros((8, 8), bool)
    mask[3:5, :2] = True
    found = hiding.hide_elsewhere(Score(), inputs, mask, black, part=part)
    assert found.mean.tolist() == [12 / 64] * 3
    assert found.error.tolist() == [0] * 3
    anywhere = hiding.hide_elsewhere(Score(), inputs, mask, black)
    assert anywhere.mean[0] > 12 / 64  # a patch on a bar would hide nothing


# -- the yardstick's random places


def cut(mask: np.ndarray) -> np.ndarray:
    """The part of the mask that has all of it: its shape, wherever it lies."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shapes(mask: np.ndarray) -> list[tuple]:
    """The shapes of the connected pieces, in an order that does not depend on where they lie."""
    numbers = label(mask, connectivity=2)
    pieces = [cut(numbers == number) for number in range(1, numbers.max() + 1)]
    return sorted((piece.shape, piece.tobytes()) for piece in pieces)


def letter(side: int = 16) -> np.ndarray:
    """An F: no turning and no mirroring gives it back."""
    mask = np.zeros((side, side), bool)
    mask[2:9, 3] = mask[2, 3:7] = mask[5, 3:6] = True
    return mask


def squares(side: int = 24) -> np.ndarray:
    """Three pieces, which cover a third of the frame."""
    mask = np.zeros((side, side), bool)
    mask[:10, :10] = mask[12:20, 12:20] = mask[22:24, :14] = True
    return mask


def target(side: int = 24) -> np.ndarray:
    """A ring, and a dot within it."""
    mask = np.zeros((side, side), bool)
    mask[3:10, 3:10] = True
    mask[4:9, 4:9] = False
    mask[6, 6] = True
    return mask


def dots(count: int, side: int = 32) -> np.ndarray:
    """So many pieces of a pixel each, none beside another, in no order."""
    places = np.random.default_rng(5).permutation(side * side // 4)[:count]
    mask = np.zeros((side, side), bool)
    mask[places // (side // 2) * 2, places % (side // 2) * 2] = True
    return mask


@pytest.mark.parametrize("mask", [letter(), squares(), target(), dots(32), dots(33), dots(200)])
def test_elsewhere_as_much_is_hidden(mask: np.ndarray) -> None:
    places = hiding.elsewhere(mask)
    assert places.shape == (16, *mask.shape)
    assert places.dtype == bool
    assert places.sum(axis=(1, 2)).tolist() == [mask.sum()] * 16


def test_a_piece_keeps_its_shape_and_stays_within_the_frame() -> None:
    places = hiding.elsewhere(letter(), count=100)
    assert all(shapes(place) == shapes(letter()) for place in places)  # not cut by an edge
    assert len({place.tobytes() for place in places}) > 50  # of 10 x 13
    assert places[:, 0].any()  # from edge
    assert places[:, -1].any()
    assert places[:, :, 0].any()
    assert places[:, :, -1].any()  # to edge


def test_each_of_several_pieces_keeps_its_shape() -> None:
    places = hiding.elsewhere(squares(), count=64)
    # Pieces that happen to touch are one piece of another shape.
    apart = [place for place in places if len(shapes(place)) == 3]
    assert len(apart) >= 4
    assert all(shapes(place) == shapes(squares()) for place in apart)
    assert not any(is_rolled(place, squares()) for place in apart)  # each goes its own way


def test_pieces_that_do_not_fit_side_by_side_overlap_as_little_as_they_can() -> None:
    mask = np.zeros((8, 8), bool)
    mask[:, :4] = mask[:, 5:] = True
    # Four columns, then three: they fit unless the four begin at the third, and leave 2 and 2.
    counts = hiding.elsewhere(mask, count=60).sum(axis=(1, 2))
    assert set(counts.tolist()) == {7 * 8, 6 * 8}


def is_rolled(place: np.ndarray, mask: np.ndarray) -> bool:
    """Whether it is the mask moved as a whole, coming in again at the opposite edge."""
    side = len(mask)
    shifts = np.ndindex(side, side)
    return any((np.roll(mask, shift, (0, 1)) == place).all() for shift in shifts)


def test_more_than_32_pieces_move_as_a_whole() -> None:
    assert all(is_rolled(place, dots(33)) for place in hiding.elsewhere(dots(33), count=4))
    assert not any(is_rolled(place, dots(32)) for place in hiding.elsewhere(dots(32), count=4))


@pytest.mark.parametrize("mask", [letter(), squares(), dots(33)])
def test_the_same_question_has_the_same_answer(mask: np.ndarray) -> None:
    before = mask.copy()
    places = hiding.elsewhere(mask)
    assert (places == hiding.elsewhere(mask)).all()
    assert (mask == before).all()
    assert len({place.tobytes() for place in places}) > 8
    assert (places != hiding.elsewhere(mask, seed=1)).any()


def test_elsewhere_of_everything_is_everything() -> None:
    assert hiding.elsewhere(np.ones((6, 6), bool)).all()


# -- the random places and the region itself


def box_mask(side: int, top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def share_covered(places: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """How much of the mask each of the places covers."""
    return (places & mask).sum(axis=(1, 2)) / mask.sum()


@pytest.mark.parametrize(
    "mask",
    [
        box_mask(32, 12, 12, 8, 8),  # in the middle
        box_mask(32, 0, 0, 16, 16),  # a corner: the other three are just free
        box_mask(64, 0, 0, 24, 64),  # a band from edge to edge
        letter(32),
        dots(32),
        dots(40),  # moved as a whole
    ],
    ids=["middle", "corner", "band", "letter", "dots", "many dots"],
)
def test_random_places_avoid_the_region_where_there_is_room(mask: np.ndarray) -> None:
    places = hiding.elsewhere(mask, count=50)
    assert not (places & mask).any()
    assert len({place.tobytes() for place in places}) >= 12


def test_where_there_is_no_room_they_are_among_the_16_that_overlap_least() -> None:
    mask = box_mask(32, 6, 5, 20, 20)  # 13 x 13 places
    overlaps = sorted(
        (box_mask(32, top, left, 20, 20) & mask).sum() for top in range(13) for left in range(13)
    )
    places = hiding.elsewhere(mask, count=400)
    found = (places & mask).sum(axis=(1, 2))
    assert found.max() <= overlaps[15]
    assert found.min() == overlaps[0]
    assert found.mean() < np.mean(overlaps)
    assert len({place.tobytes() for place in places}) >= 16  # they stay random


def test_pieces_avoid_each_other_before_they_avoid_the_region() -> None:
    mask = np.zeros((16, 16), bool)
    mask[:, :7] = mask[:, 9:] = True  # two halves, with nothing free beside them
    places = hiding.elsewhere(mask, count=30)
    assert (places.sum(axis=(1, 2)) >= 16 * (7 + 5)).all()


@pytest.mark.parametrize(
    "mask", [box_mask(4, 0, 0, 3, 3), np.ones((4, 4), bool), letter(), dots(40)]
)
def test_the_yardstick_says_how_much_of_the_region_its_places_cover(mask: np.ndarray) -> None:
    side = len(mask)
    inputs, filled = np.ones((1, 3, side, side), np.float32), np.zeros((3, side, side), np.float32)
    found = hiding.hide_elsewhere(Score(), inputs, mask, filled)
    assert found.overlap == pytest.approx(share_covered(hiding.elsewhere(mask), mask).mean())
    assert (found.overlap == 1) == mask.all()
    assert (found.overlap == 0) == (side > 4)
