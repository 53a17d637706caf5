"""Who asks, and whether they are still there: by sessions, for events and for questions."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from benchmarks.visitor import Client, Refused
from camdemo import Explainer, Settings
from camdemo.engine import asker
from camdemo.ui.page import build_demo
from camdemo.ui.server import presence
from camdemo.ui.server.launching import launch_options
from camdemo.ui.server.presence import Visitors

from .served import run

MODEL = "efficientnet_lite0"


class Watching(Explainer):
    """Answers when whoever asks has gone, and notes who that was."""

    def __init__(self) -> None:
        super().__init__(Settings(model=MODEL))
        self.asked = threading.Event()
        self.noticed = threading.Event()
        self.watching = False
        self.names: list[str] = []  # of those who asked

    def _wait(self) -> None:
        if not self.watching:
            return
        who = asker.get()
        assert who is not None
        self.names.append(who.name)
        assert not who.gone.is_set()
        self.asked.set()
        for _ in range(400):
            if who.gone.is_set():
                self.noticed.set()
                return
            time.sleep(0.05)

    def models(self) -> Any:
        self._wait()
        return super().models()

    def labels(self, *given: Any) -> Any:
        self._wait()
        return super().labels(*given)


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Watching]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    explainer = Watching()
    demo = build_demo(explainer)
    options = launch_options(explainer) | {"server_name": "127.0.0.1"}
    demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    explainer.address = demo.local_url
    explainer.watching = True
    yield explainer
    explainer.watching = False
    demo.close()


async def until(happened: threading.Event) -> None:
    assert await asyncio.to_thread(happened.wait, 20)


@pytest.mark.parametrize("slash", ["", "/"])  # a program's way, and that of Gradio's page
def test_a_viewers_question_is_dropped_when_its_browser_goes(
    watching: Watching, slash: str
) -> None:
    async def visit() -> str:
        async with httpx.AsyncClient(base_url=watching.address, timeout=60) as http:
            client = Client(http, (await http.get("/config")).json())
            body = {
                "data": {"model": MODEL},
                "component_id": client.component("viewer"),
                "fn_name": "scene_labels",
                "session_hash": client.session,
            }
            asked = asyncio.create_task(
                http.post(f"/gradio_api/component_server{slash}", json=body)
            )
            await until(watching.asked)
            asked.cancel()
            await until(watching.noticed)
            return client.session

    session = run(visit())
    assert watching.names == [session]


def test_an_event_is_dropped_when_its_browser_goes(watching: Watching) -> None:
    async def visit() -> str:
        async with httpx.AsyncClient(base_url=watching.address, timeout=60) as http:
            client = Client(http, (await http.get("/config")).json())
            models = next(
                one["id"] for one in client.config["dependencies"] if one["api_name"] == "models"
            )
            asked = asyncio.create_task(client.run(models, []))
            await until(watching.asked)
            other = Client(http, client.config)  # goes, too, but nobody asked for that one
            stream = asyncio.create_task(
                http.get("/gradio_api/queue/data", params={"session_hash": other.session})
            )
            await asyncio.sleep(0.3)
            stream.cancel()
            await asyncio.sleep(0.5)
            assert not watching.noticed.is_set()
            asked.cancel()
            await until(watching.noticed)
            return client.session

    session = run(visit())
    assert watching.names == [session]


def test_who_has_all_answers_has_not_gone() -> None:
    """A stream ends when it is complete, and then the connection may close."""
    visitors = Visitors()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        await receive()

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        pass

    scope = {
        "type": "http",
        "path": "/gradio_api/queue/data",
        "query_string": b"session_hash=a",
    }

    async def visit(served: Any) -> bool:
        with visitors.asking("a"):
            who = asker.get()
            assert who is not None
            assert who.name == "a"
            await presence.Presence(served, lambda _scope: visitors)(scope, receive, send)
            return who.gone.is_set()

    async def impatient(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await receive()

    assert run(visit(app)) is False
    assert run(visit(impatient)) is True
    assert asker.get() is None
    assert visitors._events == {}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", ("", "", "")),
        (b"nonsense", ("", "", "")),
        (b"[]", ("", "", "")),
        (b'{"session_hash": 5, "data": {"id": 5}}', ("", "", "")),
        (b'{"session_hash": "abc", "data": "id"}', ("abc", "", "")),
        (json.dumps({"session_hash": "abc", "data": {"id": "x"}}).encode(), ("abc", "x", "")),
        (
            json.dumps({"session_hash": "a", "data": {"id": "x", "beside": "y"}}).encode(),
            ("a", "x", "y"),
        ),
        (b'{"session_hash": "abc", "data": {"id": "x", "beside": 5}}', ("abc", "x", "")),
        (json.dumps({"session_hash": "a", "data": {"session_hash": "b"}}).encode(), ("a", "", "")),
        (b"\xff" * 9, ("", "", "")),
        (
            b'{"session_hash": "a", "fn_name": "scene_open", "data": {}}',
            ("a", presence._ANOTHER, ""),
        ),
        (
            b'{"session_hash": "a", "fn_name": "scene_open", "data": {"beside": "x"}}',
            ("a", presence._ANOTHER, "x"),
        ),
        (b'{"session_hash": "a", "fn_name": "scene_open"}', ("a", presence._ANOTHER, "")),
        (b'{"session_hash": "a", "fn_name": "page_waiting", "data": {}}', ("a", "", "")),
        (
            b'{"session_hash": "a", "fn_name": ["scene_open"], "data": {"id": "x"}}',
            ("a", "x", ""),
        ),
    ],
)
def test_session_and_scenes_are_read_from_a_question_or_not(
    body: bytes, found: tuple[str, str, str]
) -> None:
    assert presence._session_and_scenes(body) == found


def test_who_looks_at_another_photo_waits_for_the_first_no_more() -> None:
    visitors = Visitors()
    first, second, third, other = (threading.Event() for _ in range(4))
    visitors.looks_at("ann", "lion", first)
    visitors.looks_at("ben", "lion", other)
    visitors.looks_at("ann", "lion", second)
    assert not first.is_set()
    visitors.looks_at("ann", "tower", third)
    assert first.is_set()
    assert second.is_set()
    assert not third.is_set()
    assert not other.is_set()  # another visitor's
    for session, event in (("ann", first), ("ann", second), ("ann", third), ("ben", other)):
        visitors.answered(session, event)
    assert visitors._questions == {}


def test_who_asks_for_another_scene_waits_for_that_one_alone() -> None:
    """And not the other way round: what is asked about the present one drops no other."""
    visitors = Visitors()
    maps, first, label, second, other = (threading.Event() for _ in range(5))
    visitors.looks_at("ann", "lion", maps)
    visitors.looks_at("ben", "lion", other)
    visitors.looks_at("ann", presence._ANOTHER, first)
    assert maps.is_set()
    visitors.looks_at("ann", "lion", label)  # of the scene that is still on the page
    assert not first.is_set()
    assert not label.is_set()
    visitors.looks_at("ann", presence._ANOTHER, second)  # a second click
    assert first.is_set()
    assert label.is_set()
    assert not second.is_set()
    visitors.looks_at("ann", "tower", threading.Event())
    assert not second.is_set()
    assert not other.is_set()


def test_a_question_tells_its_scene(watching: Watching) -> None:
    async def visit() -> None:
        async with httpx.AsyncClient(base_url=watching.address, timeout=60) as http:
            client = Client(http, (await http.get("/config")).json())
            asked = asyncio.create_task(client.ask("scene_labels", {"id": "lion", "model": MODEL}))
            await until(watching.asked)
            watching.watching = False
            await client.ask("scene_labels", {"id": "tower", "model": MODEL})
            await until(watching.noticed)
            asked.cancel()

    run(visit())


@pytest.mark.parametrize(
    ("second", "dropped"),
    [("scene_open", True), ("page_waiting", False), ("page_start", False), ("scene_maps", False)],
)
def test_another_scene_drops_what_was_asked_before(
    watching: Watching, second: str, dropped: bool
) -> None:
    async def visit() -> bool:
        async with httpx.AsyncClient(base_url=watching.address, timeout=60) as http:
            client = Client(http, (await http.get("/config")).json())
            asked = asyncio.create_task(client.ask("scene_labels", {"id": "lion", "model": MODEL}))
            await until(watching.asked)
            watching.watching = False
            question = {"id": "lion", "source": {"example": "Tower"}}
            with suppress(Refused):  # there is no such scene to ask maps of
                await client.ask(second, question)
            noticed = await asyncio.to_thread(watching.noticed.wait, 20 if dropped else 0.5)
            asked.cancel()
            return noticed

    assert run(visit()) is dropped


def test_who_compares_two_scenes_waits_for_both() -> None:
    visitors = Visitors()
    of_a, of_b, opening, of_both, of_c = (threading.Event() for _ in range(5))
    visitors.looks_at("somebody", "a", of_a)
    visitors.looks_at("somebody", presence._ANOTHER, opening, beside="a")  # B is opened
    visitors.looks_at("somebody", "b", of_b, beside="a")
    visitors.looks_at("somebody", "a", of_both, beside="b")
    assert not any(left.is_set() for left in (of_a, of_b, opening, of_both))
    visitors.looks_at("somebody", "c", of_c, beside="a")  # another B
    assert of_b.is_set()
    assert not of_a.is_set()
    visitors.looks_at("somebody", presence._ANOTHER, threading.Event())  # another photo: no A, no B
    assert all(left.is_set() for left in (of_a, opening, of_both, of_c))


def test_nobodys_leaving_ends_what_others_without_a_name_asked() -> None:
    visitors = presence.Visitors()
    with visitors.asking(""):
        one = asker.get()
        visitors.left("")
        assert one is not None
        assert not one.gone.is_set()
