"""A camera's frames, as the server answers them: each by itself, and none is kept."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from camdemo import Explainer, Settings
from camdemo.engine import LocalEngine, SharedEngine
from camdemo.engine.protocol import Answer, FirstMap, Job, Progress, Rank
from camdemo.ui import live
from camdemo.ui.live import Live
from camdemo.ui.server import presence

SETTINGS = Settings(model="efficientnet_lite0")


class Noting(LocalEngine):
    """Notes what it is asked."""

    def __init__(self) -> None:
        super().__init__(settings=SETTINGS)
        self.jobs: list[Job] = []

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        self.jobs.append(job)
        return super().run(job, progress)


@pytest.fixture(scope="module")
def engine() -> Noting:
    return Noting()


@pytest.fixture
def shared(engine: Noting) -> SharedEngine:
    engine.jobs.clear()
    return SharedEngine(engine)


@pytest.fixture
def explainer(shared: SharedEngine) -> Explainer:
    return Explainer(SETTINGS, engine=shared)


@pytest.fixture
def camera(explainer: Explainer) -> Live:
    return Live(explainer)


def picture(width: int = 320, height: int = 240, kind: str = "JPEG") -> bytes:
    """A lion as the browser sends it."""
    file = io.BytesIO()
    Image.open(get_image("lion.jpg")).convert("RGB").resize((width, height)).save(file, kind)
    return file.getvalue()


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def cells(packet: dict[str, Any]) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(packet["data"]), "<f4")
    return values.reshape(packet["height"], packet["width"])


def test_a_frame_is_explained_as_any_photo(camera: Live, explainer: Explainer) -> None:
    content = picture()
    answer = camera.frame({"frame": text(content)})
    expected = explainer.explain(content)
    assert answer["labels"][0]["label"] == "lion"
    assert [one["index"] for one in answer["labels"]] == [p.index for p in expected.predictions]
    assert answer["target"] == expected.target.index
    # 320 x 240 becomes 341 x 256, of which the middle 224 x 224 is seen: 210 pixels of 240, from
    # (341 - 224) / 2 = 58 and (256 - 224) / 2 = 16 on.
    assert answer["box"] == [54, 15, 265, 225]
    (packet,) = answer["maps"]
    np.testing.assert_allclose(cells(packet), expected.cam, atol=1e-6)
    assert (answer["layer"], answer["method"], answer["framing"]) == ("bn2", "gradcam", "crop")
    assert answer["model"]["name"] == "efficientnet_lite0"
    assert answer["model"]["title"] == "EfficientNet-Lite0"
    assert answer["input_size"] == (224, 224)
    assert answer["part"] == [0, 0, 224, 224]
    assert json.dumps(answer)


def test_what_is_asked_counts(camera: Live, explainer: Explainer) -> None:
    content = picture()
    asked = {"layer": "blocks.6", "method": "hirescam", "target": "tiger", "framing": "whole"}
    answer = camera.frame({"frame": text(content), "model": "efficientnet_lite0", **asked})
    expected = explainer.explain(content, **asked)
    (packet,) = answer["maps"]
    np.testing.assert_allclose(cells(packet), expected.cam, atol=1e-6)
    assert (packet["layer"], packet["method"]) == ("blocks.6", "hirescam")
    assert packet["target"] == answer["target"] == expected.target.index
    assert answer["box"] == [0, 0, 320, 240]
    assert answer["target"] in [one["index"] for one in answer["labels"]]


def test_a_frame_in_bars_says_where_it_lies(camera: Live) -> None:
    """Of 320 x 240 in a square of 320 three quarters are the frame: 168 of 224 pixels."""
    answer = camera.frame({"frame": text(picture()), "framing": "fit"})
    assert answer["part"] == [0, 28, 224, 196]
    assert answer["box"] == [0, -40, 320, 280]


def test_the_layers_come_only_where_none_is_named(camera: Live, explainer: Explainer) -> None:
    frame = text(picture())
    layers = camera.frame({"frame": frame})["layers"]
    names = [layer.name for layer in explainer.layers("efficientnet_lite0")]
    assert [layer["name"] for layer in layers] == [*names, "all"]
    assert "layers" not in camera.frame({"frame": frame, "layer": "bn2"})


def test_others_go_first_and_nothing_is_kept(
    camera: Live, explainer: Explainer, shared: SharedEngine, engine: Noting
) -> None:
    content = picture()
    for _ in range(2):
        assert "error" not in camera.frame({"frame": text(content)})
    assert shared._kept == {}
    jobs = [job for job in engine.jobs if isinstance(job, FirstMap)]
    assert len(jobs) == 2  # and so computed twice
    assert {(job.rank, job.passing) for job in jobs} == {(Rank.SWEEP, True)}
    assert Rank.SWEEP > Rank.ANSWER > Rank.FIRST_MAP  # what others wait for
    explainer.explain(content)  # a photo is kept
    assert len(shared._kept) == 1
    assert vars(camera) == {"explainer": explainer}


@pytest.mark.parametrize(
    "question",
    [
        None,
        "text",
        [],
        {},
        {"frame": None},
        {"frame": 7},
        {"frame": b"bytes"},
        {"frame": ""},
        {"frame": "not base64!"},
        {"frame": "AAAA"},
        {"frame": text(picture(kind="PNG"))},
        {"frame": text(picture()[:400])},
        {"frame": "A" * (live.LONGEST + 1)},
        {"frame": text(picture(513, 16))},
        {"frame": text(picture(16, 513))},
        {"frame": text(picture()), "model": 7},
        {"frame": text(picture()), "model": "nonsense"},
        {"frame": text(picture()), "layer": "nonsense"},
        {"frame": text(picture()), "method": "nonsense"},
        {"frame": text(picture()), "target": 1000},
        {"frame": text(picture()), "target": [1]},
        {"frame": text(picture()), "framing": "0,0,999,999"},
    ],
    ids=lambda question: str(question)[:40],
)
def test_what_is_wrong_is_refused_in_words(camera: Live, question: Any) -> None:
    answer = camera.frame(question)
    assert list(answer) == ["error"]
    assert answer["error"].endswith(".")
    assert len(answer["error"]) < 300


def test_a_frame_of_the_largest_size_is_taken(camera: Live) -> None:
    assert "error" not in camera.frame({"frame": text(picture(512, 512))})


def test_pixels_are_counted_before_they_are_decoded(
    camera: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine megapixels of one colour are a short text."""
    file = io.BytesIO()
    Image.new("RGB", (3000, 3000)).save(file, "JPEG")
    frame = text(file.getvalue())
    assert len(frame) < live.LONGEST

    def decode(*_given: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    assert "3000 x 3000" in camera.frame({"frame": frame})["error"]


def test_the_largest_question_is_known_for_whose_it_is() -> None:
    """Else its lane would count for nobody, and others would wait for it."""
    asked = {"frame": "A" * live.LONGEST, "target": "x" * 300, "layer": "x" * 300}
    question = {"data": asked, "fn_name": "scene_live", "session_hash": "abc", "component_id": 9}
    body = json.dumps(question).encode()
    assert len(body) <= presence._LONGEST
    assert presence._session_and_scenes(body) == ("abc", "", "")


def test_nothing_is_written(camera: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    camera.frame({"frame": text(picture())})
    assert list(tmp_path.rglob("*")) == []
