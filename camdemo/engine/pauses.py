"""Pauses: where others may go first amid a long forward, and amid the backward through it.

A job gives way between two forwards (`perform`), but a single one of VGG-16 takes a third of a
second. So the twins that are lent have hooks before some of their modules, some milliseconds of
work apart. One that is through in less has none, and none of the others has so many that it would
take longer for them. They change no number.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..methods.folding import Prepared
from ..models.networks import device_of

log = logging.getLogger("camdemo")
_APART = 0.01  # seconds of work between two pauses of a forward, at least


def places(network: nn.Module, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """The names of those modules before which a pause is worth it.

    To be called once, when a network was loaded: it is run, and found the same afterwards. On an
    accelerator there are none: what calls its kernels is through long before they are.

    Args:
        network: in evaluation mode; or one that is prepared.
        shape: of its input: channels, height, width.
    """
    if device_of(network).type != "cpu":
        return ()
    plain, *copies = _runs(network)
    found: dict[str, None] = {}
    last = 0.0

    def hook_of(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, _inputs: Any) -> None:
            nonlocal last
            now = time.thread_time()
            if now - last >= _APART:
                found[name] = None
                last = now

        return hook

    handles = []
    try:
        for name in _names(plain):
            handles.append(plain.get_submodule(name).register_forward_pre_hook(hook_of(name)))
        with torch.no_grad():
            last = time.thread_time()  # others may work beside it
            plain(torch.zeros(1, *shape))
    except Exception:  # a person's own network may do, or refuse, anything
        log.info("%s gives way between forwards only", type(plain).__name__, exc_info=True)
        return ()
    finally:
        for handle in handles:
            handle.remove()
    inside = [dict(copy.named_modules()) for copy in copies]
    return tuple(name for name in found if all(name in modules for modules in inside))


def add(network: nn.Module, names: Sequence[str], pause: Callable[[], None]) -> None:
    """Let `pause` be called before these modules run, and on the way back there.

    What it raises ends the forward or the backward.
    """

    def hook(_module: nn.Module, inputs: tuple) -> None:
        pause()
        for each in inputs:
            if isinstance(each, Tensor) and each.requires_grad:
                each.register_hook(lambda _gradient: pause())

    for run in _runs(network):
        for name in names:
            run.get_submodule(name).register_forward_pre_hook(hook)


def _runs(network: nn.Module) -> tuple[nn.Module, ...]:
    """The networks that are run, whose modules have the same names."""
    return (network.plain, network.folded) if isinstance(network, Prepared) else (network,)


def _names(network: nn.Module) -> Iterator[str]:
    """All modules but the network itself, and but those of PyTorch's encoders.

    An encoder takes another way, of another rounding, where it finds a hook in itself.
    """
    encoders = tuple(
        f"{name}."
        for name, module in network.named_modules()
        if isinstance(module, nn.TransformerEncoderLayer)
    )
    return (
        name for name, _ in network.named_modules() if name and not f"{name}.".startswith(encoders)
    )
