"""How alike two maps are: by hand, against SciPy and against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from skimage.metrics import structural_similarity

from camdemo.trust.likeness import ranks, spearman, ssim

RANDOM = np.random.default_rng(0)


def test_equal_values_share_their_place() -> None:
    assert ranks(np.array([10, 30, 20, 20])).tolist() == [1, 4, 2.5, 2.5]
    assert ranks(np.array([[5, 5], [5, 1]])).tolist() == [[3, 3], [3, 1]]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([1, 20, 300, 4000], 1),  # only the order counts
        ([4, 3, 2, 1], -1),
        ([1, 3, 2, 4], 0.8),  # 1 - 6 (0 + 1 + 1 + 0) / (4 * 15)
        ([7, 7, 7, 7], 0),
    ],
)
def test_rank_correlation_by_hand(other: list, expected: float) -> None:
    assert spearman(np.array([1, 2, 3, 4]), np.array(other)) == pytest.approx(expected)


@pytest.mark.parametrize("values", [3, 50, 10_000])
def test_rank_correlation_is_scipys(values: int) -> None:
    one, other = RANDOM.integers(0, values, (2, 7, 7))
    expected = stats.spearmanr(one.ravel(), other.ravel()).statistic
    assert spearman(one, other) == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(7, 7), (8, 8), (14, 21)])
def test_structural_similarity_is_that_of_scikit_image(shape: tuple) -> None:
    one, other = RANDOM.random((2, *shape))
    for second in (other, one, 1 - one, one**2):
        expected = structural_similarity(one, second, win_size=7, data_range=1)
        assert ssim(one, second) == pytest.approx(expected)


def test_a_small_map_has_one_window() -> None:
    one, other = np.array([[0, 1], [0, 1]]), np.array([[0, 0], [1, 1]])
    # Means of 1/2, variances of 1/3, a covariance of 0.
    c1, c2 = 0.0001, 0.0009
    expected = (0.5 + c1) / (0.5 + c1) * c2 / (2 / 3 + c2)
    assert ssim(one, other) == pytest.approx(expected)
    assert ssim(one, one) == pytest.approx(1)
