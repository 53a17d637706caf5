"""What the server tells the browsers: to each its own, and to nobody more than is allowed."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image

from camdemo import Explainer, Explanation, ImageError, Settings
from camdemo.ui import scenes as module
from camdemo.ui.scenes import EXPIRED, Scenes

STAGE = "blocks.3"
FINER = "blocks.5.1.conv_pw"
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


@pytest.fixture
def scenes(explainer: Explainer) -> Scenes:
    return Scenes(explainer)


@pytest.fixture
def token(scenes: Scenes, lion: Explanation) -> str:
    return scenes.answer(LION, None, {})["id"]


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


def test_every_scene_has_a_token_that_nobody_can_guess(scenes, lion):
    tokens = [scenes.answer(LION, None, {})["id"] for _ in range(20)]
    assert len(set(tokens)) == 20
    assert all(len(token) >= 20 for token in tokens)  # 16 random bytes in base64
    # Random in every place, not a counter behind a fixed start.
    assert min(len(set(letters)) for letters in zip(*tokens, strict=False)) > 3


@pytest.mark.parametrize("ask", ["maps", "page"])
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
def test_an_unknown_token_is_refused_with_one_sentence(scenes, lion, ask, question):
    scenes.answer(LION, None, {})
    if isinstance(question, dict):
        question = {"layers": None, "targets": None} | question
    assert getattr(scenes, ask)(question) == {"error": EXPIRED}


def test_a_token_is_not_found_by_a_part_or_by_another_case(scenes, token):
    for near in (token[:-1], token + "a", token.swapcase(), f" {token}", [token], {token: 1}):
        assert scenes.maps({"id": near}) == {"error": EXPIRED}
    assert "maps" in scenes.maps({"id": token})


def test_two_sessions_do_not_get_each_others_maps(scenes, explainer, lion, tower):
    one, other = (
        scenes.answer(LION, None, {})["id"],
        scenes.answer(TOWER, "efficientnet_lite1", {})["id"],
    )
    for token, explained in ((other, tower), (one, lion), (other, tower)):
        answer = scenes.maps({"id": token, "layers": [STAGE], "targets": [291]})
        (packet,) = answer["maps"]
        assert same_map(packet, explainer.maps(explained, [STAGE], [291])[STAGE, 291])
        assert answer["labels"][0]["probability"] == explained.probabilities[291]
    assert lion.probabilities[291] > tower.probabilities[291] + 0.5


def test_the_least_used_scenes_are_forgotten_first(monkeypatch, scenes, lion):
    monkeypatch.setattr(module, "_KEPT", 3)
    first, second, third = (scenes.answer(LION, None, {})["id"] for _ in range(3))
    question = {"layers": [STAGE], "targets": [291]}
    assert "maps" in scenes.maps({"id": first} | question)  # used again, so it stays
    fourth = scenes.answer(LION, None, {})["id"]
    assert scenes.maps({"id": second} | question) == {"error": EXPIRED}
    for token in (first, third, fourth):
        assert "maps" in scenes.maps({"id": token} | question)
    assert len(scenes._kept) == 3


def test_what_is_kept_holds_no_photo(scenes, lion):
    token = scenes.answer(LION, None, {})["id"]
    explanation, _ = scenes._kept[token]
    assert explanation.image.size == (1, 1)
    ((_, (kept, _)),) = scenes._answers.items()
    assert kept.image.size == (1, 1)


def test_the_same_question_is_explained_once(monkeypatch, scenes, explainer, tmp_path):
    asked: list[str | None] = []
    explain = explainer.explain

    def counting(photo: Any, model: str | None, **question: Any) -> Explanation:
        asked.append(model)
        return explain(photo, model, **question)

    monkeypatch.setattr(explainer, "explain", counting)
    copy = tmp_path / "another name.jpg"
    copy.write_bytes(Path(LION).read_bytes())
    first = scenes.answer(LION, None, {"framing": "crop"}, name="Lion")
    again = scenes.answer(str(copy), "efficientnet_lite0", {"framing": "crop"})
    assert len(asked) == 1
    assert (first["name"], again["name"]) == ("Lion", "")  # the numbers are shared, and no more
    assert first["id"] != again["id"]
    assert first["maps"] == again["maps"]
    for other in ({"framing": "whole"}, {"framing": "crop", "target": "teapot"}):
        assert scenes.answer(LION, None, other)["maps"] != first["maps"]
    assert scenes.answer(TOWER, None, {"framing": "crop"})["labels"] != first["labels"]
    assert scenes.answer(LION, "efficientnet_lite1", {"framing": "crop"})["maps"] != first["maps"]
    assert len(asked) == 5


def test_a_photo_that_is_gone_is_said_to_be(scenes, tmp_path):
    with pytest.raises(ImageError, match="no longer"):
        scenes.answer(str(tmp_path / "gone.jpg"), None, {})


# ---------------------------------------------------------------- maps


def test_every_stage_and_label_by_default(scenes, explainer, lion, token):
    answer = scenes.maps({"id": token, "layers": None, "targets": None})
    json.dumps(answer, allow_nan=False)
    stages = [layer.name for layer in explainer.layers("efficientnet_lite0") if layer.stage]
    labels = [prediction.index for prediction in lion.predictions]
    sent = {(one["layer"], one["target"]): one for one in answer["maps"]}
    assert set(sent) == {(stage, label) for stage in stages for label in labels}
    assert same_map(sent[lion.layer.name, lion.target.index], lion.cam)


def test_the_explained_label_is_among_them_when_it_is_not_one_of_the_five(scenes, explainer):
    answer = scenes.maps(
        {
            "id": scenes.answer(LION, None, {"target": "teapot"})["id"],
            "layers": [STAGE],
            "targets": None,
        }
    )
    assert [label["label"] for label in answer["labels"]][-1] == "teapot"
    assert len(answer["labels"]) == 6


def test_an_added_label_comes_with_its_probability_and_all_stages(scenes, explainer, lion, token):
    teapot = explainer.find_label("teapot")
    answer = scenes.maps({"id": token, "layers": None, "targets": [teapot]})
    assert answer["labels"] == [
        {"index": teapot, "label": "teapot", "probability": float(lion.probabilities[teapot])}
    ]
    stages = [layer.name for layer in explainer.layers("efficientnet_lite0") if layer.stage]
    assert [one["layer"] for one in answer["maps"]] == stages


def test_a_finer_layer_comes_for_all_labels(scenes, explainer, lion, token):
    answer = scenes.maps({"id": token, "layers": [FINER], "targets": None})
    assert {one["layer"] for one in answer["maps"]} == {FINER}
    assert [one["target"] for one in answer["maps"]] == [each.index for each in lion.predictions]
    expected = explainer.explain(LION, layer=FINER).cam
    assert same_map(answer["maps"][0], expected)


def test_exact_sends_one_large_map_whole(scenes, explainer, lion, token):
    question = {"id": token, "layers": ["blocks.0"], "targets": [291]}
    whole = explainer.maps(lion, ["blocks.0"], [291])["blocks.0", 291]
    assert whole.shape == (112, 112)
    (averaged,) = scenes.maps(question)["maps"]
    assert values(averaged).shape == (56, 56)
    (exact,) = scenes.maps(question | {"exact": True})["maps"]
    assert (values(exact) == whole).all()
    # Only for one map at a time, and only for a plain yes.
    for more in ({"targets": [291, 292]}, {"exact": 1}, {"exact": "yes"}, {"exact": [True]}):
        answer = scenes.maps(question | {"exact": True} | more)
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
def test_layers_that_are_none_are_refused(scenes, token, layers, message):
    answer = scenes.maps({"id": token, "layers": layers, "targets": [291]})
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (291, "a list of label indices"),
        ("291", "a list of label indices"),
        ({"291": 1}, "a list of label indices"),
        (["291"], "a list of label indices"),
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
def test_targets_that_are_none_are_refused(scenes, token, targets, message):
    answer = scenes.maps({"id": token, "layers": [STAGE], "targets": targets})
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert len(answer["error"]) < 400


def test_a_refusal_does_no_harm(scenes, token):
    question = {"id": token, "layers": [STAGE], "targets": [291]}
    before = scenes.maps(question)
    scenes.maps({"id": token, "layers": ["__class__"], "targets": [True]})
    assert scenes.maps(question) == before


# ---------------------------------------------------------------- page, labels, deck


def test_the_page_to_take_away_is_complete_and_tells_no_secret(scenes, lion):
    content = scenes.answer(
        LION, None, {}, name="Lion", example="Lion", original="gradio_api/file=/tmp/x.jpg"
    )
    html = scenes.page({"id": content["id"]})["html"]
    start = html.index(".show(") + len(".show(")
    shown, _ = json.JSONDecoder().raw_decode(html, start)
    assert shown["complete"] is True
    assert len(shown["maps"]) == len(lion.scene()["maps"])
    assert content["id"] not in html  # it opens the server's memory to whoever gets the file
    assert "gradio_api" not in html
    assert shown["name"] == "Lion"


def test_labels_are_all_thousand_in_order(scenes, explainer):
    labels = scenes.labels()
    assert len(labels) == 1000
    assert labels[explainer.find_label("lion")] == "lion"


def test_a_deck_is_complete_and_never_forgotten(monkeypatch, scenes, lion):
    monkeypatch.setattr(module, "_KEPT", 1)
    scenes.prepare({"a lion": LION, "a tower": TOWER})
    shown = [scenes.deck_scene({"place": place}) for place in range(2)]
    assert [content["name"] for content in shown] == ["a lion", "a tower"]
    for _ in range(3):
        scenes.answer(LION, None, {})
    for content in shown:
        assert content["complete"] is True
        answer = scenes.maps({"id": content["id"], "layers": [FINER], "targets": [291]})
        assert len(answer["maps"]) == 1


@pytest.mark.parametrize("place", [-1, 2, 10**30, 0.0, math.nan, "0", None, True, [0]], ids=str)
def test_a_place_outside_the_deck_is_refused(explainer, place):
    scenes = Scenes(explainer)
    scenes.deck = [{"name": "one"}, {"name": "two"}]
    assert scenes.deck_scene({"place": place}) == {"error": "The deck has 2 photos."}
    assert scenes.deck_scene(place) == {"error": "The deck has 2 photos."}
    assert scenes.deck_scene({"place": 1}) == {"name": "two"}
