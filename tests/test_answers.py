"""What the server tells the browsers: to each its own, and to nobody more than is allowed."""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from camdemo import CamdemoError, Explainer, Explanation, ImageError, Settings
from camdemo.engine import LocalEngine
from camdemo.engine.protocol import FirstMap
from camdemo.engine.shared import SharedEngine
from camdemo.ui import answers as module
from camdemo.ui.answers import EXPIRED, Answers
from camdemo.ui.decks import photos_in, prepare
from camdemo.ui.offers import Offers
from camdemo.ui.server.admission import PHOTO

from .test_bundle import scene_in
from .test_questions import OF_ANOTHER_TYPE, text_of

STAGE = "blocks.3"
FINER = "blocks.5.1.conv_pw"
PATCH = np.zeros((224, 224), bool)  # no square, and not in the middle
PATCH[40:120, 60:150] = True
LION, TOWER = get_image("lion.jpg"), get_image("tower.jpg")


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.fixture(scope="module")
def lion(explainer: Explainer) -> Explanation:
    return explainer.explain(LION)


@pytest.fixture(scope="module")
def tower(explainer: Explainer) -> Explanation:
    return explainer.explain(TOWER, model="efficientnet_lite1")


@pytest.fixture(scope="module")
def answers(explainer: Explainer) -> Answers:
    """What all tests may ask, and so most find explained what they ask."""
    return Answers(explainer, Offers(explainer))


@pytest.fixture
def fresh(explainer: Explainer) -> Answers:
    """What remembers nothing yet."""
    return Answers(explainer, Offers(explainer))


@pytest.fixture
def token(answers: Answers, lion: Explanation) -> str:
    return answers.answer(LION, None, {}).id


def values(packet: dict[str, Any]) -> np.ndarray:
    kinds = {"f4": np.dtype("<f4"), "i2": np.dtype("<i2")}
    data = np.frombuffer(base64.b64decode(packet["data"]), kinds[packet["type"]])
    cells = data.reshape(packet["height"], packet["width"])
    return cells if packet["type"] == "f4" else cells / 32767 * packet["largest"]


def same_map(packet: dict[str, Any], expected: np.ndarray) -> bool:
    cells = values(packet)
    return cells.shape == expected.shape and bool(
        np.abs(cells - expected).max() <= 1e-4 * np.ptp(expected)
    )


# ---------------------------------------------------------------- tokens


def test_every_scene_has_a_token_that_nobody_can_guess(answers, lion):
    tokens = [answers.answer(LION, None, {}).id for _ in range(20)]
    assert len(set(tokens)) == 20
    assert all(len(token) >= 20 for token in tokens)  # 16 random bytes in base64
    # Random in every place, not a counter behind a fixed start. The last has two bits alone.
    assert min(len(set(letters)) for letters in zip(*tokens, strict=True)) > 1
    starts = [token[:-1] for token in tokens]
    assert min(len(set(letters)) for letters in zip(*starts, strict=True)) > 3


@pytest.mark.parametrize("ask", ["maps", "page", "hide", "hide_elsewhere", "look"])
@pytest.mark.parametrize(
    "question",
    [
        None,
        "text",
        7,
        [],
        {},
        {"id": None},
        {"id": ""},
        {"id": "a-token-of-nobody-000"},
        {"id": 0},
        {"id": True},
        {"id": math.nan},
        {"id": ["token"]},
        {"id": {"token": 1}},
        {"id": "__class__"},
    ],
    ids=str,
)
def test_an_unknown_token_is_refused_with_one_sentence(answers, lion, ask, question):
    answers.answer(LION, None, {})
    if isinstance(question, dict):
        asked = {"layers": None, "targets": None, "mask": text_of(PATCH), "framing": "crop"}
        question = asked | {"fill": "blur"} | question
    assert getattr(answers, ask)(question) == {"error": EXPIRED}


def test_a_token_is_not_found_by_a_part_or_by_another_case(answers, token):
    for near in (token[:-1], token + "a", token.swapcase(), f" {token}", [token], {token: 1}):
        assert answers.maps({"id": near}) == {"error": EXPIRED}
    assert "maps" in answers.maps({"id": token})


def test_two_sessions_do_not_get_each_others_maps(answers, explainer, lion, tower):
    one, other = (
        answers.answer(LION, None, {}).id,
        answers.answer(TOWER, "efficientnet_lite1", {}).id,
    )
    for token, explained in ((other, tower), (one, lion), (other, tower)):
        answer = answers.maps({"id": token, "layers": [STAGE], "targets": [291]})
        (packet,) = answer["maps"]
        assert same_map(packet, explained.maps([STAGE], [291])[STAGE, 291])
        assert answer["labels"][0]["probability"] == explained.probabilities[291]
    assert lion.probabilities[291] > tower.probabilities[291] + 0.5


