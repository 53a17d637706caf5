"""Agents: the official client of the Model Context Protocol against a served page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio.media import get_image
from mcp import Client
from PIL import Image

from camdemo import Box, Explainer, Settings
from camdemo.engine.protocol import NOBODY, asker
from camdemo.options import of
from camdemo.question import Hiding, Look, Question
from camdemo.ui.agents import Agents
from camdemo.ui.page import build_demo
from camdemo.ui.server.admission import PROGRAM, Admission, Kind
from camdemo.ui.server.launching import launch_options
from tests.served import run

LION = Path(get_image("lion.jpg"))
AS_TEXT = base64.b64encode(LION.read_bytes()).decode()
HEAD = {"left": 60, "top": 40, "right": 200, "bottom": 180}
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.fixture(scope="module")
def address(explainer: Explainer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        agents = Agents(explainer, Admission(explainer.settings))
        demo = build_demo(explainer)
        how = launch_options(explainer, agents) | {"server_name": "127.0.0.1"}
        _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **how)
        yield address.rstrip("/")
        demo.close()


@pytest.fixture(scope="module")
def call(address: str) -> Call:
    """Call a tool: whether it was refused, its text, and its pictures."""

    def asked(name: str, **arguments: Any) -> tuple[bool, str, list[Image.Image]]:
        async def visit() -> Any:
            async with Client(address + "/mcp") as client:
                return await client.call_tool(name, arguments)

        answer = run(visit())
        text, *pictures = answer.content
        files = [io.BytesIO(base64.b64decode(each.data)) for each in pictures]
        return bool(answer.is_error), text.text, [Image.open(each) for each in files]

    return asked


def test_the_tools_say_all_that_may_be_asked(address: str) -> None:
    async def visit() -> Any:
        async with Client(address + "/mcp") as client:
            return await client.list_tools()

    tools = {tool.name: tool for tool in run(visit()).tools}
    assert set(tools) == {"explain", "hide", "duel", "layers", "models"}
    for tool in tools.values():
        assert len(tool.description) > 60
        described = tool.input_schema["properties"].values()
        assert all(len(each["description"]) > 20 for each in described)
    asked = set(tools["explain"].input_schema["properties"])
    both = [*of(Question), *of(Look)]
    assert asked == {"photo", *(each.name for each in both if not each.on_canvas)}
    assert set(tools["hide"].input_schema["properties"]) >= {each.name for each in of(Hiding)}
    assert "versus" in tools["duel"].input_schema["required"]


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_a_photo_as_data_gives_what_python_gives(
    call: Call, explainer: Explainer, prefix: str
) -> None:
    refused, text, (picture,) = call(
        "explain", photo=prefix + AS_TEXT, layer="blocks.4", target="tiger", look="glow"
    )
    expected = explainer.explain(str(LION), layer="blocks.4", target="tiger")
    numbers = json.loads(text)
    assert not refused
    assert numbers["target"]["label"] == "tiger"
    np.testing.assert_allclose(numbers["map"], expected.cam, rtol=1e-5)
    shown = np.asarray(picture, int) - np.asarray(expected.overlay(look="glow"), int)
    assert np.abs(shown).mean() < 3  # it travels as a JPEG


def test_what_was_sent_once_is_hidden_without_being_sent_again(
    call: Call, explainer: Explainer
) -> None:
    name = json.loads(call("explain", photo=AS_TEXT)[1])["photo"]
    refused, text, (picture,) = call("hide", photo=name, regions=[HEAD], fill="mean")
    expected = explainer.explain(str(LION)).hide(Box(**HEAD), "mean")
    numbers = json.loads(text)
    assert not refused
    assert numbers["text"] == expected.text
    assert numbers["after"]["probability"] == pytest.approx(expected.after.probability, abs=1e-5)
    assert picture.size == (224, 224)
    assert np.asarray(picture, int)[60:140, 80:150].std(axis=(0, 1)).max() < 4  # a flat colour


def test_who_asks_is_known_by_the_address_and_a_photo_is_counted(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, join = [], Admission._join

    def noted(self: Admission, kind: Kind, size: int) -> Any:
        asked.append((kind, size, (asker.get() or NOBODY).address))
        return join(self, kind, size)

    monkeypatch.setattr(Admission, "_join", noted)
    call("layers", model="efficientnet_lite0")
    call("explain", photo="Lion")
    call("explain", photo=AS_TEXT)
    sizes = [0, 0, Admission(Settings()).largest]
    assert asked == [(PROGRAM, size, "127.0.0.1") for size in sizes]


def test_a_duel_of_an_example(call: Call) -> None:
    _, text, pictures = call(
        "duel", photo="Cheetah + lion", target="lion", versus="cheetah", framing="whole"
    )
    numbers = json.loads(text)
    cam = np.array(numbers["map"])
    middle = cam.shape[1] // 2
    assert numbers["versus"][0]["label"] == "cheetah"
    assert cam[:, :middle].sum() < 0 < cam[:, -middle:].sum()
    assert len(pictures) == 1


def test_lists(call: Call, explainer: Explainer) -> None:
    models = json.loads(call("models")[1])
    assert [one["name"] for one in models] == [spec.name for spec in explainer.models()]
    layers = json.loads(call("layers", model="efficientnet_lite0")[1])
    known = explainer.layers("efficientnet_lite0")
    assert [one["name"] for one in layers] == [layer.name for layer in known]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("explain", {"photo": "/etc/passwd"}, "There is no such photo"),
        ("explain", {"photo": str(LION)}, "There is no such photo"),
        ("explain", {"photo": "http://127.0.0.1/lion.jpg"}, "There is no such photo"),
        ("explain", {"photo": "photo-" + 32 * "0"}, "There is no such photo"),
        ("explain", {"photo": base64.b64encode(b"no picture").decode()}, "photo"),
        ("explain", {"photo": "Lion", "model": "resnet9"}, "There is no model 'resnet9'"),
        ("explain", {"photo": "Lion", "layer": "blocks.99"}, "There is no layer"),
        ("explain", {"photo": "Lion", "opacity": 7}, "0 to 1"),
        ("explain", {"photo": "Lion", "colormap": "pink"}, "viridis"),
        ("explain", {"photo": "Lion", "opactiy": 0.3}, "There is no argument 'opactiy'"),
        ("duel", {"photo": "Lion", "versus": 5000}, "5000"),
        ("hide", {"photo": "Lion", "regions": [{"left": 3}]}, "left, top, right, bottom"),
        ("hide", {"photo": "Lion", "regions": [HEAD | {"left": "a"}]}, "whole number"),
        ("hide", {"photo": "Lion", "regions": []}, "Choose a part"),
        ("layers", {"model": "../../etc"}, "There is no model"),
    ],
)
def test_wrong_values_are_refused_in_words(
    call: Call, tool: str, arguments: dict[str, Any], said: str
) -> None:
    refused, text, pictures = call(tool, **arguments)
    assert refused
    assert said in text
    assert not pictures


def test_a_page_without_agents_has_no_such_route(
    explainer: Explainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    demo = build_demo(explainer)
    how = launch_options(explainer) | {"server_name": "127.0.0.1"}
    _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **how)
    try:
        assert httpx.post(address + "mcp", json={}).status_code in (404, 405)
    finally:
        demo.close()


def test_another_hosts_name_is_refused(address: str) -> None:
    """A page in a browser must not reach the one on this machine under a name of its own."""
    answer = httpx.post(address + "/mcp", json={}, headers={"host": "evil.example:80"})
    assert answer.status_code == 421
