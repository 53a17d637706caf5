"""What may be in a request, and which are let through; without a server."""

from __future__ import annotations

import json

import pytest
from starlette.types import Message, Receive, Scope, Send

from camdemo.ui.server.gate import Gate

from .served import run


def passed(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> dict | int:
    """The headers with which a request came through the gate, or the status of its refusal."""
    told: list[Message] = []
    found: dict[str, str] = {}

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        found.update({name.decode(): value.decode() for name, value in scope["headers"]})
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    run(Gate(app)(scope, receive, send))
    status = told[0]["status"]
    return found if status == 200 else status


@pytest.mark.parametrize("host", ["x", "a.example:1", "x:59999", "x:60000", "[::1]:65535"])
def test_a_host_with_any_port_there_is(host: str) -> None:
    assert passed("GET", "/health", {"host": host}) == {"host": host}


@pytest.mark.parametrize("host", ["", "a b", "[", "x:65536", "x:99999", "x:100000", "x:"])
def test_no_host(host: str) -> None:
    assert passed("GET", "/health", {"host": host}) == 400
    assert passed("GET", "/health", {"host": "x", "x-forwarded-host": host}) == {"host": "x"}


def test_a_probe_that_names_no_host_is_answered() -> None:
    assert passed("GET", "/health", {}) == {"host": "localhost"}


def test_a_session_has_a_name() -> None:
    """Gradio answered 500 to what has none."""
    assert passed("POST", "/gradio_api/queue/join", {}, b'{"session_hash": ""}') == 400
    assert passed("POST", "/gradio_api/queue/join", {}, b'{"session_hash": "a"}') != 400


def test_of_agents_nothing_is_read_that_would_fill_the_memory() -> None:
    """A photo is one text, however large; a million of brackets are a million of lists."""
    photo = json.dumps({"params": {"image": "data:image/jpeg;base64," + "+/A=" * 10**6}})
    assert passed("POST", "/mcp", {}, photo.encode()) == {"host": "localhost"}
    for many in (b"[" * 20_000, b"[" + b"{}," * 20_000, b"[" + b"1," * 20_000):
        assert passed("POST", "/mcp", {}, many) == 400
    assert passed("POST", "/gradio_api/queue/join", {}, b"[" + b"1," * 20_000 + b"1]") != 400