def test_the_least_used_scenes_are_forgotten_first(monkeypatch, fresh, lion):
    monkeypatch.setattr(module, "_KEPT", 3)
    first, second, third = (fresh.answer(LION, None, {"target": n}).id for n in range(3))
    question = {"layers": [STAGE], "targets": [291]}
    assert "maps" in fresh.maps({"id": first} | question)  # used again, so it stays
    fourth = fresh.answer(LION, None, {"target": 3}).id
    assert fresh.maps({"id": second} | question) == {"error": EXPIRED}
    for token in (first, third, fourth):
        assert "maps" in fresh.maps({"id": token} | question)
    assert len(fresh._kept) == 3


def test_a_hall_shares_one_finding(monkeypatch, fresh):
    monkeypatch.setattr(module, "_KEPT", 1)
    monkeypatch.setattr(module, "_TOKENS", 5)
    tokens = [fresh.answer(LION, None, {}).id for _ in range(6)]
    question = {"layers": [STAGE], "targets": [291]}
    found = ["maps" in fresh.maps({"id": token} | question) for token in tokens]
    assert found == [False, True, True, True, True, True]
    fresh.answer(TOWER, None, {})  # another finding, for which there is no room beside it
    assert all("error" in fresh.maps({"id": token} | question) for token in tokens)


def test_what_is_kept_holds_no_photo(fresh, lion):
    opened = fresh._kept[fresh.answer(LION, None, {}).id]
    ((_, (finding, scene)),) = fresh._answers.items()
    assert opened.finding is finding
    for kept in (finding, scene, opened.scene):
        assert not any(isinstance(getattr(kept, one.name), Image.Image) for one in fields(kept))
    assert len(opened.scene.photo) < 100_000  # a file, not pixels


def test_the_same_question_is_explained_once(monkeypatch, fresh, explainer, tmp_path):
    asked: list[dict] = []
    explain = explainer.explain

    def counting(photo: Any, **question: Any) -> Explanation:
        asked.append(question)
        return explain(photo, **question)

    monkeypatch.setattr(explainer, "explain", counting)
    copy = tmp_path / "another name.jpg"
    copy.write_bytes(Path(LION).read_bytes())
    first = fresh.answer(LION, None, {"framing": "crop"}, name="Lion")
    again = fresh.answer(str(copy), "efficientnet_lite0", {"framing": "crop"})
    assert len(asked) == 1
    assert (first.name, again.name) == ("Lion", "")  # the numbers are shared, and no more
    assert first.id != again.id
    assert first.maps == again.maps
    for other in ({"framing": "whole"}, {"target": "teapot"}, {"method": "hirescam"}):
        assert fresh.answer(LION, None, {"framing": "crop"} | other).maps != first.maps
    assert fresh.answer(TOWER, None, {"framing": "crop"}).predictions != first.predictions
    assert fresh.answer(LION, "efficientnet_lite1", {"framing": "crop"}).maps != first.maps
    assert len(asked) == 6


