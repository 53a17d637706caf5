"""A device that is none: torch takes it for one, and the CPU does its arithmetic.

Its tensors are as strict as a GPU's. A tensor of the CPU among them is refused, so is a random
generator of the CPU, and `numpy()`; there is no float64, as on Apple's GPUs, and no oneDNN. So what
forgets to bring a tensor to where its network is fails here as it would there. What the figures of
a real device are, this can't tell.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as tree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "fake"
aten = torch.ops.aten
# What takes tensors of two devices by its nature: copies, and indices that lie on the CPU.
_BETWEEN = (aten._to_copy, aten.copy_, aten.index, aten.index_put, aten.index_put_)
_ABSENT = ("aten::mkldnn_convolution",)
on_call: list[Callable[[Any, tuple], None]] = []  # each is told of all that is computed there


class FakeTensor(Tensor):
    """A tensor there; `inner` has its numbers."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> FakeTensor:
        found = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )
        found.inner = inner
        return found

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, _types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return _run(function, args, kwargs or {})


def _run(function: Any, args: tuple, kwargs: dict) -> Any:
    given = tree.tree_leaves((args, kwargs))
    _check(function, given)
    for tell in on_call:
        tell(function, args)
    to_cpu = torch.device(kwargs.get("device") or NAME).type == "cpu"
    inner_args, inner_kwargs = tree.tree_map(_inner, (args, kwargs))
    found = function(*inner_args, **inner_kwargs)
    # In `inference_mode` a view of a tensor from without is none of its own.
    within = torch.is_inference_mode_enabled() and not (function.is_view and not _made_within(args))
    if function.overloadpacket is aten.copy_:
        return args[0]
    known = {id(each.inner): each for each in given if isinstance(each, FakeTensor)}

    def outer(each: Any) -> Any:
        if not isinstance(each, Tensor) or to_cpu:
            return each
        if each.dtype == torch.float64:
            raise TypeError(f"{function}: there is no float64 on this device")
        return known.get(id(each)) if id(each) in known else FakeTensor(each)

    with torch.inference_mode(within):
        return tree.tree_map(outer, found)


def _made_within(args: tuple) -> bool:
    return isinstance(args[0], Tensor) and args[0].is_inference()


def _check(function: Any, given: list[Any]) -> None:
    if function.name() in _ABSENT:
        raise NotImplementedError(f"{function} is the CPU's alone")
    if function.overloadpacket in _BETWEEN:
        return
    for each in given:
        if isinstance(each, Tensor) and not isinstance(each, FakeTensor) and each.dim():
            raise RuntimeError(f"{function}: a tensor of the CPU among those of the device")
        if isinstance(each, torch.Generator):
            raise RuntimeError(f"{function}: a generator of the CPU for numbers of the device")


def _inner(each: Any) -> Any:
    if isinstance(each, FakeTensor):
        return each.inner
    return torch.device("cpu") if isinstance(each, torch.device) else each


@cache
def register() -> str:
    """Let torch know the device, once in a process; its name."""
    _setup_privateuseone_for_python_backend(NAME)
    library = torch.library.Library("_", "IMPL")
    library.fallback(lambda function, *args, **kwargs: _run(function, args, kwargs), "PrivateUse1")
    register.library = library  # type: ignore[attr-defined]  # it ends with its object
    return NAME
