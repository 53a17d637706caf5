"""Two explanations side by side: numbers worked out by hand, words, and the figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from camdemo import Comparison, Explainer, Explanation, compare
from camdemo.errors import ChoiceError, RangeError
from camdemo.records import Box, Prediction

from .tiny_models import Small, install

PHOTO = np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8)
FRAME = Box(0, 0, 100, 100)
TOP = np.zeros((5, 5), np.float32)
TOP[0] = 1
LEFT = np.ascontiguousarray(TOP.T)
CENTRE = np.zeros((5, 5), np.float32)
CENTRE[2, 2] = 3
NEGATIVE = -TOP - 1


@pytest.fixture(scope="module")
def explanation() -> Iterator[Explanation]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch, lambda spec: Small())
        yield Explainer().explain(PHOTO, "efficientnet_lite0", "first", target="lion")


@pytest.fixture
def made(explanation: Explanation) -> Any:
    """Makes explanations of the photo with a map of one's own."""

    def make(cam: np.ndarray, box: Box = FRAME, share: float = 0.9, **more: Any) -> Explanation:
        target = Prediction(291, "lion", share)
        return replace(explanation, cam=cam, box=box, target=target, **more)

    return make


# A fifth of 25 cells is 5: a row or a column.
@pytest.mark.parametrize(
    ("cam", "box", "overlap", "chance"),
    [
        (TOP, FRAME, 1, 1 / 9),
        (LEFT, FRAME, 1 / 9, 1 / 9),  # one of nine cells
        (np.flipud(TOP), FRAME, 0, 1 / 9),
        (np.repeat(TOP, 2, axis=0).repeat(2, axis=1), FRAME, 1, 1 / 9),  # a finer grid
        (TOP, Box(50, 0, 150, 100), 1 / 3, 1 / 9),  # half of each: 1,000 of 3,000 pixels
        (TOP, Box(100, 0, 150, 50), 0, 1 / 9),  # frames that have nothing in common
        (CENTRE, FRAME, 0, 0.008 / 0.232),  # one cell of 25 alone is positive: 0.04 and 0.2
        (np.roll(CENTRE, -2, axis=0), FRAME, 1 / 5, 0.008 / 0.232),
    ],
)
def test_overlap_by_hand(
    made: Any, cam: np.ndarray, box: Box, overlap: float, chance: float
) -> None:
    found = compare(made(TOP), made(cam, box))
    assert found.overlap == pytest.approx(overlap, abs=1e-12)
    assert found.chance == pytest.approx(chance, abs=1e-12)
    assert compare(made(cam, box), made(TOP)).overlap == pytest.approx(found.overlap, abs=1e-12)


def test_overlap_is_that_of_painted_cells(made: Any) -> None:
    """Against pixels: cells of 12, 6 and 4 pixels, in frames that lie apart."""
    random = np.random.default_rng(1)

    def painted(cam: np.ndarray, box: Box) -> np.ndarray:
        strongest = np.sort(cam, axis=None)[::-1][round(cam.size / 5) - 1]
        pixels = np.zeros(PHOTO.shape[:2], bool)
        cells = (cam >= strongest) & (cam > 0)
        size = box.height // cam.shape[0]
        pixels[box.top : box.bottom, box.left : box.right] = np.kron(cells, np.ones((size, size)))
        return pixels

    for side, other in [(7, 14), (7, 21), (14, 14), (21, 7)]:
        first = random.normal(size=(side, side)).astype(np.float32)
        second = random.normal(size=(other, other)).astype(np.float32)
        boxes = Box(3, 5, 87, 89), Box(20, 0, 104, 84)
        one, two = painted(first, boxes[0]), painted(second, boxes[1])
        expected = (one & two).sum() / (one | two).sum()
        found = compare(made(first, boxes[0]), made(second, boxes[1])).overlap
        assert found == pytest.approx(expected, abs=1e-12)


def test_what_lies_in_bars_does_not_count(made: Any) -> None:
    """Of "fit": a square of 6 x 6 cells about a photo of 6 x 4; the first and last row are bars."""
    square = Box(0, -25, 150, 125)
    upper, fewer, lower = np.zeros((3, 6, 6), np.float32)
    upper[0] = fewer[0] = lower[0] = 9  # the hottest of all, where nothing is painted
    upper[1, :5] = fewer[1, :4] = lower[4, :4] = 1  # a fifth of 24 cells is 5
    assert compare(made(upper, square), made(upper, square)).overlap == 1
    assert compare(made(upper, square), made(lower, square)).overlap == 0
    found = compare(made(fewer, square), made(upper, square))
    assert found.overlap == pytest.approx(4 / 5)
    p, q = 4 / 24, 5 / 24
    assert found.chance == pytest.approx(p * q / (p + q - p * q))


