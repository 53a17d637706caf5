"""The maps: against the notebook's few lines, by hand, and the model left as it was found."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from captum.attr import LayerGradCam
from gradio.media import get_image
from PIL import Image
from torch import Tensor, nn

from camdemo import Explainer, methods
from camdemo.methods import layers, registry, tap
from camdemo.models import catalogue, weights
from camdemo.records import Rivals

from . import oracles
from .tiny_models import HandMade, Small, real_network

# -- against the notebook

# The default of every CNN: compared as the notebook would compute it, nothing shared.
DEFAULTS = {
    "mobilenet_v2": "features.18",
    "mobilenet_v3_large": "features.16",
    "resnet18": "layer4",
    "resnet50": "layer4",
    "vgg16": "features.30",
    "googlenet": "inception5b",
    "inception_v3": "Mixed_7c",
    "squeezenet1_1": "classifier.2",
    "efficientnet_b0": "features.8",
    "convnext_tiny": "features.7",
    "regnet_y_400mf": "trunk_output.block4",
    "densenet121": "features.norm5",
}
# Earlier layers. Behind them many ReLUs follow; rounding alone flips a few, and a map moves by
# 0.001 of its range (as much as between one and two threads). So the notebook's network is put
# into our memory format, and the arithmetic is the same.
EARLIER = {
    "mobilenet_v2": "features.4",
    "mobilenet_v3_large": "features.6.block.2",
    "resnet18": "layer1.0.conv2",
    "resnet50": "layer2",
    "densenet121": "features.transition1.conv",
    "googlenet": "conv2",
    "inception_v3": "Mixed_6a",
    "efficientnet_b0": "features.3",
    "regnet_y_400mf": "stem",
}
# In front of an in-place ReLU, which overwrites what a plain hook has kept.
IN_PLACE = {
    "mobilenet_v2": ["features.18.1"],
    "resnet18": ["bn1", "layer1.0.bn1"],
    "resnet50": ["layer4.2.bn2"],
    "vgg16": ["features.28"],
    "densenet121": ["features.norm5"],  # the ReLU is a function call in `forward`
    "googlenet": ["inception5b.branch1.bn"],
    "inception_v3": ["Mixed_7c.branch1x1.bn"],
    "squeezenet1_1": ["features.9.squeeze"],
    "regnet_y_400mf": ["trunk_output.block3.block3-0.f.b.1"],
}
PHOTO = get_image("tower.jpg")


@pytest.fixture
def without_in_place(monkeypatch: pytest.MonkeyPatch) -> Callable[[nn.Module], nn.Module]:
    """Make a network whose ReLUs overwrite nothing, neither as modules nor as functions."""

    return lambda model: oracles.without_in_place(model, monkeypatch)


@pytest.fixture
def torch_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty torch hub folder, gone after each test: VGG-16 alone is half a gigabyte."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TORCH_HOME", folder)
        yield Path(folder)


def write_checkpoint(name: str) -> None:
    """A random file of weights under its real name and with the entries of the real one."""
    spec = catalogue.find(name)
    state = real_network(spec).state_dict()
    if name == "densenet121":  # the published file has the names of 2017: norm.1 for norm1
        new = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])\.")
        state = {new.sub(r"\1.\2.", key): value for key, value in state.items()}
        state = {key: value for key, value in state.items() if "num_batches" not in key}
    path = weights.path_of(spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


def notebook(model: nn.Module, layer: str, inputs: Tensor, target: int) -> np.ndarray:
    """The notebook's way: Captum on the bare model."""
    gradcam = LayerGradCam(model, model.get_submodule(layer))
    return gradcam.attribute(inputs, target)[0, 0].detach().numpy()


