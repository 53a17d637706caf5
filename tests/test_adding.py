"""Models that an operator adds by name, and that nobody else can."""

from __future__ import annotations

import argparse
import json
import sys
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from gradio.media import get_image
from safetensors.torch import save_file
from torch import Tensor

from camdemo import CamdemoError, Explainer, SettingError, Settings, adding
from camdemo.cli import main
from camdemo.models import checkpoints, specs
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers

from .tiny_models import Small, randomise

LION = get_image("lion.jpg")
RESNET = "test_resnet"  # timm's own for tests: 0.5 M numbers, 160 x 160
MODULE = """
from torch import nn
from tests.tiny_models import Small

def build(labels=3):
    return Small(labels=labels)

def known():
    return {"model": Small(labels=3), "labels": ["cat", "dog", "lion"]}

def strange():
    return {"net": Small()}

def fails():
    raise RuntimeError("no weights here")

def nothing_at_all():
    pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a person's own in the folder where the command is run."""
    (tmp_path / "my_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    return "my_models"


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    adding.add_flags(parser)
    return parser.parse_args(arguments)


def with_models(*arguments: str, **environment: str) -> Explainer:
    return adding.add_models(Explainer(), parsed(*arguments), environment)


def resnet(**options: Any) -> torch.nn.Module:
    return randomise(timm.create_model(RESNET, pretrained=False, **options)).eval()


# -- what a text says


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("timm:resnet18", specs.Spec("timm", "resnet18")),
        ("timm:resnet18@a/b.pth", specs.Spec("timm", "resnet18", "a/b.pth")),
        (
            "timm:mobilenetv2_100?pad_type=same&in_chans=1&name=mine@a.pth",
            specs.Spec(
                "timm",
                "mobilenetv2_100",
                "a.pth",
                {"pad_type": "same", "in_chans": 1},
                {"name": "mine"},
            ),
        ),
        (
            "torchvision:resnet18@a.pth?num_classes=3&labels=x.txt",
            specs.Spec("torchvision", "resnet18", "a.pth", {"num_classes": 3}, {"labels": "x.txt"}),
        ),
        ("hf-hub:timm/resnet18.a1_in1k@main", specs.Spec("hf-hub", "timm/resnet18.a1_in1k@main")),
        ("local-dir:/a/b@c", specs.Spec("local-dir", "/a/b@c")),
        ("my.models:build?labels=x", specs.Spec("my.models", "build", "", {}, {"labels": "x"})),
        ("a:b?flag=true", specs.Spec("a", "b", "", {"flag": True})),
    ],
)
def test_a_text_is_taken_apart(text: str, expected: specs.Spec) -> None:
    assert specs.parse(text) == expected


@pytest.mark.parametrize("text", ["", "resnet18", "timm:", ":x", "timm:@file", "a:b?c", "a:b?=c"])
def test_a_text_that_names_none_says_what_does(text: str) -> None:
    with pytest.raises(CamdemoError, match=r"local-dir:FOLDER|option=value"):
        specs.parse(text)


def test_a_name_for_what_has_none() -> None:
    assert specs.parse("hf-hub:timm/resnet18.a1_in1k@main").called == "resnet18.a1_in1k"
    assert specs.parse("local-dir:/models/my cats/").called == "my-cats"
    assert specs.parse("a.b:build").called == "build"


# -- where models come from


def test_timms_network_with_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    network = resnet(num_classes=3)
    file = tmp_path / "mine.safetensors"
    save_file(network.state_dict(), file)
    explainer = with_models("--add", f"timm:{RESNET}?num_classes=3@{file}")
    assert explainer.default_model() == RESNET
    found = explainer.explain(LION)
    assert found.model.transform.crop == 160
    expected = network(torch.from_numpy(found.inputs)).softmax(1)[0].detach()
    assert found.probabilities == pytest.approx(expected.numpy(), rel=1e-3)


def test_timms_published_weights_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict] = []

    def create(name: str, **options: Any) -> torch.nn.Module:
        asked.append({"name": name, **options})
        raise OSError("no connection")

    monkeypatch.setattr(timm, "create_model", create)
    for spec, name in (
        (f"timm:{RESNET}?num_classes=3", RESNET),
        ("hf-hub:somebody/cats", "hf-hub:somebody/cats"),
        ("local-dir:/models/cats", "local-dir:/models/cats"),
    ):
        with pytest.raises(CamdemoError, match=r"can't be had from timm: no connection"):
            with_models("--add", spec)
        assert asked[-1].pop("name") == name
        assert asked[-1].pop("pretrained") is True
    assert asked[0] == {"num_classes": 3}


