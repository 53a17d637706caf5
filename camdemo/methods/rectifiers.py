"""Pixel methods that go back through ReLUs by a rule of their own.

Captum's go by modules: they see `nn.ReLU`, once each and not in place. Here every call is seen,
also ReLU6, a function, one in place and one that is called twice; the network is not touched.
Where a network has plain ReLUs, tests hold the maps to Captum's (but for max pooling, at which
Captum's DeepLift does not add up).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..errors import CamdemoError
from .asked import BACKWARD, Asked, summed
from .layers import default, discover
from .maps import explain

RELUS = {torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, functional.relu, functional.relu_}
CLIPPED = {functional.relu6, functional.hardtanh, functional.hardtanh_}
_IN_PLACE = {torch.relu_, Tensor.relu_, functional.relu_, functional.hardtanh_}
_SAME = 1e-4  # of the range of the logits
_NO_CHANGE = 1e-10  # Captum's: nearer inputs have the function's own slope


def guided_backprop(asked: Asked) -> tuple[np.ndarray, None]:
    """The gradient, of which each ReLU lets only what is positive pass.

    Springenberg et al. 2015, "Striving for Simplicity", section 3.4.
    """
    return summed(_through(asked, _Guided)), None


def deconvolution(asked: Asked) -> tuple[np.ndarray, None]:
    """As Guided Backprop, but ReLUs pass what is positive even where they were off.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 2.1.
    """
    return summed(_through(asked, _Deconvolved)), None


def guided_gradcam(asked: Asked) -> tuple[np.ndarray, None]:
    """Guided Backprop, weighed with what Grad-CAM finds for the label at the last stage.

    Selvaraju et al. 2017, "Grad-CAM", section 3.1, with bilinear interpolation, as there.
    """
    guided = summed(_through(asked, _Guided))
    channels, height, width = asked.inputs.shape[1:]
    layer = default(discover(asked.plain, (channels, height, width)))
    cam, _ = explain(asked.network, layer, asked.inputs, "gradcam", asked.target, asked.versus)
    large = cv2.resize(cam.clip(0), (width, height), interpolation=cv2.INTER_LINEAR)
    return guided * large, None


def deeplift(asked: Asked) -> tuple[np.ndarray, float]:
    """How much each pixel's difference from a baseline makes of the difference of the scores.

    Shrikumar et al. 2017, "Learning Important Features Through Propagating Activation Differences",
    section 3.5.2, the rule "Rescale": through a ReLU goes the ratio of the differences behind
    and before it. Through max pooling it is split as in Lundberg and Lee's DeepSHAP.
    """
    baseline = asked.fill(asked.settings["baseline"])
    both = torch.cat([asked.inputs, baseline])
    with torch.enable_grad():
        leaf = both.clone().requires_grad_()
        asked.step(2 * (1 + BACKWARD))
        with _Rescaling():
            logits = asked.plain(leaf)
        _check(asked, both, logits)
        (ratios,) = torch.autograd.grad(asked.of(logits)[0], leaf)
    found = summed(ratios[:1] * (asked.inputs - baseline))
    return found, asked.gap(found, baseline)


def _through(asked: Asked, rule: type[Function]) -> Tensor:
    with torch.enable_grad():
        leaf = asked.inputs.clone().requires_grad_()
        asked.step(1 + BACKWARD)
        with _Ruled(rule):
            logits = asked.plain(leaf)
        _check(asked, asked.inputs, logits)
        (found,) = torch.autograd.grad(asked.of(logits)[0], leaf)
    return found


def _check(asked: Asked, inputs: Tensor, logits: Tensor) -> None:
    """That the network answered what it does: its ReLUs' places were taken by ours.

    Raises:
        CamdemoError: it did not, as where something reads what a ReLU has overwritten.
    """
    with torch.no_grad():
        expected = asked.plain(inputs)
    span = float(expected.max() - expected.min())
    if not (logits - expected).abs().max() <= _SAME * span:
        raise CamdemoError(
            "This method can't take the place of this network's ReLUs: the answer would be "
            "another one. Choose another method."
        )


class _Ruled(TorchFunctionMode):
    """Within it, every ReLU goes back by a rule."""

    def __init__(self, rule: type[Function]) -> None:
        super().__init__()
        self._rule = rule

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if (high := _ceiling(function, args, kwargs)) is None:
            return function(*args, **kwargs)
        return _written(function, args, kwargs, self._rule.apply(args[0], high))


class _Rescaling(TorchFunctionMode):
    """Within it, what is recorded of two inputs, one and its baseline, goes back by DeepLift."""

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is torch.max_pool2d or function is functional.max_pool2d:
            return _Pooled.apply(args[0], lambda x: functional.max_pool2d(x, *args[1:], **kwargs))
        if (high := _ceiling(function, args, kwargs)) is None:
            return function(*args, **kwargs)
        return _written(function, args, kwargs, _Rescaled.apply(args[0], high))


def _ceiling(function: Any, args: tuple, kwargs: dict) -> float | None:
    """Where a ReLU ends; infinity where it doesn't; None for what is no ReLU."""
    if function in RELUS:
        return float("inf")
    if function is functional.relu6:
        return 6.0
    if function in CLIPPED:
        low = args[1] if len(args) > 1 else kwargs.get("min_val", -1.0)
        high = args[2] if len(args) > 2 else kwargs.get("max_val", 1.0)
        return float(high) if low == 0 else None
    return None


def _written(function: Any, args: tuple, kwargs: dict, value: Tensor) -> Tensor:
    """The value, written to where the function would have written it."""
    in_place = function in _IN_PLACE or True in args[1:] or kwargs.get("inplace")
    return args[0].copy_(value) if in_place else value


class _Guided(Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, high: float) -> Tensor:
        ctx.passes = (inputs > 0) & (inputs < high)
        return inputs.clamp(0, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient.clamp(min=0) * ctx.passes, None


class _Deconvolved(Function):
    @staticmethod
    def forward(_ctx: Any, inputs: Tensor, high: float) -> Tensor:
        return inputs.clamp(0, high)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Any:
        return gradient.clamp(min=0), None


class _Rescaled(Function):
    """A ReLU of an input and its baseline: only the input's score goes back, by differences."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, high: float) -> Tensor:
        outputs = inputs.clamp(0, high)
        before, behind = (one[:1] - one[1:] for one in (inputs, outputs))
        slope = ((inputs[:1] > 0) & (inputs[:1] < high)).to(inputs.dtype)
        ctx.ratio = torch.where(before.abs() < _NO_CHANGE, slope, behind / before)
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        first = gradient[:1] * ctx.ratio
        return torch.cat([first, torch.zeros_like(first)]), None


class _Pooled(Function):
    """Max pooling of an input and its baseline.

    Where the input's maximum is the larger, the rise above the baseline's belongs to the input's
    cell; where it is the smaller, the fall to the baseline's cell.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
        outputs = pool(inputs)
        ctx.pool, ctx.inputs, ctx.outputs = pool, inputs.detach(), outputs.detach()
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (x, nothing), (y, y_nothing) = ctx.inputs.split(1), ctx.outputs.split(1)
        larger = torch.maximum(y, y_nothing)
        with torch.enable_grad():
            both = torch.cat([x, nothing]).requires_grad_()
            pooled = ctx.pool(both)
        shares = torch.cat([larger - y_nothing, y - larger]) * gradient[:1]
        (parts,) = torch.autograd.grad(pooled, both, shares)
        before = x - nothing
        ratio = torch.where(before.abs() < _NO_CHANGE, 0, parts.sum(0, keepdim=True) / before)
        return torch.cat([ratio, torch.zeros_like(ratio)]), None
