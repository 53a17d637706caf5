"""The folded copy: the same answers, the same map where it may be read, and few new numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from camdemo import methods
from camdemo.methods.folding import Prepared
from camdemo.models import catalogue, networks

from .test_sweep import SIDES, network_of, photo
from .tiny_models import Small, randomise, real_network

# Neither has a norm behind a convolution; what follows the last stage of the others is more than
# a mean and a linear map.
AS_THEY_ARE = {
    *("vgg16", "convnext_tiny", "swin_t", "vit_b_16"),
    "densenet121",
}


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_model(name: str) -> None:
    network, inputs = network_of(catalogue.find(name)), photo(SIDES.get(name, 64))
    before = copy.deepcopy(network.state_dict())
    found = methods.discover(network, inputs.shape[-1])
    prepared = methods.prepare(network, inputs.shape[-1])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert methods.discover(network, inputs.shape[-1]) == found  # no hook is left, nor another name
    assert isinstance(prepared, Prepared) == (name not in AS_THEY_ARE)
    if not isinstance(prepared, Prepared):
        assert prepared is network
        return
    assert prepared.plain is network
    assert prepared.last == methods.default(found).name
    others = [photo(inputs.shape[-1], seed) for seed in range(1, 4)]
    batch = torch.cat([inputs, inputs.flip(2), *others])
    # In the other memory format PyTorch itself rounds otherwise.
    is_last = catalogue.find(name).channels_last
    turned = torch.contiguous_format if is_last else torch.channels_last
    exact, other = copy.deepcopy(network).double(), copy.deepcopy(network).to(memory_format=turned)
    with torch.inference_mode():
        expected, logits, turned = network(batch), prepared(batch), other(batch)
        truth = exact(batch.double())
    assert not torch.equal(logits, expected)  # the other arithmetic
    assert_as_exact(*(each.numpy() for each in (logits, expected, turned, truth)))

    layer = methods.default(found)
    named = [method.name for method in methods.all("layer") if method.is_at(layer)]
    asked = list(zip(batch.split(1), expected.argmax(dim=1).tolist(), strict=True))
    folded = {
        name: [methods.explain(prepared, layer, one, name, label)[0] for one, label in asked]
        for name in named
    }

    def swept(model: nn.Module) -> dict[str, list[np.ndarray]]:
        """The same of a network that is not folded: all methods at once."""
        dtype = next(model.parameters()).dtype
        maps = [
            dict(methods.sweep(model, [layer], one.to(dtype), [label], named))[label]
            for one, label in asked
        ]
        return {name: [each[name, layer.name] for each in maps] for name in named}

    ours, others, truths = swept(network), swept(other), swept(exact)
    for name in named:
        assert_as_exact(*(np.stack(each[name]) for each in (folded, ours, others, truths)))


def assert_as_exact(
    folded: np.ndarray, plain: np.ndarray, other: np.ndarray, truth: np.ndarray
) -> None:
    """Networks of random numbers amplify rounding, so that 1e-5 alone would not be fair."""
    off, *own = (np.abs(each - truth).max() / np.ptp(truth) for each in (folded, plain, other))
    assert off <= max(1e-5, 10 * max(own)), (off, own)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_trained_weights(name: str) -> None:
    spec = catalogue.find(name)
    network = networks.load(spec)
    prepared = methods.prepare(network, spec.transform.crop)
    assert isinstance(prepared, Prepared)
    layer = methods.default(methods.discover(network, spec.transform.crop))
    for seed in range(3):
        inputs = photo(spec.transform.crop, seed)
        cam, expected = methods.explain(network, layer, inputs)
        folded, logits = methods.explain(prepared, layer, inputs)
        assert np.abs(folded - cam).max() <= 1e-5 * np.ptp(cam)
        assert np.abs(logits - expected).max() <= 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet50", "inception_v3"])
def test_the_copy_adds_few_numbers(name: str) -> None:
    network, side = real_network(catalogue.find(name)), 224
    prepared = methods.prepare(network, side)
    assert isinstance(prepared, Prepared)
    old = {id(each) for each in (*network.parameters(), *network.buffers())}
    held = [*prepared.folded.parameters(), *prepared.folded.buffers()]
    assert 0 < sum(each.numel() for each in held if id(each) not in old) < 4e6  # 16 MB
    again = networks.twin(prepared)  # as the engine does it, for each lane
    assert isinstance(again, Prepared)
    numbers = {id(each) for each in (*prepared.parameters(), *prepared.buffers())}
    assert {id(each) for each in (*again.parameters(), *again.buffers())} == numbers
    assert again.folded is not prepared.folded


def test_other_layers_and_sweeps_use_the_network_as_it_is() -> None:
    network, inputs = Small(), photo(64)
    found = methods.discover(network, 64)
    prepared = methods.prepare(network, 64)
    assert isinstance(prepared, Prepared)
    for layer in found:
        cam, _ = methods.explain(prepared, layer, inputs)
        expected, _ = methods.explain(network, layer, inputs)
        assert np.array_equal(cam, expected) == (layer.name != "second")
    ((_, maps),) = methods.sweep(prepared, found, inputs, [3])
    ((_, expected),) = methods.sweep(network, found, inputs, [3])
    assert all(np.array_equal(maps[key], expected[key]) for key in expected)


def test_a_norm_by_hand() -> None:
    # 3 (2 x + 1 - 1) / 2 + 5 = 3 x + 5
    stem = nn.Sequential(nn.Conv2d(3, 3, 1, groups=3), nn.BatchNorm2d(3, eps=0.0))
    network = nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    with torch.no_grad():
        for value, number in [
            *((stem[0].weight, 2.0), (stem[0].bias, 1.0), (stem[1].running_mean, 1.0)),
            *((stem[1].running_var, 4.0), (stem[1].weight, 3.0), (stem[1].bias, 5.0)),
        ]:
            value.fill_(number)
    prepared = methods.prepare(network.eval().requires_grad_(False), 8)
    conv, norm = prepared.folded[0]
    assert conv.weight.flatten().tolist() == [3.0] * 3
    assert conv.bias.tolist() == [5.0] * 3
    assert type(norm) is nn.Identity


class Trap(nn.Module):
    """What would be folded wrongly, or read where a ReLU turns."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.stem = kind, nn.Conv2d(3, 3, 3)
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.other, self.head = nn.BatchNorm2d(8), nn.Linear(8, 10)
        randomise(self)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        before = self.stem(x)
        light = before.mean(dim=(1, 2, 3))[:, None]
        made = self.conv(before)
        normal = self.norm(made)
        if self.kind == "read by another":
            normal = normal + made
        elif self.kind == "read by another norm":
            normal = normal + self.other(made)
        elif self.kind == "run twice":
            normal = normal + self.norm(self.conv(before.flip(2)) * 2)
        elif self.kind == "multiplied with what lies before":
            return self.head(normal.mean(dim=(2, 3)) * light)
        if self.kind == "a ReLU behind":
            normal = normal.relu()
        return self.head(normal.mean(dim=(2, 3)))


KINDS = [
    "read by another",
    "read by another norm",
    "run twice",
    "multiplied with what lies before",
    "a ReLU behind",
]


@pytest.mark.parametrize("kind", [*KINDS, "none"])
def test_a_copy_that_would_answer_otherwise_is_not_used(kind: str) -> None:
    network = Trap(kind)
    assert (methods.prepare(network, 16) is network) == (kind != "none")


@pytest.mark.parametrize("training", [True, False])
def test_norms_that_follow_each_batch_are_left_alone(training: bool) -> None:
    network = Small()
    for norm in (network.first[1], network.second[1]):
        if training:
            norm.train()
        else:
            norm.running_mean = norm.running_var = None
    assert methods.prepare(network, 64) is network
