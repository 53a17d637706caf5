"""A label is found by its name or its index, however it is given."""

from __future__ import annotations

import numpy as np
import pytest

from camdemo.errors import CamdemoError, ChoiceError, RangeError
from camdemo.models import labels

NAMES = ("Cardigan", "tabby cat", "lion", "cardigan", "Ibex")


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ("lion", 2),
        (" lion", 2),
        ("lion\n", 2),
        ("\ttabby cat  ", 1),
        ("LION", 2),
        (" ibex ", 4),
        ("Cardigan", 0),
        (" cardigan ", 3),
        (2, 2),
        (np.int64(2), 2),
        (np.uint8(0), 0),
        (np.array([4, 1]).argmax(), 0),
    ],
)
def test_a_label_is_found(given, index):
    found = labels.find(NAMES, given)
    assert found == index
    assert type(found) is int


def test_no_label_stays_none():
    assert labels.find(NAMES, None) is None


@pytest.mark.parametrize("given", ["", " ", "CARDIGAN", "li on", "lions", "2", "tabby  cat"])
def test_other_names_are_refused(given):
    with pytest.raises(ChoiceError, match="no label"):
        labels.find(NAMES, given)


@pytest.mark.parametrize(
    "given", [-1, 5, np.int64(5), np.int64(-1), True, np.True_, 2.0, np.float32(2), b"lion", [2]]
)
def test_other_indices_are_refused(given):
    with pytest.raises(RangeError, match="is not a number from 0 to 4"):
        labels.find(NAMES, given)


def test_the_best_come_first_and_equals_in_their_order():
    found = labels.top("abcdefg", np.float32([0.1, 0.2, 0.1, 0.3, 0, 0.2, 0.1]))
    assert [one.label for one in found] == ["d", "b", "f", "a", "c"]
    assert found[0].probability == pytest.approx(0.3)
    assert [type(one.probability) for one in found] == [float] * 5


def test_probabilities_by_hand():
    # e^0, e^ln2 and e^ln5 are 1, 2 and 5 of 8; whatever is added to all of them, and a batch too.
    logits = np.log(np.float32([[1, 2, 5], [5, 1, 2]]))
    expected = np.float32([[1, 2, 5], [5, 1, 2]]) / 8
    for added in (0, 50, -1000, 1000):
        np.testing.assert_allclose(labels.probabilities(logits + added), expected, atol=1e-4)
    found = labels.probabilities(logits[0])
    np.testing.assert_allclose(found, expected[0], rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_logits_that_are_no_numbers_are_refused(wrong):
    logits = np.zeros((2, 3), np.float32)
    logits[1, 2] = wrong
    with pytest.raises(CamdemoError, match=r"not a number \(NaN or infinite\)"):
        labels.probabilities(logits)
