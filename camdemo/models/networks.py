"""From a catalogue entry to a network: built without numbers, then given its weights."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from ..errors import CamdemoError, WeightsError
from ..records import ModelSpec
from .catalogue import CATALOGUE, Catalogue

# Photos in one forward: sixteen at once take twice as long as four times four, for what lies
# between two layers then no longer fits into the processor's cache.
AT_ONCE = 4


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


def logits(model: nn.Module, batch: np.ndarray) -> np.ndarray:
    """What the network answers a batch: float32 (n, 3, h, w) -> (n, labels)."""
    with torch.inference_mode():
        return model(torch.from_numpy(batch)).numpy()
