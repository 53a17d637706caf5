"""Superpixels: a picture in regions of one colour, about equally large."""

from __future__ import annotations

import numpy as np

_ROUNDS = 5
_COMPACT = 0.5  # how much a step of a region's width counts beside one of the colours' deviation


def segment(picture: np.ndarray, regions: int) -> np.ndarray:
    """The region of each pixel: int64 (h, w), from 0 on without a gap.

    As SLIC (Achanta et al. 2012, "SLIC Superpixels", section 3): k-means over place and colour,
    each centre with the pixels near it. Colours are the network's own input, not CIELAB, and a
    region may fall apart into pieces: nothing here needs it to be in one.

    Args:
        picture: float32 (channels, h, w).
        regions: how many there are about.
    """
    _, height, width = picture.shape
    step = (height * width / regions) ** 0.5
    rows, columns = (max(1, round(side / step)) for side in (height, width))
    deviation = float(picture.std()) or 1.0
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([y, x]) * (_COMPACT / step)
    points = np.concatenate([places, picture / deviation])  # (2 + channels, h, w)
    labels = _grid(rows, height)[:, None] * columns + _grid(columns, width)[None]
    for _ in range(_ROUNDS):
        centres = _means(points, labels, rows * columns)
        best = np.full((height, width), np.inf, np.float32)
        for number, centre in enumerate(centres):
            near = tuple(
                slice(max(0, int(middle - step)), int(middle + step) + 1)
                for middle in centre[:2] * (step / _COMPACT)
            )
            distance = np.square(points[:, *near] - centre[:, None, None]).sum(axis=0)
            closer = distance < best[near]
            best[near][closer] = distance[closer]
            labels[near][closer] = number
    return np.unique(labels, return_inverse=True)[1].reshape(height, width)


def _grid(parts: int, length: int) -> np.ndarray:
    return np.arange(length) * parts // length


def _means(points: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """The centre of each region, float32 (count, 2 + channels); of an empty one, far away."""
    flat = labels.ravel()
    sizes = np.bincount(flat, minlength=count)
    sums = np.stack([np.bincount(flat, one.ravel(), count) for one in points], axis=1)
    return np.where(sizes[:, None], sums / np.maximum(sizes, 1)[:, None], 1e6).astype(np.float32)
