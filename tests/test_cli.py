"""The command line, called as `camdemo` and `python -m camdemo` call it."""

from __future__ import annotations

import json
import runpy
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from camdemo import Explainer, Settings
from camdemo.cli import main
from camdemo.engine import cores
from camdemo.models import catalogue
from camdemo.ui.server import serving

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


def test_a_look_brings_its_colours(tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    expected = Explainer(Settings(model="efficientnet_lite0")).explain(LION)
    glow = expected.overlay("inferno", 0.85, look="glow")
    assert main(["explain", LION, "-o", str(target), "--look", "glow"]) == 0
    assert (np.asarray(Image.open(target)) == glow).all()
    assert main(["explain", LION, "-o", str(target)]) == 0  # the notebook's
    assert (np.asarray(Image.open(target)) == expected.overlay("jet", 0.5)).all()


def test_json_has_all_numbers(capsys: pytest.CaptureFixture) -> None:
    assert main(["explain", LION, "--json", "--layer", "blocks.6", "--target", "292"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["layer"] == "blocks.6"
    assert numbers["target"]["index"] == 292
    assert np.shape(numbers["map"]) == (7, 7)


def test_a_duel_is_drawn_with_its_sign(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    target = tmp_path / "out.png"
    asked = ["--versus", "tiger", "--framing", "20,10,220,240"]
    assert main(["explain", LION, "-o", str(target), *asked]) == 0
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    expected = explainer.explain(LION, versus="tiger", framing="20,10,220,240")
    assert (np.asarray(Image.open(target)) == expected.overlay(evidence="signed")).all()
    assert "against tiger" in capsys.readouterr().out
    assert main(["explain", LION, "-o", str(target), *asked, "--evidence", "positive"]) == 0
    assert (np.asarray(Image.open(target)) == expected.overlay(evidence="positive")).all()


def test_a_duel_says_against_whom(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["explain", LION, "-o", str(tmp_path / "out.png")]
    assert main([*arguments, "--target", "291", "--versus", "292"]) == 0
    expected = Explainer(Settings(model="efficientnet_lite0")).explain(LION, versus="tiger")
    line = f"Map of {expected.target.text} against {expected.versus[0].text} (EfficientNet-Lite0, "
    assert line in capsys.readouterr().out
    assert main(arguments) == 0
    assert "against" not in capsys.readouterr().out


def test_json_of_a_duel_in_a_frame(capsys: pytest.CaptureFixture) -> None:
    asked = ["--json", "--target", "lion", "--versus", "292", "--framing", "20, 10, 220, 240"]
    assert main(["explain", LION, *asked]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert (numbers["target"]["label"], numbers["versus"][0]["label"]) == ("lion", "tiger")
    assert numbers["framing"] == "20,10,220,240"
    assert numbers["box"] == {"left": 20, "top": 10, "right": 220, "bottom": 240}
    assert numbers["range"]["min"] < 0 < numbers["range"]["max"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "nowhere.jpg"], "no file 'nowhere.jpg'"),
        (["explain", LION, "--model", "mobilenet"], "mobilenet_v2"),
        (["explain", LION, "--layer", "__class__"], "no layer '__class__'"),
        (["explain", LION, "--opacity", "nan"], "0 to 1"),
        (["explain", LION, "--framing", "0,0,257,256"], "not within the photo of 256 x 256"),
        (["explain", LION, "--framing", "9,9,9,20"], "has no area"),
        (["explain", LION, "--framing", "1,2,3"], "left,top,right,bottom in pixels"),
        (["explain", LION, "--versus", "lionn"], "no label 'lionn'"),
        (["explain", LION, "--versus", "1000"], "0 to 999"),
        (["explain", LION, "--target", "lion", "--versus", "291"], "compared with itself"),
        (["explain", LION, "--evidence", "negative"], "positive, signed, minmax"),
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
    assert [line.split()[0] for line in lines] == list(catalogue.NAMES)
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


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, Path | None]]:
    """What would have been served: settings, and the folder of a deck."""
    seen: list[tuple[Settings, Path | None]] = []
    monkeypatch.setattr(serving, "serve", lambda one, deck: seen.append((one.settings, deck)))
    return seen


def test_serve_takes_the_flags_of_all_settings_and_a_deck(served: list) -> None:
    assert main(["serve", "--port", "8000", "--model", "vgg16", "--deck", "talk"]) == 0
    assert main(["serve", "--lanes", "3"]) == 0
    # What this file's environment says, and a lane for each core.
    ours = Settings(model="efficientnet_lite0", lanes=cores())
    assert served == [
        (replace(ours, model="vgg16", port=8000), Path("talk")),
        (replace(ours, lanes=3), None),
    ]


def test_without_a_command_the_page_is_served(
    served: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["camdemo"])
    assert main() == 0
    assert len(served) == 1


def test_app_is_the_command_serve(served: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", "--max-queue", "3"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(__file__).parents[1] / "app.py"), run_name="__main__")
    assert ended.value.code == 0
    assert served[0][0].max_queue == 3


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "camdemo", "serve", "--host", "127.0.0.1", "--port", port]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].startswith(
        f"The page can't be served on 127.0.0.1, port {port}: "
    )
    assert "Traceback" not in told.stderr
    assert told.stdout == ""


def test_a_deck_without_photos_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["serve", "--deck", str(tmp_path / "none")]) == 1
    assert main(["serve", "--deck", str(tmp_path)]) == 1
    missing, empty = capsys.readouterr().err.splitlines()
    assert "no folder" in missing
    assert "no photo" in empty


def test_a_wrong_look_is_refused_before_anything_is_read(capsys: pytest.CaptureFixture) -> None:
    assert main(["explain", "nowhere.jpg", "--colormap", "grey"]) == 1
    assert "grey" in capsys.readouterr().err


def test_as_a_module_listing_needs_no_torch() -> None:
    code = "import sys, camdemo.cli as c; c.main(['models']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    helped = subprocess.run(
        [sys.executable, "-m", "camdemo", "--help"], check=True, capture_output=True, text=True
    )
    assert "explain" in helped.stdout
