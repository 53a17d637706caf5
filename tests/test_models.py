"""The catalogue's facts, held to torchvision's, timm's and the installed packages' own."""

from __future__ import annotations

import dataclasses
import io
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
import timm
import torch
import torchvision
from gradio import media

from camdemo import Explainer
from camdemo.errors import ChoiceError
from camdemo.models import catalogue, sources, weights

BUNDLED = [spec for spec in catalogue.CATALOGUE if spec.source == "bundled"]
TORCHVISION = [spec for spec in catalogue.CATALOGUE if spec.source == "torchvision"]

TIMM = [spec for spec in catalogue.CATALOGUE if spec.source == "timm"]


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
    assert [(spec.name, spec.title) for spec in TIMM] == [("mobilenetv2_100", "MobileNetV2 (timm)")]
    assert len(set(catalogue.NAMES)) == len({spec.title for spec in catalogue.CATALOGUE}) == 18
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


@pytest.mark.parametrize("spec", TIMM, ids=by_name)
def test_timm_weights(spec):
    theirs = timm.get_pretrained_cfg(spec.name)
    assert theirs.url.rpartition("/")[2] == spec.weights
    assert re.fullmatch(r".+-[0-9a-f]{8}\.pth", spec.weights)  # the start of its SHA-256
    assert theirs.num_classes == 1000
    network = timm.create_model(spec.name, pretrained=False)
    assert spec.parameters == sum(parameter.numel() for parameter in network.parameters())
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    assert spec.megabytes == pytest.approx(file.tell() / 2**20, abs=0.0501)


@pytest.mark.parametrize("spec", TIMM, ids=by_name)
def test_timm_transforms(spec):
    theirs = timm.get_pretrained_cfg(spec.name)
    ours = spec.transform
    assert theirs.input_size == (3, ours.crop, ours.crop)
    assert math.floor(ours.crop / theirs.crop_pct) == ours.resize  # as timm computes it
    assert (theirs.interpolation, theirs.crop_mode) == (ours.interpolation, "center")
    assert (ours.mean, ours.std) == (theirs.mean, theirs.std)


def test_all_were_trained_on_photos_of_the_same_colour():
    theirs = timm.data.IMAGENET_DEFAULT_MEAN
    assert all(spec.training_mean == theirs for spec in catalogue.CATALOGUE)


class Toys:
    """A source of a person's own."""

    name = "toys"


def test_a_source_of_ones_own():
    before = catalogue.CATALOGUE.names
    toy = dataclasses.replace(catalogue.find("resnet18"), name="toy", source="toys")
    toys = Toys()
    more = catalogue.CATALOGUE.plus(toys, toy)
    assert more.names == (*before, "toy")
    assert more.find("toy") is toy
    assert more.source_of(toy) is toys
    assert isinstance(more.source_of(more.find("resnet18")), sources.Torchvision)
    assert catalogue.CATALOGUE.names == before  # it is another catalogue
    with pytest.raises(ChoiceError, match="toy"):
        catalogue.find("toy")
    with pytest.raises(ChoiceError, match=r"source 'toys'\. Allowed: bundled, torchvision, timm"):
        catalogue.CATALOGUE.source_of(toy)
    with pytest.raises(dataclasses.FrozenInstanceError):
        more.specs = ()


def test_no_place_but_the_sources_asks_where_a_model_is_from():
    for path in (Path(__file__).parent.parent / "camdemo").rglob("*.py"):
        asked = re.findall(r"\bsource (?:==|!=|(?:not )?in [({\[]).*", path.read_text("utf-8"))
        assert not asked, path


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
        ("MobileNetV2", r"'MobileNetV2'. Nearest of the 18 allowed: mobilenet"),
        ("__class__", r"There is no model '__class__'"),
        ("", r"There is no model ''. There are 18, such as efficientnet_lite0, "),
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
