"""From a catalogue entry to a network: built without numbers, then given its weights."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from ..errors import WeightsError
from ..records import ModelSpec
from .catalogue import CATALOGUE, Catalogue

# Photos in one forward: sixteen at once take twice as long as four times four, for what lies
# between two layers then no longer fits into the processor's cache.
AT_ONCE = 4


def skeleton(spec: ModelSpec, catalogue: Catalogue = CATALOGUE) -> nn.Module:
    """The network without numbers: on the meta device, in evaluation mode."""
    network = catalogue.source_of(spec).skeleton(spec)
    return network.to("meta").eval().requires_grad_(False)


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
    """The same network over the same numbers: hooks on one do nothing to the other."""
    numbers = {id(each): each for each in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, numbers)


def logits(model: nn.Module, batch: np.ndarray) -> np.ndarray:
    """What the network answers a batch: float32 (n, 3, side, side) -> (n, labels)."""
    with torch.inference_mode():
        return model(torch.from_numpy(batch)).numpy()
