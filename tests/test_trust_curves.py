"""Deletion and insertion: with models of one line, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from camdemo.errors import CamdemoError
from camdemo.records import Box
from camdemo.trust import curves
from camdemo.trust.curves import Curve

# 2 x 2 pixels; the probability is what of this worth is still lit.
WORTH = np.array([[0.5, 0.1], [0.1, 0.3]], np.float32)
INPUTS = np.ones((1, 3, 2, 2), np.float32)
DARK = np.zeros((3, 2, 2), np.float32)


def probability(batch: np.ndarray) -> np.ndarray:
    return (batch.mean(axis=1) * WORTH).sum(axis=(1, 2))


def drawn(kind: str, heat: np.ndarray, steps: int = 4, **more: object) -> Curve:
    *_, curve = curves.draw(
        kind, probability, INPUTS, heat, DARK, steps=steps, label="lion", fill="mean", **more
    )
    return curve


def test_the_best_order_by_hand() -> None:
    curve = drawn("deletion", WORTH)
    assert curve.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve.probabilities == pytest.approx([1, 0.5, 0.2, 0.1, 0], abs=1e-6)
    assert curve.area == pytest.approx((0.5 + 0.5 + 0.2 + 0.1) / 4)
    assert curve.random.shape == (0, 5)
    assert curve.text == "Area 0.33 as pixels are taken away."
    assert curve.verdict == ""


def test_the_worst_order_by_hand() -> None:
    curve = drawn("deletion", -WORTH)
    assert curve.probabilities == pytest.approx([1, 0.9, 0.8, 0.5, 0], abs=1e-6)


def test_insertion_brings_in_the_same_order() -> None:
    curve = drawn("insertion", WORTH)
    assert curve.probabilities == pytest.approx([0, 0.5, 0.8, 0.9, 1], abs=1e-6)
    assert curve.area == pytest.approx((0.5 + 0.8 + 0.9 + 0.5) / 4)


def test_steps_that_do_not_divide_the_pixels() -> None:
    curve = drawn("deletion", WORTH, steps=3)  # 4/3 and 8/3 pixels: 1 and 3
    assert curve.shares.tolist() == [0, 0.25, 0.75, 1]
    assert curve.probabilities == pytest.approx([1, 0.5, 0.1, 0], abs=1e-6)
    assert drawn("deletion", WORTH, steps=1).area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("kind", "expected"), [("deletion", [1, 0.7, 0.6]), ("insertion", [0.6, 0.9, 1])]
)
def test_bars_beside_the_photo_stay(kind: str, expected: list) -> None:
    # The photo is the right column; the bar beside it is the hottest of all.
    heat = np.array([[9, 1], [9, 2]], np.float32)
    curve = drawn(kind, heat, steps=2, part=Box(1, 0, 2, 2))
    assert curve.shares.tolist() == [0, 0.5, 1]
    assert curve.probabilities == pytest.approx(expected, abs=1e-6)


def test_a_curve_grows() -> None:
    side = 10
    inputs, dark = np.ones((1, 3, side, side), np.float32), np.zeros((3, side, side), np.float32)
    heat = np.arange(side * side, dtype=np.float32).reshape(side, side)
    asked = []

    def light(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return batch.mean(axis=(1, 2, 3))

    growing = curves.draw(
        "deletion", light, inputs, heat, dark, steps=20, label="lion", fill="mean"
    )
    first = next(growing)
    assert asked == [8]  # nothing is asked before somebody wants it
    assert len(first.shares) == len(first.probabilities) == 8
    assert first.area == pytest.approx((1 + 0.65) / 2 * 0.35)
    rest = list(growing)
    assert [len(each.shares) for each in rest] == [16, 21]
    assert [each.random.shape for each in rest] == [(0, 16), (0, 21)]
    assert sum(asked) == 21


def test_random_orders_stand_beside_a_curve_and_backwards_beside_the_other_kind() -> None:
    shares = np.array([0, 0.5, 1], np.float32)
    random = np.array([[1, 0.7, 0], [1, 0.4, 0]], np.float32)
    deletion = drawn("deletion", WORTH).beside(shares, random)
    # Straight between their points.
    expected = [[1, 0.85, 0.7, 0.35, 0], [1, 0.7, 0.4, 0.2, 0]]
    np.testing.assert_allclose(deletion.random, expected, atol=1e-6)
    assert deletion.random_areas == pytest.approx([0.6, 0.45])
    insertion = drawn("insertion", WORTH).beside(shares, random)
    np.testing.assert_allclose(insertion.random, np.array(expected)[:, ::-1], atol=1e-6)
    # What goes in one order comes in its reverse: the same pictures.
    reverse = [drawn("insertion", heat).probabilities for heat in (WORTH, -WORTH)]
    forth = [drawn("deletion", heat).probabilities[::-1] for heat in (-WORTH, WORTH)]
    np.testing.assert_allclose(reverse, forth, atol=1e-6)
    assert drawn("deletion", WORTH).beside(shares, random[:0]).random.shape == (0, 5)


def test_random_orders_of_another_photo_are_refused() -> None:
    shares, random = np.array([0, 1], np.float32), np.array([[0.9, 0]], np.float32)
    for kind in ("deletion", "insertion"):
        with pytest.raises(CamdemoError, match="not of lion, mean and this photo"):
            drawn(kind, WORTH).beside(shares, random)


@pytest.mark.parametrize(
    ("kind", "heat", "says"),
    [
        ("deletion", WORTH, "goes sooner than by chance: the answer rests on it."),
        ("deletion", -WORTH, "goes later than by chance: the answer rests on something else."),
        ("insertion", WORTH, "comes sooner than by chance: it does much of the work."),
        ("insertion", -WORTH, "comes later than by chance: the answer rests on something else."),
    ],
)
def test_words(kind: str, heat: np.ndarray, says: str) -> None:
    own = drawn(kind, heat)
    middle = np.linspace(own.probabilities[0], own.probabilities[-1], 5)
    near = np.stack([middle + offset for offset in (-0.01, 0, 0.01)])
    far = np.stack([middle + offset for offset in (-0.3, 0, 0.3)])
    curve = Curve(kind, "lion", "mean", own.shares, own.probabilities, near)
    begin = "Without" if kind == "deletion" else "With"
    assert curve.is_clear
    assert curve.verdict == f"{begin} what this map shows most, lion {says}"
    assert curve.numbers.endswith("; in 3 random orders 0.50, give or take 0.02.")
    assert curve.text == f"{curve.verdict} {curve.numbers}"
    curve = Curve(kind, "lion", "mean", own.shares, own.probabilities, far)
    assert not curve.is_clear
    assert curve.verdict.endswith("no sooner than by chance, as far as one can tell.")
    assert curve.numbers.endswith("in 3 random orders 0.50, give or take 0.60.")


def test_a_map_without_order_is_refused() -> None:
    with pytest.raises(CamdemoError, match="the same everywhere"):
        drawn("deletion", np.full((2, 2), 0.5))


def test_an_answer_that_is_no_number_is_refused() -> None:
    growing = curves.draw(
        "deletion",
        lambda batch: probability(batch) * np.inf,
        INPUTS,
        WORTH,
        DARK,
        label="lion",
        fill="mean",
    )
    with pytest.raises(CamdemoError, match="not a number"):
        next(growing)


def test_a_plot_has_the_curve_and_the_band() -> None:
    random = np.array([[1, 0.7, 0], [1, 0.4, 0]], np.float32)
    curve = drawn("insertion", WORTH).beside(np.array([0, 0.5, 1], np.float32), random)
    axes = curve.plot()
    band, own = axes.lines
    assert own.get_ydata() == pytest.approx(curve.probabilities)
    assert band.get_ydata() == pytest.approx(curve.random.mean(axis=0))
    assert "insertion: lion" in axes.get_title()
    assert len(drawn("insertion", WORTH).plot(axes.figure.add_subplot()).lines) == 1
