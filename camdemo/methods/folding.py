"""A second, faster copy of a network, for answers in which rounding can't be seen.

Its normalisations are folded into the convolutions before them, and its convolutions of 1 x 1
pixels are oneDNN's, which with a single thread PyTorch leaves aside. Its logits are the network's
but for rounding, and so is a map of the last stage where nothing but a mean and a linear map stand
behind it. At earlier layers that is not so: of the hundred thousands of units behind them rounding
turns a few, and a map changes by 0.0001 to 0.01 of its range. They use the network as it is.
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..records import LayerInfo
from . import layers, probing
from .tap import tap

log = logging.getLogger("camdemo")
_MOST = 4  # times as many numbers as a convolution makes may be new: 15 MB in all, of ResNet-50
_SAME = 1e-4  # of the range of logits of noise; wrongly folded, they differ by far more


class Prepared(nn.Module):
    """A network as it is, and folded; `last` is the layer that may be read from either."""

    def __init__(self, plain: nn.Module, folded: nn.Module, last: str) -> None:
        super().__init__()
        self.plain, self.folded, self.last = plain, folded, last
        self.training = plain.training

    def forward(self, x: Tensor) -> Tensor:
        return self.folded(x)


def prepare(network: nn.Module, size: layers.Size) -> nn.Module:
    """The network with a folded copy beside it, or as it is where there is nothing to gain.

    To be called once, when a network was loaded. The copy shares all numbers that don't change,
    and those of a convolution change only where they are few: it adds some megabytes.

    Args:
        network: in evaluation mode and frozen.
        size: of its input, see `layers.discover`.
    """
    try:
        return _prepared(network, size)
    except Exception:  # a person's own network may do, or refuse, anything
        log.info("%s has no faster copy", type(network).__name__, exc_info=True)
        return network


def _prepared(network: nn.Module, size: layers.Size) -> nn.Module:
    noise = probing.noise(network, (1, *layers.shape_of(size)))
    pairs = _pairs(network, noise)
    folded = _copy(network)
    changed = _use_onednn(folded) + sum(_fold(folded, *pair) for pair in pairs)
    offered = layers.discover(network, size) if changed else ()
    if not offered:
        return network
    last = layers.default(offered)
    prepared = Prepared(network, folded, last.name)
    same = _is_even(network, last, noise) and _answer_alike(prepared, last, noise)
    return prepared if same else network


def _pairs(network: nn.Module, inputs: Tensor) -> list[tuple[str, str, int]]:
    """The names of convolutions and of the norms that get their outputs, and the outputs' sizes.

    Whether somebody else reads an output, too, shows in the logits of the folded copy.
    """
    made: dict[int, tuple[str, Tensor]] = {}
    pairs: list[tuple[str, str, int]] = []
    if not any(_without_norm(module) is not None for module in network.modules()):
        return pairs

    def before(name: str, inputs: tuple) -> None:
        conv, output = made.get(id(inputs[0]), ("", None))
        if output is not None and output._version == 0:
            pairs.append((conv, name, output.numel()))

    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(
                module.register_forward_hook(
                    lambda _m, _i, output, name=name: made.update({id(output): (name, output)})
                )
            )
        elif _without_norm(module) is not None:
            handles.append(
                module.register_forward_pre_hook(lambda _m, inputs, name=name: before(name, inputs))
            )
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return pairs


def _without_norm(norm: Any) -> nn.Module | None:
    """What is left of a norm when it is folded; None for what is no norm that can be."""
    if not isinstance(norm, nn.BatchNorm2d) or norm.training or norm.running_var is None:
        return None
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    if type(norm).__name__ == "BatchNormAct2d":  # timm's, with what comes behind it
        return nn.Sequential(OrderedDict((name, getattr(norm, name)) for name in ("drop", "act")))
    return None


def _fold(network: nn.Module, conv_name: str, norm_name: str, size: int) -> bool:
    """Fold a norm into the convolution before it, if that makes few new numbers."""
    conv: Any = network.get_submodule(conv_name)
    norm: Any = network.get_submodule(norm_name)
    left = _without_norm(norm)
    if left is None or conv.weight.numel() > _MOST * size:
        return False
    conv.weight, conv.bias = fuse_conv_bn_weights(
        *(conv.weight, conv.bias, norm.running_mean, norm.running_var),
        *(norm.eps, norm.weight, norm.bias),
    )
    network.set_submodule(norm_name, left)
    return True


class _Pointwise(nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.mkldnn_convolution(input, weight, bias, [0, 0], [1, 1], [1, 1], 1)


def _use_onednn(network: nn.Module) -> bool:
    """Let oneDNN do the convolutions of 1 x 1 pixels, where it is there."""
    found = [
        module
        for module in network.modules()
        if type(module) is nn.Conv2d
        and (module.kernel_size, module.stride, module.padding) == ((1, 1), (1, 1), (0, 0))
        and module.groups == 1
    ]
    if not torch.backends.mkldnn.is_available() or any(
        one.weight.device.type != "cpu" for one in found
    ):
        return False
    for module in found:
        module.__class__ = _Pointwise
    return bool(found)


def _is_even(network: nn.Module, layer: LayerInfo, inputs: Tensor) -> bool:
    """Whether the gradient at the layer is the same in all cells: nothing turns behind it."""
    with torch.enable_grad(), tap(network, [layer]) as grids:
        (gradient,) = torch.autograd.grad(network(inputs).max(), grids[layer.name])
    spread = gradient.amax(dim=(2, 3)) - gradient.amin(dim=(2, 3))
    return bool(spread.max() <= 1e-5 * gradient.abs().max())


def _answer_alike(prepared: Prepared, layer: LayerInfo, inputs: Tensor) -> bool:
    """Whether both networks have the same logits, and the folded one can be explained."""
    from .maps import explain  # it knows this module

    _, expected = explain(prepared.plain, layer, inputs)
    try:
        _, found = explain(prepared, layer, inputs)
    except RuntimeError:  # what follows the layer multiplies it with something from before it
        return False
    return bool(np.abs(found - expected).max() <= _SAME * np.ptp(expected))


def _copy(network: nn.Module) -> nn.Module:
    """The same network over the same numbers."""
    numbers = {id(each): each for each in (*network.parameters(), *network.buffers())}
    return copy.deepcopy(network, numbers)
