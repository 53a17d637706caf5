"""Which layers are offered: real networks by name, each rule by a toy, and all of them at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from camdemo import methods
from camdemo.errors import ChoiceError
from camdemo.methods import layers
from camdemo.models import catalogue, networks
from camdemo.records import LayerInfo

from .tiny_models import Small, real_network

DEFAULTS = {
    "efficientnet_lite0": "bn2 · 1280 x 7 x 7",
    "efficientnet_lite1": "bn2 · 1280 x 8 x 8",
    "efficientnet_lite2": "bn2 · 1280 x 9 x 9",
    "mobilenet_v2": "features.18 · 1280 x 7 x 7",
    "mobilenet_v3_large": "features.16 · 960 x 7 x 7",
    "resnet18": "layer4 · 512 x 7 x 7",
    "resnet50": "layer4 · 2048 x 7 x 7",
    "vgg16": "features.30 · 512 x 7 x 7",
    "densenet121": "features.norm5 · 1024 x 7 x 7",
    "googlenet": "inception5b · 1024 x 7 x 7",
    "inception_v3": "Mixed_7c · 2048 x 8 x 8",
    "squeezenet1_1": "classifier.2 · 1000 x 13 x 13",
    "efficientnet_b0": "features.8 · 1280 x 7 x 7",
    "convnext_tiny": "features.7 · 768 x 7 x 7",
    "regnet_y_400mf": "trunk_output.block4 · 440 x 7 x 7",
    "swin_t": "norm · 768 x 7 x 7",
    "mobilenetv2_100": "bn2 · 1280 x 7 x 7",
    # what follows this layer in the last block sees the class token alone
    "vit_b_16": "encoder.layers.encoder_layer_11.ln_1 · 768 x 14 x 14",
}
STAGES = {
    "mobilenet_v2": [f"features.{i}" for i in range(19)],
    "resnet18": ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"],
    "vgg16": [f"features.{i}" for i in range(31)],
    "convnext_tiny": [f"features.{i}" for i in range(8)],
    "regnet_y_400mf": ["stem", *(f"trunk_output.block{i}" for i in range(1, 5))],
    "swin_t": [*(f"features.{i}" for i in range(8)), "norm"],
    "vit_b_16": [
        "conv_proj",
        "encoder.dropout",  # hands on the sum of patches and positions, which has no other name
        *(f"encoder.layers.encoder_layer_{i}" for i in range(11)),
        "encoder.layers.encoder_layer_11.ln_1",
    ],
}


@cache
def skeleton(name: str) -> nn.Module:
    return networks.skeleton(catalogue.find(name))


@cache
def offered(name: str) -> tuple[LayerInfo, ...]:
    return layers.discover(skeleton(name), catalogue.find(name).transform.crop)


def names(found: tuple[LayerInfo, ...]) -> list[str]:
    return [layer.name for layer in found]


# -- the catalogue


def test_every_model_has_its_default_written_down() -> None:
    assert set(DEFAULTS) == set(catalogue.NAMES)


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_default_layer(name: str, default: str) -> None:
    assert layers.default(offered(name)).text == default


@pytest.mark.parametrize(("name", "stages"), STAGES.items())
def test_stages(name: str, stages: list[str]) -> None:
    assert [layer.name for layer in offered(name) if layer.stage] == stages


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_offered_layers_run_once_and_in_this_order(name: str) -> None:
    returned: list[str] = []
    model, side = skeleton(name), catalogue.find(name).transform.crop
    handles = [
        module.register_forward_hook(lambda *_, key=key: returned.append(key))
        for key, module in model.named_modules()
    ]
    model(torch.zeros(1, 3, side, side, device="meta"))
    for handle in handles:
        handle.remove()

    found = names(offered(name))
    calls = Counter(returned)
    assert found
    assert {calls[key] for key in found} == {1}
    assert found == sorted(found, key=returned.index)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_heads_are_not_offered(name: str) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, aux_logits=True, init_weights=False).eval()
    spec = catalogue.find(name)
    assert any("aux" in key.lower() for key, _ in model.named_modules())
    assert layers.discover(model, spec.transform.crop) == offered(name)


def test_the_default_is_a_stage() -> None:
    found = (LayerInfo("a", 8, 7, 7), LayerInfo("b", 8, 7, 7), LayerInfo("b.0", 8, 7, 7, False))
    assert layers.default(found).name == "b"


def test_find() -> None:
    found = offered("resnet18")
    assert layers.find(found, "layer3").name == "layer3"
    assert layers.find(found, None).name == "layer4"
    with pytest.raises(ChoiceError, match=r"'layer5'.*layer4"):
        layers.find(found, "layer5")
    for wrong in ("__class__", "", "fc", "avgpool"):  # the last two exist, but are no grids
        with pytest.raises(ChoiceError):
            layers.find(found, wrong)


# -- one toy for each rule


class Toy(nn.Module):
    """Runs `forward` as given, over the given parts."""

    def __init__(self, forward: Callable[[Toy, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            self.add_module(name, part)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def conv() -> nn.Module:
    return nn.Conv2d(3, 3, 1)


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, x + 2


class Permute(nn.Module):
    """N x C x H x W to N x H x W x C, as torchvision's Swin does it: the same values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


