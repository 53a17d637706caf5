"""How much a request may bring, one by one and all together; without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from camdemo.ui.server import bodies
from camdemo.ui.server.bodies import BoundedBodies

from .served import run

EVENT, QUESTION = "/gradio_api/queue/join", "/gradio_api/component_server"


class Site:
    """Reads whole bodies, and answers when it is told to."""

    def __init__(self) -> None:
        self.app = BoundedBodies(self.answer, agents=1_000_000)
        self.free = asyncio.Event()
        self.read: list[int] = []

    async def answer(self, _scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message.get("more_body", False)
        self.read.append(size)
        await self.free.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def client(self, address: str = "127.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://site")


def in_pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 10_000):
        yield bytes(10_000)


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize(
    ("path", "most"),
    [
        (EVENT, 120_000),
        ("/gradio_api/call/mcp", 120_000),  # an event of that name is no agent's question
        ("/gradio_api/call/component_server", 120_000),
        (QUESTION, 250_000),
        (QUESTION + "/", 250_000),
        ("/mcp", 1_000_000),
    ],
)
def test_one_body(path: str, most: int, says: bool) -> None:
    async def visit() -> tuple[list[int], list[int]]:
        site = Site()
        site.free.set()
        async with site.client() as client:
            answers = []
            for size in (most, most + 10_000, 20 * most):
                content = bytes(size) if says else pieces(size)
                answers.append((await client.post(path, content=content)).status_code)
            return answers, site.read

    async def pieces(size: int):
        for piece in in_pieces(size):
            yield piece

    assert run(visit()) == ([200, 413, 413], [most])


def test_where_agents_cannot_ask_their_questions_are_no_larger_than_others() -> None:
    async def visit() -> int:
        site = Site()
        site.app = BoundedBodies(site.answer, agents=None)
        site.free.set()
        async with site.client() as client:
            return (await client.post("/mcp", content=bytes(130_000))).status_code

    assert run(visit()) == 413


def test_uploads_are_bounded_elsewhere() -> None:
    async def visit() -> int:
        site = Site()
        site.free.set()
        async with site.client() as client:
            return (await client.post("/gradio_api/upload", content=bytes(2_000_000))).status_code

    assert run(visit()) == 200


def test_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_TOGETHER", 3)

    async def visit() -> None:
        site = Site()
        async with site.client() as client:

            async def ask(path: str, size: int) -> httpx.Response:
                return await client.post(path, content=bytes(size))

            held = [asyncio.create_task(ask(EVENT, 120_000)) for _ in range(3)]
            while len(site.read) < 3:
                await asyncio.sleep(0)
            full = await ask(EVENT, 1)
            assert full.status_code == 503
            assert "Try again" in full.json()["detail"]
            question = asyncio.create_task(ask(QUESTION, 1))  # has a bound of its own
            while len(site.read) < 4:
                await asyncio.sleep(0)
            site.free.set()
            assert {(await one).status_code for one in [*held, question]} == {200}
            assert (await ask(EVENT, 120_000)).status_code == 200  # all is given back

    run(visit())


def test_slow_senders_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the address that has most the one gives way that was silent longest."""
    monkeypatch.setattr(bodies, "_TOGETHER", 3)

    async def visit() -> list[int]:
        site, never = Site(), asyncio.Event()
        site.free.set()

        async def dripping():
            yield bytes(100_000)
            await never.wait()
            yield b""

        async with site.client("10.0.0.1") as slow, site.client("10.0.0.2") as fair:
            dripped = []
            for client in (fair, slow, slow):
                dripped.append(asyncio.create_task(client.post(EVENT, content=dripping())))
                while len(site.app._there[""]) < len(dripped):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.01)
            answers = [await fair.post(EVENT, content=bytes(70_000))]
            assert "Try again" in (await dripped[1]).json()["detail"]
            answers += [await slow.post(EVENT, content=bytes(120_000)), await dripped[1]]
            assert not dripped[0].done()
            never.set()
            answers += [await dripped[0], await dripped[2]]
        return [one.status_code for one in answers]

    assert run(visit()) == [200, 200, 503, 200, 200]


def test_who_has_most_there_displaces_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "_TOGETHER", 2)

    async def visit() -> list[int]:
        site, rest = Site(), asyncio.Event()

        async def dripping():
            yield bytes(100_000)
            await rest.wait()
            yield b""

        async with site.client("10.0.0.1") as much, site.client("10.0.0.2") as slow:
            whole = asyncio.create_task(much.post(EVENT, content=bytes(120_000)))
            while not site.read:
                await asyncio.sleep(0)
            dripped = asyncio.create_task(slow.post(EVENT, content=dripping()))
            await asyncio.sleep(0.01)
            answers = [await much.post(EVENT, content=bytes(120_000))]
            rest.set()
            site.free.set()
            answers += [await whole, await dripped]
        return [one.status_code for one in answers]

    assert run(visit()) == [503, 200, 200]


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "１２", ""])
def test_a_length_that_is_none_says_nothing(length: str) -> None:
    headers = [(b"content-length", length.encode())]
    assert bodies._length({"type": "http", "headers": headers}) == 0
