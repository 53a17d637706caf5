"""Random orders, the yardstick of curves: with a model of one line, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from camdemo.errors import CamdemoError
from camdemo.records import Box
from camdemo.trust import orders
from camdemo.trust.orders import Orders

# 2 x 2 pixels; label 0 has what of this worth is still lit, label 1 has always 3.
WORTH = np.array([[0.5, 0.1], [0.1, 0.3]], np.float32)
INPUTS = np.ones((1, 3, 2, 2), np.float32)
DARK = np.zeros((3, 2, 2), np.float32)


def answer(batch: np.ndarray) -> np.ndarray:
    light = (batch.mean(axis=1) * WORTH).sum(axis=(1, 2))
    return np.stack([light, np.full_like(light, 3)], axis=1)


def drawn(count: int = 16, steps: int = 4, **more: object) -> Orders:
    *_, found = orders.draw(answer, INPUTS, DARK, fill="mean", steps=steps, orders=count, **more)
    return found


def test_of_equals_the_upper_left_one_goes_first() -> None:
    assert orders.place(np.array([[1, 2], [2, 0]])).tolist() == [[2, 0], [1, 3]]


def test_they_are_seeded_and_hold_for_all_labels() -> None:
    found = drawn()
    assert found.fill == "mean"
    assert found.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.logits.shape == (16, 5, 2)
    light = found.logits[..., 0]
    assert (found.logits[..., 1] == 3).all()
    assert light[:, 0] == pytest.approx(1)
    assert light[:, -1] == pytest.approx(0)
    assert (np.diff(light, axis=1) < 0).all()
    assert len(np.unique(light[:, 1])) > 1
    # Of 24 orders of four pixels the mean is 1/2 at one half.
    assert light.mean(axis=0)[2] == pytest.approx(0.5, abs=0.06)
    assert (drawn().logits == found.logits).all()
    assert (drawn(seed=1).logits != found.logits).any()


def test_they_come_one_by_one_and_share_their_ends() -> None:
    asked = []

    def watched(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return answer(batch)

    growing = orders.draw(watched, INPUTS, DARK, fill="mean", steps=4, orders=3)
    assert len(next(growing).logits) == 1
    assert asked == [2, 3]  # nothing is asked before somebody wants it
    assert [len(one.logits) for one in growing] == [2, 3]
    assert asked == [2, 3, 3, 3]
    assert not list(orders.draw(answer, INPUTS, DARK, fill="mean", orders=0))


def test_bars_beside_the_photo_stay() -> None:
    found = drawn(2, steps=2, part=Box(1, 0, 2, 2))
    # The photo is the right column.
    assert found.logits[:, 0, 0] == pytest.approx(1)
    assert found.logits[:, -1, 0] == pytest.approx(0.6)
    for light in found.logits[:, 1, 0]:
        assert min(abs(light - 0.7), abs(light - 0.9)) < 1e-6


def test_an_answer_that_is_no_number_is_refused() -> None:
    with pytest.raises(CamdemoError, match="not a number"):
        next(orders.draw(lambda batch: answer(batch) * np.nan, INPUTS, DARK, fill="mean"))
