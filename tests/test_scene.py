"""What travels to the browser: exact where it is cheap, close enough elsewhere, plain JSON."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from camdemo import Box, Explainer, Explanation, Prediction, Settings, options, picture
from camdemo.question import Look
from camdemo.viewer import scene

LION = get_image("lion.jpg")


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.fixture(scope="module")
def explanation(explainer: Explainer) -> Explanation:
    return explainer.explain(LION)


def random_map(height: int, width: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(0.01, 3, (height, width)).astype(np.float32)


def packet(cam: np.ndarray, exact: bool = False) -> dict[str, Any]:
    (only,) = scene.packets({("layer", 291): cam}, "gradcam", exact=exact)
    assert (only["layer"], only["target"]) == ("layer", 291)
    assert (only["method"], only["versus"], only["strength"]) == ("gradcam", [], 1)
    return json.loads(json.dumps(only, allow_nan=False))


def decode(packet: dict[str, Any]) -> np.ndarray:
    """What maps.js does."""
    data = base64.b64decode(packet["data"])
    shape = packet["height"], packet["width"]
    if packet["type"] == "f4":
        return np.frombuffer(data, "<f4").reshape(shape)
    return np.frombuffer(data, "<i2").reshape(shape) / 32767 * packet["largest"]


# ---------------------------------------------------------------- packets


@pytest.mark.parametrize("shape", [(1, 2), (7, 7), (14, 14), (28, 28), (3, 28), (28, 5)])
def test_small_maps_travel_as_they_are(shape):
    cam = random_map(*shape)
    sent = packet(cam)
    assert sent["type"] == "f4"
    assert (decode(sent) == cam).all()


@pytest.mark.parametrize("shape", [(29, 29), (35, 35), (56, 56), (7, 29), (56, 3)])
def test_larger_maps_travel_in_fine_steps(shape):
    cam = random_map(*shape)
    sent = packet(cam)
    assert sent["type"] == "i2"
    step = np.abs(cam).max() / 32767
    assert np.abs(decode(sent) - cam).max() <= 0.501 * step
    # a shade of the palette is 255 times coarser than what may be lost
    assert step < np.ptp(cam) / 255 / 100


@pytest.mark.parametrize("cam", [np.zeros((40, 40)), -np.ones((40, 40)), np.full((40, 40), 1e-30)])
def test_steps_of_maps_without_a_scale(cam):
    cam = cam.astype(np.float32)
    np.testing.assert_allclose(decode(packet(cam)), cam, rtol=1e-4)


def test_transposed_and_flipped_maps_travel_the_right_way_round():
    cam = random_map(9, 5).T[:, ::-1]  # a view, of which no row is contiguous
    assert (decode(packet(cam)) == cam).all()


@pytest.mark.parametrize(
    ("shape", "sent"), [((112, 112), (56, 56)), ((168, 20), (56, 20)), ((14, 224), (14, 56))]
)
def test_the_largest_maps_are_averaged(shape, sent):
    cam = random_map(*shape)
    down, across = shape[0] // sent[0], shape[1] // sent[1]
    means = cam.reshape(sent[0], down, sent[1], across).mean(axis=(1, 3))
    got = packet(cam)
    assert (got["height"], got["width"]) == sent
    np.testing.assert_allclose(decode(got), means, atol=np.abs(means).max() / 32767)


@pytest.mark.parametrize("shape", [(57, 57), (149, 147), (300, 61)])
def test_averaging_keeps_the_total_where_sizes_do_not_divide(shape):
    cam = random_map(*shape) + 1
    got = decode(packet(cam))
    assert got.shape == (min(shape[0], 56), min(shape[1], 56))
    assert got.mean() == pytest.approx(cam.mean(), abs=1e-3)


@pytest.mark.parametrize("shape", [(7, 7), (56, 56), (112, 112), (149, 147)])
def test_exact_sends_every_number(shape):
    cam = random_map(*shape)
    assert (decode(packet(cam, exact=True)) == cam).all()


def test_one_explanation_is_under_300_kb_beside_the_photo(explainer):
    stages = [layer for layer in explainer.layers("mobilenet_v2") if layer.stage]
    assert len(stages) == 19
    maps = {
        (layer.name, target): random_map(layer.height, layer.width, target)
        for layer in stages
        for target in range(5)
    }
    sent = scene.packets(maps, "gradcam")
    assert [(one["layer"], one["target"]) for one in sent] == list(maps)
    assert len(json.dumps(sent)) < 300_000


def test_palettes_are_those_of_the_server():
    sent = scene.palettes()
    assert list(sent) == [*options.find(Look, "colormap").names, "signed"]
    for name, data in sent.items():
        evidence = "signed" if name == "signed" else "positive"
        expected = picture.palette("jet" if name == "signed" else name, evidence)
        assert base64.b64decode(data) == expected.tobytes()


def test_each_label_travels_once():
    lion, tiger = Prediction(291, "lion", 0.9), Prediction(292, "tiger", 0.05)
    sent = scene.labels([lion, tiger, lion])
    assert [label["index"] for label in sent] == [291, 292]
    assert sent[0] == {"index": 291, "label": "lion", "probability": 0.9}


# ---------------------------------------------------------------- scenes


def keys(content: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one["layer"], one["target"]) for one in content["maps"]]


def display_copy(content: dict[str, Any]) -> Image.Image:
    kind, _, data = content["photo"].partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize("target", [None, "lion", "teapot"])
def test_a_complete_scene_has_every_stage_and_label(explainer, target):
    explained = explainer.explain(LION, target=target)
    content = json.loads(json.dumps(explained.scene().as_json(), allow_nan=False))
    labels = [label["index"] for label in content["labels"]]
    assert len(labels) == len(set(labels)) == (6 if target == "teapot" else 5)
    assert labels[:5] == [prediction.index for prediction in explained.predictions]
    stages = [layer["name"] for layer in content["layers"] if layer["stage"]]
    assert len(stages) > 5
    assert set(keys(content)) == {(stage, label) for stage in stages for label in labels}
    assert content["complete"] is True
    assert (content["layer"], content["target"]) == (explained.layer.name, explained.target.index)
    sent = content["maps"][keys(content).index((explained.layer.name, explained.target.index))]
    assert (decode(sent) == explained.cam).all()


def test_a_finer_layer_is_complete_too(explainer):
    explained = explainer.explain(LION, layer="blocks.5.1.conv_pw")
    content = explained.scene().as_json()
    labels = [label["index"] for label in content["labels"]]
    assert not explained.layer.stage
    assert {(explained.layer.name, label) for label in labels} <= set(keys(content))


def test_the_first_scene_has_the_one_map(explanation):
    content = explanation.scene(complete=False).as_json()
    assert keys(content) == [(explanation.layer.name, explanation.target.index)]
    assert content["complete"] is False


def test_a_duel_has_the_maps_of_both_labels(explainer):
    duel = explainer.explain(LION, target="lion", versus="teapot")
    content = json.loads(json.dumps(duel.scene(complete=False).as_json(), allow_nan=False))
    lion, teapot = duel.target.index, duel.versus[0].index
    assert (content["target"], content["versus"]) == (lion, [teapot])
    assert keys(content) == [("bn2", lion), ("bn2", teapot)]
    own, rival = (decode(one) for one in content["maps"])
    assert np.abs(own - rival - duel.cam).max() <= 1e-5 * np.ptp(duel.cam)
    assert [label["label"] for label in content["labels"]][5:] == ["teapot"]
    complete = duel.scene().as_json()
    stages = [layer["name"] for layer in complete["layers"] if layer["stage"]]
    assert {(stage, label) for stage in stages for label in (lion, teapot)} <= set(keys(complete))


def test_a_frame_is_in_the_scene(explainer):
    photo = Image.open(LION).resize((2560, 2560))
    content = explainer.explain(photo, framing=Box(100, 300, 900, 1100))
    content = content.scene(complete=False).as_json()
    assert content["framing"] == "100,300,900,1100"  # of the photo
    assert content["box"] == [50, 150, 450, 550]  # of the display copy


def test_a_scene_says_what_it_shows(explanation):
    content = explanation.scene(complete=False).as_json()
    facts = {"activation": "softmax", "vocabulary": "ImageNet", "note": ""}
    assert content["model"] == {
        "name": "efficientnet_lite0",
        "title": "EfficientNet-Lite0",
        **facts,
    }
    assert content["size"] == explanation.image.size
    assert content["framing"] == "crop"
    assert content["input_size"] == (224, 224)
    assert content["versus"] == []
    assert explanation.layer.text in content["facts"]
    assert "torch 2." in content["versions"]
    # No path of this machine in what people pass on.
    assert "gradio" not in json.dumps({name: content[name] for name in content if name != "photo"})


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((3200, 2000), (1280, 800)),
        ((2600, 1300), (1280, 640)),
        ((1280, 900), (1280, 900)),
        ((601, 400), (601, 400)),
        # small ones are enlarged until the longer side has 600
        ((599, 300), (600, 301)),
        ((30, 30), (600, 600)),
        ((20, 30), (400, 600)),
        ((5, 4), (600, 480)),
        ((1, 1), (600, 600)),
        ((1, 500), (1, 600)),
        # of long ones the shorter side has 600 where the photo has them
        ((3000, 1000), (1800, 600)),
        ((1000, 4000), (600, 2400)),
        ((2000, 500), (2000, 500)),
        ((1000, 200), (1000, 200)),
        # but no more pixels in all than 1280 x 1280: 1280 / sqrt(4000 * 600) is 0.8262
        ((4000, 600), (3305, 496)),
        ((600, 4000), (496, 3305)),
        # and none is longer than a graphics card can draw
        ((20000, 3), (4096, 1)),
        ((9000, 90), (4096, 41)),
    ],
)
def test_the_display_copy_has_the_pixels_that_are_worth_it(explainer, size, shown):
    explained = explainer.explain(Image.new("RGB", size, (200, 30, 30)))
    content = explained.scene(complete=False).as_json()
    assert content["size"] == size
    copy = display_copy(content)
    assert copy.size == shown
    assert np.abs(np.asarray(copy, int) - (200, 30, 30)).max() <= 4
    box, across, down = explained.box, shown[0] / size[0], shown[1] / size[1]
    edges = [box.left * across, box.top * down, box.right * across, box.bottom * down]
    assert np.abs(np.subtract(content["box"], edges)).max() <= 1
    assert content["natural_box"] == [box.left, box.top, box.right, box.bottom]
    left, top, right, bottom = content["box"]
    assert 0 <= left < right <= shown[0]
    assert 0 <= top < bottom <= shown[1]


def test_a_box_in_the_corner_moves_with_the_photo(explanation):
    image = Image.new("RGB", (3200, 2400))
    corner = Explanation(**{**vars(explanation), "image": image, "box": Box(2000, 0, 3200, 1200)})
    content = corner.scene(complete=False).as_json()
    assert content["box"] == [800, 0, 1280, 480]
    assert content["natural_box"] == [2000, 0, 3200, 1200]


# ---------------------------------------------------------------- the record


def test_a_scene_can_not_be_changed(explanation):
    shown = explanation.scene(complete=False)
    with pytest.raises(FrozenInstanceError):
        shown.facts = "other"
    other = replace(shown, name="Lion", id="token")
    assert (other.as_json()["name"], other.as_json()["id"]) == ("Lion", "token")
    assert (shown.name, shown.id) == ("", "")


def test_there_is_one_serialisation(explanation):
    shown = explanation.scene()
    assert json.loads(shown.to_json()) == json.loads(json.dumps(shown.as_json()))


def test_the_display_copy_is_encoded_once(monkeypatch, explanation):
    """And what travels are the very bytes that the record holds."""
    encoded: list[bytes] = []
    jpeg = picture.jpeg
    monkeypatch.setattr(picture, "jpeg", lambda photo: encoded.append(jpeg(photo)) or encoded[-1])
    shown = explanation.scene()
    texts = {shown.to_json(), replace(shown, name="Lion").to_json(), shown.to_json()}
    assert len(texts) == 2
    assert encoded == [shown.photo]
    assert base64.b64decode(shown.as_json()["photo"].partition(",")[2]) == shown.photo


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "layercam"])
def test_a_scene_says_by_which_method_its_maps_are(explainer, method):
    content = explainer.explain(LION, layer="blocks.3", method=method).scene().as_json()
    assert content["method"] == method
    assert {one["method"] for one in content["maps"]} == {method}


def test_a_duel_by_a_method_that_is_not_linear_has_its_own_maps(explainer):
    asked = {"layer": "blocks.3", "target": "lion", "versus": "teapot", "method": "layercam"}
    duel = explainer.explain(LION, **asked)
    lion, teapot = duel.target.index, duel.versus[0].index
    shown = duel.scene(complete=False).as_json()
    (sent,) = (one for one in shown["maps"] if one["versus"])
    assert (sent["layer"], sent["target"], sent["versus"]) == ("blocks.3", lion, [teapot])
    assert (decode(sent) == duel.cam).all()
    complete = duel.scene().maps
    alone = {
        one["target"]: decode(one)
        for one in complete
        if one["layer"] == "blocks.3" and not one["versus"]
    }
    for label in (lion, teapot):
        own = explainer.explain(LION, **asked | {"target": label, "versus": None}).cam
        np.testing.assert_allclose(alone[label], own, atol=1e-5 * np.ptp(own))
    difference = alone[lion] - alone[teapot]
    assert np.abs(difference - duel.cam).max() > 0.01 * np.ptp(duel.cam)  # it is none
    both = [one for one in complete if one["versus"]]
    stages = {layer["name"] for layer in shown["layers"] if layer["stage"]}
    assert {one["layer"] for one in both} == stages
    assert {(one["target"], *one["versus"]) for one in both} == {(lion, teapot)}
