"""The command line, called as `python -m camdemo` calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from camdemo import Explainer, Settings, models
from camdemo.cli import main

LION = get_image("lion.jpg")


@pytest.fixture(autouse=True)
def _bundled_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CAMDEMO_MODEL", "efficientnet_lite0")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_explain_writes_the_overlay(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    target = tmp_path / "out.png"
    assert main(["explain", LION, "-o", str(target), "--opacity", "0.3", "--target", "tiger"]) == 0
    expected = Explainer(Settings(model="efficientnet_lite0")).explain(LION, target="tiger")
    assert (np.asarray(Image.open(target)) == expected.overlay(opacity=0.3)).all()
    printed = capsys.readouterr().out
    assert "90 %  lion" in printed
    assert "Map of tiger" in printed


def test_json_has_all_numbers(capsys: pytest.CaptureFixture) -> None:
    assert main(["explain", LION, "--json", "--layer", "blocks.6", "--target", "292"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["layer"] == "blocks.6"
    assert numbers["target"]["index"] == 292
    assert np.shape(numbers["map"]) == (7, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "nowhere.jpg"], "no file 'nowhere.jpg'"),
        (["explain", LION, "--model", "mobilenet"], "mobilenet_v2"),
        (["explain", LION, "--layer", "__class__"], "no layer '__class__'"),
        (["explain", LION, "--opacity", "nan"], "0 to 1"),
        (["explain", LION, "-o", "/nowhere/out.png"], "can't be written"),
        (["explain", LION, "-o", "out.xyz"], "can't be written"),
        (["layers", "mobilenet"], "mobilenet_v2"),
        (["fetch"], "Name the models"),
        (["fetch", "mobilenet"], "mobilenet_v2"),
    ],
)
def test_refusals_are_one_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err


def test_models_lists_all(capsys: pytest.CaptureFixture) -> None:
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(models.NAMES)
    assert lines[0].endswith("ready")
    assert lines[-1].endswith("download")  # the torch hub folder is empty here


def test_layers_marks_stages_and_the_default(capsys: pytest.CaptureFixture) -> None:
    assert main(["layers", "mobilenet_v2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("stage" in line for line in lines) == 19
    assert "features.18 · 1280 x 7 x 7  (stage, default)" in lines


def test_fetch_of_a_bundled_model_is_done_at_once(capsys: pytest.CaptureFixture) -> None:
    assert main(["fetch", "efficientnet_lite1"]) == 0
    assert capsys.readouterr().out == "efficientnet_lite1: ready\n"


def test_as_a_module_listing_needs_no_torch() -> None:
    code = "import sys, camdemo.cli as c; c.main(['models']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    helped = subprocess.run(
        [sys.executable, "-m", "camdemo", "--help"], check=True, capture_output=True, text=True
    )
    assert "explain" in helped.stdout
