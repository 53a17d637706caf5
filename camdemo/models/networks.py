"""From a catalogue entry to a network: built without numbers, then given its weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CamdemoError, WeightsError
from ..records import ModelSpec
from .catalogue import CATALOGUE, Catalogue

# Photos in one forward: sixteen at once take twice as long as four times four, for what lies
# between two layers then no longer fits into the processor's cache. A GPU wants more at once.
AT_ONCE = 4
_AT_ONCE_ON_GPU = 32


def skeleton(spec: ModelSpec, catalogue: Catalogue = CATALOGUE) -> nn.Module:
    """The network without numbers, or with them if it is in memory: in evaluation mode."""
    return catalogue.source_of(spec).skeleton(spec).eval().requires_grad_(False)


def is_empty(network: nn.Module) -> bool:
    """Whether a network has shapes and no numbers."""
    return any(each.is_meta for each in network.parameters())


def load(spec: ModelSpec, catalogue: Catalogue = CATALOGUE) -> nn.Module:
    """The network with its weights, ready to explain.

    In evaluation mode, in the memory format that is faster for it, and with frozen
    parameters: only the part behind the explained layer is then recorded for the backward.
    The weights file must be there already (see `weights.fetch`).

    Raises:
        WeightsError: the file is damaged, or holds another network's weights.
    """
    source = catalogue.source_of(spec)
    network, path = skeleton(spec, catalogue), source.path(spec)
    if path is None:
        return network
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(source.fit(spec, state, network), assign=True)
    except Exception as error:  # torch raises many kinds here, and all mean the same to people
        # Torch's own words stay in the cause: they run over lines, and where a file holds more
        # than numbers they advise to load it unsafely.
        raise WeightsError(
            f"{path} is not the weights file of {spec.title}, or it is damaged. "
            f"Delete it. {source.advice(spec)}",
            spec,
        ) from error
    layout = torch.channels_last if spec.channels_last else torch.contiguous_format
    return network.to(memory_format=layout)


def twin(model: nn.Module) -> nn.Module:
    """The same network over the same numbers: hooks on one do nothing to the other.

    Raises:
        CamdemoError: a part of it can't be copied.
    """
    numbers = {id(each): each for each in (*model.parameters(), *model.buffers())}
    try:
        return copy.deepcopy(model, numbers)
    except Exception as error:  # whatever a person's own module raises
        raise CamdemoError(
            f"A part of {type(model).__name__} can't be copied ({error}), and this needs a copy."
        ) from error


def over(model: nn.Module, numbers: Mapping[int, Any]) -> nn.Module:
    """A copy of a network over other numbers, given by the `id` of those that it has.

    What can't be copied (an open file, a lock) is shared with the network; the rest is not.
    """
    try:
        return copy.deepcopy(model, dict(numbers))
    except Exception:  # a module of a person's own may hold anything
        return _replica(model, numbers)


def _replica(model: nn.Module, numbers: Mapping[int, Any]) -> nn.Module:
    """A copy of the tree of modules; all else that they hold is shared."""
    made: dict[int, nn.Module] = {}

    def of(module: nn.Module) -> nn.Module:
        if id(module) not in made:
            twin = made[id(module)] = module.__class__.__new__(module.__class__)
            twin.__dict__ = {
                key: copy.copy(value) if isinstance(value, dict | set | list) else value
                for key, value in module.__dict__.items()
            }
            for kept in (twin._parameters, twin._buffers):
                for key, value in kept.items():
                    kept[key] = numbers[id(value)] if value is not None else None
            for key, child in twin._modules.items():
                twin._modules[key] = None if child is None else of(child)
        return made[id(module)]

    return of(model)


def moved(model: nn.Module, device: str) -> nn.Module:
    """The network on another device, in the memory format that it has; this one stays here.

    Raises:
        RuntimeError, TypeError: the device has no room, or no numbers of some kind.
    """
    numbers: dict[int, Any] = {id(each): each.to(device) for each in model.buffers()}
    for each in model.parameters():
        numbers[id(each)] = nn.Parameter(each.detach().to(device), requires_grad=False)
    return over(model, numbers)


def device_of(model: nn.Module) -> torch.device:
    """Where a network's numbers are, and its inputs must be."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def given(model: nn.Module, inputs: np.ndarray) -> Tensor:
    """An array as a network takes it: on the CPU the very memory, elsewhere a copy there."""
    return torch.from_numpy(inputs).to(device_of(model))


def at_once(model: nn.Module) -> int:
    """How many photos in one forward are fastest for each."""
    return AT_ONCE if device_of(model).type == "cpu" else _AT_ONCE_ON_GPU


def logits(model: nn.Module, batch: np.ndarray) -> np.ndarray:
    """What the network answers a batch: float32 (n, 3, h, w) -> (n, labels)."""
    with torch.inference_mode():
        return model(given(model, batch)).cpu().numpy()
