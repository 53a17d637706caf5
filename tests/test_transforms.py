"""Input transforms: torchvision's, timm's, a file; what can't be read is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms import transforms as v1

from camdemo.errors import CamdemoError
from camdemo.models import Transform, transforms

IMAGENET = {"mean": transforms.IMAGENET_MEAN, "std": transforms.IMAGENET_STD}
NORMALISE = v1.Normalize(**IMAGENET)
BICUBIC = InterpolationMode.BICUBIC

READABLE = {
    "a chain of torchvision's": (
        v1.Compose([v1.Resize(72), v1.CenterCrop(64), v1.ToTensor(), NORMALISE]),
        Transform(72, 64, "bilinear", **IMAGENET),
    ),
    "its second version, a chain in a chain": (
        v2.Compose(
            [
                v2.Compose([v2.ToImage(), v2.Resize([72], BICUBIC), v2.CenterCrop((64, 64))]),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize([0.5] * 3, [0.25] * 3),
            ]
        ),
        Transform(72, 64, "bicubic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
    ),
    "what belongs to weights": (
        torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1.transforms(),
        Transform(256, 224, "bicubic", **IMAGENET),
    ),
    "timm's": (
        timm.data.create_transform((3, 160, 160), crop_pct=0.8, interpolation="bicubic"),
        Transform(200, 160, "bicubic", **IMAGENET),
    ),
    "timm's for an input that is no square": (
        timm.data.create_transform((3, 64, 160), crop_pct=0.8),
        Transform((80, 200), (64, 160), "bilinear", **IMAGENET),
    ),
    "a crop that is no square": (
        v1.Compose([v1.Resize(72), v1.CenterCrop((64, 96)), v1.ToTensor(), NORMALISE]),
        Transform(72, (64, 96), "bilinear", **IMAGENET),
    ),
    "nothing normalised": (
        v1.Compose([v1.Resize(32), v1.CenterCrop(32), v1.ToTensor()]),
        Transform(32, 32, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    ),
    "a mapping": (
        {"resize": 40, "crop": 32, "interpolation": "lanczos", "mean": [0, 0, 0], "std": [1, 1, 1]},
        Transform(40, 32, "lanczos", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    ),
}


@pytest.mark.parametrize(("given", "expected"), READABLE.values(), ids=READABLE.keys())
def test_what_can_be_read(given: object, expected: Transform) -> None:
    assert transforms.read(given) == (expected, "")


def test_where_none_is_given_imagenets_is_assumed_and_said() -> None:
    found, note = transforms.read(None)
    assert found == Transform(256, 224, "bilinear", **IMAGENET)
    assert "ImageNet" in note
    assert "assumed" in note


def test_timms_networks_know_their_own() -> None:
    model = timm.create_model("test_resnet", pretrained=False)
    found, note = transforms.read(None, model)
    config = timm.data.resolve_model_data_config(model)
    assert not note
    assert (found.crop, found.mean, found.std) == (160, config["mean"], config["std"])
    # as timm's own transform of that record has it
    assert (found, "") == transforms.read(timm.data.create_transform(**config))


@pytest.mark.parametrize(
    ("resize", "size", "words"),
    [(32, 32, "crops nothing"), ((32, 32), 32, "squeezes"), ((24, 40), (24, 40), "squeezes")],
)
def test_a_chain_without_a_crop_takes_the_middle_and_says_so(resize, size, words: str) -> None:
    found, note = transforms.read(v1.Compose([v1.Resize(resize), v1.ToTensor()]))
    assert (found.resize, found.crop) == (size, size)
    assert words in note
    assert "middle" in note


REFUSED = {
    "something random": (v1.Compose([v1.RandomResizedCrop(64), NORMALISE]), "RandomResizedCrop"),
    "a function of one's own": (v1.Compose([v1.Resize(8), v1.Lambda(abs)]), "Lambda"),
    "nothing resized": (v1.Compose([v1.CenterCrop(64)]), "resizes nothing"),
    "a longer side": (v1.Compose([v1.Resize(64, max_size=80)]), "Resize"),
    "a text": ("imagenet", "str"),
    "no such field": ({"size": 3}, "'size'"),
    "a field too few": ({"resize": 3}, "crop, interpolation, mean, std"),
    "two channels": (Transform(8, 8, "bilinear", (0.5, 0.5), (1, 1)), "2 means"),
    "three sizes": (Transform(8, (8, 8, 3), "bilinear", (0.5,), (1,)), "two numbers"),
    "a square of what is none": (Transform((8, 9), 8, "bilinear", (0.5,), (1,)), "shorter side"),
    "a zero that divides": (Transform(8, 8, "bilinear", (0.5,), (0,)), "deviation"),
    "no number": (Transform(8, 8, "bilinear", ("a",), (1,)), "mean"),
    "a size of nothing": (Transform(0, 8, "bilinear", (0.5,), (1,)), "resize 0"),
    "another interpolation": (Transform(8, 8, "cubic", (0.5,), (1,)), "interpolation 'cubic'"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_not_is_said(given: object, words: str) -> None:
    with pytest.raises(CamdemoError, match=words):
        transforms.read(given)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "transform.json"
    mean = {"mean": [0.5] * 3, "std": [0.5] * 3}
    file.write_text(json.dumps({"resize": 40, "crop": 32, "interpolation": "nearest", **mean}))
    assert transforms.from_file(file).crop == 32
    for text in ("[]", "{", '{"resize": 3}'):
        file.write_text(text)
        with pytest.raises(CamdemoError, match=r"transform"):
            transforms.from_file(file)
    with pytest.raises(CamdemoError, match=r"no\.json"):
        transforms.from_file(tmp_path / "no.json")
