"""Connections that nobody uses: closed after a while, and the most troublesome of too many."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from camdemo.ui.server.connections import Connection

from .served import APP, run, served

BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


WHOLE = 20_000_000


class Hasty(Connection):
    """One without patience."""

    most, glance, asking, sending, silence, reading = 4, 0.02, 0.3, 0.9, 0.3, 0.3


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Reads a body, takes its time, and answers much to whoever asks for it."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(0.6)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/whole":
        await send({"type": "http.response.body", "body": bytes(WHOLE)})
        return
    chunks = 400 if scope["path"] == "/large" else 1
    for left in reversed(range(chunks)):
        await send({"type": "http.response.body", "body": b"x" * 99_000, "more_body": left > 0})


async def seconds(
    port: int, state: ServerState, act: Callable[[Any, Any], Awaitable[None]]
) -> float:
    """How long the server keeps a connection on which somebody acts; 5 if longer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop, acting = asyncio.get_running_loop(), asyncio.ensure_future(act(reader, writer))
    started = loop.time()
    await asyncio.sleep(0.1)
    while loop.time() < started + 5 and state.connections:
        await asyncio.sleep(0.02)
    acting.cancel()
    writer.close()
    return loop.time() - started


def hosted(visit: Callable[[int, ServerState], Awaitable[Any]]) -> Any:
    """Run something against a server of such connections."""

    async def host() -> Any:
        state, config = ServerState(), uvicorn.Config(app, timeout_keep_alive=60)
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Hasty(config, state, {}), "127.0.0.1", 0)
        async with server:
            return await visit(server.sockets[0].getsockname()[1], state)

    return run(host())


async def nothing(_reader: Any, _writer: Any) -> None:
    pass


async def slow_head(_reader: Any, writer: Any) -> None:
    writer.write(b"GET / HTTP/1.1\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await asyncio.sleep(0.05)


async def slow_body(_reader: Any, writer: Any) -> None:
    writer.write(BODY)
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def no_body(_reader: Any, writer: Any) -> None:
    writer.write(BODY)


async def unread(reader: Any, writer: Any) -> None:
    reader._transport.pause_reading()
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.parametrize("act", [nothing, slow_head, slow_body, no_body, unread])
def test_who_does_not_take_their_turn_is_closed(act: Any) -> None:
    lasted = hosted(lambda port, state: seconds(port, state, act))
    assert 0.2 < lasted < 4
    assert (lasted > 0.6) == (act is slow_body)  # which may take longer than a head


def test_who_waits_for_the_server_is_not() -> None:
    async def visit(port: int, _state: ServerState) -> int:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            for _ in range(5):  # in all longer than any patience
                await http.get("/slow" if _ == 0 else "/")
                await asyncio.sleep(0.2)
            return len((await http.get("/large")).content)

    assert hosted(visit) == 400 * 99_000


def test_an_answer_that_is_taken_slowly_is_not_cut_off() -> None:
    """To uvicorn it is complete long before it is sent."""

    async def visit(port: int, _state: ServerState) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        for _ in range(20):  # in all longer than any patience
            taken += len(await reader.readexactly(WHOLE // 20))
            await asyncio.sleep(0.1)
        writer.close()
        return taken

    assert hosted(visit) == WHOLE


def test_of_too_many_the_one_goes_that_was_heard_of_least_lately() -> None:
    async def visit(port: int, state: ServerState) -> list[bool]:
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
        opened[0][1].write(b"G")
        await asyncio.sleep(0.05)
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        await asyncio.sleep(0.05)
        assert len(state.connections) == 4
        there = [not (one[0].at_eof() or one[0].exception()) for one in opened]
        for _, writer in opened:
            writer.close()
        return there

    assert hosted(visit) == [True, False, True, True, True]


@pytest.mark.skipif(sys.platform == "win32", reason="no shell that limits files")
def test_probes_are_answered_however_many_connections_are_open(tmp_path: Path) -> None:
    command = ("bash", "-c", 'ulimit -n 256; exec "$@"', "bash", *APP)
    with served(tmp_path, command=command) as one:
        port = httpx.URL(one.address).port
        idle = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(300)]
        try:
            assert httpx.get(f"{one.address}/health", timeout=20).status_code == 200
        finally:
            for each in idle:
                each.close()