def test_a_folder_in_timms_format(tmp_path: Path) -> None:
    network = resnet(num_classes=3)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    record = {"num_classes": 3, "label_names": ["cat", "dog", "lion"], "crop_pct": 0.5}
    record |= {"input_size": [3, 96, 96], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    config = {"architecture": RESNET, "num_classes": 3, "pretrained_cfg": record}
    (tmp_path / "config.json").write_text(json.dumps(config))
    explainer = with_models("--add", f"local-dir:{tmp_path}?name=cats")
    found = explainer.explain(LION, model="cats")
    assert set(explainer.labels("cats")) == {"cat", "dog", "lion"}
    transform = found.model.transform
    assert (transform.resize, transform.crop, transform.std) == (192, 96, (0.4, 0.5, 0.6))
    expected = network(torch.from_numpy(found.inputs)).softmax(1)[0].detach()
    assert found.probabilities == pytest.approx(expected.numpy(), rel=1e-3)


def test_torchvisions_network_with_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    network = randomise(torchvision.models.squeezenet1_1()).eval()
    file = tmp_path / "mine.pth"
    torch.save({"state_dict": network.state_dict()}, file)
    found = with_models("--add", f"torchvision:squeezenet1_1@{file}").explain(LION)
    assert found.model.name == "squeezenet1_1_2"  # beside the catalogue's
    assert found.labels[291] == "lion"
    expected = network(torch.from_numpy(found.inputs)).softmax(1)[0].detach()
    assert found.probabilities == pytest.approx(expected.numpy(), rel=1e-3)


def test_a_function(module: str, capsys: pytest.CaptureFixture) -> None:
    explainer = with_models("--add", f"{module}:build?name=a", "--add", f"{module}:known")
    assert [spec.name for spec in explainer.models()[-2:]] == ["a", "known"]
    assert explainer.labels("known") == ("cat", "dog", "lion")
    assert "ImageNet's usual one is assumed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("timm:resnet1", "resnet18"),
        ("torchvision:resnet1", "resnet18"),
        ("torchvision:deeplabv3_resnet50", "no model of torchvision"),
        ("timm:test_resnet@no.pth", r"There is no checkpoint no\.pth"),
        ("no_such_module:build", "no_such_module"),
        ("my_models:nothing", "nothing"),
        ("my_models:fails", "no weights here"),
        ("my_models:strange", "net.*must have the model"),
        ("my_models:nothing_at_all", "torch.nn.Module"),
        ("my_models:build?wrong=1", "wrong"),
        ("my_models:build?name=a/b", "name"),
        ("my_models:build?activation=tanh", "softmax, sigmoid"),
    ],
)
def test_what_can_not_be_had_is_said(module: str, spec: str, words: str) -> None:
    with pytest.raises(CamdemoError, match=words) as refused:
        with_models("--add", spec)
    assert str(refused.value).startswith(spec)


# -- the command line and the environment


