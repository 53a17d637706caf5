"""Requests that no browser sends: refused in words, told to nobody, no fault of the server's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from camdemo.ui import routes
from camdemo.ui.server import gate, refusals

from . import strange
from .served import Served, run, served

COUNT = 800


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), "--mcp", "--max-disk", "10") as one:
        yield one


@pytest.fixture(scope="module")
def asked(running: Served) -> list[tuple[strange.Request, tuple[int, dict[str, str], bytes]]]:
    """So many requests, each with its answer."""
    config = httpx.get(f"{running.address}/config").json()
    viewer = next(
        one["id"] for one in config["components"] if one["props"].get("elem_id") == "viewer"
    )
    several = strange.requests(routes.OPEN, viewer, COUNT)
    return [(one, strange.answer(httpx.URL(running.address).port or 0, one)) for one in several]


def test_none_is_the_servers_fault(asked: list) -> None:
    wrong = [f"{status}: {one}" for one, (status, _, _) in asked if not 200 <= status < 500]
    assert wrong == []
    found = Counter(status // 100 for _, (status, _, _) in asked)
    assert min(found[2], found[4]) > COUNT / 5  # else it would test nothing


def test_no_header_is_sent_back(asked: list) -> None:
    for one, (_, headers, _) in asked:
        told = {name: value for name, value in headers.items() if strange.MARK in value}
        assert told.keys() <= {"access-control-allow-origin"}, one
        assert not headers.keys() & {"cookie", "host", "x-forwarded-host", "authorization"}


def test_the_log_is_lines_of_json_and_no_stranger_wrote_in_it(asked: list, running: Served) -> None:
    text = (running.folder / "log").read_text()
    kinds = {json.loads(line).get("request") for line in text.splitlines()}
    assert {"open", "agent layers"} <= kinds
    assert strange.MARK not in text
    assert "Traceback" not in text


def test_a_large_body_that_is_wrong_is_neither_logged_nor_sent_back(running: Served) -> None:
    log = running.folder / "log"
    before = log.stat().st_size
    large = '{"data": {"a": "' + 15_000_000 * "x" + '"}, "fn_index": "y"}'
    for way in ("queue/join", "run/layers", "call/layers", "component_server", "cancel"):
        answer = httpx.post(f"{running.address}/gradio_api/{way}", content=large, timeout=60)
        assert 400 <= answer.status_code < 500
        assert len(answer.content) < 1000
    assert log.stat().st_size < before + 20_000


def test_the_address_that_one_caller_writes_is_told_to_no_other(running: Served) -> None:
    info = f"{running.address}/gradio_api/info"
    for query in ("", "?all_endpoints=True", "?serialize=False"):
        mine = httpx.get(info + query, headers={"X-Forwarded-Host": "first.example"})
        assert "first.example" in mine.text  # what a proxy says is believed
        assert "first.example" not in httpx.get(info + query).text
    assert {"/explain", "/models", "/layers"} == set(httpx.get(info).json()["named_endpoints"])


@pytest.mark.parametrize(
    ("asked_for", "status", "length"),
    [
        *(("bytes=0-1", 206, 2), ("bytes=-3", 206, 3), ("bytes=9-", 206, 11)),
        *(("bytes=0-1,4-5", 206, None), ("bytes=0-1,4-5,x", 206, None), ("bytes=1-2-3", 400, None)),
        *(("bytes=99-", 416, 0), ("bytes=5-4", 400, None), ("lines=0-1", 400, None), ("", 200, 20)),
    ],
)
def test_a_range_of_a_file_is_sent_and_nothing_of_the_question(
    running: Served, asked_for: str, status: int, length: int | None
) -> None:
    files = {"files": ("photo.jpg", b"x" * 20, "image/jpeg")}
    (path,) = httpx.post(f"{running.address}/gradio_api/upload", files=files).json()
    headers = {"Cookie": strange.MARK, "X-Mine": strange.MARK}
    headers |= {"Range": asked_for} if asked_for else {}
    answer = httpx.get(f"{running.address}/gradio_api/file={path}", headers=headers)
    assert answer.status_code == status
    assert length is None or len(answer.content) == length
    assert strange.MARK not in str(answer.headers)


def test_what_is_refused_in_words_is_no_error_of_the_server(running: Served) -> None:
    def layers(*data: object) -> httpx.Response:
        return httpx.post(f"{running.address}/gradio_api/run/layers", json={"data": data})

    assert layers("mobilenet_v2").status_code == 200
    unknown, few, strange_one = layers("x"), layers(), layers({"path": "/etc/passwd", "meta": FILE})
    assert "no model" in unknown.json()["error"]
    for answer in (unknown, few, strange_one):
        assert answer.status_code == 400
        assert len(answer.json()["error"]) < 500


FILE = {"_type": "gradio.FileData"}


def test_a_mistake_of_ours_is_said_and_logged_without_its_text(caplog: Any) -> None:
    caplog.set_level("INFO", "camdemo")

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        if has_begun:
            await send({"type": "http.response.start", "status": 200})
        raise ValueError(strange.MARK)

    async def send(message: Any) -> None:
        sent.append(message)

    for begun, status in ((False, 500), (True, 200)):
        has_begun = begun
        sent: list[Any] = []
        run(refusals.Failsafe(app)({"type": "http", "headers": []}, None, send))  # type: ignore[arg-type]
        assert sent[0]["status"] == status
        assert not sent[-1].get("more_body", False)
        (line,) = (json.loads(record.getMessage()) for record in caplog.records)
        assert (line["request"], line["error"]) == ("request", "ValueError")
        assert strange.MARK not in caplog.text + str(sent)
        caplog.clear()


@pytest.mark.parametrize(
    "body",
    [
        *(b"NaN", b'{"a": [Infinity]}', b"-Infinity", b"[1e999]"),
        *(b'"\\ud800"', b'"\\uDFFF\\ud800"'),
        *(b'["\xed\xa0\x80"]', "[NaN]".encode("utf-16"), b'{"\\ud800": 1}', b"[NaN" * 9000),
    ],
)
def test_what_json_can_not_write_is_refused(body: bytes) -> None:
    assert not gate._is_plain(body)


@pytest.mark.parametrize(
    "body", [b'"NaN"', b'["\\ud83e\\udd81", 1e100]', b"", b"{", b"\xff", '"é"'.encode(), b'"e999"']
)
def test_what_json_can_write_is_left_to_the_route(body: bytes) -> None:
    assert gate._is_plain(body)