class Held(LocalEngine):
    """Computes first maps when it may, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.maps = 0

    def run(self, job: Any, progress: Any = None) -> Any:
        if isinstance(job, FirstMap):
            self.maps += 1
            assert self.gate.wait(60)
        return super().run(job, progress)


def test_who_ask_the_same_at_the_same_time_share_one_computation(tmp_path):
    engine = Held()
    explainer = Explainer(
        Settings(model="efficientnet_lite0", lanes=2), engine=SharedEngine(engine)
    )
    answers = Answers(explainer, Offers(explainer))
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(Path(LION).read_bytes())
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(answers.answer, path, None, {}) for path in [LION, str(copy)] * 2]
        while not engine.maps:
            time.sleep(0.01)
        time.sleep(0.3)  # the others come meanwhile
        engine.gate.set()
        scenes = [one.result() for one in asked]
    assert engine.maps == 1
    assert len({scene.id for scene in scenes}) == 4
    assert all(scene.maps == scenes[0].maps for scene in scenes)


def test_a_photo_that_is_gone_is_said_to_be(answers, tmp_path):
    with pytest.raises(ImageError, match="no longer"):
        answers.answer(str(tmp_path / "gone.jpg"), None, {})


# ---------------------------------------------------------------- maps


def test_every_stage_and_label_by_default(answers, explainer, lion, token):
    answer = answers.maps({"id": token, "layers": None, "targets": None})
    json.dumps(answer, allow_nan=False)
    stages = [layer.name for layer in explainer.layers("efficientnet_lite0") if layer.stage]
    labels = [prediction.index for prediction in lion.predictions]
    sent = {(one["layer"], one["target"]): one for one in answer["maps"]}
    assert set(sent) == {(stage, label) for stage in stages for label in labels}
    assert same_map(sent[lion.layer.name, lion.target.index], lion.cam)


def test_the_explained_label_is_among_them_when_it_is_not_one_of_the_five(answers, explainer):
    answer = answers.maps(
        {
            "id": answers.answer(LION, None, {"target": "teapot"}).id,
            "layers": [STAGE],
            "targets": None,
        }
    )
    assert [label["label"] for label in answer["labels"]][-1] == "teapot"
    assert len(answer["labels"]) == 6


def test_an_added_label_comes_with_its_probability_and_all_stages(answers, explainer, lion, token):
    teapot = explainer.find_label("teapot")
    answer = answers.maps({"id": token, "layers": None, "targets": [teapot]})
    assert answer["labels"] == [
        {"index": teapot, "label": "teapot", "probability": float(lion.probabilities[teapot])}
    ]
    stages = [layer.name for layer in explainer.layers("efficientnet_lite0") if layer.stage]
    assert [one["layer"] for one in answer["maps"]] == stages


def test_a_finer_layer_comes_for_all_labels(answers, explainer, lion, token):
    answer = answers.maps({"id": token, "layers": [FINER], "targets": None})
    assert {one["layer"] for one in answer["maps"]} == {FINER}
    assert [one["target"] for one in answer["maps"]] == [each.index for each in lion.predictions]
    expected = explainer.explain(LION, layer=FINER).cam
    assert same_map(answer["maps"][0], expected)


def test_exact_sends_one_large_map_whole(answers, explainer, lion, token):
    question = {"id": token, "layers": ["blocks.0"], "targets": [291]}
    whole = lion.maps(["blocks.0"], [291])["blocks.0", 291]
    assert whole.shape == (112, 112)
    (averaged,) = answers.maps(question)["maps"]
    assert values(averaged).shape == (56, 56)
    (exact,) = answers.maps(question | {"exact": True})["maps"]
    assert (values(exact) == whole).all()
    # Only for one map at a time, and only for a plain yes.
    for more in ({"targets": [291, 292]}, {"exact": 1}, {"exact": "yes"}, {"exact": [True]}):
        answer = answers.maps(question | {"exact": True} | more)
        assert values(answer["maps"][0]).shape == (56, 56)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("blocks.3", "a list of names"),
        (3, "a list of names"),
        (True, "a list of names"),
        ({"blocks.3": 1}, "a list of names"),
        ([None], "a list of names"),
        ([3], "a list of names"),
        ([["blocks.3"]], "a list of names"),
        (["blocks.3", math.nan], "a list of names"),
        (["__class__"], "There is no layer '__class__'"),
        ([""], "There is no layer ''"),
        (["blocks"], "There is no layer 'blocks'"),
        (["blocks.3.__dict__"], "There is no layer"),
        (["blocks.3", "classifier"], "There is no layer 'classifier'"),
        (["x" * 100_000], "There is no layer"),
        ([], "number of layers"),
        (["blocks.3"] * 1000, "number of layers"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_layers_that_are_none_are_refused(answers, token, layers, message):
    answer = answers.maps({"id": token, "layers": layers, "targets": [291]})
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (291, "a list of label indices"),
        ("291", "a list of label indices"),
        ({"291": 1}, "a list of label indices"),
        (["291"], "There is no label '291'"),  # a text is a name
        (["x" * 100_000], "There is no label"),
        ([None], "a list of label indices"),
        ([291.0], "a list of label indices"),
        ([math.nan], "a list of label indices"),
        ([math.inf], "a list of label indices"),
        ([True], "a list of label indices"),
        ([False], "a list of label indices"),
        ([[291]], "a list of label indices"),
        ([1000], "0 to 999"),
        ([-1], "0 to 999"),
        ([291, 10**30], "0 to 999"),
        (list(range(9)), "1 to 8"),
        ([291] * 1_000_000, "1 to 8"),
        ([], "1 to 8"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_targets_that_are_none_are_refused(answers, token, targets, message):
    answer = answers.maps({"id": token, "layers": [STAGE], "targets": targets})
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400


def test_targets_go_by_their_names_too(answers, token):
    by_name = answers.maps({"id": token, "layers": [STAGE], "targets": ["tiger", 291, "lion"]})
    assert by_name == answers.maps({"id": token, "layers": [STAGE], "targets": [292, 291]})
    assert [one["label"] for one in by_name["labels"]] == ["tiger", "lion"]


def test_a_refusal_does_no_harm(answers, token):
    question = {"id": token, "layers": [STAGE], "targets": [291]}
    before = answers.maps(question)
    answers.maps({"id": token, "layers": ["__class__"], "targets": [True]})
    assert answers.maps(question) == before


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam"])
def test_maps_by_any_method(answers, explainer, token, method):
    question = {"id": token, "layers": None, "targets": None, "method": method}
    answer = answers.maps(question)
    assert {(one["method"], *one["versus"]) for one in answer["maps"]} == {(method,)}
    expected = explainer.explain(LION, layer=STAGE, target=291, method=method).cam
    (sent,) = (one for one in answer["maps"] if (one["layer"], one["target"]) == (STAGE, 291))
    assert same_map(sent, expected)


@pytest.mark.parametrize("layers", [None, [STAGE], [FINER]])
def test_the_map_of_two_logits(answers, explainer, token, layers):
    asked = {"targets": [291], "method": "layercam", "versus": [849]}
    answer = answers.maps({"id": token, "layers": layers} | asked)
    assert {(one["target"], *one["versus"]) for one in answer["maps"]} == {(291, 849)}
    layer = (layers or [STAGE])[0]
    expected = explainer.explain(LION, layer=layer, target=291, versus=849, method="layercam").cam
    (sent,) = (one for one in answer["maps"] if one["layer"] == layer)
    assert same_map(sent, expected)
    assert [label["index"] for label in answer["labels"]] == [291]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *[({"method": sent}, "The method must be a name") for sent in (7, True, ["gradcam"], "")],
        *[({"method": sent}, "There is no method") for sent in ("grad-cam", "__class__")],
        *[
            ({"versus": sent}, "Versus must be a list")
            for sent in ("291", True, [1.0], ["1"], 1.0, {1: 2})
        ],
        *[({"versus": [sent]}, "0 to 999") for sent in (-1, 1000, 10**30)],
        ({"versus": [291]}, "can't be compared with itself"),
        ({"versus": list(range(65))}, "1 to 64"),
        ({"strength": 1.5}, "0 to 1"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_methods_and_rivals_that_are_none_are_refused(answers, token, wrong, message):
    answer = answers.maps({"id": token, "layers": [STAGE], "targets": [291]} | wrong)
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400


def test_the_page_to_take_away_has_the_maps_of_the_method_that_is_shown(answers, token):
    for method in ("hirescam", None):
        shown = scene_in(answers.page({"id": token, "method": method})["html"])
        assert shown["method"] == (method or "gradcam")
        assert {one["method"] for one in shown["maps"]} == {shown["method"]}
    assert "The method must be a name" in answers.page({"id": token, "method": 7})["error"]


def test_a_glance_comes_from_the_bytes_of_the_display_copy(monkeypatch, answers, explainer, token):
    """They are not encoded again, and not decoded from the text that travelled."""
    seen: list[Any] = []
    explain = explainer.explain
    monkeypatch.setattr(
        explainer,
        "explain",
        lambda photo, *rest, **more: seen.append(photo) or explain(photo, *rest, **more),
    )
    answer = answers.look({"id": token, "framing": "20,10,220,240", "method": "layercam"})
    assert seen == [answers._kept[token].scene.photo]
    assert seen[0] is answers._kept[token].scene.photo
    assert {one["method"] for one in answer["maps"]} == {"layercam"}


# ---------------------------------------------------------------- hiding


def probabilities(answer: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(answer["probabilities"]), "<f4")


HIDDEN = [("blur", False), ("mean", True), ("noise", False)]


@pytest.mark.parametrize(("fill", "keep"), HIDDEN)
def test_hiding_gets_the_answer_of_the_model(answers, explainer, lion, token, fill, keep):
    question = {"id": token, "mask": text_of(PATCH), "fill": fill, "keep": keep}
    answer = answers.hide(question)
    json.dumps(answer, allow_nan=False)
    expected = lion.without(PATCH, fill, keep)
    found = probabilities(answer)
    assert found.shape == (1000,)
    assert (found == expected).all()
    best = int(expected.argmax())
    assert answer["first"] == {
        "index": best,
        "label": explainer.labels()[best],
        "probability": float(expected[best]),
    }
    assert set(answer) == {"probabilities", "first"}


@pytest.mark.parametrize(("fill", "keep"), HIDDEN)
def test_the_yardstick_comes_with_its_error_and_overlap(
    answers, explainer, lion, token, fill, keep
):
    question = {"id": token, "mask": text_of(PATCH), "fill": fill, "keep": keep}
    answer = answers.hide_elsewhere(question)
    json.dumps(answer, allow_nan=False)
    expected = lion.without_elsewhere(PATCH, fill, keep)
    assert (probabilities(answer) == expected.mean).all()
    errors = np.frombuffer(base64.b64decode(answer["errors"]), "<f4")
    assert (errors == expected.error).all()
    assert 0 < errors.max() < 1
    assert answer["overlap"] == expected.overlap
    assert set(answer) == {"probabilities", "errors", "overlap"}


def test_only_a_plain_yes_keeps_the_mask(answers, explainer, lion, token):
    question = {"id": token, "mask": text_of(PATCH), "fill": "mean"}
    hidden, kept = (lion.without(PATCH, "mean", keep) for keep in (False, True))
    assert hidden[291] != kept[291]
    for keep in (False, None, 1, "yes", [True]):
        assert (probabilities(answers.hide(question | {"keep": keep})) == hidden).all()
    assert (probabilities(answers.hide(question)) == hidden).all()
    assert (probabilities(answers.hide(question | {"keep": True})) == kept).all()


@pytest.mark.parametrize("ask", ["hide", "hide_elsewhere"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"mask": None}, "base64 of 224 x 224 bits"),
        ({"mask": ""}, "base64 of 224 x 224 bits"),
        ({"mask": 7}, "base64 of 224 x 224 bits"),
        ({"mask": [True] * 224**2}, "base64 of 224 x 224 bits"),
        ({"mask": text_of(PATCH)[:-4]}, "base64 of 224 x 224 bits"),
        ({"mask": "!" + text_of(PATCH)[1:]}, "base64 of 224 x 224 bits"),
        ({"mask": "é" + text_of(PATCH)[1:]}, "base64 of 224 x 224 bits"),
        ({"mask": text_of(np.ones((240, 240), bool))}, "base64 of 224 x 224 bits"),
        ({"mask": text_of(0 * PATCH)}, "Nothing of it is within what the model saw"),
        ({"fill": "black"}, "Allowed: blur, mean, noise"),
        ({"fill": None}, "Allowed: blur, mean, noise"),
        ({"fill": ["blur"]}, "Allowed: blur, mean, noise"),
        ({"fill": {"blur": 1}}, "Allowed: blur, mean, noise"),
        ({"fill": "x" * 100_000}, "Allowed: blur, mean, noise"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_can_not_be_hidden_is_refused(answers, token, ask, wrong, message):
    answer = getattr(answers, ask)({"id": token, "mask": text_of(PATCH), "fill": "blur"} | wrong)
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 200


def test_without_a_mask_or_a_filling_nothing_is_hidden(answers, token):
    assert "The mask must be" in answers.hide({"id": token, "fill": "blur"})["error"]
    assert "no fill None" in answers.hide({"id": token, "mask": text_of(PATCH)})["error"]


# ---------------------------------------------------------------- frames


def copy_of(answers: Answers, token: str) -> bytes:
    """The display copy of a scene, as a file."""
    return answers._kept[token].scene.photo


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"target": 849},  # teapot
        {"layer": STAGE, "target": 291},
        {"layer": FINER, "target": 291, "versus": [849]},
        {"versus": 291},
        {"framing": "whole"},
    ],
    ids=str,
)
def test_a_glance_is_what_the_model_sees_in_another_frame(answers, explainer, token, asked):
    asked = {"framing": "20,10,220,240"} | asked
    answer = answers.look({"id": token} | asked)
    json.dumps(answer, allow_nan=False)
    assert set(answer) == {"labels", "maps", "target"}
    expected = explainer.explain(copy_of(answers, token), **asked)
    assert answer["target"] == expected.target.index
    shown = {one.index: one.probability for one in expected.labels_shown()}
    assert {one["index"]: one["probability"] for one in answer["labels"]} == shown
    sent = {(one["layer"], one["target"]): one for one in answer["maps"]}
    cams = expected.maps_shown()
    assert list(sent) == list(cams)
    assert len(cams) == (2 if "versus" in asked else 1)
    assert all(same_map(sent[key], cam) for key, cam in cams.items())


def test_of_a_glance_nothing_is_kept(answers, token):
    before = answers._kept.copy(), answers._answers.copy()
    first, other = (
        answers.look({"id": token, "framing": framing}) for framing in ("0,0,99,99", "9,9,200,250")
    )
    assert first["labels"] != other["labels"]
    assert (answers._kept, answers._answers) == before


# ---------------------------------------------------------------- another scene

EXAMPLE = {"source": {"example": "Lion"}}


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_who_waits_for_a_turn_has_not_read_the_photo_yet(fresh: Answers, monkeypatch) -> None:
    read = []

    def content_of(path: str) -> bytes:
        read.append(path)
        return Path(path).read_bytes()

    monkeypatch.setattr(module, "content_of", content_of)
    with ExitStack() as places, ThreadPoolExecutor(1) as pool:
        for _ in range(PHOTO.places * (fresh.explainer.settings.lanes or 1)):
            places.enter_context(fresh.admission.place(PHOTO))
        opened = pool.submit(fresh.answer, LION, None, {})
        while not fresh.admission._waiting:
            assert not opened.done()
            time.sleep(0.01)
        assert read == []
        places.close()
        assert opened.result(60).target.label == "lion"
    assert read == [LION]


def test_an_example_is_opened_as_python_explains_it(answers, explainer, lion):
    scene = answers.open(EXAMPLE)
    json.dumps(scene, allow_nan=False)
    assert same_map(scene["maps"][0], lion.cam)
    assert (scene["name"], scene["example"]) == ("Lion", "Lion")
    assert scene["original"] == answers.offers.photos.address(LION)
    assert scene["complete"] is False
    asked = {"model": "efficientnet_lite1", "layer": STAGE, "method": "layercam"}
    asked |= {"target": "teapot", "versus": "291", "framing": "20,10,220,240"}
    scene = answers.open(EXAMPLE | asked)
    expected = explainer.explain(LION, **asked | {"versus": 291})
    assert (scene["layer"], scene["target"], scene["versus"]) == (STAGE, 849, [291])
    assert (scene["model"]["name"], scene["method"]) == ("efficientnet_lite1", "layercam")
    assert (scene["framing"], scene["natural_box"]) == ("20,10,220,240", [20, 10, 220, 240])
    assert scene["box"] == [47, 23, 516, 562]  # of a copy with 600 x 600 pixels, where it has 256
    assert same_map(scene["maps"][0], expected.cam)


def test_another_framing_is_a_scene_of_its_own(answers, explainer, lion):
    old = answers.open(EXAMPLE)
    asked = {"framing": "20,10,220,240", "layer": STAGE, "target": 849, "versus": 291}
    new = answers.open(EXAMPLE | asked)
    expected = explainer.explain(LION, **asked)
    assert new["id"] not in ("", old["id"])
    assert same_map(new["maps"][0], expected.maps_shown()[STAGE, 849])
    for name in ("photo", "size", "model", "name", "example", "code", "original"):
        assert new[name] == old[name], name
    # Both go on from there, each with its own input.
    question = {"layers": [STAGE], "targets": [291]}
    for content, explained in ((new, expected), (old, lion)):
        (packet,) = answers.maps({"id": content["id"]} | question)["maps"]
        assert same_map(packet, explained.maps([STAGE], [291])[STAGE, 291])
    back = answers.open(EXAMPLE | {"framing": "crop"})
    assert same_map(back["maps"][0], lion.cam)
    assert back["versus"] == []


def test_an_upload_keeps_its_address(answers, lion, uploads):
    path = uploads / "mine.jpg"
    path.write_bytes(Path(LION).read_bytes())
    upload = {"source": {"path": str(path)}}
    old, new = answers.open(upload), answers.open(upload | {"framing": "whole"})
    assert new["original"] == old["original"] == answers.offers.photos.address(str(path))
    assert (new["name"], new["example"]) == ("", "")
    assert "mine" not in json.dumps(new)
    assert same_map(old["maps"][0], lion.cam)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "There is no such photo here"),
        ({"example": "Dog"}, "There is no such photo here"),
        ({"path": "/etc/passwd"}, "This photo is no longer on the server"),
        ({"path": "{folder}"}, "This photo is no longer on the server"),
        ({"path": "http://photos.example/lion.jpg"}, "This photo is no longer on the server"),
        ({"path": "{folder}/page.html"}, "not a photo that can be read"),
        ({"path": "{folder}/empty.jpg"}, "not a photo that can be read"),
    ],
    ids=str,
)
def test_what_is_no_photo_of_ours_is_not_opened(fresh, uploads, source, message):
    (uploads / "page.html").write_text("<html>")
    (uploads / "empty.jpg").write_bytes(b"")
    if source and "path" in source:
        source = {"path": source["path"].replace("{folder}", str(uploads))}
    answer = fresh.open({"source": source})
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert str(uploads) not in answer["error"]
    assert not fresh._kept


def test_a_glance_stays_with_the_model(answers, explainer):
    old = answers.answer(LION, "efficientnet_lite1", {})
    question = {"id": old.id, "framing": "20,10,220,240"}
    seen = explainer.explain(
        copy_of(answers, old.id), "efficientnet_lite1", framing="20,10,220,240"
    )
    for more in ({}, {"model": "efficientnet_lite0"}):  # whatever is asked
        (packet,) = answers.look(question | more)["maps"]
        assert same_map(packet, seen.cam)


def test_a_glance_counts_the_pixels_of_the_copy_and_an_explanation_those_of_the_photo(
    answers, uploads
):
    path = uploads / "large.png"
    Image.open(LION).resize((1600, 2000)).save(path)  # its copy has 1024 x 1280
    token = answers.answer(str(path), None, {}).id
    assert "maps" in answers.look({"id": token, "framing": "0,0,1024,1280"})
    refused = answers.look({"id": token, "framing": "0,0,1025,1280"})
    assert "not within the photo of 1024 x 1280" in refused["error"]
    content = answers.open({"source": {"path": str(path)}, "framing": "400,1000,1600,2000"})
    assert content["framing"] == "400,1000,1600,2000"
    assert content["box"] == [256, 640, 1024, 1280]


@pytest.mark.parametrize("ask", ["look", "open"])
@pytest.mark.parametrize(("wrong", "message"), OF_ANOTHER_TYPE, ids=str)
def test_questions_of_another_type_are_refused(answers, token, ask, wrong, message):
    answer = getattr(answers, ask)({"id": token, **EXAMPLE} | wrong)
    assert answer == {"error": message}


@pytest.mark.parametrize("ask", ["look", "open"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"framing": ""}, "There is no framing ''"),
        ({"framing": "middle"}, "crop, whole, fit, left,top,right,bottom"),
        ({"framing": "1,2,3"}, "crop, whole, fit, left,top,right,bottom"),
        ({"framing": "-1,0,5,5"}, "crop, whole, fit, left,top,right,bottom"),
        ({"framing": "1," * 100_000}, "crop, whole, fit, left,top,right,bottom"),
        ({"framing": "\ud800"}, "crop, whole, fit, left,top,right,bottom"),
        ({"framing": "0,0,0,0"}, "The frame 0,0,0,0 has no area"),
        ({"framing": "9,0,5,5"}, "The frame 9,0,5,5 has no area"),
        ({"framing": "0,0,600,601"}, "not within the photo of "),  # nor within its copy
        ({"framing": "999999,0,999999,5"}, "has no area"),
        ({"layer": "__class__"}, "There is no layer '__class__'"),
        ({"layer": ""}, "There is no layer ''"),
        ({"layer": "x" * 100_000}, "There is no layer"),
        ({"method": "__class__"}, "There is no method '__class__'"),
        ({"method": ""}, "There is no method ''"),
        ({"target": "lino"}, "There is no label 'lino'"),
        ({"target": ""}, "There is no label ''"),
        ({"versus": "1000"}, "0 to 999"),
        ({"target": 1000}, "0 to 999"),
        ({"target": -1}, "0 to 999"),
        ({"target": 10**30}, "0 to 999"),
        ({"versus": 1000}, "0 to 999"),
        ({"target": 291, "versus": 291}, "'lion' can't be compared with itself"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_frames_layers_and_labels_that_are_none_are_refused(answers, token, ask, wrong, message):
    before = list(answers._kept), list(answers._answers)
    answer = getattr(answers, ask)({"id": token, **EXAMPLE} | wrong)
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400
    assert (list(answers._kept), list(answers._answers)) == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("lenet", "There is no model 'lenet'"),
        ("", "There is no model ''"),
        ("x" * 9999, "no model"),
    ],
)
def test_a_model_that_is_none_is_refused(answers, model, message):
    answer = answers.open(EXAMPLE | {"model": model})
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400


def test_a_photo_that_was_deleted_can_be_glanced_at_and_not_explained(answers, uploads):
    path = uploads / "lion.jpg"
    path.write_bytes(Path(LION).read_bytes())
    upload = {"source": {"path": str(path)}}
    token = answers.open(upload)["id"]
    path.unlink()
    answer = answers.open(upload | {"framing": "20,10,220,240"})
    assert list(answer) == ["error"]
    assert "no longer on the server" in answer["error"]
    assert str(uploads) not in answer["error"]
    assert "maps" in answers.look({"id": token, "framing": "20,10,220,240"})
    assert "probabilities" in answers.hide({"id": token, "mask": text_of(PATCH), "fill": "blur"})


def test_two_sessions_do_not_get_each_others_answers(answers, explainer, lion):
    tower = explainer.explain(TOWER)
    tokens = [answers.answer(path, None, {}).id for path in (LION, TOWER)]
    for token, path, explained in zip(tokens, (LION, TOWER), (lion, tower), strict=True):
        question = {"id": token, "mask": text_of(PATCH), "fill": "blur"}
        assert (probabilities(answers.hide(question)) == explained.without(PATCH)).all()
        framed = explainer.explain(path, framing="20,10,220,240")
        edges = [round(edge * 600 / max(explained.image.size)) for edge in (20, 10, 220, 240)]
        answer = answers.look({"id": token, "framing": ",".join(map(str, edges))})  # of its copy
        assert answer["target"] == framed.target.index
        shown = answer["labels"][0]["probability"]
        assert shown == pytest.approx(framed.target.probability, abs=0.05)  # of a JPEG
    assert lion.target != tower.target


# ---------------------------------------------------------------- page, labels, deck


def test_the_page_to_take_away_is_complete_and_tells_no_secret(answers, lion):
    content = answers.answer(
        LION, None, {}, name="Lion", example="Lion", original="gradio_api/file=/tmp/x.jpg"
    )
    html = answers.page({"id": content.id})["html"]
    shown = scene_in(html)
    assert shown["complete"] is True
    assert len(shown["maps"]) == len(lion.scene().maps)
    assert content.id not in html  # it opens the server's memory to whoever gets the file
    assert "gradio_api" not in html
    assert shown["name"] == "Lion"


def test_labels_are_all_thousand_in_order(answers, explainer):
    labels = answers.labels({"model": "efficientnet_lite0"})["labels"]
    assert len(labels) == 1000
    assert labels[explainer.find_label("lion")] == "lion"


# ---------------------------------------------------------------- a deck


@pytest.fixture(scope="module")
def deck(explainer: Explainer) -> Answers:
    """What answers over a deck of two photos."""
    photos = {"a lion": LION, "a tower": TOWER}
    answers = Answers(explainer, Offers(explainer, photos))
    prepare(answers, photos)
    return answers


@pytest.fixture
def explained(deck: Answers, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What is explained once the deck is there."""
    asked: list[dict] = []
    explain = deck.explainer.explain

    def counting(photo: Any, **question: Any) -> Explanation:
        asked.append(question)
        return explain(photo, **question)

    monkeypatch.setattr(deck.explainer, "explain", counting)
    return asked


