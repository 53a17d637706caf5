"""Networks for tests: toys whose answers can be worked out, and real ones with random numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from camdemo.models import networks, weights
from camdemo.records import ModelSpec


class HandMade(nn.Module):
    """A 2 x 2 grid of two channels, an in-place ReLU, and one weight for every cell.

    Channel 0 is the sum of red, channel 1 the sum of green over a block of 2 x 2 pixels.
    """

    def __init__(self, weights: Tensor) -> None:
        """Args: weights of shape (labels, 2, 2, 2): label, channel, row, column."""
        super().__init__()
        self.grid = nn.Conv2d(3, 2, 2, stride=2, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, len(weights), bias=False)
        with torch.no_grad():
            self.grid.weight.zero_()
            self.grid.weight[0, 0] = self.grid.weight[1, 1] = 1
            self.head.weight.copy_(weights.flatten(1))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.grid(x)).flatten(1))


class DotFinder(nn.Module):
    """Label 0 is the light in the picture: the map of `grid` is its brightness, cell by cell."""

    def __init__(self, side: int = 224, cells: int = 14) -> None:
        super().__init__()
        self.grid = nn.AvgPool2d(side // cells)
        self.head = nn.Linear(3, 1000)  # as many as there are labels
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.weight[0] = 1
            self.head.bias.zero_()
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.grid(x.relu()).mean(dim=(2, 3)))  # what is dark counts nothing


class Small(nn.Module):
    """An ordinary little network: two stages, normalisation, an in-place ReLU."""

    def __init__(self, seed: int = 0, labels: int = 1000) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(4, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.head = nn.Linear(8, labels)
        randomise(self, seed)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(x)).mean(dim=(2, 3)))


def install(patch: pytest.MonkeyPatch, build: Callable[[ModelSpec], nn.Module]) -> None:
    """Let every model of the catalogue be a network that `build` makes, with its weights ready."""
    patch.setattr(networks, "skeleton", lambda spec, *_: build(spec))
    patch.setattr(networks, "load", lambda spec, *_: build(spec))
    patch.setattr(weights, "is_ready", lambda *_: True)


@torch.no_grad()
def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter and statistic a random value at which signals neither die nor blow up.

    Fresh networks won't do: their normalisation layers do nothing yet, and ConvNeXt's blocks
    are switched off.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if not value.is_floating_point():
            continue
        if value.dim() > 1:
            nn.init.kaiming_normal_(value, generator=generator)
        elif name.endswith(("weight", "running_var")):
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.normal_(0, 0.1, generator=generator)
    return model


class _Unfilled(TorchFunctionMode):
    """Networks are built without the random numbers that they begin with: others follow."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        given = kwargs or {}
        if function.__name__ in ("uniform_", "normal_", "erfinv_"):
            return given["tensor"] if "tensor" in given else args[0]
        return function(*args, **given)


def real_network(spec: ModelSpec, **options: object) -> nn.Module:
    """A network of the catalogue with random numbers, auxiliary heads included, ready to run."""
    if spec.name not in torchvision.models.list_models():
        model = networks.skeleton(spec).to_empty(device="cpu")
    else:
        if spec.name in ("googlenet", "inception_v3"):
            options["init_weights"] = False  # takes a minute, and is overwritten here
        with _Unfilled():
            model = torchvision.models.get_model(spec.name, **options)
    return randomise(model).eval().requires_grad_(False)
