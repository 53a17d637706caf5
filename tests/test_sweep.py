"""The sweep: every stage, label and method at once, against Captum and plain autograd."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from camdemo import methods
from camdemo.models import catalogue
from camdemo.records import LayerInfo, ModelSpec

from . import oracles
from .tiny_models import HandMade, Small, randomise, real_network

TOLERANCE = 1e-5  # of a map's range
# Layers that nothing behind them overwrites, so that Captum needs no tap of ours.
UNTAPPED = {
    "mobilenet_v2": ["features.0", "features.18"],
    "resnet50": ["layer2", "layer4"],
    "vgg16": ["features.9", "features.23"],
    "densenet121": ["features.denseblock2"],
    "convnext_tiny": ["features.1", "features.7"],
}

# What only layer normalisation reads: HiResCAM's sum over the channels is 0 there in every cell.
CANCELLED = {
    "convnext_tiny": ["features.1", "features.3", "features.5"],
    "swin_t": ["features.7"],
    "vit_b_16": ["encoder.layers.encoder_layer_10"],
}


def photo(side: int, seed: int = 0) -> Tensor:
    """Blobs of colour: white noise alone would give every label nearly the same map."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, 3, 6, 6, generator=generator)
    fine = torch.randn(1, 3, side, side, generator=generator)
    return nn.functional.interpolate(coarse, (side, side), mode="bicubic") + 0.2 * fine


def sweep(network: nn.Module, stages: list[LayerInfo], inputs: Tensor, targets: list[int]) -> dict:
    """Grad-CAM's maps: {(layer, target): map}."""
    answers = methods.sweep(network, stages, inputs, targets)
    return {(layer, target): cam for target, maps in answers for (_, layer), cam in maps.items()}


