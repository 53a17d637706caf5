"""Questions to toy networks, for the tests of methods of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from camdemo import methods
from camdemo.methods import PixelMap
from camdemo.records import Rivals

from .tiny_models import randomise

SIDE = 16


class Linear(nn.Module):
    """Three labels, each a weighted sum of all pixels: what a pixel does to a logit is known."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        self.head = nn.Linear(3 * side * side, 3)
        randomise(self)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))

    def weights(self, target: int) -> np.ndarray:
        """What each pixel counts for a label, (3, side, side)."""
        side = round((self.head.in_features // 3) ** 0.5)
        return self.head.weight[target].reshape(3, side, side).numpy()


class Rectified(nn.Module):
    """Convolutions, ReLUs that are modules of their own and not in place, and max pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.relu, self.other, self.pool = nn.ReLU(), nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(8, 5)
        randomise(self)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.first(x)))
        return self.head(self.other(self.second(x)).mean(dim=(2, 3)))


def picture(side: int = SIDE, seed: int = 0) -> Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


def fill(name: str, side: int = SIDE) -> np.ndarray:
    """Three baselines that differ: nothing is blurred here."""
    value = {"blur": 0.25, "mean": 0.0, "black": -1.0}[name]
    return np.full((3, side, side), value, np.float32)


def ask(
    network: nn.Module,
    method: str,
    inputs: Tensor | None = None,
    target: int | None = 1,
    versus: tuple[int, ...] = (),
    strength: float = 1.0,
    **settings: Any,
) -> PixelMap:
    inputs = picture() if inputs is None else inputs
    side = inputs.shape[-1]
    rivals = Rivals(versus, strength) if versus else None
    what = (network, method, inputs, target, rivals, settings)
    return methods.explain_input(*what, lambda name: fill(name, side))


def close(found: np.ndarray, expected: np.ndarray, share: float = 1e-5) -> None:
    """That two maps agree but for rounding, and are not the same everywhere."""
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    span = np.ptp(expected)
    assert span > 0
    assert np.abs(found - expected).max() <= share * span
