"""What a map adds up to: by hand, and where networks promise it."""

from __future__ import annotations

import numpy as np
import pytest

from camdemo.trust.completeness import add_up

ONES = np.ones((2, 2), np.float32)


def test_a_map_that_adds_up() -> None:
    # Sums of 4 and 8, logits of 5 and 9: the constant is 1 in both.
    found = add_up("lion", [(ONES, 5.0), (2 * ONES, 9.0), (0 * ONES, 1.0)], 10)
    assert (found.total, found.constant, found.logit, found.gap) == (4, 1, 5, 0)
    assert found.text == (
        "The map's cells add up to 4.00; with the constant 1.00 that is the logit of lion, 5.00."
    )


def test_a_map_that_does_not() -> None:
    assert add_up("lion", [(ONES, 5.0), (2 * ONES, 9.0), (ONES, 5.1)], 10) is None
    assert add_up("lion", [(ONES, 5.0), (3 * ONES, 9.0)], 10) is None


def test_rounding_is_small_against_the_range() -> None:
    found = add_up("lion", [(ONES, 5.0005), (ONES, 5.0)], 10)
    assert found.gap == pytest.approx(0.0005)
    assert add_up("lion", [(ONES, 5.0005), (ONES, 5.0)], 1) is None
