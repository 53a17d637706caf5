"""A flood of requests is not waited for by somebody who comes with one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from camdemo.ui.server import turns
from camdemo.ui.server.turns import Turns
from tests.served import run


class Served:
    """Requests that do what a test wants."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_end = asyncio.Event()
        self.turns = Turns(self.app)
        self.tasks: list[asyncio.Task[None]] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun.append(scope["client"][0])
        await scope["does"](receive, send)

    def ask(self, address: str, does: Any) -> asyncio.Task[None]:
        scope = {"type": "http", "path": "/", "headers": [], "client": (address, 1), "does": does}
        task = asyncio.create_task(self.turns(scope, receive, nowhere))  # type: ignore[arg-type]
        self.tasks.append(task)
        return task

    async def stays(self, _receive: Any, _send: Any) -> None:
        await self.may_end.wait()


async def receive() -> dict:
    await asyncio.sleep(60)  # a slow client
    return {"type": "http.disconnect"}


async def nowhere(_message: dict) -> None:
    pass


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_few_begin_and_then_the_addresses_in_turns() -> None:
    async def flood() -> list[str]:
        served = Served()
        for address in "aaaaaaaa":
            served.ask(address, served.stays)
        await settle()
        assert served.begun == ["a"] * 4
        for address in "bbc":
            served.ask(address, served.stays)
        served.may_end.set()
        await asyncio.gather(*served.tasks)
        return served.begun[4:]

    assert "".join(run(flood())) == "abcabaa"


async def _reads(receive: Any, _send: Any) -> None:
    await receive()


async def _streams(_receive: Any, send: Any) -> None:
    await send({"type": "http.response.start"})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await asyncio.sleep(60)


async def _computes(_receive: Any, _send: Any) -> None:
    await asyncio.to_thread(turns.over)
    await asyncio.sleep(60)


async def _fails(_receive: Any, _send: Any) -> None:
    raise ValueError("a mistake")


@pytest.mark.parametrize("does", [_reads, _streams, _computes, _fails])
def test_who_waits_for_something_else_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, does: Any
) -> None:
    monkeypatch.setattr(turns, "_LONGEST", 60.0)

    async def others() -> None:
        served = Served()
        for _ in range(12):
            served.ask("a", does)
        last = served.ask("a", served.stays)
        served.may_end.set()
        await asyncio.wait_for(last, 20)
        for task in served.tasks:
            task.cancel()
        await asyncio.gather(*served.tasks, return_exceptions=True)
        assert served.turns._under_way == 0

    run(others())


def test_nobody_has_a_turn_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONGEST", 0.05)

    async def others() -> None:
        served = Served()
        for _ in range(5):
            served.ask("a", served.stays)
        await settle()
        assert len(served.begun) == 4
        await asyncio.sleep(0.2)
        assert len(served.begun) == 5
        served.may_end.set()
        await asyncio.gather(*served.tasks)
        assert served.turns._under_way == 0

    run(others())


def test_who_leaves_before_the_turn_has_none() -> None:
    async def leaving() -> None:
        served = Served()
        for _ in range(6):
            served.ask("a", served.stays)
        await settle()
        served.tasks[4].cancel()
        await settle()
        served.may_end.set()
        found = await asyncio.gather(*served.tasks, return_exceptions=True)
        assert [isinstance(one, asyncio.CancelledError) for one in found] == [False] * 4 + [
            True,
            False,
        ]
        assert served.turns._under_way == 0

    run(leaving())
