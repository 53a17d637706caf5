"""All layers at once: one map of the last stages together.

Late stages know the label and are coarse, earlier ones are fine and know it less. HiResCAM's mean
of four orders the parts of a photo better than the last stage alone, if a finer grid is among them:
README.md, "Which map to trust", has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..records import LayerInfo

FUSED = "all"  # its name, among those of layers
_STAGES = 4
LARGEST_GRID = 56  # cells a side: as many as travel to a browser, which fuses by itself


def fused(layers: Sequence[LayerInfo]) -> LayerInfo:
    """The last four stages as one layer; its grid is the finest of theirs, at most 56 x 56.

    Of stages in a row that have the same channels and grid only the last counts, such as a
    normalisation after its convolution, which has nearly the same map: unless there are fewer than
    four others, as in a vision transformer.
    """
    stages = [layer for layer in layers if layer.stage]
    shapes = [(layer.channels, layer.height, layer.width) for layer in stages]
    last = [
        shape != following for shape, following in zip(shapes, [*shapes[1:], None], strict=True)
    ]
    order = sorted(range(len(stages)), key=lambda i: (last[i], i))
    parts = tuple(stages[i] for i in sorted(order[-_STAGES:]))
    return LayerInfo(
        FUSED,
        sum(part.channels for part in parts),
        min(max(part.height for part in parts), LARGEST_GRID),
        min(max(part.width for part in parts), LARGEST_GRID),
        stage=False,
        parts=parts,
    )


def fuse(cams: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """The mean of signed maps, each divided by its largest absolute value: float32 (h, w), -1 to 1.

    They are brought to one size by bilinear interpolation; what is larger than `LARGEST_GRID` is
    averaged before, as it travels. A map that is 0 everywhere counts as that.
    """
    total = np.zeros((height, width), np.float32)
    for cam in map(averaged, cams):
        largest = np.abs(cam).max()
        if largest:
            scaled = (cam / largest).astype(np.float32)
            total += cv2.resize(scaled, (width, height), interpolation=cv2.INTER_LINEAR)
    return total / np.float32(len(cams))


def averaged(cam: np.ndarray, most: int = LARGEST_GRID) -> np.ndarray:
    """A map with at most so many cells a side: the means of areas, where it has more."""
    height, width = cam.shape
    if max(height, width) <= most:
        return cam
    size = (min(width, most), min(height, most))
    return cv2.resize(cam, size, interpolation=cv2.INTER_AREA)
