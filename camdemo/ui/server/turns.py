"""Whose request goes on next: a few at a time, by turns of the addresses that they come from.

A request takes some ten short steps of the event loop. With hundreds under way each step waits for
one of each of the others, and who comes with a single request waits behind somebody's flood for
seconds. Here requests wait before their first step instead.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import routes

_AT_ONCE = 4
_SOON = 0.02  # seconds within which the next part of a body has arrived, or is waited for
_LONGEST = 0.1  # seconds after which a request must be waiting for something else than the loop


class _Turn:
    """A request that the event loop works on."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._then = end
        self._late = self._loop.call_later(_LONGEST, self.end)
        self._is_over = False

    def end(self) -> None:
        """The next may begin. To be called in the loop, as often as one likes."""
        if not self._is_over:
            self._is_over = True
            self._late.cancel()
            self._then()

    def end_soon(self) -> None:
        """The same from any thread."""
        self._loop.call_soon_threadsafe(self.end)


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


def over() -> None:
    """The request that is served needs the loop no more, or waits: it holds up no other."""
    turn = _turn.get()
    if turn is not None:
        turn.end_soon()


class Turns:
    """Lets a few requests at a time begin: the addresses in turns, and of one who came first.

    A request's turn is over when it is answered, when its answer begins to stream, when it waits
    for more of its body, and when what it asks is being worked on (see `over`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._under_way = 0
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await self._come(routes.address_of(scope))
        turn = _Turn(self._go_on)
        token = _turn.set(turn)
        loop = asyncio.get_running_loop()

        async def read() -> Message:
            late = loop.call_later(_SOON, turn.end)
            try:
                return await receive()
            finally:
                late.cancel()

        async def told(message: Message) -> None:
            await send(message)
            if message.get("more_body"):
                turn.end()

        try:
            await self.app(scope, read, told)
        finally:
            _turn.reset(token)
            turn.end()

    async def _come(self, address: str) -> None:
        """Wait for a turn."""
        if self._under_way < _AT_ONCE:
            self._under_way += 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(address, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if not mine.cancelled():  # it had been given a turn
                self._go_on()
            raise

    def _go_on(self) -> None:
        """A turn is over: it goes to the next who waits."""
        while self._waiting:
            address, those = self._waiting.popitem(last=False)
            first = those.popleft()
            if those:
                self._waiting[address] = those  # behind the others
            if not first.done():
                first.set_result(None)
                return
        self._under_way -= 1
