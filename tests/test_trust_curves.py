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
NAMES = {"label": "lion", "fill": "mean"}


def probability(batch: np.ndarray) -> np.ndarray:
    return (batch.mean(axis=1) * WORTH).sum(axis=(1, 2))


def drawn(kind: str, heat: np.ndarray, steps: int = 4, orders: int = 0, **more: object) -> Curve:
    growing = curves.draw(
        kind, probability, INPUTS, heat, DARK, steps=steps, orders=orders, **NAMES, **more
    )
    *_, curve = growing
    return curve


def test_the_best_order_by_hand() -> None:
    curve = drawn("deletion", WORTH)
    assert curve.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve.probabilities == pytest.approx([1, 0.5, 0.2, 0.1, 0], abs=1e-6)
    assert curve.area == pytest.approx((0.5 + 0.5 + 0.2 + 0.1) / 4)
    assert curve.random.shape == (0, 5)
    assert curve.text == "Taking away first what the map shows most: lion, area 0.33."


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
    curve = drawn(kind, heat, steps=2, orders=2, part=Box(1, 0, 2, 2))
    assert curve.shares.tolist() == [0, 0.5, 1]
    assert curve.probabilities == pytest.approx(expected, abs=1e-6)
    assert curve.random[:, [0, 2]] == pytest.approx(np.array([expected[::2]] * 2), abs=1e-6)


def test_of_equals_the_upper_left_one_goes_first() -> None:
    assert curves.place(np.array([[1, 2], [2, 0]])).tolist() == [[2, 0], [1, 3]]


def test_random_orders_are_seeded_and_share_their_ends() -> None:
    one = drawn("deletion", WORTH, orders=16)
    assert one.random.shape == (16, 5)
    assert (one.random[:, 0] == one.probabilities[0]).all()
    assert (one.random[:, -1] == one.probabilities[-1]).all()
    assert (np.diff(one.random, axis=1) < 0).all()
    assert len(np.unique(one.random[:, 1])) > 1
    # Of 24 orders of four pixels the mean is 1/2 at one half.
    assert one.random_areas.mean() == pytest.approx(0.5, abs=0.06)
    assert (drawn("deletion", -WORTH, orders=16).random == one.random).all()  # whatever the map
    assert (drawn("deletion", WORTH, orders=16, seed=1).random != one.random).any()


def test_a_curve_grows() -> None:
    side = 10
    inputs, dark = np.ones((1, 3, side, side), np.float32), np.zeros((3, side, side), np.float32)
    heat = np.arange(side * side, dtype=np.float32).reshape(side, side)
    asked = []

    def light(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return batch.mean(axis=(1, 2, 3))

    how = {"steps": 20, "orders": 2} | NAMES
    growing = curves.draw("deletion", light, inputs, heat, dark, **how)
    first = next(growing)
    assert asked == [8]  # nothing is asked before somebody wants it
    assert len(first.shares) == len(first.probabilities) == 8
    assert first.area == pytest.approx((1 + 0.65) / 2 * 0.35)
    rest = list(growing)
    assert [len(each.shares) for each in rest] == [16, 21, 21, 21]
    assert [len(each.random) for each in rest] == [0, 0, 1, 2]
    assert sum(asked) == 21 + 2 * 19
    np.testing.assert_allclose(rest[-1].random, np.linspace([1, 1], [0, 0], 21).T, atol=1e-6)


def test_a_band_is_taken_over_and_read_backwards_for_the_other_kind() -> None:
    deletion = drawn("deletion", WORTH, orders=5)
    other = drawn("deletion", -WORTH, orders=5, band=deletion)
    assert (other.random == deletion.random).all()
    insertion = drawn("insertion", WORTH, band=deletion)
    # What goes in one order comes in its reverse: the same pictures.
    reverse = [drawn("insertion", heat).probabilities for heat in (WORTH, -WORTH)]
    forth = [drawn("deletion", heat).probabilities[::-1] for heat in (-WORTH, WORTH)]
    np.testing.assert_allclose(reverse, forth, atol=1e-6)
    assert (insertion.random == deletion.random[:, ::-1]).all()
    for what in ({"steps": 3}, {}):
        band = deletion if what else Curve("deletion", "cat", "mean", *[deletion.shares] * 3)
        with pytest.raises(CamdemoError, match="random orders are of"):
            drawn("deletion", WORTH, band=band, **what)


@pytest.mark.parametrize(
    ("kind", "heat", "says"),
    [
        ("deletion", WORTH, "finds what the answer rests on"),
        ("deletion", -WORTH, "does worse than chance"),
        ("insertion", WORTH, "finds what the answer rests on"),
        ("insertion", -WORTH, "does worse than chance"),
    ],
)
def test_words(kind: str, heat: np.ndarray, says: str) -> None:
    own = drawn(kind, heat)
    middle = np.linspace(own.probabilities[0], own.probabilities[-1], 5)
    near = np.stack([middle + offset for offset in (-0.01, 0, 0.01)])
    far = np.stack([middle + offset for offset in (-0.3, 0, 0.3)])
    curve = Curve(kind, "lion", "mean", own.shares, own.probabilities, near)
    assert curve.is_clear
    assert curve.text.endswith(f"In 3 random orders 0.50, give or take 0.02: the map {says}.")
    curve = Curve(kind, "lion", "mean", own.shares, own.probabilities, far)
    assert not curve.is_clear
    assert curve.text.endswith("In 3 random orders 0.50, give or take 0.60: no clear difference.")


def test_a_map_without_order_is_refused() -> None:
    with pytest.raises(CamdemoError, match="the same everywhere"):
        drawn("deletion", np.full((2, 2), 0.5))


def test_an_answer_that_is_no_number_is_refused() -> None:
    growing = curves.draw(
        "deletion", lambda batch: probability(batch) * np.inf, INPUTS, WORTH, DARK, **NAMES
    )
    with pytest.raises(CamdemoError, match="not a number"):
        next(growing)


def test_a_plot_has_the_curve_and_the_band() -> None:
    curve = drawn("insertion", WORTH, orders=16)
    axes = curve.plot()
    band, own = axes.lines
    assert own.get_ydata() == pytest.approx(curve.probabilities)
    assert band.get_ydata() == pytest.approx(curve.random.mean(axis=0))
    assert "insertion: lion" in axes.get_title()
    assert len(drawn("insertion", WORTH).plot(axes.figure.add_subplot()).lines) == 1
