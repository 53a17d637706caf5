"""Maps of pixels on the page: started, watched, joined, cancelled, and refused in words."""

from __future__ import annotations

import base64
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from camdemo import Explainer
from camdemo.engine import Asker, LocalEngine, SharedEngine, asker
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers
from camdemo.ui.pixels import Pixels
from camdemo.viewer.scene import pixel_packet

MODEL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def answers() -> Answers:
    explainer = Explainer(engine=SharedEngine(LocalEngine()))
    return Answers(explainer, Offers(explainer))


@pytest.fixture
def pixels(answers: Answers) -> Pixels:
    return Pixels(answers)


@pytest.fixture(scope="module")
def scene(answers: Answers) -> dict[str, Any]:
    return answers.open({"source": {"example": "Lion"}, "model": MODEL})


@pytest.fixture(autouse=True)
def visitor() -> Iterator[None]:
    token = asker.set(Asker("somebody", threading.Event()))
    yield
    asker.reset(token)


def question(scene: dict[str, Any], method: str, **settings: Any) -> dict[str, Any]:
    facts = {"id": scene["id"], "target": scene["target"], "versus": None}
    return facts | {"method": method, "settings": settings}


def finished(pixels: Pixels, asked: dict[str, Any]) -> dict[str, Any]:
    found = pixels.start(asked)
    while found.get("state") == "running":
        time.sleep(0.01)
        found = pixels.state(asked)
    return found


def decoded(packet: dict[str, Any]) -> np.ndarray:
    steps = np.frombuffer(base64.b64decode(packet["data"]), np.int8).astype(np.float32)
    values = packet["largest"] * steps * np.abs(steps) / 127**2
    return values.reshape(packet["height"], packet["width"])


def test_a_map_is_started_watched_and_taken_away(
    pixels: Pixels, answers: Answers, scene: dict[str, Any]
) -> None:
    asked = question(scene, "saliency")
    found = finished(pixels, asked)
    assert found["state"] == "ready"
    assert (found["done"], found["total"], found["error"]) == (3, 3, "")
    assert (found["method"], found["settings"], found["gap"]) == ("saliency", {}, None)
    finding = answers.finding(asked)
    expected = finding.seen("input", "saliency", scene["target"], None).cam
    assert found["map"]["height"] == found["map"]["width"] == 224
    assert len(found["map"]["data"]) * 3 / 4 < 60_000
    np.testing.assert_allclose(decoded(found["map"]), expected, atol=0.008 * np.abs(expected).max())
    assert pixels.state(asked)["state"] == "stopped"  # it was taken
    assert finished(pixels, asked)["map"] == found["map"]


def test_the_gap_comes_with_the_map_and_in_words(pixels: Pixels, scene: dict[str, Any]) -> None:
    found = finished(pixels, question(scene, "integrated_gradients", steps=4, baseline="black"))
    assert found["settings"] == {"steps": 4, "baseline": "black"}
    assert isinstance(found["gap"], float)
    assert "baseline (black)" in found["text"]
    assert f"{abs(found['gap']):.2f}" in found["text"]


def test_it_can_be_cancelled(pixels: Pixels, scene: dict[str, Any]) -> None:
    asked = question(scene, "rise", masks=4000)
    assert pixels.start(asked)["state"] == "running"
    while not pixels.state(asked)["done"]:
        time.sleep(0.01)
    (run,) = pixels._runs.values()
    assert pixels.cancel(asked)["state"] == "stopped"
    assert run.is_set()
    assert pixels.state(asked)["state"] == "stopped"
    assert run.done < 4000


def test_two_at_once_and_the_oldest_ends(pixels: Pixels, scene: dict[str, Any]) -> None:
    three = [question(scene, "rise", masks=4000, seed=seed) for seed in (1, 2, 3)]
    for asked in three:
        assert pixels.start(asked)["state"] == "running"
    assert [pixels.state(asked)["state"] for asked in three] == ["stopped", "running", "running"]
    for asked in three:
        pixels.cancel(asked)


def test_whoever_is_silent_waits_for_nothing(
    pixels: Pixels, scene: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = question(scene, "rise", masks=4000, seed=9)
    pixels.start(asked)
    (run,) = pixels._runs.values()
    assert not run.is_set()
    monkeypatch.setattr("camdemo.ui.pixels._SILENT", -1.0)
    assert run.is_set()
    assert pixels.state(asked)["state"] == "stopped"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"method": "gradcam"}, "explains layers"),
        ({"method": "nonsense"}, "no method"),
        ({"method": "attention_rollout"}, "vision transformer"),
        ({"settings": {"steps": 3}}, "no setting 'steps'"),
        ({"method": "rise", "settings": {"masks": 5}}, "masks"),
        ({"method": "rise", "settings": {"masks": 100.5}}, "whole number"),
        ({"method": "occlusion", "settings": {"baseline": "grey"}}, "baseline"),
        ({"settings": ["steps"]}, "object"),
        ({"settings": {"steps": []}}, "object"),
        ({"target": 1000}, "label"),
        ({"target": "lion"}, "index of a label"),
        ({"versus": 1}, "list of label indices"),
        ({"versus": [1000]}, "label"),
        ({"id": "nonsense"}, "no longer"),
    ],
)
def test_what_can_not_be_is_refused(
    pixels: Pixels, scene: dict[str, Any], changed: dict[str, Any], words: str
) -> None:
    error = pixels.start(question(scene, "saliency") | changed)["error"]
    assert re.search(words, error), error
    assert not pixels._runs


def test_a_scene_says_what_its_model_lacks(scene: dict[str, Any]) -> None:
    assert set(scene["lacking"]) == {"attention_rollout"}
    assert scene["pixels"] is None


def test_a_link_to_a_method_of_pixels_opens_with_the_default(
    answers: Answers, scene: dict[str, Any]
) -> None:
    usual = {"source": {"example": "Lion"}, "model": MODEL}
    found = answers.open(usual | {"method": "rise", "settings": "masks=100"})
    assert (found["method"], found["layer"]) == (scene["method"], scene["layer"])
    assert "no setting" in answers.open(usual | {"method": "rise", "settings": "x=1"})["error"]
    assert (
        "whole number" in answers.open(usual | {"method": "rise", "settings": "masks=x"})["error"]
    )


def test_bytes_of_a_map_are_signed_square_roots() -> None:
    cam = np.array([[4, -1, 0, 0.04]], np.float32)
    packet = pixel_packet(cam)
    steps = np.frombuffer(base64.b64decode(packet["data"]), np.int8)
    assert steps.tolist() == [127, -64, 0, 13]  # 127 times the root of 1/4, of 1/100
    assert not decoded(pixel_packet(np.zeros((2, 2), np.float32))).any()
