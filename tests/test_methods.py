"""The methods: by hand, against the libraries that know them, and what each is said to be."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_grad_cam import EigenCAM, GradCAMPlusPlus, HiResCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import CAM, LayerCAM, XGradCAM

from camdemo import methods
from camdemo.errors import CamdemoError, ChoiceError
from camdemo.methods import cams, registry
from camdemo.models import catalogue
from camdemo.records import LayerInfo, ModelSpec, Rivals

from . import oracles
from .test_sweep import SIDES, network_of, photo
from .tiny_models import HandMade, Small

NAMES = ["gradcam", "hirescam", "layercam", "gradcampp", "xgradcam", "cam", "eigencam"]
EVERYWHERE = [name for name in NAMES if name != "cam"]
TRANSFORMERS = ("swin_t", "vit_b_16")
CNNS = [spec for spec in catalogue.CATALOGUE if spec.name not in TRANSFORMERS]

# -- the registry

_LIKE = 1e-5  # of a map's range: as near as two ways of adding up float32 come


def test_all_in_the_order_of_the_page() -> None:
    assert [method.name for method in methods.all("layer")] == NAMES
    assert methods.all()[: len(NAMES)] == methods.all("layer")
    titles = ["Grad-CAM", "HiResCAM", "LayerCAM", "Grad-CAM++", "XGrad-CAM", "CAM", "EigenCAM"]
    assert [method.title for method in methods.all("layer")] == titles
    assert methods.DEFAULT == "gradcam"
    assert methods.find(methods.DEFAULT).function is cams.gradcam


@pytest.mark.parametrize("wrong", ["gradcam++", "", "Grad-CAM", "__class__"])
def test_another_method_is_refused(wrong: str) -> None:
    with pytest.raises(ChoiceError, match=r"no method .*gradcam"):
        methods.find(wrong)
    model, layer = Small(), LayerInfo("first", 4, 15, 15)
    with pytest.raises(ChoiceError):
        methods.explain(model, layer, photo(32), wrong)
    with pytest.raises(ChoiceError):
        next(methods.sweep(model, [layer], photo(32), [0], ["gradcam", wrong]))


def test_a_method_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))
    toy = methods.Method(
        name="first",
        title="The first channel",
        paper="none",
        formula="A_0",
        kind="layer",
        function=lambda activation, gradient: activation[:, 0],
        linear=False,
    )
    methods.add(toy)
    assert methods.all()[-1] is methods.find("first") is toy
    cam, _ = methods.explain(*hand_made(), method="first")
    assert cam.tolist() == RED
    with pytest.raises(dataclasses.FrozenInstanceError):
        toy.linear = True


# -- by hand: the grid, in front of the ReLU

RED = [[1, 2], [3, -4]]
GREEN = [[-1, 5], [1, 1]]
# The weights of label 0 for each cell of channel 0 and of channel 1, then those of label 1.
WEIGHTS = [[[[1, 1], [2, 4]], [[3, -1], [-2, 1]]], [[[1, -1], [1, 1]], [[0, 2], [0, 0]]]]
# The gradient is the weight where the cell is positive, else 0:
#   label 0: [1 1 2 0] and [0 -1 -2 1], with means 1 and -1/2
#   label 1: [1 -1 1 0] and [0 2 0 0], with means 1/4 and 1/2
BY_HAND = {
    ("gradcam", 0): [[1.5, -0.5], [2.5, -4.5]],  # 1 RED - 1/2 GREEN
    ("gradcam", 1): [[-0.25, 3], [1.25, -0.5]],  # 1/4 RED + 1/2 GREEN
    ("hirescam", 0): [[1, 2 - 5], [6 - 2, 0 + 1]],
    ("hirescam", 1): [[1, -2 + 10], [3, 0]],
    ("layercam", 0): [[1, 2], [6, 0 + 1]],  # what is negative in the gradient counts nothing
    ("layercam", 1): [[1, 10], [3, 0]],
    # RED adds up to 2, GREEN to 6. Of label 0 [1 1 2 0] becomes 1/4 + 1/4 + 2/6, and the 1 of GREEN
    # 1/8; of label 1 [1 0 1 0] becomes 1/4 + 1/4, and the 2 of GREEN 2/14.
    ("gradcampp", 0): [[5 / 6 - 1 / 8, 10 / 6 + 5 / 8], [15 / 6 + 1 / 8, -20 / 6 + 1 / 8]],
    ("gradcampp", 1): [[1 / 2 - 1 / 7, 1 + 5 / 7], [3 / 2 + 1 / 7, -2 + 1 / 7]],
    # Label 0: (1 + 2 + 6) / 2 RED and (-5 - 2 + 1) / 6 GREEN; label 1: (1 - 2 + 3) / 2 and 10 / 6.
    ("xgradcam", 0): [[4.5 + 1, 9 - 5], [13.5 - 1, -18 - 1]],
    ("xgradcam", 1): [[1 - 5 / 3, 2 + 25 / 3], [3 + 5 / 3, -4 + 5 / 3]],
}
# The gradient of label 0 against 1: [0 2 1 0] and [0 -3 -2 1].
DUEL = [[0, 4], [3, 0 + 1]]


def hand_made() -> tuple[nn.Module, LayerInfo, Tensor]:
    inputs = torch.zeros(1, 3, 4, 4)
    inputs[0, 0, ::2, ::2] = torch.tensor(RED)
    inputs[0, 1, ::2, ::2] = torch.tensor(GREEN)
    return HandMade(torch.tensor(WEIGHTS, dtype=torch.float32)), LayerInfo("grid", 2, 2, 2), inputs


@pytest.mark.parametrize(("method", "target"), BY_HAND)
def test_by_hand(method: str, target: int) -> None:
    model, layer, inputs = hand_made()
    cam, _ = methods.explain(model, layer, inputs, method, target)
    np.testing.assert_allclose(cam, BY_HAND[method, target], rtol=1e-6)
    assert cam.dtype == np.float32
    ((_, maps),) = methods.sweep(model, [layer], inputs, [target], NAMES)
    for name in {name for name, _ in BY_HAND}:
        np.testing.assert_allclose(maps[name, "grid"], BY_HAND[name, target], rtol=1e-6)
    assert ("cam", "grid") not in maps  # a ReLU stands between


def test_a_negative_activation_keeps_its_sign_in_layercam() -> None:
    activation, gradient = torch.tensor([-3.0, 2.0]), torch.tensor([2.0, -1.0])
    cam = cams.layercam(activation.view(1, 1, 1, 2), gradient.view(1, 1, 1, 2))
    assert cam.tolist() == [[[-6.0, 0.0]]]


def grids(*channels: list) -> Tensor:
    return torch.tensor([channels], dtype=torch.float32)


def test_cam_by_hand() -> None:
    # Behind a mean over four cells the weights 3 and -2 are gradients of 3/4 and -1/2 in each.
    gradient = torch.tensor([0.75, -0.5]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    found = cams.cam(grids(RED, GREEN), gradient)
    assert found.tolist() == [[[3 + 2, 6 - 10], [9 - 2, -12 - 2]]]
    assert found.mean() == 3 * 0.5 - 2 * 1.5  # the logit, but for the bias


def test_eigencam_by_hand() -> None:
    # Both channels go up and down together, twice as far in the second: cells by (1, 2) / sqrt(5).
    activation = grids([[0, 1], [2, 5]], [[0, 2], [4, 10]])
    expected = np.sqrt(5) * (np.array([[0, 1], [2, 5]]) - 2)
    for channels in (activation, activation.repeat(1, 4, 1, 1) / 2):  # the other matrix, too
        found = cams.eigencam(channels, torch.full((), torch.nan))[0]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    # It is larger where there is more of A, whichever sign that has.
    np.testing.assert_allclose(cams.eigencam(-activation, activation)[0], expected, rtol=1e-5)
    assert not cams.eigencam(torch.ones(1, 3, 2, 2), activation).any()


def test_what_cancels_counts_nothing_in_xgradcam() -> None:
    activation, gradient = grids([[1, -1], [2, -2]], [[1, 0], [0, 0]]), torch.ones(1, 2, 2, 2)
    assert cams.xgradcam(activation, gradient).tolist() == [[[1, 0], [0, 0]]]


def test_a_negative_sum_makes_no_weight_of_gradcampp_larger_than_the_gradient() -> None:
    activation, gradient = grids([[-3.0, 1.0]]), grids([[1.0, 0.25]])
    # 2 - 2 x 1 would be a division by 0; it counts as 1. And 2 - 2 x 1/4 is 1.5.
    weight = 1 / 1 + 0.25 / 1.5
    found = cams.gradcampp(activation, gradient)[0, 0]
    np.testing.assert_allclose(found, [-3 * weight, weight], rtol=1e-6)


@pytest.mark.parametrize("function", [getattr(cams, name) for name in NAMES])
def test_photos_of_a_batch_do_not_mix(function) -> None:
    generator = torch.Generator().manual_seed(0)
    activation, gradient = torch.randn(2, 3, 5, 4, 6, generator=generator)
    together = function(activation, gradient)
    assert together.shape == (3, 4, 6)
    oracle = oracles.METHODS[function.__name__]
    for one in range(3):
        torch.testing.assert_close(
            together[one].double(), oracle(activation[one], gradient[one]), rtol=1e-5, atol=1e-5
        )


# -- against the libraries


def signed(library: type, *given: Any) -> np.ndarray:
    """The map of a class of pytorch-grad-cam before its ReLU."""

    class Signed(library):  # type: ignore[misc]
        def get_cam_image(self, *given: Any) -> np.ndarray:
            self.signed = super().get_cam_image(*given)
            return self.signed

    theirs, module, inputs, target = given
    with Signed(theirs, [module]) as asked:
        asked(inputs, [ClassifierOutputTarget(target)])
    return asked.signed[0]


class ExactGradCAMPlusPlus(GradCAMPlusPlus):
    """Without its epsilon, beside which the square of a small gradient is nothing. (torchcam
    divides a copy, so that its alpha is G squared: it is no reference here.)

    Alpha depends on the product of activation and gradient alone, so that both may be scaled.
    """

    def get_cam_weights(self, inputs, layers, target, activations, grads):
        scale = 1e6
        a, g = activations.astype(float) / scale, grads.astype(float) * scale
        return super().get_cam_weights(inputs, layers, target, a, g) / scale


@pytest.mark.parametrize("spec", CNNS, ids=lambda spec: spec.name)
def test_torchcam_and_pytorch_grad_cam(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    # Both read the very output of the layer, and its gradient: in-place ReLUs would spoil them.
    network, inputs = network_of(spec), photo(SIDES.get(spec.name, 64))
    found = methods.discover(network, inputs.shape[-1])
    theirs = oracles.without_in_place(copy.deepcopy(network), monkeypatch).requires_grad_(True)
    for layer in (methods.default(found), [one for one in found if one.stage][-2]):
        target = int(network(inputs).argmax())
        module = theirs.get_submodule(layer.name)

        with LayerCAM(theirs, layer.name) as library:  # it ends with a ReLU
            expected = library(target, theirs(inputs), normalized=False)[0][0].numpy()
        cam, _ = methods.explain(network, layer, inputs, "layercam", target)
        assert_agree(np.maximum(cam, 0), expected)

        def ours(method: str, layer: LayerInfo = layer, target: int = target) -> np.ndarray:
            return methods.explain(network, layer, inputs, method, target)[0]

        asked = theirs, module, inputs, target
        assert_agree(ours("hirescam"), signed(HiResCAM, *asked))
        eigen = signed(EigenCAM, *asked)  # of any sign
        assert_agree(ours("eigencam"), eigen * np.sign((eigen * ours("eigencam")).sum()))
        activation, _ = oracles.seen_by_autograd(network, layer, inputs, target)
        if activation.min() >= 0:  # what the papers of these presume
            assert_agree(ours("gradcampp"), signed(ExactGradCAMPlusPlus, *asked))
            with XGradCAM(theirs, layer.name) as library:
                expected = library(target, theirs(inputs), normalized=False)[0][0].numpy()
            assert_agree(np.maximum(ours("xgradcam"), 0), expected)
        head = [name for name, each in theirs.named_modules() if isinstance(each, nn.Linear)]
        if layer.pooled and head:  # SqueezeNet has none: a map is its label's channel
            with CAM(theirs, layer.name, head[-1]) as library:
                theirs(inputs)
                expected = library(target, normalized=False)[0][0].numpy()
            assert_agree(np.maximum(ours("cam"), 0), expected)


@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize("method", EVERYWHERE)
def test_finer_layers_of_transformers(name: str, method: str) -> None:
    # Neither library folds tokens by itself, so the oracle is autograd and a fold by hand; their
    # stages are in test_sweep.py.
    network, inputs = network_of(catalogue.find(name)), photo(SIDES.get(name, 64))
    found = methods.discover(network, inputs.shape[-1])
    finer = [layer for layer in found if not layer.stage and ".mlp" not in layer.name][::7]
    assert len(finer) >= 5
    cancelled = []
    for layer in finer:
        seen = oracles.seen_by_autograd(network, layer, inputs, 7)
        cam, _ = methods.explain(network, layer, inputs, method, 7)
        expected = oracles.METHODS[method](*seen).numpy()
        if cam.any():
            assert_agree(cam, expected, 1e-4 if method == "xgradcam" else _LIKE)  # its sums cancel
        else:  # what only layer normalisation reads: see test_sweep.py
            cancelled.append(layer.name)
            assert np.abs(expected).max() < 1e-3 * (seen[0] * seen[1]).abs().max().item()
    assert len(cancelled) == (1 if (name, method) == ("swin_t", "hirescam") else 0), cancelled


def assert_agree(ours: np.ndarray, theirs: np.ndarray, like: float = _LIKE) -> None:
    span = float(np.ptp(theirs))
    assert ours.shape == theirs.shape
    assert span > 1e-3 * np.abs(theirs).max() > 0, "a map without contrast proves nothing"
    assert np.abs(ours - theirs).max() <= like * span


# -- what a method is said to be


@pytest.mark.parametrize("method", [name for name in EVERYWHERE if name != "eigencam"])
@pytest.mark.parametrize("layer", ["first", "first.1", "second"])
def test_the_duel_of_a_linear_method_is_a_difference_and_of_another_is_not(
    method: str, layer: str
) -> None:
    model, inputs = Small(), photo(64)
    where = methods.find_layer(methods.discover(model, 64), layer)

    def explain(target: int, versus: int | None = None) -> np.ndarray:
        rivals = None if versus is None else Rivals((versus,))
        return methods.explain(model, where, inputs, method, target, rivals)[0]

    duel, difference = explain(291, 292), explain(291) - explain(292)
    off = np.abs(duel - difference).max() / np.ptp(duel)
    assert (off <= 1e-5) if methods.find(method).linear else (off > 0.05)

    ((target, maps),) = methods.sweep(
        model, [where], inputs, [291], [method], versus=Rivals((292,))
    )
    assert target == 291
    assert np.abs(maps[method, layer] - duel).max() <= 1e-6 * np.ptp(duel)


def test_a_duel_by_layercam_is_of_one_gradient_by_hand() -> None:
    model, layer, inputs = hand_made()
    cam, _ = methods.explain(model, layer, inputs, "layercam", 0, Rivals((1,)))
    np.testing.assert_allclose(cam, DUEL, rtol=1e-6)
    difference = np.subtract(BY_HAND["layercam", 0], BY_HAND["layercam", 1])
    assert difference.tolist() == [[0, -8], [3, 1]]


def test_cam_is_there_where_a_mean_and_a_linear_layer_follow() -> None:
    model, inputs = Small(), photo(64)
    found = methods.discover(model, 64)
    assert [layer.name for layer in found if layer.pooled] == ["second"]
    cam, _ = methods.explain(model, methods.find_layer(found, "second"), inputs, "cam", 291)
    gradcam, logits = methods.explain(
        model, methods.find_layer(found, "second"), inputs, target=291
    )
    np.testing.assert_allclose(cam, gradcam * gradcam.size, rtol=1e-5, atol=1e-6)
    # What Zhou et al. say of it: the mean over its cells is the logit, but for the bias.
    assert cam.mean() + model.head.bias[291].item() == pytest.approx(logits[291], rel=1e-4)
    with pytest.raises(
        CamdemoError, match=r"CAM can't explain the layer 'first': it needs .* foll"
    ):
        methods.explain(model, methods.find_layer(found, "first"), inputs, "cam", 291)
    with pytest.raises(CamdemoError, match="Here that is second"):
        methods.check("cam", methods.find_layer(found, "all"), None, found)
    ((_, maps),) = methods.sweep(model, found, inputs, [3], ["cam"])
    assert list(maps) == [("cam", "second")]


def test_eigencam_compares_no_labels() -> None:
    model, inputs = Small(), photo(64)
    where = methods.find_layer(methods.discover(model, 64), "second")
    one, _ = methods.explain(model, where, inputs, "eigencam", 3)
    np.testing.assert_array_equal(one, methods.explain(model, where, inputs, "eigencam", 7)[0])
    assert [each.name for each in methods.all("layer") if not each.knows_label] == ["eigencam"]
    with pytest.raises(CamdemoError, match="knows no label"):
        methods.explain(model, where, inputs, "eigencam", 3, 7)


def test_where_hirescam_is_gradcam() -> None:
    # Behind the last stage there is a mean and a linear map; behind the first, much more.
    model, inputs = Small(), photo(64)
    found = {layer.name: layer for layer in methods.discover(model, 64)}
    ((_, maps),) = methods.sweep(model, list(found.values()), inputs, [3], NAMES)
    assert methods.alike(maps["hirescam", "second"], maps["gradcam", "second"])
    assert not methods.alike(maps["hirescam", "first"], maps["gradcam", "first"])
    assert methods.alike(maps["xgradcam", "second"], maps["gradcam", "second"])
    assert not methods.alike(maps["xgradcam", "first"], maps["gradcam", "first"])
    assert not methods.alike(maps["layercam", "second"], maps["gradcam", "second"])
    assert methods.alike(np.zeros((2, 2)), np.zeros((2, 2)))
    assert not methods.alike(np.zeros((2, 2)), np.ones((3, 3)))
    assert not methods.alike(np.zeros((2, 2)), np.ones((2, 2)))


def test_at_most_default_layers_hirescam_is_gradcam() -> None:
    same = set()
    for spec in catalogue.CATALOGUE:
        network, inputs = network_of(spec), photo(SIDES.get(spec.name, 64))
        layer = methods.default(methods.discover(network, inputs.shape[-1]))
        ((_, maps),) = methods.sweep(network, [layer], inputs, [7], NAMES)
        if methods.alike(maps["hirescam", layer.name], maps["gradcam", layer.name]):
            same.add(spec.name)
    # VGG-16 reads each cell on its own, DenseNet-121 has a ReLU behind it, ViT-B/16 a class token.
    others = set(catalogue.NAMES) - same
    assert others == {"vgg16", "densenet121", "vit_b_16"}


# -- an answer that is no answer


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("target", [None, 0, 1])
def test_logits_that_are_not_finite_are_refused(value: float, target: int | None) -> None:
    model, layer, inputs = hand_made()
    with torch.no_grad():
        model.head.weight[1, 0] = value
    with pytest.raises(CamdemoError, match="not a number"):
        methods.explain(model, layer, inputs, target=target)
    with pytest.raises(CamdemoError, match="not a number"):
        next(methods.sweep(model, [layer], inputs, [0]))
    assert not model.grid._forward_hooks
