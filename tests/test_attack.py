"""The attackers of benchmarks/attack.py: that they count rightly, and throw what they say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from benchmarks import bombs, tricks
from benchmarks.light import Visit, p95
from benchmarks.toll import Toll
from benchmarks.visitor import Refused
from benchmarks.watched import Watched

from .served import run

SMALL = {
    "a comment": bombs.gif_of_one_comment(3),
    "extensions": bombs.gif_of_extensions(3),
    "chunks": bombs.png_of_chunks(3),
    "runs": bombs.bmp_of_runs(300),
}
STREAM = "text/event-stream"


@pytest.fixture
def toll(tmp_path: Path) -> Toll:
    """Of a server whose memory nobody looked at."""
    return Toll(Watched(0, (tmp_path,), tmp_path / "log", samples=[(0.0, 100.0)]))


def answer(
    status: int, content: Any = "", kind: str = "application/json", method: str = "GET"
) -> httpx.Response:
    text = content if isinstance(content, str) else json.dumps(content)
    request = httpx.Request(method, "http://here/")
    return httpx.Response(status, text=text, headers={"content-type": kind}, request=request)


async def given(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        ({"id": "a scene"}, "answered"),
        (answer(200, {"data": []}), "answered"),
        (answer(200, "<html>", "text/html"), "answered"),
        (answer(200, {"error": "Send a photo."}), "refused"),
        (answer(200, "", method="HEAD"), "answered"),
        (answer(202), "answered"),
        (answer(404, "", method="HEAD"), "refused"),
        (answer(404, {"detail": "There is nothing of that name."}), "refused"),
        (answer(400, "Invalid HTTP request received.", "text/plain"), "refused"),
        (answer(503, {"detail": "Many are asking at the moment."}), "refused"),
        (Refused("Many are asking at the moment."), "refused"),
        (answer(200, 'event: error\ndata: {"error": "Send a photo."}\n\n', STREAM), "refused"),
        (answer(200, "event: complete\ndata: []\n\n", STREAM), "answered"),
        (answer(200, {"result": {"isError": True, "content": [{"text": "No photo."}]}}), "refused"),
        (answer(200, {"error": {"code": -32602, "message": "No tool."}}), "refused"),
        (answer(200, "event: error\ndata: null\n\n", STREAM), "crashed"),
        (answer(200, {"state": "running", "error": ""}), "answered"),
        (answer(200, {"error": ""}), "crashed"),
        (answer(200, {"error": None}), "crashed"),
        (answer(200, "no JSON"), "crashed"),
        (answer(422), "crashed"),
        (answer(500, {"detail": "Something"}), "crashed"),
        (Refused("None"), "crashed"),
        (Refused("Something went wrong on the server. Please try again."), "crashed"),
        (httpx.ReadError("dead"), "crashed"),
        (TimeoutError(), "crashed"),
    ],
)
def test_what_an_answer_counts_as(toll: Toll, outcome: Any, counted: str) -> None:
    run(toll.put("it", given(outcome)))
    counts = {name: getattr(toll, name) for name in ("answered", "refused", "crashed")}
    assert counts == dict.fromkeys(counts, 0) | {counted: 1}
    assert bool(toll.wrong) == (counted == "crashed")


def test_who_is_honest_must_be_answered(toll: Toll) -> None:
    run(toll.put("a photo", given(Refused("Send another.")), honest=True))
    assert (toll.refused, toll.crashed) == (0, 1)


def test_memory_counts_above_what_it_was_before(toll: Toll) -> None:
    toll.server.samples += [(1.0, 900.0), (2.0, 200.0), (3.0, 750.0), (4.0, 300.0)]
    assert toll.server.growth(2.5) == 550
    assert toll.server.growth(3.5) == 0
    assert toll.server.growth(0.5) == 800


def test_a_visitor_without_a_map_waits_for_ever() -> None:
    found = [Visit(0, 0.1)] * 18
    assert p95([*found, Visit(0, 2.0)]) == 2.0
    assert p95([*found, *[Visit(0, float("inf"), "Refused")] * 2]) == float("inf")


@pytest.mark.parametrize("name", SMALL)
def test_bombs_are_photos(name: str) -> None:
    """A decoder that refuses their beginning would never come to what they are about."""
    with Image.open(io.BytesIO(SMALL[name])) as photo:
        photo.load()


def test_no_bomb_is_larger_than_an_upload_may_be() -> None:
    for name, make in bombs.BOMBS.items():
        assert 100 < len(make()) < 20e6, name


def test_addresses_name_this_machine_and_others() -> None:
    named = tricks.addresses("http://127.0.0.1:9/photo.jpg")
    assert len(set(named)) == len(named)
    assert sum("127.0.0.1:9" in one for one in named) >= 4
    assert sum("canary.example.org" in one for one in named) >= 5


def test_lines_of_the_log_that_are_none(toll: Toll) -> None:
    right = json.dumps({"request": "open", "outcome": "done"})
    library = json.dumps({"log": "asyncio", "level": "error", "text": ""})
    wrong = ["Traceback (most recent call last):", '{"other": 5}', "[]", "7"]
    toll.server.log.write_text("\n".join([right, *wrong, library]) + "\n")
    assert toll.server.stray_lines() == wrong
