"""Which layers of a network can be explained.

A layer can be explained when its output is a grid: N x C x H x W, or something that folds
into one (Swin's N x H x W x C, a vision transformer's N x tokens x C); see tap.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CamdemoError, ChoiceError
from ..records import LayerInfo
from . import probing
from .fusing import FUSED, fused
from .grids import tensor_of

# A child that holds this share of the layers is the trunk: its children are the stages.
# ResNet-152's longest stage holds 0.72, the `features` of any network more than 0.9.
_TRUNK_SHARE = 0.75
# Autograd's names for a mean, for a linear layer, and for what only gives a tensor another shape.
_POOLING = (
    *("Mean", "Addmm", "T", "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze"),
    *("Permute", "Transpose", "Clone", "Alias", "AsStrided"),
)


Size = int | tuple[int, int, int]


def shape_of(size: Size) -> tuple[int, int, int]:
    """Channels, height and width of an input; one number is that of 3 x side x side."""
    return (3, size, size) if isinstance(size, int) else size


@dataclass
class _Call:
    """What one module returned, and when."""

    name: str
    module: nn.Module
    output: Tensor
    version: int  # in-place operations raise it: the same tensor, but other values
    grid: tuple[int, int, int]
    made_by: Any  # autograd's node, which an in-place operation on the output replaces

    @property
    def identity(self) -> tuple[int, int]:
        return (id(self.output), self.version)

    @property
    def has_prefix(self) -> bool:
        """Whether the output is tokens of which some, such as a class token, are no patches."""
        _, height, width = self.grid
        return self.output.dim() == 3 and self.output.shape[1] > height * width


@dataclass
class _Trace:
    calls: dict[str, _Call] = field(default_factory=dict)  # in the order of return
    repeated: set[str] = field(default_factory=set)
    returned: list[str] = field(default_factory=list)
    last_attention: int = -1  # how many modules had returned when the last attention began
    pooled: list[Any] = field(default_factory=list)  # the nodes of which only a mean is read


def discover(model: nn.Module, size: Size, tried: bool = False) -> tuple[LayerInfo, ...]:
    """The layers of `model` that can be explained, in the order of execution.

    Runs the model once on zeros, also on the meta device. `size` is the input's channels, height
    and width; one number is that of 3 x side x side. Left
    out are modules that never run, run more than once (the last call would win), return no
    grid or a grid of one cell, or only hand on what another one returned. In a transformer
    that reads its class token alone, everything behind the last attention is left out too:
    the gradient of its patch tokens is exactly zero.

    With `tried`, a network that has numbers runs some times more: left out is then, too, what only
    looks like a grid, and whatever nothing of goes on to the answer (see `probing`).
    """
    trace = _run(model, size)
    kept = _without_repeats(trace, set(trace.calls))
    if tried:
        kept = _without_repeats(trace, _tried(model, kept, trace, shape_of(size)))
    stages = _stages(list(kept))
    infos = []
    for name, call in kept.items():
        channels, height, width = call.grid
        pooled = any(call.made_by is node for node in trace.pooled)
        infos.append(LayerInfo(name, channels, height, width, name in stages, pooled))
    return tuple(infos)


def _tried(
    model: nn.Module, kept: dict[str, _Call], trace: _Trace, size: tuple[int, int, int]
) -> set[str]:
    """The names of those calls that pass, and of all that only hand on what these return."""
    infos = [LayerInfo(name, *call.grid) for name, call in kept.items()]
    found = probing.lie_on_photo(model, infos, size)
    found &= probing.are_read(model, [info for info in infos if info.name in found], size)
    same = {kept[name].identity for name in found}
    return {name for name, call in trace.calls.items() if call.identity in same}


def default(layers: tuple[LayerInfo, ...]) -> LayerInfo:
    """The layer that a map shows unless another is asked for: the last stage.

    Raises:
        CamdemoError: there is no layer.
    """
    if not layers:
        raise CamdemoError(
            "No layer of this model can be explained: none that runs once returns a grid of cells, "
            "channels x height x width, or tokens that fold into one."
        )
    return [layer for layer in layers if layer.stage][-1]


def find(layers: tuple[LayerInfo, ...], name: str | None) -> LayerInfo:
    """The layer of that name, or the default for None; "all" is the last stages together.

    Raises:
        ChoiceError: there is no such layer, or it can't be explained.
    """
    if name is None:
        return default(layers)
    for layer in layers:
        if layer.name == name:
            return layer
    if name == FUSED:
        return fused(layers)
    raise ChoiceError("layer", name, [*(layer.name for layer in layers), FUSED])


def _run(model: nn.Module, size: Size) -> _Trace:
    trace = _Trace()
    first = next(model.parameters(), torch.empty(0))
    shape = shape_of(size)

    def before(module: nn.Module, _inputs: object) -> None:
        if isinstance(module, nn.MultiheadAttention):
            trace.last_attention = len(trace.returned)

    def after(name: str) -> Callable[[nn.Module, tuple, object], None]:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            if name in trace.returned:
                trace.repeated.add(name)
            trace.returned.append(name)
            found = tensor_of(output, shape[1:])
            if found and not _moves_only(module, inputs, found[0]):
                tensor, grid = found
                trace.calls[name] = _Call(
                    name, module, tensor, tensor._version, grid, tensor.grad_fn
                )

        return hook

    handles = []
    for name, module in model.named_modules():
        if name:
            handles.append(module.register_forward_pre_hook(before))
            handles.append(module.register_forward_hook(after(name)))
    try:
        with torch.enable_grad():  # so that it is recorded what reads what
            zeros = torch.zeros(1, *shape, device=first.device, dtype=torch.float32)
            trace.pooled = _pooled(model(zeros.requires_grad_().clone()))
    finally:
        for handle in handles:
            handle.remove()
    return trace


def _pooled(logits: Tensor) -> list[Any]:
    """What made the logits, back to where more than a mean and one linear layer did.

    A network that reads one tensor in several ways has more of them, or none: then nothing is
    pooled, since its gradient is not the same in all cells.
    """
    nodes: list[Any] = []
    node: Any = logits.grad_fn
    linear = 0
    while node is not None:
        nodes.append(node)
        kind = node.name().partition("Backward")[0]
        linear += kind == "Addmm"
        before = [each for each, _ in node.next_functions if each is not None]
        before = [each for each in before if not _is_weight(each)]
        if kind not in _POOLING or linear > 1 or len(before) != 1:
            break
        node = before[0]
    return nodes


def _is_weight(node: Any) -> bool:
    """Whether a node stands for numbers that the network learned."""
    kind = node.name()
    inner = [each for each, _ in node.next_functions if each is not None]
    return "AccumulateGrad" in kind or (kind == "TBackward0" and all(map(_is_weight, inner)))


def _moves_only(module: nn.Module, inputs: tuple, output: Tensor) -> bool:
    """Whether a module that has no parameters hands on the values it was given."""
    if (
        next(module.parameters(), None) is not None
        or not inputs
        or not isinstance(inputs[0], Tensor)
    ):
        return False
    if type(module).__name__ == "Permute":
        return True
    same_size = inputs[0].shape == output.shape
    return isinstance(module, nn.AdaptiveAvgPool2d) and same_size


def _without_repeats(trace: _Trace, names: set[str]) -> dict[str, _Call]:
    """The calls worth offering among these: of several names for one tensor, the best one."""
    by_tensor: dict[tuple[int, int], list[_Call]] = {}
    tokens = {call.output.shape[1] for call in trace.calls.values() if call.output.dim() == 3}
    for position, name in enumerate(trace.returned):
        call = trace.calls.get(name)
        if call is None or name in trace.repeated or name not in names:
            continue
        if call.output.dim() == 4 and call.grid[1] in tokens:
            continue  # how much each token heeds each other one
        if call.has_prefix and 0 <= trace.last_attention <= position:
            continue
        by_tensor.setdefault(call.identity, []).append(call)
    trunks = set(_trunks([name for name in names if name not in trace.repeated]))
    kept = {}
    for calls in by_tensor.values():
        first = calls[0]  # modules after it that are no ancestors only handed its tensor on
        holders = [call for call in calls if first.name.startswith(call.name + ".")]
        inside = [call for call in [first, *holders] if call.name not in trunks]
        outermost = (inside or [first])[-1]
        kept[outermost.name] = outermost
    return kept


def _trunks(names: list[str]) -> list[str]:
    """The containers that hold nearly all layers, outermost first."""
    trunks: list[str] = []
    prefix = ""
    while True:
        inside = [name for name in names if name.startswith(prefix)]
        depth = prefix.count(".") + 1
        children = {".".join(name.split(".")[:depth]) for name in inside}
        for child in children:
            held = sum(name.startswith(child + ".") for name in inside)
            if held >= _TRUNK_SHARE * max(len(names), 1) and held > 1:
                trunks.append(child)
                prefix = child + "."
                break
        else:
            return trunks


def _stages(names: list[str]) -> set[str]:
    """The names that stand for the children of the trunk.

    A child that can't be explained itself is represented by its last layer that can.
    """
    trunks = _trunks(names)
    stages: dict[str, str] = {}
    for name in names:
        parent = ""
        for trunk in trunks:
            if name.startswith(trunk + "."):
                parent = trunk + "."
        child = parent + name[len(parent) :].split(".")[0]
        if child not in names or child == name:
            stages[child] = name  # a later one takes the place of an earlier one
    return set(stages.values())
