"""Pixel methods that only ask: what does the network answer when parts of the input are hidden?"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, comb

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .asked import AT_ONCE, Asked
from .superpixels import segment

_KEPT = 0.5  # of the cells of RISE's masks, on average: the paper's


def occlusion(asked: Asked) -> tuple[np.ndarray, None]:
    """How much the score drops when a window hides a place, averaged over the windows there.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
    The drop is that of the window, not shared out among its pixels.
    """
    from captum.attr import Occlusion

    def score(batch: Tensor) -> Tensor:
        scores = torch.from_numpy(asked.scores(iter([batch])).astype(np.float32))
        return scores.to(batch.device)

    window = min(asked.settings["window"], *asked.inputs.shape[-2:])
    stride = min(asked.settings["stride"], window)
    found = Occlusion(score).attribute(
        asked.inputs,
        sliding_window_shapes=(asked.inputs.shape[1], window, window),
        strides=(1, stride, stride),
        baselines=asked.fill(asked.settings["baseline"]),
        perturbations_per_eval=AT_ONCE,
    )
    one = found[0, 0].cpu().numpy()  # all colours have the same
    return one.astype(np.float32, copy=False), None


def windows(side: int, window: int, stride: int) -> int:
    """How many windows there are in a row."""
    window = min(window, side)
    return 1 + ceil((side - window) / min(stride, window))


def rise(asked: Asked) -> tuple[np.ndarray, None]:
    """What random masks leave to be seen where the score is high.

    Petsiuk et al. 2018, "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    sections 3.1 and 3.2: coarse random cells, upsampled and shifted. The paper's map is the mean of
    the masks, each with its score; here the score counts above its mean, so that a pixel is
    negative where showing it lowers the score. But for chance that takes the same from all pixels.
    """
    count, cells = asked.settings["masks"], asked.settings["cells"]
    rng = np.random.default_rng(asked.settings["seed"])
    size = asked.inputs.shape[-2], asked.inputs.shape[-1]
    nothing = asked.fill("mean")
    total = np.zeros(size)
    plain = np.zeros(size)
    sum_of_scores = 0.0
    for start in range(0, count, AT_ONCE):
        masks = torch.stack([mask(rng, cells, size) for _ in range(min(AT_ONCE, count - start))])
        seen = nothing + masks[:, None].to(nothing.device) * (asked.inputs - nothing)
        scores = asked.scores(iter([seen]))
        shown = masks.double().numpy()
        total += np.tensordot(scores, shown, axes=1)
        plain += shown.sum(axis=0)
        sum_of_scores += float(scores.sum())
    centred = total - sum_of_scores / count * plain
    return (centred / (count * _KEPT)).astype(np.float32), None


def mask(rng: np.random.Generator, cells: int, size: tuple[int, int]) -> Tensor:
    """A random mask of RISE, float32 (h, w), 0 to 1: of `cells` x `cells`, at a random shift."""
    grid = (rng.random((cells, cells)) < _KEPT).astype(np.float32)
    height, width = (ceil(side / cells) for side in size)
    large = functional.interpolate(
        torch.from_numpy(grid)[None, None],
        ((cells + 1) * height, (cells + 1) * width),
        mode="bilinear",
        align_corners=False,
    )[0, 0]
    top, left = rng.integers(0, height), rng.integers(0, width)
    return large[top : top + size[0], left : left + size[1]]


def kernel_shap(asked: Asked) -> tuple[np.ndarray, float]:
    """What each region adds on average, whichever others are there: Shapley values, estimated.

    Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions", section 4.1 and
    theorem 2, over superpixels. Coalitions are drawn by the kernel's weight, each with its
    complement; the values are the least squares that add up to the difference of the scores. A
    region's value is shared out among its pixels, so that the map adds up to that difference, too.
    """
    baseline = asked.fill(asked.settings["baseline"])
    labels = segment(asked.inputs[0].cpu().numpy(), asked.settings["regions"])
    regions = int(labels.max()) + 1
    rng = np.random.default_rng(asked.settings["seed"])
    there, nothing = asked.scores(iter([torch.cat([asked.inputs, baseline])]))
    if regions == 1:
        values = np.array([there - nothing])
    else:
        shown = coalitions(rng, regions, asked.settings["samples"])
        scores = asked.scores(_hidden(asked.inputs, baseline, labels, shown))
        values = shapley(shown, scores - nothing, there - nothing)
    sizes = np.bincount(labels.ravel(), minlength=regions)
    found = (values / sizes)[labels].astype(np.float32)
    return found, float(there - nothing - found.sum(dtype=np.float64))


def _hidden(
    inputs: Tensor, baseline: Tensor, labels: np.ndarray, shown: np.ndarray
) -> Iterator[Tensor]:
    """Batches of the input in which only the regions of each coalition are seen."""
    for start in range(0, len(shown), AT_ONCE):
        masks = torch.from_numpy(shown[start : start + AT_ONCE][:, labels])[:, None]
        yield torch.where(masks.to(inputs.device), inputs, baseline)


def coalitions(rng: np.random.Generator, regions: int, count: int) -> np.ndarray:
    """Which regions are shown in each question: bool (count, regions), neither none nor all.

    Sizes come as often as the Shapley kernel weighs all coalitions of that size together; every
    second one is the complement of the one before.
    """
    sizes = np.arange(1, regions)
    weights = [(regions - 1) / (size * (regions - size)) for size in sizes]
    chosen = rng.choice(sizes, (count + 1) // 2, p=np.array(weights) / sum(weights))
    order = rng.random((len(chosen), regions)).argsort(axis=1).argsort(axis=1)
    half = order < chosen[:, np.newaxis]
    return np.stack([half, ~half], axis=1).reshape(-1, regions)[:count]


def kernel(regions: int, size: int) -> float:
    """The Shapley kernel of one coalition: Lundberg and Lee 2017, theorem 2."""
    return (regions - 1) / (comb(regions, size) * size * (regions - size))


def shapley(shown: np.ndarray, gains: np.ndarray, whole: float) -> np.ndarray:
    """The values of least squares, float64 (regions,), whose sum is `whole`.

    Args:
        shown: bool (n, regions), drawn by the kernel's weight, so that each counts alike.
        gains: float64 (n,), the score of each above that of nothing.
    """
    # With the last value = whole - the others, what is left has no constraint.
    last = shown[:, -1:].astype(np.float64)
    design = shown[:, :-1] - last
    others = np.linalg.lstsq(design, gains - last[:, 0] * whole, rcond=None)[0]
    return np.append(others, whole - others.sum())
