"""What a request brings is bounded before it is read: one by one, and all that are there together.

Read as JSON it takes up to twenty times as much memory. Photos are uploads, which go to the disk.
"""

from __future__ import annotations

from collections import Counter

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import Busy
from .. import routes

_EVENT = 120_000  # bytes of an event's: an API's arguments, without the photo
_QUESTION = 250_000  # of a viewer's; the largest has a camera's frame
_TOGETHER = 100  # of the largest may be there at the same time
_PHOTOS = 5  # so many of an agent's, in which there are photos


class BoundedBodies:
    """413 for what is too large, 503 while too much is there.

    Args:
        largest: bytes of an agent's question.
    """

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self.app = app
        self._limits = {  # by how a path ends: of one, and of all together
            "/mcp": (largest, _PHOTOS * largest),
            "/component_server": (_QUESTION, _TOGETHER * _QUESTION),
            "": (_EVENT, _TOGETHER * _EVENT),
        }
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or routes.is_upload(routes.route_of(scope)):
            await self.app(scope, receive, send)
            return
        path = routes.route_of(scope).rstrip("/")
        kind = next(end for end in self._limits if path.endswith(end))
        mine = 0

        def check(more: int) -> None:
            most, together = self._limits[kind]
            if mine + more > most:
                raise _Refused(413, f"The body has more than the {most} bytes that are taken here.")
            if self._held[kind] + more > together:
                raise _Refused(503, str(Busy()))

        async def counted() -> Message:
            nonlocal mine
            message = await receive()
            count = len(message.get("body", b""))
            check(count)
            mine += count
            self._held[kind] += count
            return message

        try:
            check(_length(scope))
            await self.app(scope, counted, send)
        except _Refused as refused:  # bodies are read before anything is answered
            await JSONResponse({"detail": refused.why}, refused.status)(scope, receive, send)
        finally:
            self._held[kind] -= mine


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


def _length(scope: Scope) -> int:
    """What a request says of its length; 0 where it says nothing."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 16 else 0
