"""Attention rollout: by hand, and what is read of real transformers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer as Timms
from torch import nn
from torchvision.models import VisionTransformer

from camdemo.methods.attention import Attention, rollout

from .asking import ask, picture
from .tiny_models import randomise


def torchvisions() -> nn.Module:
    return VisionTransformer(32, 8, num_layers=3, num_heads=2, hidden_dim=16, mlp_dim=32)


def timms() -> nn.Module:
    return Timms(32, 8, embed_dim=16, depth=3, num_heads=2, num_classes=5)


def test_by_hand() -> None:
    first = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6]])
    second = torch.tensor([[0.2, 0.4, 0.4], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    # Half of each stays: the class token is 0.6 itself, 0.2 and 0.2 of the patches behind the
    # first layer; there it is 0.75 and 0.25, the first patch itself, the second 0.1, 0.1, 0.8.
    expected = 0.6 * np.array([0.75, 0.25, 0]) + 0.2 * np.array([0, 1, 0])
    expected += 0.2 * np.array([0.1, 0.1, 0.8])
    np.testing.assert_allclose(rollout([first, second]), expected, rtol=1e-6)


@pytest.mark.parametrize("build", [torchvisions, timms])
def test_what_is_read_is_the_attention(build) -> None:
    network = randomise(build()).eval().requires_grad_(False)
    inputs = picture(32)
    with torch.no_grad():
        expected = network(inputs)
        with Attention() as read:
            found = network(inputs)
    torch.testing.assert_close(found, expected)
    assert [one.shape for one in read.weights] == [(1, 17, 17)] * 3
    for one in read.weights:
        torch.testing.assert_close(one.sum(dim=-1), torch.ones(1, 17))
    cam = ask(network, "attention_rollout", inputs).map
    assert cam.shape == (32, 32)
    assert cam.min() >= 0
    shares = rollout([one[0] for one in read.weights])
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    # The middle of a patch is that of its cell, but for what a bilinear mixes in.
    assert np.corrcoef(cam[4::8, 4::8].ravel(), shares[1:])[0, 1] > 0.95


def test_it_is_that_of_the_layers_own_formula() -> None:
    network = randomise(torchvisions()).eval().requires_grad_(False)
    seen: list[torch.Tensor] = []
    layer = network.encoder.layers[0].self_attention
    handle = layer.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    with torch.no_grad(), Attention() as read:
        network(picture(32))
    handle.remove()
    query, key, _ = nn.functional.linear(seen[0], layer.in_proj_weight, layer.in_proj_bias).chunk(
        3, dim=-1
    )
    heads = [one.unflatten(-1, (2, 8)).transpose(1, 2) for one in (query, key)]
    expected = (heads[0] @ heads[1].mT / 8**0.5).softmax(dim=-1).mean(dim=1)
    torch.testing.assert_close(read.weights[0], expected)
