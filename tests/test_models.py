"""The catalogue's facts, held to torchvision's, timm's and the installed packages' own."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import skimage.data
import timm
import torch
import torchvision
from gradio import media

from camdemo import Explainer
from camdemo.errors import ChoiceError
from camdemo.models import catalogue, weights

BUNDLED = [spec for spec in catalogue.CATALOGUE if spec.source == "bundled"]
TORCHVISION = [spec for spec in catalogue.CATALOGUE if spec.source == "torchvision"]


def by_name(spec) -> str:
    return spec.name


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer()


def test_the_catalogue_is_the_one_that_was_promised():
    assert [spec.title for spec in BUNDLED] == [f"EfficientNet-Lite{number}" for number in range(3)]
    assert {spec.name for spec in TORCHVISION} == {
        *("mobilenet_v2", "mobilenet_v3_large", "resnet18", "resnet50", "vgg16", "densenet121"),
        *("googlenet", "inception_v3", "squeezenet1_1", "efficientnet_b0", "convnext_tiny"),
        *("regnet_y_400mf", "swin_t", "vit_b_16"),
    }
    assert len(set(catalogue.NAMES)) == len({spec.title for spec in catalogue.CATALOGUE}) == 17
    assert catalogue.find(catalogue.NOTEBOOK_DEFAULT).name == "mobilenet_v2"
    assert catalogue.find(catalogue.BUNDLED_DEFAULT).source == "bundled"


@pytest.mark.parametrize("spec", TORCHVISION, ids=by_name)
def test_torchvision_weights(spec):
    theirs = torchvision.models.get_model_weights(spec.name).IMAGENET1K_V1
    assert spec.weights == theirs.url.rpartition("/")[2]
    assert spec.parameters == theirs.meta["num_params"]
    assert spec.megabytes == pytest.approx(theirs.meta["_file_size"], abs=0.0501)  # rounded


@pytest.mark.parametrize("spec", TORCHVISION, ids=by_name)
def test_torchvision_transforms(spec):
    theirs = torchvision.models.get_model_weights(spec.name).IMAGENET1K_V1.transforms()
    ours = spec.transform
    assert [ours.resize] == theirs.resize_size
    assert [ours.crop] == theirs.crop_size
    assert ours.interpolation == theirs.interpolation.value
    assert (list(ours.mean), list(ours.std)) == (theirs.mean, theirs.std)
    assert theirs.antialias  # as Pillow always does


@pytest.mark.parametrize("spec", BUNDLED, ids=by_name)
def test_bundled_weights(spec):
    file = weights.path_of(spec)
    assert weights.is_ready(spec)
    assert spec.megabytes == pytest.approx(file.stat().st_size / 2**20, abs=0.0501)
    with torch.device("meta"):
        network = timm.create_model(f"tf_{spec.name}", pretrained=False)
    assert spec.parameters == sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("spec", BUNDLED, ids=by_name)
def test_bundled_transforms(spec):
    theirs = timm.get_pretrained_cfg(f"tf_{spec.name}")
    ours = spec.transform
    assert theirs.input_size == (3, ours.crop, ours.crop)
    assert math.floor(ours.crop / theirs.crop_pct) == ours.resize  # as timm computes it
    assert ours.interpolation == theirs.interpolation
    assert (ours.mean, ours.std) == (theirs.mean, theirs.std)


@pytest.mark.parametrize("model", [spec.name for spec in BUNDLED])
@pytest.mark.parametrize(
    ("photo", "labels"),
    [
        ("lion.jpg", {"lion"}),
        ("cheetah.jpg", {"cheetah"}),
        ("cat", {"tabby", "tiger cat", "Egyptian cat"}),  # a tabby; ImageNet knows it by three
        ("coffee", {"espresso", "cup"}),
    ],
)
def test_bundled_models_are_right_about_real_photos(explainer, model, photo, labels):
    given = media.get_image(photo) if photo.endswith(".jpg") else getattr(skimage.data, photo)()
    assert explainer.explain(given, model=model).predictions[0].label in labels


def test_the_lion_of_the_readme(explainer):
    best = explainer.explain(media.get_image("lion.jpg"), model="efficientnet_lite0").predictions[0]
    assert best.label == "lion"
    assert 0.85 < best.probability < 0.95


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("resnet", r"There is no model 'resnet'. .*: resnet18, resnet50"),
        ("MobileNetV2", r"'MobileNetV2'. Nearest of the 17 allowed: mobilenet_v2"),
        ("__class__", r"There is no model '__class__'"),
        ("", r"There is no model ''. There are 17, such as efficientnet_lite0, "),
        (None, r"There is no model None"),
        (["resnet18"], r"There is no model \['resnet18'\]"),
    ],
)
def test_unknown_models(given, message):
    with pytest.raises(ChoiceError, match=message):
        catalogue.find(given)


def test_the_catalogue_loads_no_torch():
    code = "import sys, camdemo.models; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
