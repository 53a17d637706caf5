"""From a catalogue entry to a network: built without numbers, then given its weights.

The architectures are torchvision's and timm's own. They are built on PyTorch's meta device,
where a network has shapes but no memory, so that building costs no time and the layers of a
model can be listed before its weights are here.
"""

from __future__ import annotations

import copy
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import WeightsError
from ..records import ModelSpec
from . import weights

# What torchvision's builders add for these weights; the auxiliary heads serve training only.
_OPTIONS: dict[str, dict[str, bool]] = {
    "googlenet": {"transform_input": True, "aux_logits": False, "init_weights": False},
    "inception_v3": {"transform_input": True, "aux_logits": False, "init_weights": False},
}
# Photos in one forward: sixteen at once take twice as long as four times four, for what lies
# between two layers then no longer fits into the processor's cache.
AT_ONCE = 4
_AUXILIARY = re.compile(r"^(aux1|aux2|AuxLogits)\.")
# The file of DenseNet-121 says `norm.1` where today's code says `norm1`.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")


def skeleton(spec: ModelSpec) -> nn.Module:
    """The network without numbers: on the meta device, in evaluation mode."""
    # RegNet works out its widths with tensors, which must have values.
    with torch.device("cpu" if spec.name.startswith("regnet") else "meta"):
        if spec.source == "bundled":
            import timm  # these imports cost a second each, and most runs need one of them

            model = timm.create_model(f"tf_{spec.name}", pretrained=False)
        else:
            import torchvision

            model = torchvision.models.get_model(spec.name, **_OPTIONS.get(spec.name, {}))
    return model.to("meta").eval().requires_grad_(False)


def load(spec: ModelSpec) -> nn.Module:
    """The network with its weights, ready to explain.

    In evaluation mode, in the memory format that is faster for it, and with frozen
    parameters: only the part behind the explained layer is then recorded for the backward.
    The weights file must be there already (see `weights.fetch`).

    Raises:
        WeightsError: the file is damaged, or holds another network's weights.
    """
    model = skeleton(spec)
    path = weights.path_of(spec)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(_fit(spec, state, model), assign=True)
    except Exception as error:  # torch raises many kinds here, and all mean the same to people
        # Torch's own words stay in the cause: they run over lines, and where a file holds more
        # than numbers they advise to load it unsafely.
        raise WeightsError(
            f"{path} is not the weights file of {spec.title}, or it is damaged. "
            f"Delete it. {weights.advice(spec)}"
        ) from error
    layout = torch.channels_last if spec.channels_last else torch.contiguous_format
    return model.to(memory_format=layout)


def twin(model: nn.Module) -> nn.Module:
    """The same network over the same numbers: hooks on one do nothing to the other."""
    numbers = {id(each): each for each in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, numbers)


def logits(model: nn.Module, batch: np.ndarray) -> np.ndarray:
    """What the network answers a batch: float32 (n, 3, side, side) -> (n, labels)."""
    with torch.inference_mode():
        return model(torch.from_numpy(batch)).numpy()


def _fit(spec: ModelSpec, state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The state dict with the names that today's code gives its entries."""
    if spec.source == "torchvision":
        kept = {name: value for name, value in state.items() if not _AUXILIARY.match(name)}
        return {_OLD_DENSENET.sub(r"\1\2.", name): value for name, value in kept.items()}
    # The bundled files name their entries in another way, but in the same order; loading them
    # checks every shape.
    return dict(zip(model.state_dict(), state.values(), strict=True))


def url_of(spec: ModelSpec) -> str:
    """Where torchvision publishes these weights."""
    import torchvision

    return torchvision.models.get_model_weights(spec.name).IMAGENET1K_V1.url


def fetch(spec: ModelSpec, progress: weights.Progress | None = None) -> Path:
    """Make sure that the weights are on this machine; see `weights.fetch`."""
    if weights.is_ready(spec):
        return weights.path_of(spec)
    return weights.fetch(spec, url_of(spec) if spec.source == "torchvision" else "", progress)


@cache
def labels() -> tuple[str, ...]:
    """ImageNet's 1,000 labels in the order of the logits, as torchvision spells them."""
    import torchvision

    return tuple(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])