def plain_hook(model: nn.Module, layer: str, inputs: Tensor, target: int) -> np.ndarray:
    """Grad-CAM as it is often written: a hook that keeps the layer's output, and no copy."""
    kept: list[Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(lambda *call: kept.append(call[2]))
    gradient = torch.autograd.grad(model(inputs)[0, target], kept[0])[0]
    hook.remove()
    return (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1)[0].detach().numpy()


def memory_format(name: str) -> torch.memory_format:
    return torch.channels_last if catalogue.find(name).channels_last else torch.contiguous_format


def assert_agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    spread = np.ptp(theirs)
    assert ours.shape == theirs.shape
    assert spread > 1e-3 * np.abs(theirs).max() > 0, "a map without contrast proves nothing"
    print(f"off by {np.abs(ours - theirs).max() / spread:.1e} of the range")
    assert np.abs(ours - theirs).max() <= 1e-4 * spread


def test_every_cnn_of_torchvision_is_compared() -> None:
    others = {"swin_t", "vit_b_16"}  # on these LayerGradCam alone gives no map: see the tap
    assert set(DEFAULTS) | others == {
        s.name for s in catalogue.CATALOGUE if s.source == "torchvision"
    }


@pytest.mark.parametrize("name", DEFAULTS)
def test_notebook(
    name: str,
    torch_home: Path,
    without_in_place: Callable[[nn.Module], nn.Module],
) -> None:
    write_checkpoint(name)
    explainer = Explainer()
    recipe = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    model = torchvision.models.get_model(name, weights=recipe).eval()
    inputs = recipe.transforms()(Image.open(PHOTO)).unsqueeze(0)
    top = int(model(inputs).argmax())

    found = {}
    for layer in {DEFAULTS[name], EARLIER.get(name), *IN_PLACE.get(name, [])} - {None}:
        explanation = explainer.explain(PHOTO, name, layer)
        assert explanation.target.index == top
        found[layer] = explanation.cam
    assert explainer.default_layer(name).name == DEFAULTS[name]

    naive = {layer: plain_hook(model, layer, inputs, top) for layer in IN_PLACE.get(name, [])}
    without_in_place(model)
    assert_agree(found[DEFAULTS[name]], notebook(model, DEFAULTS[name], inputs, top))
    model.to(memory_format=memory_format(name))
    for layer, ours in found.items():
        expected = notebook(model, layer, inputs, top)
        assert_agree(ours, expected)
        if layer in naive:  # the control: it is a trap, and without a remedy one falls into it
            assert np.abs(naive[layer] - expected).max() > 0.01 * np.ptp(expected)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_lites(name: str) -> None:
    model = timm.create_model(f"tf_{name}", pretrained=False).eval()
    given = torch.load(weights.path_of(catalogue.find(name)), weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), given.values(), strict=True)))
    config = timm.data.resolve_data_config(model=model)
    inputs = timm.data.create_transform(**config)(Image.open(PHOTO).convert("RGB")).unsqueeze(0)
    top = int(model(inputs).argmax())
    explainer = Explainer()
    ours = explainer.explain(PHOTO, name)
    assert ours.layer.name == "bn2"
    assert ours.target.index == top
    assert_agree(ours.cam, notebook(model, "bn2", inputs, top))
    model.to(memory_format=memory_format(name))
    for layer in ("bn2", "blocks.3"):
        ours = explainer.explain(PHOTO, name, layer)
        assert_agree(ours.cam, notebook(model, layer, inputs, top))


# -- by hand

RED = [[1, 2], [3, -4]]  # the sum of each block of 2 x 2 pixels: channel 0
GREEN = [[-1, 5], [1, 1]]  # channel 1
# The weights of label 0 for each cell of channel 0 and of channel 1, then those of label 1.
WEIGHTS = [[[[1, 1], [2, 4]], [[3, -1], [-2, 1]]], [[[1, 1], [1, 1]], [[0, 0], [0, 0]]]]


def hand_made() -> tuple[nn.Module, Tensor]:
    inputs = torch.zeros(1, 3, 4, 4)
    inputs[0, 0, ::2, ::2] = torch.tensor(RED)
    inputs[0, 1, ::2, ::2] = torch.tensor(GREEN)
    return HandMade(torch.tensor(WEIGHTS, dtype=torch.float32)), inputs