def pair(*second: nn.Module) -> nn.Sequential:
    return nn.Sequential(conv(), *second)


RULES = {
    "never run": (
        Toy(lambda self, x: self.b(self.a(x)), a=conv(), b=conv(), unused=conv()),
        ["a", "b"],
    ),
    "run twice: Captum would keep the last call": (
        Toy(
            lambda self, x: self.relu(self.b(self.relu(self.a(x)))),
            a=conv(),
            b=conv(),
            relu=nn.ReLU(),
        ),
        ["a", "b"],
    ),
    "a tuple": (
        Toy(lambda self, x: sum(self.two(self.a(x))), a=conv(), two=Two()),
        ["a"],
    ),
    "a container returns the tensor of its last child": (
        Toy(lambda self, x: self.b(self.a(x)), a=pair(nn.ReLU()), b=pair(nn.ReLU())),
        ["a.0", "a", "b.0", "b"],
    ),
    "a container returns the tensor of its only child": (
        Toy(lambda self, x: self.b(self.a(x)), a=pair(), b=pair()),
        ["a", "b"],
    ),
    "an in-place ReLU returns its input, but with other values": (
        Toy(lambda self, x: self.relu(self.a(x)), a=conv(), relu=nn.ReLU(inplace=True)),
        ["a", "relu"],
    ),
    "identity and dropout hand on what they get": (
        Toy(
            lambda self, x: self.b(self.drop(self.same(self.a(x)))),
            a=conv(),
            b=conv(),
            same=nn.Identity(),
            drop=nn.Dropout(),
        ),
        ["a", "b"],
    ),
    "a pool to the size that is there already, and a permutation, move values only": (
        Toy(
            lambda self, x: self.permute(self.pool(self.a(x))),
            a=nn.Conv2d(3, 5, 1),
            pool=nn.AdaptiveAvgPool2d(8),
            permute=Permute(),
        ),
        ["a"],
    ),
    "one cell is no grid": (
        Toy(lambda self, x: self.b(self.pool(self.a(x))), a=conv(), b=conv(), pool=nn.AvgPool2d(8)),
        ["a"],
    ),
    "a vector is no grid": (
        Toy(
            lambda self, x: self.fc(self.flat(self.a(x))),
            a=conv(),
            flat=nn.Flatten(),
            fc=nn.Linear(192, 2),
        ),
        ["a"],
    ),
}


@pytest.mark.parametrize(("model", "expected"), RULES.values(), ids=RULES.keys())
def test_rule(model: nn.Module, expected: list[str]) -> None:
    assert names(layers.discover(model, 8)) == expected
    assert names(layers.discover(model.to("meta"), 8)) == expected


