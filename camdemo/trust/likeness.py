"""How alike two maps are, or how alike they order things: the two measures of this room."""

from __future__ import annotations

import numpy as np

_WINDOW = 7  # cells of a side, as in Wang et al. 2004; of a smaller map as many as it has
_C1, _C2 = 0.01**2, 0.03**2  # theirs, for values from 0 to 1


def ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value among the others, from 1 for the least, float64 of the same shape.

    Equal values share the mean of their places.
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which].reshape(values.shape)


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """The rank correlation of two arrays of one shape, -1 to 1 (Spearman 1904).

    0 where one of them is the same everywhere: it orders nothing.
    """
    a, b = (ranks(each).ravel() for each in (one, other))
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """The structural similarity of two maps (h, w) of values from 0 to 1, -1 to 1.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity",
    equation 13: the mean over all windows of 7 x 7 cells that lie within the map, each cell
    counting the same, or over one window where the map is smaller.
    """
    height, width = (min(_WINDOW, side) for side in one.shape)
    a, b = (
        np.lib.stride_tricks.sliding_window_view(each.astype(np.float64), (height, width))
        for each in (one, other)
    )
    mean_a, mean_b = (each.mean(axis=(2, 3), keepdims=True) for each in (a, b))
    scatter = height * width - 1
    var_a, var_b, both = (
        product.sum(axis=(2, 3)) / scatter
        for product in ((a - mean_a) ** 2, (b - mean_b) ** 2, (a - mean_a) * (b - mean_b))
    )
    mean_a, mean_b = mean_a[..., 0, 0], mean_b[..., 0, 0]
    light = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * both + _C2) / (var_a + var_b + _C2)
    return float((light * structure).mean())