@pytest.mark.parametrize(
    ("layer", "target", "expected"),
    [
        # Before the ReLU, the gradient is the weight where the cell is positive, else 0:
        #   channel 0: mean of 1 1 2 0 = 1        channel 1: mean of 0 -1 -2 1 = -1/2
        # and the map is 1 * RED - 1/2 * GREEN, the negative cells included.
        ("grid", 0, [[1.5, -0.5], [2.5, -4.5]]),
        # Behind it, the gradients are the weights, with means 8/4 = 2 and 1/4, and the cells
        # are those the ReLU let through: 2 * [1 2 3 0] + 1/4 * [0 5 1 1].
        ("relu", 0, [[2, 5.25], [6.25, 0.25]]),
        # Label 1: channel 0 has the gradients 1 1 1 0 with mean 3/4, channel 1 has none.
        ("grid", 1, [[0.75, 1.5], [2.25, -3]]),
        # It is the most probable one, with the logit 1 + 2 + 3 = 6 against
        # 1 + 2 + 6 - 5 - 2 + 1 = 3.
        ("grid", None, [[0.75, 1.5], [2.25, -3]]),
    ],
)
def test_by_hand(layer: str, target: int | None, expected: list) -> None:
    model, inputs = hand_made()
    where = layers.find(layers.discover(model, 4), layer)
    cam, logits = methods.explain(model, where, inputs, target=target)
    np.testing.assert_allclose(cam, expected, rtol=1e-6)
    np.testing.assert_allclose(logits, [3, 6], rtol=1e-6)
    assert cam.dtype == logits.dtype == np.float32


# -- one label against another


@pytest.mark.parametrize(
    ("layer", "target", "versus", "expected"),
    [
        # The differences of the maps above: of label 1, [0.75 1.5 2.25 -3] at the grid and, with
        # weights of 1 for channel 0 and none for channel 1, [1 2 3 0] behind the ReLU.
        ("grid", 0, 1, [[0.75, -2], [0.25, -1.5]]),
        ("grid", 1, 0, [[-0.75, 2], [-0.25, 1.5]]),
        ("relu", 0, 1, [[1, 3.25], [3.25, 0.25]]),
        # Without a target, it is the most probable one (1), unless that is the rival.
        ("grid", None, 0, [[-0.75, 2], [-0.25, 1.5]]),
        ("grid", None, 1, [[0.75, -2], [0.25, -1.5]]),
    ],
)
def test_a_duel_by_hand(layer: str, target: int | None, versus: int, expected: list) -> None:
    model, inputs = hand_made()
    where = layers.find(layers.discover(model, 4), layer)
    cam, logits = methods.explain(model, where, inputs, target=target, versus=Rivals((versus,)))
    np.testing.assert_allclose(cam, expected, rtol=1e-6)
    np.testing.assert_allclose(logits, [3, 6], rtol=1e-6)


@pytest.mark.parametrize("layer", ["first", "second"])
def test_a_duel_is_captums_map_of_the_difference_of_two_logits(layer: str) -> None:
    model = Small()
    where = layers.find(layers.discover(model, 64), layer)
    inputs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def difference(given: Tensor) -> Tensor:
        logits = model(given)
        return logits[:, 291] - logits[:, 292]

    captum = LayerGradCam(difference, model.get_submodule(layer)).attribute(inputs)
    cam, _ = methods.explain(model, where, inputs, target=291, versus=Rivals((292,)))
    assert_agree(cam, captum[0, 0].detach().numpy())


@pytest.mark.parametrize("layer", ["first", "second"])
def test_a_duel_is_the_difference_of_the_maps_and_turns_with_its_labels(layer: str) -> None:
    model = Small()
    where = layers.find(layers.discover(model, 64), layer)
    inputs = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def explain(target: int, versus: int | None = None) -> np.ndarray:
        rivals = None if versus is None else Rivals((versus,))
        return methods.explain(model, where, inputs, "gradcam", target, rivals)[0]

    assert_duel(explain)


@pytest.mark.parametrize("layer", ["bn2", "blocks.3", "blocks.5.1.conv_pw"])
def test_a_duel_of_a_real_model(layer: str) -> None:
    explainer = Explainer()

    def explain(target: int, versus: int | None = None) -> np.ndarray:
        return explainer.explain(
            PHOTO, "efficientnet_lite0", layer, target=target, versus=versus
        ).cam

    assert_duel(explain)


def assert_duel(explain: Callable[..., np.ndarray]) -> None:
    lion, tiger, duel = explain(291), explain(292), explain(291, 292)
    assert np.ptp(lion - tiger) > 0.01 * np.ptp(lion), "alike maps prove nothing"
    assert np.abs(duel - (lion - tiger)).max() <= 1e-5 * np.ptp(duel)
    assert np.array_equal(explain(292, 291), -duel)