def test_words_of_what_lies_between_bars(made: Any, explanation: Explanation) -> None:
    side = explanation.inputs.shape[-1]
    part = Box(0, side // 4, side, 3 * side // 4)
    cam = np.zeros((4, 4), np.float32)
    cam[0] = 1  # half of all lies in a bar
    cam[1, 0] = 4  # two thirds of this cell lie in the upper third of two rows
    fitted = made(cam, part=part)
    assert "A has 67 % in the upper left and half in 13 % of the frame" in (
        compare(fitted, fitted).text  # one cell of eight
    )
    cam = np.where(np.arange(4)[:, None] == 3, 1, np.zeros((4, 4))).astype(np.float32)
    assert "A has none on the photo, B" in compare(made(cam, part=part), fitted).text


def test_no_overlap_of_what_has_none(made: Any) -> None:
    other = Image.fromarray(255 - PHOTO)
    for one in (made(NEGATIVE), made(TOP, image=other), made(TOP, image=other.crop(FRAME_EDGES))):
        found = compare(made(TOP), one)
        assert found.overlap is None
        assert found.chance is None
        assert "overlap" not in found.text
    same = Image.fromarray(PHOTO.copy())  # the same photo, read twice
    assert compare(made(TOP), made(TOP, image=same)).overlap == 1


FRAME_EDGES = (0, 0, 100, 100)


def test_the_words(made: Any) -> None:
    # Of the centre one cell has all; of the top row the upper ninths have a third each, and three
    # of its five cells, 12 % of the frame, more than half.
    assert compare(made(CENTRE), made(TOP, share=0.7149)).text == (
        "lion: A 90 %, B 71 %. Evidence: A has 100 % in the centre and half in 4.0 % of the "
        "frame, B has 33 % in each of its largest parts and half in 12 %. Their strongest fifths "
        "overlap by <0.1 % (by chance 3.4 %)."
    )
    assert compare(made(NEGATIVE), made(np.ones((3, 3), np.float32))).text == (
        "lion: A 90 %, B 90 %. Evidence: A has none at this layer, "
        "B has it evenly spread and half in 56 %."
    )


def test_the_words_of_other_labels(made: Any, explanation: Explanation) -> None:
    tiger = Prediction(292, "tiger", 0.02)
    duel = replace(made(TOP), versus=(tiger,))
    assert compare(duel, duel).text.startswith("lion against tiger: A 90 %, B 90 %. Evidence:")
    other = replace(made(TOP), target=tiger)
    assert compare(made(TOP), other).text.startswith("A: lion 90 %. B: tiger 2.0 %. Evidence:")


def test_the_words_of_a_method_that_knows_no_label(made: Any) -> None:
    text = compare(made(TOP), made(LEFT, method="eigencam")).text
    assert "half in 12 %. B's map is the same for all labels. Their strongest" in text
    assert "A's map" not in text


def test_the_figure(made: Any) -> None:
    small = Image.fromarray(PHOTO[:50, :50])
    look = {"colormap": "viridis", "opacity": 0.3, "look": "notebook"}
    a, b = made(TOP), made(LEFT, Box(0, 0, 50, 50), image=small)
    figure = compare(a, b).figure(**look)
    assert figure.mode == "RGB"
    pixels = np.asarray(figure)
    head = pixels.shape[0] - 100
    assert (pixels[head:, :150] == np.asarray(a.overlay(**look))).all()
    assert pixels.shape[1] == 150 + 2 + 100  # b is made as high as a
    assert (pixels[head:, 150:152] == 255).all()
    for start in (0, 152):  # what each is stands above it
        assert (pixels[:head, start : start + 40] < 128).any()


@pytest.mark.parametrize("size", [(3, 400), (400, 3), (1, 1)])
def test_a_figure_of_photos_of_any_shape(made: Any, size: tuple[int, int]) -> None:
    thin = Image.new("RGB", size)
    figure = compare(made(TOP), made(TOP, Box(0, 0, *size), image=thin)).figure()
    assert figure.height > max(100, size[1])


def test_the_figure_refuses_what_an_overlay_does(made: Any) -> None:
    with pytest.raises(ChoiceError):
        compare(made(TOP), made(LEFT)).figure(colormap="rainbow")
    with pytest.raises(RangeError):
        compare(made(TOP), made(LEFT)).figure(opacity=2)


def test_the_summary_fits_into_json(made: Any) -> None:
    found = compare(made(TOP), made(LEFT))
    summary = json.loads(json.dumps(found.summary()))
    assert list(summary) == ["a", "b", "overlap", "chance", "text"]
    assert summary["b"]["map"] == LEFT.tolist()
    assert summary["overlap"] == pytest.approx(1 / 9)
    assert summary["text"] == found.text


def test_a_comparison_is_frozen(made: Any) -> None:
    found = compare(made(TOP), made(LEFT))
    assert isinstance(found, Comparison)
    with pytest.raises(FrozenInstanceError):
        found.overlap = 1.0  # type: ignore[misc]
