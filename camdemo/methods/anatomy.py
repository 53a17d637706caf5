"""What a network is made of, as far as pixel methods ask: seen while it runs once on zeros."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..records import Anatomy
from .attention import Attention
from .rectifiers import CLIPPED, RELUS

_OTHERS = {
    functional.silu: "SiLU",
    functional.gelu: "GELU",
    functional.hardswish: "Hardswish",
    functional.elu: "ELU",
    functional.selu: "SELU",
    functional.celu: "CELU",
    functional.mish: "Mish",
    functional.leaky_relu: "LeakyReLU",
    functional.prelu: "PReLU",
    functional.softplus: "Softplus",
    torch.tanh: "Tanh",
    Tensor.tanh: "Tanh",
}
_GATES = {
    *(torch.sigmoid, Tensor.sigmoid, Tensor.sigmoid_, functional.hardsigmoid, functional.softmax),
    *(torch.softmax, Tensor.softmax, functional.scaled_dot_product_attention),
    functional.multi_head_attention_forward,
}


class _Seen(TorchFunctionMode):
    """Within it, the functions that a network calls are written down."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: set[Any] = set()

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        self.functions.add(function)
        return function(*args, **(kwargs or {}))


def examine(network: nn.Module, shape: tuple[int, int, int]) -> Anatomy:
    """What a network is made of; also on the meta device, where it costs nothing."""
    first = next(network.parameters(), torch.empty(0))
    zeros = torch.zeros(1, *shape, device=first.device)
    with torch.no_grad(), _Seen() as seen:
        network(zeros)
    with torch.no_grad(), Attention() as read:
        network(zeros)
    called = seen.functions
    activations = {_OTHERS[each] for each in called if each in _OTHERS}
    if called & RELUS:
        activations.add("ReLU")
    if called & (CLIPPED | {functional.relu6}):
        activations.add("ReLU6")
    tokens = {one.shape[-2:] for one in read.weights}
    return Anatomy(
        activations=tuple(sorted(activations)),
        gates=bool(called & _GATES),
        attends=len(read.weights) if len(tokens) == 1 and _is_square(*tokens) else 0,
    )


def _is_square(shape: Any) -> bool:
    """Whether these are a square of patches behind one class token, or up to five of its kind."""
    looking, seen = shape
    return looking == seen and 1 <= seen - int((seen - 1) ** 0.5) ** 2 <= 5
