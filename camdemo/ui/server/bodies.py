"""What a request brings is bounded before it is read: one by one, and all that are there together.

Read as JSON it takes up to twenty times as much memory. Photos are uploads, which go to the disk.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import Busy
from .. import routes

_EVENT = 120_000  # bytes of an event's: an API's arguments, without the photo
_QUESTION = 250_000  # of a viewer's; the largest has a camera's frame
_TOGETHER = 100  # of the largest may be there at the same time
_PHOTOS = 5  # so many of an agent's, in which there are photos


@dataclass(eq=False)
class _Body:
    """What is there of one."""

    address: str  # from which it comes
    size: int = 0  # bytes
    heard: float = 0.0  # when the last of it came, in seconds of the loop
    more: asyncio.Timeout | None = None  # while more of it is awaited


class BoundedBodies:
    """413 for what is too large, 503 while too much is there.

    Before anybody is refused, bodies give way that are not complete: those of the address that
    has most there, and of these the one that has been silent longest. So nobody keeps others
    out by sending slowly.

    Args:
        agents: bytes of an agent's question; None where agents can't ask.
    """

    def __init__(self, app: ASGIApp, agents: int | None) -> None:
        self.app = app
        self._others = (_EVENT, _TOGETHER * _EVENT)
        self._limits = {  # by path: of one, and of all together
            routes.QUESTIONS: (_QUESTION, _TOGETHER * _QUESTION)
        }
        if agents is not None:
            self._limits[routes.AGENTS] = (agents, _PHOTOS * agents)
        self._there: defaultdict[str, set[_Body]] = defaultdict(set)  # by the path of the limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = routes.route_of(scope) if scope["type"] == "http" else None
        if route is None or routes.is_upload(route):
            await self.app(scope, receive, send)
            return
        path = route.rstrip("/")
        most, together = self._limits.get(path, self._others)
        there = self._there[path if path in self._limits else ""]
        mine, is_whole = _Body(routes.address_of(scope)), False

        def check(size: int) -> None:
            if size > most:
                raise _Refused(413, f"The body has more than the {most} bytes that are taken here.")

        async def counted() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            message = await _next(mine, receive)
            if mine not in there:  # it came in the moment in which it had to give way
                raise _Refused(503, str(Busy()))
            is_whole = not message.get("more_body")
            count = len(message.get("body", b""))
            check(mine.size + count)
            _make_room(there, mine, together - count)
            mine.size += count
            return message

        there.add(mine)
        try:
            check(_length(scope))
            await self.app(scope, counted, send)
        except _Refused as refused:  # bodies are read before anything is answered
            await JSONResponse({"detail": refused.why}, refused.status)(scope, receive, send)
        finally:
            there.discard(mine)


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


async def _next(body: _Body, receive: Receive) -> Message:
    """The next piece of a body, unless it has to give way before that comes."""
    body.heard = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(None) as body.more:
            return await receive()
    except TimeoutError:
        raise _Refused(503, str(Busy())) from None
    finally:
        body.more = None


def _make_room(there: set[_Body], mine: _Body, most: int) -> None:
    """Let others give way until they take at most so many bytes together.

    Raises:
        _Refused: all others are complete, or come from where less is there than from here.
    """
    while sum(one.size for one in there) > most:
        held: Counter[str] = Counter()
        for one in there:
            held[one.address] += one.size
        slow = [one for one in there if one.more and held[one.address] >= held[mine.address]]
        if not slow:
            raise _Refused(503, str(Busy()))
        last = max(slow, key=lambda one: (held[one.address], -one.heard))
        there.discard(last)
        last.more.reschedule(0)  # type: ignore[union-attr]  # in the past: at once


def _length(scope: Scope) -> int:
    """What a request says of its length; 0 where it says nothing."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 16 else 0
