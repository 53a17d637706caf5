"""The backward through a frozen network, for what it is: a chain of fixed linear maps.

PyTorch's own backward of batch normalisation reads its input again and adds up the gradients of
parameters that are frozen here; and with a single thread it leaves convolutions of 1 x 1 pixels to
the slower of its two libraries. Here a convolution and the normalisation behind it go back in one
step, with the normalisation folded into the weights. The forward is PyTorch's, to the bit, so that
every ReLU turns where it did: folded there as well, networks flip a few, and maps of early layers
change by 0.001 to 0.01 of their range. The gradients differ by rounding alone.

But for one: where the gradient of a single photo comes as a transposed view, as from a layer that
makes tokens of a grid, PyTorch's backward of a norm (2.14) takes its numbers for each other's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_FEW = 8  # times as many weights as outputs are worth being multiplied, once, for a few labels
_batch_norm, _conv = functional.batch_norm, functional.conv2d


class ShortBackward(TorchFunctionMode):
    """Within this context, what is recorded of frozen norms and convolutions is as short as can be.

    Norms with fixed statistics become one multiplication, or none where they follow a convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[Tensor, tuple] | None = None  # what the last convolution made, from what

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is _conv:
            output = _conv(*args, **kwargs)
            known = len(args) == 7 and isinstance(args[4], tuple) and args[0].requires_grad
            self._last = (output, args) if known and not _learns(*args[1:3]) else None
            return output
        if function is _batch_norm:
            last, self._last = self._last, None
            return _normalise(last, *args, **kwargs)
        return function(*args, **kwargs)


def _normalise(
    last: tuple[Tensor, tuple] | None,
    inputs: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`, whose arguments these are, after the last convolution."""
    if training or variance is None or _learns(weight, bias) or not inputs.requires_grad:
        return _batch_norm(inputs, mean, variance, weight, bias, training, momentum, eps)
    factor = torch.rsqrt(variance + eps)
    if weight is not None:
        factor = factor * weight
    plain = inputs.detach()

    def forward() -> Tensor:
        return _batch_norm(plain, mean, variance, weight, bias, False, momentum, eps)

    if last is not None and last[0] is inputs and inputs._version == 0:
        return _Folded.apply(last[1][0], factor, forward, *last[1][1:])
    return _Scaled.apply(inputs, factor, forward)


def _learns(*parameters: Tensor | None) -> bool:
    return any(each is not None and each.requires_grad for each in parameters)


class _Scaled(Function):
    """A norm: its input times a factor for each channel, plus something."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, factor: Tensor, forward: Callable[[], Tensor]) -> Tensor:
        ctx.factor = factor.view([1, -1] + [1] * (inputs.dim() - 2))
        return forward()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient * ctx.factor, None, None


class _Folded(Function):
    """A convolution and the norm behind it, which together are a convolution."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        factor: Tensor,
        forward: Callable[[], Tensor],
        weight: Tensor,
        _bias: Tensor | None,
        *how: Any,
    ) -> Tensor:
        output = forward()
        ctx.inputs, ctx.weight, ctx.how, ctx.factor = inputs.detach(), weight, how, None
        few = weight.numel() <= _FEW * output.numel()
        ctx.pointwise = few and _is_pointwise(weight, *how)
        if ctx.pointwise:  # going back is such a convolution, too, with the weights transposed
            folded = weight.flatten(1) * factor[:, None]
            ctx.weight = folded.t().contiguous()[:, :, None, None]
        elif few:
            ctx.weight = weight * factor[:, None, None, None]
        else:  # a multiplication of each gradient is cheaper than one of the weights
            ctx.factor = factor[:, None, None]
        return output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        if ctx.factor is not None:
            gradient = gradient * ctx.factor
        if ctx.pointwise:
            back = torch.mkldnn_convolution(gradient, ctx.weight, None, [0, 0], [1, 1], [1, 1], 1)
        else:
            stride, padding, dilation, groups = ctx.how
            back, _, _ = torch.ops.aten.convolution_backward(
                *(gradient, ctx.inputs, ctx.weight, None, stride, padding, dilation),
                *(False, [0, 0], groups, [True, False, False]),
            )
        return (back, *[None] * (4 + len(ctx.how)))


def _is_pointwise(weight: Tensor, stride: Any, padding: Any, _dilation: Any, groups: int) -> bool:
    """Whether oneDNN may go back through it, which is the faster one where there is one thread."""
    return (
        weight.shape[2:] == (1, 1)
        and groups == 1
        and tuple(stride) == (1, 1)
        and tuple(padding) == (0, 0)
        and weight.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
    )
