"""What networks are made of, and so which methods of pixels there are for them."""

from __future__ import annotations

import pytest

from camdemo import methods
from camdemo.models import CATALOGUE, networks
from camdemo.records import Anatomy

RULED = {"guided_backprop", "guided_gradcam", "deconvolution"}
ROLLOUT = {"attention_rollout"}


@pytest.mark.parametrize(
    ("model", "activations", "gates", "attends", "lacking"),
    [
        ("efficientnet_lite0", {"ReLU6"}, False, 0, ROLLOUT),
        ("mobilenet_v2", {"ReLU6"}, False, 0, ROLLOUT),
        ("resnet18", {"ReLU"}, False, 0, ROLLOUT),
        ("vgg16", {"ReLU"}, False, 0, ROLLOUT),
        ("densenet121", {"ReLU"}, False, 0, ROLLOUT),
        ("googlenet", {"ReLU"}, False, 0, ROLLOUT),
        ("squeezenet1_1", {"ReLU"}, False, 0, ROLLOUT),
        ("regnet_y_400mf", {"ReLU"}, True, 0, ROLLOUT | {"deeplift"}),
        ("mobilenet_v3_large", {"ReLU", "Hardswish"}, True, 0, ROLLOUT | RULED | {"deeplift"}),
        ("efficientnet_b0", {"SiLU"}, True, 0, ROLLOUT | RULED | {"deeplift"}),
        ("convnext_tiny", {"GELU"}, False, 0, ROLLOUT | RULED | {"deeplift"}),
        ("swin_t", {"GELU"}, True, 0, ROLLOUT | RULED | {"deeplift"}),
        ("vit_b_16", {"GELU"}, True, 12, RULED | {"deeplift"}),
    ],
)
def test_models(
    model: str, activations: set[str], gates: bool, attends: int, lacking: set[str]
) -> None:
    spec = CATALOGUE.find(model)
    found = methods.examine(networks.skeleton(spec), spec.transform.shape)
    assert found == Anatomy(tuple(sorted(activations)), gates, attends)
    assert {one.name for one in methods.all() if one.lacks(found)} == lacking
    for name in lacking:
        assert methods.find(name).lacks(found).startswith("it needs ")