@pytest.mark.parametrize(
    ("logits", "versus", "expected"),
    [
        ([1, 5, 3], None, 1),
        ([1, 5, 3], 0, 1),
        ([1, 5, 3], 1, 2),
        ([5, 5, 3], None, 0),  # of equal ones the first, as everywhere
        ([5, 5, 3], 0, 1),
        ([-9, -8], 1, 0),
        ([0, 0, 0], 0, 1),
    ],
)
def test_the_best_label_is_never_its_own_rival(
    logits: list, versus: int | None, expected: int
) -> None:
    rivals = None if versus is None else Rivals((versus,))
    assert methods.best(np.array(logits, np.float32), rivals) == expected


# -- the model is left as it was found


def state_of(model: nn.Module) -> list[object]:
    """All that an attribution could leave behind: hooks, modes, flags, gradients, values."""
    modules = [
        (
            module.training,
            {key: dict(value) for key, value in vars(module).items() if "hooks" in key},
        )
        for module in model.modules()
    ]
    parameters = [(p.requires_grad, p.grad, p.tolist()) for p in model.parameters()]
    return [modules, parameters, [b.tolist() for b in model.buffers()], torch.is_grad_enabled()]


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def fail_behind_the_layer(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model.head, "forward", fail)


def fail_in_the_layer(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "to_grid", fail)


def fail_in_the_backward(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.autograd, "grad", fail)


def fail_in_the_method(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(methods.find("gradcam"), function=fail)
    monkeypatch.setitem(registry._METHODS, "gradcam", broken)


def do_not_fail(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    pass


@pytest.mark.parametrize(
    "sabotage",
    [
        do_not_fail,
        fail_in_the_layer,
        fail_behind_the_layer,
        fail_in_the_backward,
        fail_in_the_method,
    ],
)
@pytest.mark.parametrize("grad_enabled", [True, False])
@pytest.mark.parametrize("versus", [None, Rivals((7,))])
def test_the_model_is_left_as_it_was_found(
    sabotage: Callable, versus: Rivals | None, grad_enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Small()
    # Whoever set these had a reason: flags and modes must neither be changed nor evened out.
    model.first[0].weight.requires_grad_(True)
    model.head.bias.requires_grad_(True)
    model.second[2].train()
    model.second.register_forward_hook(lambda *_: None)
    where = layers.find(layers.discover(model, 32), "second")
    inputs = torch.randn(1, 3, 32, 32)
    with torch.set_grad_enabled(grad_enabled):
        before = state_of(model)
        with monkeypatch.context() as patch:
            sabotage(model, patch)
            if sabotage is do_not_fail:
                methods.explain(model, where, inputs, versus=versus)
            else:
                with pytest.raises(ZeroDivisionError):
                    methods.explain(model, where, inputs, versus=versus)
        assert state_of(model) == before
    assert not inputs.requires_grad
    assert inputs.grad is None


def test_what_follows_the_layer_gets_a_copy() -> None:
    model, inputs = hand_made()
    where = layers.find(layers.discover(model, 4), "grid")
    with tap.tap(model, [where]) as grids:
        model(inputs)
    assert grids["grid"].tolist() == [[RED, GREEN]]  # the in-place ReLU would leave no negative


def test_nothing_before_the_first_layer_is_recorded() -> None:
    # What makes a late layer cheap: the backward ends at the tap, even with trainable parameters.
    model = Small().requires_grad_(True)
    found = layers.discover(model, 32)
    first, second = layers.find(found, "second.0"), layers.find(found, "second.1")
    before = []
    model.first.register_forward_hook(lambda *call: before.append(call[2]))
    with tap.tap(model, [first, second]) as grids:
        model(torch.randn(1, 3, 32, 32))
    assert before[0].grad_fn is not None  # trainable, so recorded, ...
    assert grids["second.0"].is_leaf  # ... but the layer's activation does not lead back there
    assert grids["second.0"].requires_grad
    assert grids["second.1"].grad_fn is not None  # while the second does lead back to the first
