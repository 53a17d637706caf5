"""The HTTP API as a program uses it: gradio_client against a served page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from camdemo import Explainer, Settings
from camdemo.ui.page import build_demo

LION = get_image("lion.jpg")


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.fixture(scope="module")
def client(explainer: Explainer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        demo = build_demo(explainer)
        _, address, _ = demo.queue().launch(
            server_name="127.0.0.1", prevent_thread_lock=True, quiet=True
        )
        yield Client(address, verbose=False, download_files=str(folder))
        demo.close()


def test_explain_gives_what_python_gives(client: Client, explainer: Explainer) -> None:
    overlay, scores, numbers = client.predict(
        handle_file(LION),
        model="efficientnet_lite1",
        layer="blocks.4",
        target="tiger",
        framing="whole",
        colormap="viridis",
        opacity=0.25,
        evidence="signed",
        api_name="/explain",
    )
    expected = explainer.explain(LION, "efficientnet_lite1", "blocks.4", "tiger", "whole")
    assert (np.asarray(Image.open(overlay)) == expected.overlay("viridis", 0.25, "signed")).all()
    assert next(iter(scores)) == "lion"
    assert len(scores) == 5
    assert numbers["target"]["label"] == "tiger"
    assert numbers["layer"] == "blocks.4"
    assert numbers["box"] == {"left": 0, "top": 0, "right": 256, "bottom": 256}
    np.testing.assert_allclose(numbers["map"], expected.cam, rtol=1e-5)
    assert numbers["range"]["max"] == pytest.approx(expected.cam.max())
    assert set(numbers["milliseconds"]) == {"decode", "prepare", "explain"}


@pytest.mark.parametrize("look", [{}, {"look": "glow"}, {"look": "glow", "opacity": 0.4}])
def test_a_look_brings_its_colours(client: Client, explainer: Explainer, look: dict) -> None:
    overlay, *_ = client.predict(handle_file(LION), **look, api_name="/explain")
    expected = explainer.explain(LION).overlay(**look)
    assert (np.asarray(Image.open(overlay)) == expected).all()


def test_what_is_new_comes_last(client: Client) -> None:
    """Programs may give arguments by their places."""
    known = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/explain"]
    assert [each["parameter_name"] for each in known["parameters"]] == [
        *("image", "model", "layer", "target", "framing", "colormap", "opacity", "evidence"),
        *("versus", "method", "look", "strength", "settings", "smooth"),
    ]


def test_everything_but_the_image_has_a_default(client: Client) -> None:
    _, scores, numbers = client.predict(handle_file(LION), api_name="/explain")
    assert numbers["model"] == "efficientnet_lite0"
    assert scores["lion"] == pytest.approx(0.9, abs=0.05)


def test_a_duel_in_a_frame_of_ones_own(client: Client, explainer: Explainer) -> None:
    question = {"target": "lion", "versus": "292", "framing": "20, 10, 220, 240"}
    overlay, _, numbers = client.predict(handle_file(LION), **question, api_name="/explain")
    expected = explainer.explain(LION, target=291, versus=292, framing="20,10,220,240")
    assert (numbers["target"]["label"], numbers["versus"][0]["label"]) == ("lion", "tiger")
    assert numbers["framing"] == "20,10,220,240"
    assert numbers["box"] == {"left": 20, "top": 10, "right": 220, "bottom": 240}
    np.testing.assert_allclose(numbers["map"], expected.cam, rtol=1e-5)
    # What is not said otherwise is drawn with its sign.
    assert (np.asarray(Image.open(overlay)) == expected.overlay(evidence="signed")).all()


@pytest.mark.parametrize("evidence", ["", "positive", "signed"])
def test_empty_evidence_is_positive_for_one_label(
    client: Client, explainer: Explainer, evidence: str
) -> None:
    overlay, _, numbers = client.predict(
        handle_file(LION), evidence=evidence, versus="", api_name="/explain"
    )
    expected = explainer.explain(LION).overlay(evidence=evidence or "positive")
    assert (np.asarray(Image.open(overlay)) == expected).all()
    assert numbers["versus"] == []


def test_a_target_can_be_an_index(client: Client) -> None:
    numbers = client.predict(handle_file(LION), target="292", api_name="/explain")[2]
    assert numbers["target"]["label"] == "tiger"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "efficientnet_lite9"}, "efficientnet_lite0"),
        ({"layer": "__class__"}, "There is no layer '__class__'"),
        ({"layer": "blocks.99"}, "blocks.6, blocks.5"),
        ({"target": "lino"}, "lion"),
        ({"target": "1000"}, "0 to 999"),
        ({"target": "-1"}, "0 to 999"),
        ({"framing": "middle"}, "crop, whole, fit"),
        ({"framing": "1,2,3"}, "crop, whole, fit, left,top,right,bottom in pixels"),
        ({"framing": [1, 2, 3, 4]}, "crop, whole, fit, left,top,right,bottom in pixels"),
        ({"framing": "0,0,256,257"}, "0,0,256,257 is not within the photo of 256 x 256 pixels"),
        ({"framing": "9,9,9,20"}, "9,9,9,20 has no area"),
        ({"versus": "lino"}, "lion"),
        ({"versus": "1000"}, "0 to 999"),
        ({"target": "lion", "versus": "291"}, "'lion' can't be compared with itself"),
        ({"colormap": "jett"}, "jet, turbo"),
        ({"look": "neon"}, "glow, notebook"),
        ({"opacity": 1.5}, "0 to 1"),
        ({"evidence": "negative"}, "positive, signed, minmax"),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_nearest(
    client: Client, wrong: dict, message: str
) -> None:
    with pytest.raises(AppError, match=message):
        client.predict(handle_file(LION), **wrong, api_name="/explain")


def test_a_file_that_is_no_photo_is_refused(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "page.jpg"
    file.write_text("<html>")
    with pytest.raises(AppError, match="not a photo that can be read"):
        client.predict(handle_file(str(file)), api_name="/explain")


def test_no_image_is_refused(client: Client) -> None:
    with pytest.raises(AppError, match="no image"):
        client.predict(None, api_name="/explain")


def test_models_and_layers(client: Client, explainer: Explainer) -> None:
    models = client.predict(api_name="/models")
    assert [model["name"] for model in models] == [spec.name for spec in explainer.models()]
    assert models[0]["ready"] is True
    layers = client.predict("mobilenet_v2", api_name="/layers")
    assert layers[-1] == {
        "name": "features.18",
        "channels": 1280,
        "height": 7,
        "width": 7,
        "stage": True,
        "pooled": True,
        "parts": [],
    }
    with pytest.raises(AppError, match="no model 'lenet'"):
        client.predict("lenet", api_name="/layers")


def test_only_the_three_endpoints_are_offered(client: Client) -> None:
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert set(offered) == {"/explain", "/models", "/layers"}
