"""Which layers of a stranger's network are grids: found by running it, and never silently wrong."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from gradio.media import get_image
from torch import Tensor, nn

from benchmarks import families
from camdemo import Explainer
from camdemo.methods import grids, layers, probing
from camdemo.records import LayerInfo, Transform

LION = get_image("lion.jpg")
SIZE = (3, 32, 32)
SMALL = Transform(36, 32, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Odd(nn.Module):
    """A network of tokens over 4 x 4 patches, of which several outputs only look like grids."""

    def __init__(self, order: Tensor | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 16, 8, stride=8)
        self.order = torch.arange(16) if order is None else order
        self.tokens = nn.Linear(16, 16)  # as many channels as patches
        self.turned = nn.Identity()  # (1, channels, patches)
        self.weights = nn.Softmax(-1)  # (1, 1, patches, patches)
        self.pair = Pair()
        self.after = nn.Linear(16, 16)
        self.head = nn.Linear(16, 3)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)[:, self.order]
        tokens = self.tokens(tokens)
        turned = self.turned(tokens.transpose(1, 2) * 1)
        weights = self.weights((turned.transpose(1, 2) @ turned)[:, None])
        tokens, _ = self.pair(tokens + weights[:, 0] @ tokens)
        last = self.after(tokens)
        return self.head(tokens.mean(dim=1)) + 0 * last.sum()


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        return torch.tanh(x), (4, 4)


def names(model: nn.Module, tried: bool = True) -> list[str]:
    return [layer.name for layer in layers.discover(model, SIZE, tried)]


def test_what_only_looks_like_a_grid_is_left_out() -> None:
    assert names(Odd()) == ["patches", "tokens", "pair"]
    assert {"turned", "after"} <= set(names(Odd(), tried=False))  # by their shapes they are


def test_tokens_in_an_order_of_their_own_are_left_out() -> None:
    shuffled = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    assert names(Odd(shuffled)) == ["patches"]
    turned = torch.arange(16).reshape(4, 4).T.flatten()
    assert names(Odd(turned)) == ["patches"]


def test_a_tuple_with_one_grid_is_read_and_given_back() -> None:
    model = Odd()
    explainer = Explainer().add(model, transform=SMALL)
    found = explainer.explain(LION, layer="pair")
    assert found.cam.shape == (4, 4)
    inputs = torch.from_numpy(found.inputs)
    expected, is_captum = families.oracle(model, found.layer, inputs, found.target.index)
    assert not is_captum
    np.testing.assert_allclose(found.cam, expected, rtol=1e-4, atol=1e-7)


def test_a_grid_has_the_shape_of_the_input() -> None:
    def grid(*shape: int, size: tuple[int, int] = (32, 64)) -> tuple[int, ...] | None:
        found = grids.tensor_of(torch.zeros(1, *shape), size)
        return found and found[1]

    assert grid(5, 4, 8) == (5, 4, 8)
    assert grid(4, 8, 5) == (5, 4, 8)
    assert grid(32, 7) == (7, 4, 8)
    assert grid(33, 7) == (7, 4, 8)
    assert grid(5, 8, 4) is None
    assert grid(5, 7, 7) is None
    assert grid(16, 7, size=(32, 32)) == (7, 4, 4)
    assert grid(23, 7, size=(32, 32)) is None
    assert grids.tensor_of((torch.zeros(1, 5, 4, 4), torch.zeros(1, 5, 4, 4)), (32, 32)) is None


def test_a_network_that_answers_something_else_when_it_is_read_is_left_out() -> None:
    class Writes(nn.Module):
        """Its answer is read from what the layer left in another place."""

        def __init__(self) -> None:
            super().__init__()
            self.grid = nn.Conv2d(3, 4, 8, stride=8)
            self.eval()

        def forward(self, x: Tensor) -> Tensor:
            return self.grid(x).mean(dim=(2, 3)).detach() + x.mean()

    layer = LayerInfo("grid", 4, 4, 4)
    assert probing.lie_on_photo(Writes(), [layer], SIZE) == {"grid"}
    assert probing.are_read(Writes(), [layer], SIZE) == set()


# Small ones, each of another kind: convolutions, channels last, tokens with and without a class
# token, tuples, relative positions, mixers.
SAMPLE = (
    *("test_resnet", "test_byobnet", "test_convnext", "test_efficientnet", "test_nfnet"),
    *("test_vit", "test_vit2", "test_vit_relpos", "test_mambaout", "lcnet_035", "ghostnet_050"),
    "starnet_s050",
)


@pytest.mark.parametrize("name", SAMPLE)
def test_families_of_timm(name: str) -> None:
    row = families.check(name)
    assert row.state == "equal", row
    assert row.stages >= 3


def test_every_family_has_its_member() -> None:
    modules = {timm.models.model_entrypoint(name).__module__ for name in families.MEMBERS}
    missing = {name for name in timm.list_modules() if f"timm.models.{name}" not in modules}
    assert missing == set()
