"""Back through ReLUs by a rule: by hand, against Captum, and however a ReLU is called."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import Deconvolution, DeepLift, GuidedBackprop
from torch import Tensor, nn
from torch.nn import functional

from camdemo import CamdemoError, methods

from .asking import Rectified, ask, close, fill, picture

RULES = ("guided_backprop", "deconvolution", "deeplift")


class Chain(nn.Module):
    """One logit: the weighted sum of ReLUs, each of one weighted red pixel."""

    def __init__(self, before: list[float], behind: list[float], high: float = 1e9) -> None:
        super().__init__()
        self.before, self.behind = torch.tensor(before), torch.tensor(behind)
        self.high = high

    def forward(self, x: Tensor) -> Tensor:
        units = functional.hardtanh(x[:, 0].flatten(1) * self.before, 0.0, self.high)
        return (units * self.behind).sum(dim=1, keepdim=True)


def red(*values: float) -> Tensor:
    """A picture of 2 x 2 pixels that is red or not."""
    picture = torch.zeros(1, 3, 2, 2)
    picture[0, 0] = torch.tensor(values).reshape(2, 2)
    return picture


def test_by_hand() -> None:
    # Pixels: on with a positive gradient, on with a negative one, off with a positive one, and
    # on beyond the upper end.
    network, inputs = Chain([2, 3, -1, 5], [1, -1, 4, 1], high=20), red(1, 1, 1, 9)
    guided = ask(network, "guided_backprop", inputs, 0).map
    np.testing.assert_array_equal(guided.ravel(), [2, 0, 0, 0])
    deconvolved = ask(network, "deconvolution", inputs, 0).map
    np.testing.assert_array_equal(deconvolved.ravel(), [2, 0, -4, 5])


def test_deeplift_by_hand() -> None:
    # From 0.25 to x: 2 x 0.25 = 0.5 to 2; -0.25 to -1, both 0; 5 x 0.25 to 45, cut off at 20.
    network, inputs = Chain([2, 3, -1, 5], [1, -1, 4, 1], high=20), red(1, 1, 1, 9)
    found = ask(network, "deeplift", inputs, 0, baseline="blur")
    np.testing.assert_allclose(found.map.ravel(), [1.5, -2.25, 0, 18.75], rtol=1e-5)
    assert found.gap == pytest.approx(0, abs=1e-5)


def test_captum_says_the_same() -> None:
    network, inputs = Rectified(), picture()
    for method, captums in (("guided_backprop", GuidedBackprop), ("deconvolution", Deconvolution)):
        expected = captums(network).attribute(inputs, 1)[0].sum(dim=0).detach().numpy()
        close(ask(network, method).map, expected)
    network.pool = nn.AvgPool2d(2)  # Captum's DeepLift does not add up at max pooling
    for name in ("black", "blur"):
        nothing = torch.from_numpy(fill(name))[None]
        expected = DeepLift(network).attribute(inputs, nothing, 1)[0].sum(dim=0).detach().numpy()
        close(ask(network, "deeplift", baseline=name).map, expected, 1e-4)


class Otherwise(Rectified):
    """The same network with its ReLUs called in another way."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, self.shared = way, nn.ReLU(inplace=True)

    def rectify(self, x: Tensor) -> Tensor:
        if self.way == "statement":
            x.relu_()
            return x
        return {
            "shared and in place": self.shared,
            "function": functional.relu,
            "function in place": lambda x: functional.relu(x, inplace=True),
            "torch's": torch.relu,
            "tensor's": Tensor.relu,
            "clipped high above": lambda x: functional.hardtanh(x, 0.0, 1e6),
        }[self.way](x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.rectify(self.first(x)))
        return self.head(self.rectify(self.second(x)).mean(dim=(2, 3)))


@pytest.mark.parametrize(
    "way",
    [
        *("shared and in place", "function", "function in place", "statement"),
        *("torch's", "tensor's", "clipped high above"),
    ],
)
@pytest.mark.parametrize("method", RULES)
def test_every_call_of_a_relu_is_seen(method: str, way: str) -> None:
    close(ask(Otherwise(way), method).map, ask(Rectified(), method).map)


class Six(Rectified):
    def __init__(self) -> None:
        super().__init__()
        self.relu, self.other = nn.ReLU6(), nn.ReLU6(inplace=True)


@pytest.mark.parametrize("method", RULES)
def test_relu6_is_one_too(method: str) -> None:
    inputs = 8 * picture()
    found = ask(Six(), method, inputs)
    assert np.abs(found.map - ask(Rectified(), method, inputs).map).max() > 0.01
    if method == "deeplift":
        assert found.gap == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("pixels", "nothing", "expected"),
    [
        ((3, 1, 0, 0), (0, 2, 0, 0), (1, 0, 0, 0)),  # the rise to 3 is the first pixel's
        ((0, 1, 0, 0), (2, 0, 0, 0), (-1, 0, 0, 0)),  # the fall from 2 that of the first, too
        ((0, 5, 0, 0), (4, 1, 0, 0), (0, 1, 0, 0)),
    ],
)
def test_max_pooling_by_hand(pixels: tuple, nothing: tuple, expected: tuple) -> None:
    class Largest(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.max_pool2d(x[:, :1], 2).flatten(1)

    arguments = (Largest(), "deeplift", red(*pixels), 0, None, {})
    found = methods.explain_input(*arguments, lambda _name: red(*nothing)[0].numpy())
    np.testing.assert_allclose(found.map.ravel(), expected)
    assert found.gap == 0


def test_max_pooling_with_windows_that_overlap_adds_up() -> None:
    network = Rectified()
    network.pool = nn.MaxPool2d(3, stride=2, padding=1)
    assert ask(network, "deeplift", baseline="black").gap == pytest.approx(0, abs=1e-4)


def test_guided_gradcam_is_the_product() -> None:
    network, inputs = Rectified(), picture()
    layer = methods.default(methods.discover(network, 16))
    cam, _ = methods.explain(network, layer, inputs, "gradcam", 1)
    large = functional.interpolate(
        torch.from_numpy(cam)[None, None].clamp(min=0), (16, 16), mode="bilinear"
    )[0, 0].numpy()
    close(ask(network, "guided_gradcam").map, ask(network, "guided_backprop").map * large)


@pytest.mark.parametrize("method", RULES)
def test_another_answer_is_refused(method: str) -> None:
    class Fickle(Rectified):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return super().forward(x) * self.calls

    with pytest.raises(CamdemoError, match="another one"):
        ask(Fickle(), method)
