"""Who asks, and whether they are still there, so that nothing is computed for nobody.

Gradio forgets what a page that was closed has put into its queue. What runs already, and the
viewer's questions, which do not go through that queue, it does not.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...engine.protocol import Asker, asker
from .. import routes
from ..live import LONGEST as FRAME

_LONGEST_NAME = 64  # characters of a visitor's name that are kept
_ANOTHER = "another"  # stands for the scene that is asked for
_LONGEST = FRAME + 10_000  # bytes of a viewer's question; the largest has a frame


def visitor() -> str:
    """The name of who asks: the session of a page, which a client writes; empty for nobody."""
    one = asker.get()
    return one.name[:_LONGEST_NAME] if one else ""


class Visitors:
    """Whose events and questions run at the moment."""

    def __init__(self) -> None:
        self._events: dict[str, set[threading.Event]] = {}
        self._questions: dict[str, dict[threading.Event, str]] = {}  # about which scene

    @contextmanager
    def asking(self, session: str, address: str = "") -> Iterator[None]:
        """Within it, the engine knows that this visitor asks, and whether they are there."""
        left = threading.Event()
        events = self._events.setdefault(session, set())
        events.add(left)
        token = asker.set(Asker(session, left, address))
        try:
            yield
        finally:
            asker.reset(token)
            events.discard(left)
            if not events:
                self._events.pop(session, None)

    def looks_at(self, session: str, scene: str, left: threading.Event, beside: str = "") -> None:
        """A visitor asks about a scene: what they asked about others they wait for no more.

        Whoever asks for another scene waits for that one alone, and may still ask about this one.
        But who compares two looks at that `beside` it, too.
        """
        questions = self._questions.setdefault(session, {})
        is_alone = scene == _ANOTHER and not beside
        for event, other in questions.items():
            if is_alone or other not in (scene, beside, _ANOTHER):
                event.set()
        questions[left] = scene

    def answered(self, session: str, left: threading.Event) -> None:
        """A question is over."""
        questions = self._questions.get(session, {})
        questions.pop(left, None)
        if not questions:
            self._questions.pop(session, None)

    def left(self, session: str) -> None:
        """A visitor has gone, with all that they asked."""
        for event in self._events.get(session, ()) if session else ():
            event.set()


class Presence:
    """Notices when a browser leaves that waits for its events, or for a viewer's question.

    Args:
        visitors: finds those of the page that a request is for.
    """

    def __init__(self, app: ASGIApp, visitors: Callable[[Scope], Visitors]) -> None:
        self.app = app
        self._visitors = visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = routes.route_of(scope).rstrip("/") if scope["type"] == "http" else ""
        if path == routes.QUESTIONS:
            await self._question(scope, receive, send)
        elif path == "/gradio_api/queue/data":
            await self._events(scope, receive, send)
        elif path == routes.AGENTS:
            token = asker.set(Asker("", threading.Event(), routes.address_of(scope)))
            try:
                await self.app(scope, receive, send)
            finally:
                asker.reset(token)
        else:
            await self.app(scope, receive, send)

    async def _question(self, scope: Scope, receive: Receive, send: Send) -> None:
        left, arrived = threading.Event(), asyncio.Event()
        body, visitors, session = bytearray(), self._visitors(scope), ""
        address = routes.address_of(scope)
        token = asker.set(Asker("", left, address))

        async def receive_body() -> Message:
            nonlocal session
            message = await receive()
            if len(body) <= _LONGEST:
                body.extend(message.get("body", b""))
            if not message.get("more_body"):
                session, shown, beside = _session_and_scenes(body)
                asker.set(Asker(session, left, address))
                if session and shown:
                    visitors.looks_at(session, shown, left, beside)
                arrived.set()
            return message

        async def watch() -> None:
            await arrived.wait()  # whoever reads the body must not be disturbed
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

        watcher = asyncio.create_task(watch())
        try:
            await self.app(scope, receive_body, send)
        finally:
            asker.reset(token)
            visitors.answered(session, left)
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        visitors, complete = self._visitors(scope), False

        async def notice() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not complete:
                visitors.left(session)
            return message

        async def send_on(message: Message) -> None:
            nonlocal complete
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        await self.app(scope, notice, send_on)


def _session_and_scenes(body: bytes | bytearray) -> tuple[str, str, str]:
    """The session in a viewer's question, the scene it is about, and the one beside it.

    Each is empty where there is none.
    """
    try:
        question: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", "", ""

    def text(record: Any, name: str) -> str:
        value = record.get(name) if isinstance(record, dict) else None
        return value if isinstance(value, str) else ""

    data = question.get("data") if isinstance(question, dict) else None
    opens = text(question, "fn_name") == "scene_open"
    shown = _ANOTHER if opens else text(data, "id")
    return text(question, "session_hash"), shown, text(data, "beside")