def test_files_belong_to_the_model_before_them(module: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x\ny\nz\n")
    (tmp_path / "b.txt").write_text("1\n2\n3\n")
    transform = {"resize": 40, "crop": 32, "interpolation": "bicubic"}
    transform |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    (tmp_path / "t.json").write_text(json.dumps(transform))
    first = ["--add", f"{module}:build?name=a", "--labels", "a.txt", "--transform", "t.json"]
    explainer = with_models(*first, "--add", f"{module}:build?name=b", "--labels", "b.txt")
    assert explainer.labels("a") == ("x", "y", "z")
    assert explainer.labels("b") == ("1", "2", "3")
    assert [spec.transform.crop for spec in explainer.models()[-2:]] == [32, 224]
    with pytest.raises((SystemExit, argparse.ArgumentError)):
        parsed("--labels", "a.txt")


def test_the_environment_adds_too_and_comes_first(module: str) -> None:
    specs_ = f" {module}:build?name=a  {module}:build?name=b "
    explainer = with_models("--add", f"{module}:build?name=c", CAMDEMO_ADD=specs_)
    assert [spec.name for spec in explainer.models()[-3:]] == ["a", "b", "c"]
    assert explainer.default_model() == "a"


def test_all_texts_are_read_before_the_first_model_is_built(module: str) -> None:
    with pytest.raises(CamdemoError, match="names no model"):
        with_models("--add", f"{module}:build", "--add", "nonsense")
    assert module not in sys.modules


@pytest.mark.parametrize("model", ["alexnet", "VGG16", "__class__", "x" * 5000])
def test_the_default_must_be_a_model_that_is_there(model: str) -> None:
    with pytest.raises(SettingError, match=r"CAMDEMO_MODEL: There is no model") as refused:
        adding.add_models(Explainer(Settings(model=model)), None, {})
    assert len(str(refused.value)) < 400


def test_an_added_model_may_be_the_default(module: str) -> None:
    explainer = Explainer(Settings(model="b"))
    arguments = parsed("--add", f"{module}:build?name=a", "--add", f"{module}:build?name=b")
    assert adding.add_models(explainer, arguments, {}).default_model() == "b"


def test_commands_know_it(module: str, capsys: pytest.CaptureFixture) -> None:
    add = ["--add", f"{module}:known"]
    assert main(["explain", LION, "--json", *add]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "known"
    assert main(["layers", *add]) == 0
    assert "second · 8 x 55 x 55  (stage, default)" in capsys.readouterr().out
    assert main(["models", *add]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("known ")
    assert main(["explain", LION, "--add", "nonsense"]) == 1
    assert "names no model" in capsys.readouterr().err


# -- nobody else


SPELLINGS = [
    *("my_models:build", "my_models:build?name=a", "module:my_models:build"),
    *("timm:test_resnet", "timm:test_resnet?pretrained=false", "timm:test_resnet@/etc/passwd"),
    *("TIMM:test_resnet", " timm:test_resnet", "timm%3Atest_resnet", "timm/test_resnet"),
    *("torchvision:resnet18@/etc/passwd", "torchvision:resnet18", "hf-hub:timm/resnet18"),
    *("hf_hub:timm/resnet18", "local-dir:/tmp", "local-dir:.", "file:///etc/passwd"),
    *("--add timm:test_resnet", "efficientnet_lite0 --add timm:test_resnet", "os:system"),
    *("efficientnet_lite0?name=a", "efficientnet_lite0@/etc/passwd", "test_resnet", "my_models"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_visitor_address_or_call_names_a_model(
    module: str, spelling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is built, loaded or imported, whatever is asked for."""

    def never(*_: object, **__: object) -> None:
        pytest.fail("somebody built a model")

    for place, name in ((specs, "parse"), (specs, "build"), (timm, "create_model")):
        monkeypatch.setattr(place, name, never)
    monkeypatch.setattr(checkpoints, "read", never)
    monkeypatch.setattr(Explainer, "add", never)
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    before = explainer.models()
    with pytest.raises(CamdemoError, match="There is no model"):
        explainer.explain(LION, model=spelling)
    answers = Answers(explainer, Offers(explainer))
    asked = {"source": {"example": "Lion"}, "model": spelling}
    assert "There is no model" in answers.open(asked)["error"]
    assert "There is no model" in answers.labels({"model": spelling})["error"]
    for call in (explainer.layers, explainer.fetch, explainer.labels):
        with pytest.raises(CamdemoError, match="There is no model"):
            call(spelling)
    assert explainer.models() == before


# -- checkpoints


def test_what_training_puts_before_names_is_taken_away(tmp_path: Path) -> None:
    state = Small(7, labels=3).state_dict()
    for kept, prefix in (("state_dict", "model."), ("model", "module."), ("", "_orig_mod.")):
        named = {prefix + name: value for name, value in state.items()}
        torch.save({kept: named, "epoch": 3} if kept else named, tmp_path / "a.pth")
        network = Small(labels=3)
        assert not checkpoints.put(network, checkpoints.read(tmp_path / "a.pth"), "a.pth", "it")
        assert torch.equal(network.head.weight, state["head.weight"])


def test_half_precision_becomes_the_networks(tmp_path: Path) -> None:
    state = {name: value.half() for name, value in Small(7).state_dict().items()}
    network = Small()
    checkpoints.put(network, state, "a.pth", "it")
    assert network.head.weight.dtype == torch.float32


def test_what_does_not_fit_is_said_in_words() -> None:
    state = Small(labels=5).state_dict()
    with pytest.raises(CamdemoError) as refused:
        checkpoints.put(Small(labels=3), state, "mine.pth", "timm's net")
    assert str(refused.value) == (
        "mine.pth does not fit timm's net: 12 of 14 entries do. Of another size in the file: "
        "head.weight is 5 x 8, not 3 x 8; head.bias is 5, not 3. For as many labels as the file "
        "has, add ?num_classes=5."
    )
    state = Small(labels=3).state_dict()
    state["fc.weight"] = state.pop("head.weight")
    with pytest.raises(CamdemoError, match=r"13 of 14.*file: head\.weight.*network: fc\.weight"):
        checkpoints.put(Small(labels=3), state, "a", "b")


def test_what_the_network_has_no_use_for_is_said() -> None:
    state = Small(labels=3).state_dict() | {"aux.weight": torch.zeros(3)}
    assert "aux.weight" in checkpoints.put(Small(labels=3), state, "a", "b")


def by_the_alphabet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """As safetensors keep them, under torchvision's names for a MobileNetV2."""
    return OrderedDict(sorted(state.items()))


def test_other_names_of_the_same_network_go_by_their_order() -> None:
    """torchvision's MobileNetV2 in timm's, whose blocks have other names."""
    theirs = randomise(torchvision.models.mobilenet_v2(num_classes=5)).eval()
    ours = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=5).eval()
    note = checkpoints.put(ours, by_the_alphabet(theirs.state_dict()), "mine", "timm's")
    assert "order" in note
    inputs = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-3, atol=1e-3)


def test_a_file_that_would_run_something_is_not_opened(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    torch.save(Small(), tmp_path / "whole.pth")
    (tmp_path / "damaged.safetensors").write_bytes(b"nonsense")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    for name in ("evil.pth", "whole.pth", "damaged.safetensors"):
        with pytest.raises(CamdemoError, match="numbers alone"):
            checkpoints.read(tmp_path / name)
    with pytest.raises(CamdemoError, match="no numbers"):
        checkpoints.read(tmp_path / "empty.pth")
    assert not (tmp_path / "ran").exists()


def test_what_is_added_travels_as_texts_files_and_all(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("cat\ndog\nlion\n")
    given = ["--add", f"timm:{RESNET}?num_classes=3&pretrained=False", "--labels", str(labels)]
    texts = adding.texts(parsed(*given), {adding.VARIABLE: "a:b c:d?x=1"})
    assert texts[:2] == ["a:b", "c:d?x=1"]
    assert specs.parse(texts[2]) == specs.Spec(
        "timm",
        RESNET,
        options={"num_classes": 3, "pretrained": False},
        ours={"labels": str(labels)},
    )
    explainer = Explainer()
    adding.add_texts(explainer, texts[2:])
    assert explainer.labels(RESNET) == ("cat", "dog", "lion")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("module.sub:function", ""),
        (f"timm:{RESNET}", ""),
        (f"timm:{RESNET}", "@/a/weights.pth"),
        ("torchvision:resnet18", "@/a/weights.pth"),
    ],
)
def test_a_text_says_the_same_as_its_flags(name: str, file: str) -> None:
    own = f"{name}?labels=old.txt&n=3&kind='3'&more=[1, 2]&flag=true&word=a b{file}"
    (text,) = adding.texts(parsed("--add", own, "--labels", "/b/new labels.txt"), {})
    expected = specs.parse(own)
    assert expected.options == {"n": 3, "kind": "3", "more": [1, 2], "flag": True, "word": "a b"}
    assert specs.parse(text) == replace(
        expected, ours={**expected.ours, "labels": "/b/new labels.txt"}
    )


@pytest.mark.parametrize("file", ["a&b.txt", "a@b.txt"])
def test_a_file_that_no_text_can_name_is_refused(file: str) -> None:
    arguments = parsed("--add", f"timm:{RESNET}", "--labels", file)
    with pytest.raises(CamdemoError, match="without the characters"):
        adding.texts(arguments, {})