A_LION = {"source": {"example": "a lion"}}


def test_what_of_a_deck_is_no_photo_is_left_out_and_told(explainer, tmp_path, caplog):
    """A damaged one, a folder of a photo's name, what a Mac leaves beside each, an empty one."""
    (tmp_path / "a lion.jpg").write_bytes(Path(LION).read_bytes())
    (tmp_path / "broken.jpg").write_bytes(Path(LION).read_bytes()[:3000])
    (tmp_path / "album.jpg").mkdir()
    (tmp_path / "._a lion.jpg").write_bytes(b"\0\5\x16\7")
    (tmp_path / "z.png").touch()
    photos = photos_in(tmp_path)
    assert len(photos) == 5
    answers = Answers(explainer, Offers(explainer, photos))
    prepare(answers, photos)
    start = answers.offers.start(None)
    assert [one["name"] for one in start["examples"]] == ["a lion"]
    assert start["opening"] == "a lion"
    assert start["skipped"] == (
        "Left out, since it can't be read as a photo: ._a lion.jpg, album.jpg, broken.jpg, z.png."
    )
    assert [each.message for each in caplog.records].count(start["skipped"]) == 1
    assert answers.open(A_LION)["name"] == "a lion"
    assert "no such photo" in answers.open({"source": {"example": "broken"}})["error"]