def distance(cam: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the expected map's range."""
    assert cam.shape == expected.shape
    assert cam.dtype == np.float32
    span = np.ptp(expected)
    # A constant map would agree with everything, and rounding would decide.
    assert span > 1e-3 * np.abs(expected).max() > 0
    return float(np.abs(cam - expected).max() / span)


# Smaller inputs than the real ones change no rule and save minutes; there are 2 x 2 cells left.
SIDES = {"inception_v3": 128, "vgg16": 32, "vit_b_16": 48}


def network_of(spec: ModelSpec) -> nn.Module:
    if spec.name == "vit_b_16":  # as deep as the real one, and an eighth as wide
        sizes = {"num_layers": 12, "num_heads": 12, "hidden_dim": 96, "mlp_dim": 384}
        network = VisionTransformer(image_size=48, patch_size=16, **sizes)
        return randomise(network).eval().requires_grad_(False)
    network = real_network(spec)
    if spec.name == "vgg16":  # behind its layers there are nine tenths of its numbers
        network.avgpool = nn.AdaptiveAvgPool2d(1)
        network.classifier = randomise(nn.Linear(512, 1000)).requires_grad_(False)
    layout = torch.channels_last if spec.channels_last else torch.contiguous_format
    return network.to(memory_format=layout)


@pytest.mark.parametrize("spec", catalogue.CATALOGUE, ids=lambda spec: spec.name)
def test_every_stage_label_and_method_is_that_of_an_oracle(spec):
    network, inputs = network_of(spec), photo(SIDES.get(spec.name, 64))
    stages = [layer for layer in methods.discover(network, inputs.shape[-1]) if layer.stage]
    with torch.no_grad():
        targets = network(inputs)[0].topk(5).indices.tolist()

    answers = list(methods.sweep(network, stages, inputs, targets, list(oracles.METHODS)))
    assert [target for target, _ in answers] == targets
    maps = dict(answers)
    seen = {
        target: oracles.all_seen_by_autograd(network, stages, inputs, target) for target in targets
    }
    for place, layer in enumerate(stages):
        for target, wrong in zip(targets, targets[1:] + targets[:1], strict=True):
            activation, gradient = seen[target][layer.name]
            for method, oracle in oracles.METHODS.items():
                key = method, layer.name
                if not methods.find(method).is_at(layer):
                    assert key not in maps[target]
                    continue
                if method == "eigencam" and target != targets[0]:  # it knows no label
                    assert maps[target][key] is maps[targets[0]][key]
                    continue
                expected = oracle(activation, gradient).numpy()
                if method == "hirescam" and layer.name in CANCELLED.get(spec.name, ()):
                    terms = (activation * gradient).abs().max().item()
                    assert np.abs(expected).max() < 5e-5 * terms  # rounding is all it is
                    assert not maps[target][key].any(), (key, target)
                    continue
                # XGrad-CAM divides by sums, in which tokens of either sign cancel each other.
                exact = TOLERANCE * (20 if method == "xgradcam" and spec.name == "vit_b_16" else 1)
                assert distance(maps[target][key], expected) <= exact, (key, target)
                # The control: another label's map is not within reach of the tolerance.
                far = distance(maps[wrong][key], expected) > 10 * TOLERANCE
                assert far == (method != "eigencam"), (key, target)
        if spec.name not in ("swin_t", "vit_b_16"):  # on these LayerGradCam gives no map
            target = targets[place % len(targets)]  # each has its turn
            expected = oracles.captum(network, layer, inputs, target).numpy()
            assert distance(maps[target]["gradcam", layer.name], expected) <= TOLERANCE
    for name in UNTAPPED.get(spec.name, []):
        captum = LayerGradCam(network, network.get_submodule(name))
        for target in targets:
            expected = captum.attribute(inputs, target=target)[0, 0].detach().numpy()
            assert distance(maps[target]["gradcam", name], expected) <= TOLERANCE, (name, target)


def test_layers_in_front_of_an_in_place_relu():
    network = Small()
    found = methods.discover(network, 32)
    maps = sweep(network, found, photo(32), [3])
    for name in ("first.1", "second.1"):  # what the ReLU behind them overwrites
        layer = methods.find_layer(found, name)
        expected = oracles.captum(network, layer, photo(32), 3).numpy()
        assert distance(maps[name, 3], expected) <= TOLERANCE
        assert expected.min() < 0 < expected.max()


def test_a_number_worked_out_by_hand():
    # Label 0 gives weight 2 to every cell of red and -1 to green, label 1 nothing to either.
    weights = torch.zeros(2, 2, 2, 2)
    weights[0, 0], weights[0, 1] = 2, -1
    red_and_green = torch.zeros(1, 3, 4, 4)
    red_and_green[0, 0, :2, :2] = 0.25  # 1 in the first cell of red
    red_and_green[0, 1, 2:, 2:] = 0.5  # 2 in the last cell of green
    grid = LayerInfo("grid", 2, 2, 2)
    maps = sweep(HandMade(weights), [grid], red_and_green, [0, 1])
    # The gradients' means are 1.0 (half the red cells pass the ReLU ...) by the cells that do:
    # red: 2 in 1 of 4 cells = 0.5; green: -1 in 1 of 4 = -0.25.
    assert maps["grid", 0].tolist() == [[0.5, 0], [0, -0.5]]
    assert maps["grid", 1].tolist() == [[0, 0], [0, 0]]


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ZeroDivisionError


def snapshot(model: nn.Module) -> list:
    """What a careless hook or gradient would change."""
    hooks = [
        (len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks))
        for module in model.modules()
    ]
    flags = [(value.requires_grad, value.grad is None) for value in model.parameters()]
    modes = [module.training for module in model.modules()]
    return [hooks, flags, modes, list(model._modules), torch.is_grad_enabled()]


@pytest.mark.parametrize("raises", [False, True])
def test_the_model_is_left_as_it_was_found(raises):
    network = Small()
    stages = [layer for layer in methods.discover(network, 32) if layer.stage]
    assert [layer.name for layer in stages] == ["first", "second"]
    if raises:
        network.head = Fails()
    before, numbers = snapshot(network), copy.deepcopy(network.state_dict())
    inputs = photo(32)
    given = inputs.clone()
    if raises:
        with pytest.raises(ZeroDivisionError):
            sweep(network, stages, inputs, [0])
    else:
        first = sweep(network, stages, inputs, [0, 1])
        again = sweep(network, stages, inputs, [0, 1])
        assert all((first[key] == again[key]).all() for key in first)
    assert snapshot(network) == before
    assert all((value == numbers[name]).all() for name, value in network.state_dict().items())
    assert (inputs == given).all()
    assert not inputs.requires_grad
    assert inputs.grad is None


def test_an_unknown_target_leaves_no_hook():
    network = Small(labels=10)
    stages = [layer for layer in methods.discover(network, 32) if layer.stage]
    before = snapshot(network)
    with pytest.raises(IndexError):
        sweep(network, stages, photo(32), [10])
    assert snapshot(network) == before
