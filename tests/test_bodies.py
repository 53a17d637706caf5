"""How much a request may bring, one by one and all together; without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from camdemo.ui.server import bodies
from camdemo.ui.server.bodies import BoundedBodies

EVENT, QUESTION = "/gradio_api/queue/join", "/gradio_api/component_server"


class Site:
    """Reads whole bodies, and answers when it is told to."""

    def __init__(self) -> None:
        self.app = BoundedBodies(self.answer, largest=1_000_000)
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

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://site")


def in_pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 10_000):
        yield bytes(10_000)


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize(
    ("path", "most"),
    [(EVENT, 120_000), (QUESTION, 250_000), (QUESTION + "/", 250_000), ("/mcp", 1_000_000)],
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

    assert asyncio.run(visit()) == ([200, 413, 413], [most])


def test_uploads_are_bounded_elsewhere() -> None:
    async def visit() -> int:
        site = Site()
        site.free.set()
        async with site.client() as client:
            return (await client.post("/gradio_api/upload", content=bytes(2_000_000))).status_code

    assert asyncio.run(visit()) == 200


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

    asyncio.run(visit())


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "１２", ""])
def test_a_length_that_is_none_says_nothing(length: str) -> None:
    headers = [(b"content-length", length.encode())]
    assert bodies._length({"type": "http", "headers": headers}) == 0