def test_a_deck_of_what_is_no_photo_is_refused(explainer, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    photos = photos_in(tmp_path)
    with pytest.raises(CamdemoError, match=r"no photo for the deck.*: broken\.jpg"):
        prepare(Answers(explainer, Offers(explainer, photos)), photos)


def test_a_deck_answers_from_memory_and_is_never_forgotten(monkeypatch, deck, explained):
    monkeypatch.setattr(module, "_KEPT", 1)
    shown = [deck.open({"source": {"example": name}}) for name in ("a lion", "a tower")]
    assert [scene["name"] for scene in shown] == ["a lion", "a tower"]
    assert explained == []
    for number in range(3):
        deck.answer(LION, None, {"target": number})
    for scene in shown:
        assert scene["complete"] is True
        answer = deck.maps({"id": scene["id"], "layers": [FINER], "targets": [291]})
        assert len(answer["maps"]) == 1


@pytest.mark.parametrize(
    "asked",
    [
        *({}, {"layer": None, "target": None, "versus": None}, {"layer": STAGE}),
        {"model": "efficientnet_lite0", "method": "gradcam", "framing": "crop"},
        {"model": "efficientnet_lite0", "layer": "blocks.0"},
    ],
    ids=str,
)
def test_a_deck_has_the_usual_question_at_every_stage(deck, explained, lion, asked):
    scene = deck.open(A_LION | asked)
    assert scene["complete"] is True
    assert explained == []
    assert scene["layer"] == (asked.get("layer") or lion.layer.name)
    sent = {(one["layer"], one["target"]): one for one in scene["maps"]}
    assert (scene["layer"], scene["target"]) in sent
    assert deck.open(A_LION)["layer"] == lion.layer.name  # the deck stays as it was prepared


@pytest.mark.parametrize(
    "asked",
    [
        *({"layer": FINER}, {"framing": "whole"}, {"framing": "20,10,220,240"}, {"versus": 849}),
        *({"target": 849}, {"target": "tiger"}, {"method": "hirescam"}),
        {"model": "efficientnet_lite1"},
    ],
    ids=str,
)
def test_what_a_deck_has_not_is_explained(deck, explained, asked):
    scene = deck.open(A_LION | asked)
    assert scene["complete"] is False
    assert len(explained) == 1
    assert (scene["name"], scene["example"]) == ("a lion", "a lion")
    expected = deck.explainer.explain(LION, **asked)
    sent = {(one["layer"], one["target"]): one for one in scene["maps"]}
    for key, cam in expected.maps_shown().items():
        assert same_map(sent[key], cam)


def test_a_photo_of_a_deck_can_be_asked_back_and_looked_at(deck, lion):
    token = deck.open(A_LION)["id"]
    answer = deck.hide({"id": token, "mask": text_of(PATCH), "fill": "mean"})
    assert (probabilities(answer) == lion.without(PATCH, "mean")).all()
    assert "maps" in deck.look({"id": token, "framing": "20,10,220,240"})
    assert scene_in(deck.page({"id": token})["html"])["name"] == "a lion"


@pytest.mark.parametrize("name", ["Lion", "", 0, None, ["a lion"], LION], ids=str)
def test_what_is_not_in_the_deck_is_refused(deck, name):
    answer = deck.open({"source": {"example": name}})
    assert answer == {"error": "There is no such photo here. Choose an example, or upload one."}