def test_a_stage_that_is_no_grid_is_represented_by_its_last_layer_that_is() -> None:
    tail = nn.Sequential(conv(), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    model = Toy(lambda self, x: self.tail(self.a(x)), a=pair(nn.ReLU()), tail=tail)
    found = layers.discover(model, 8)
    assert [layer.name for layer in found if layer.stage] == ["a", "tail.1"]
    assert layers.default(found).name == "tail.1"


def test_channels_may_come_last() -> None:
    model = Toy(
        lambda self, x: self.norm(self.a(x).permute(0, 2, 3, 1)).mean(dim=(1, 2)),
        a=nn.Conv2d(3, 5, 1),
        norm=nn.LayerNorm(5),
    )
    assert [layer.text for layer in layers.discover(model, 8)] == [
        "a · 5 x 8 x 8",
        "norm · 5 x 8 x 8",
    ]


class Tokens(nn.Module):
    """A transformer of one block over 3 x 3 patches, with so many tokens in front of them."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.prefix = nn.Parameter(torch.randn(1, prefix, 8))
        self.before = nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.after = nn.Linear(8, 8)
        self.head = nn.Linear(8, 4)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = self.before(torch.cat([self.prefix.expand(len(x), -1, -1), tokens], dim=1))
        tokens = tokens + self.attention(tokens, tokens, tokens)[0]
        tokens = self.after(tokens)
        return self.head(tokens[:, 0] if self.prefix.shape[1] else tokens.mean(dim=1))


@pytest.mark.parametrize("prefix", [1, 2, 5])
def test_tokens_fold_into_a_grid_up_to_the_last_attention(prefix: int) -> None:
    # Behind it only the class token counts: the gradient of the patches is exactly zero there.
    found = layers.discover(Tokens(prefix), 12)
    assert [layer.text for layer in found] == ["patches · 8 x 3 x 3", "before · 8 x 3 x 3"]


def test_tokens_without_a_class_token_count_to_the_end() -> None:
    assert names(layers.discover(Tokens(0), 12)) == ["patches", "before", "after"]


def test_tokens_that_are_no_square_are_no_grid() -> None:
    assert names(layers.discover(Tokens(6), 12)) == ["patches"]  # 6 + 9 of them


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@torch.no_grad()
def test_the_map_of_tokens_is_that_of_their_grid(prefix: int) -> None:
    # Worked out with autograd on the tokens themselves, folded afterwards.
    torch.manual_seed(prefix)
    model, inputs = Tokens(prefix), torch.randn(1, 3, 12, 12)
    found = layers.find(layers.discover(model, 12), "before")
    cam, _ = methods.explain(model, found, inputs, target=2)

    kept: list[Tensor] = []
    handle = model.before.register_forward_hook(lambda *call: kept.append(call[2]))
    with torch.enable_grad():
        logit = model(inputs)[0, 2]
        gradient = torch.autograd.grad(logit, kept[0])[0]
    handle.remove()
    patches, weights = kept[0][0, prefix:], gradient[0, prefix:].mean(dim=0)
    np.testing.assert_allclose(cam.ravel(), patches @ weights, rtol=1e-4, atol=1e-6)
    assert np.ptp(cam) > 1e-3


# -- the model is left as it was found


def test_discover_removes_its_hooks_also_when_the_model_fails() -> None:
    model = Small()
    model.head = nn.Linear(7, 3)  # does not fit
    with pytest.raises(RuntimeError):
        layers.discover(model, 32)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


# -- all of them at work


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_offered_layer_gives_a_map(name: str) -> None:
    """In one sweep, and the first, the last and some between them alone: the same."""
    # Smaller inputs than the real ones, for the time's sake: 2,577 layers are explained.
    side = 128 if name == "inception_v3" else 64
    model = real_network(
        catalogue.find(name), **({"image_size": side} if name == "vit_b_16" else {})
    )
    small = {layer.name: layer for layer in layers.discover(model, side)}
    found = [small[layer.name] for layer in offered(name)]
    model.to(memory_format=torch.channels_last)
    inputs = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    ((_, maps),) = methods.sweep(model, found, inputs, [7])
    for layer in found:
        cam = maps["gradcam", layer.name]
        assert cam.shape == (layer.height, layer.width), layer
        assert np.isfinite(cam).all(), layer
        assert np.abs(cam).max() > 0, layer
    for layer in {*found[::9], found[-1]}:
        cam, _ = methods.explain(model, layer, inputs, target=7)
        assert np.abs(cam - maps["gradcam", layer.name]).max() <= 1e-4 * np.ptp(cam), layer
