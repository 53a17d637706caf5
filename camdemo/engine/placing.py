"""A network is put on an accelerator, and shows that it answers there what it does on the CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from torch import nn

from .. import methods
from ..errors import CamdemoError
from ..methods.probing import noise
from ..models import networks
from . import devices

log = logging.getLogger("camdemo")
SAME = 1e-3  # of the range: so near is what a device answers to what the CPU does


def placed(
    network: nn.Module,
    device: str,
    shape: tuple[int, int, int],
    title: str,
    make_room: Callable[[], bool],
) -> tuple[nn.Module, str]:
    """The network there, and ""; or the one that was given, and why it stays here.

    It stays where it has no room, can't run (a tensor that its module holds as no buffer, or
    numbers that the device does not have), or answers noise in another way: with other logits, or
    with another map of the last stage.

    Args:
        shape: of its input.
        title: what people call it.
        make_room: frees memory there; False where there was nothing to free.
    """
    while True:
        try:
            if there := _moved(network, device, shape):
                return there, ""
            reason = "the GPU answers otherwise than the CPU"
        except Exception as error:  # a person's own network may do, or refuse, anything
            reason = devices.FULL if devices.is_full(error) else "it can't run on the GPU"
            log.info("%s on %s: %s", title, device, error)
        if reason != devices.FULL or not make_room():
            log.warning("%s runs on the CPU: %s.", title, reason)
            return network, reason


def _moved(network: nn.Module, device: str, shape: tuple[int, int, int]) -> nn.Module | None:
    there = networks.moved(network, device)
    return there if _agree(network, there, shape) else None


def _agree(here: nn.Module, there: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Whether both answer noise alike."""
    try:
        layer = methods.default(methods.discover(here, shape))
        expected = methods.explain(here, layer, noise(here, (1, *shape)))
    except CamdemoError:  # nothing to explain, or no numbers: whoever asks it is told
        return True
    found = methods.explain(there, layer, noise(there, (1, *shape)))
    return all(
        bool(np.abs(one - other).max() <= SAME * np.ptp(other))
        for one, other in zip(found, expected, strict=True)
    )
