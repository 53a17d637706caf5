"""Notices that a browser has gone while its question waits, so that nothing is computed for nobody.

Gradio itself forgets what a page that was closed has put into its queue; the viewer's questions
do not go through that queue.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...engine import Asker, asker


class Presence:
    """Sets `asker` for the viewer's questions: who it is, and whether that browser has left."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/component_server"):
            await self.app(scope, receive, send)
            return
        left, arrived = threading.Event(), asyncio.Event()

        async def receive_body() -> Message:
            message = await receive()
            if not message.get("more_body"):
                arrived.set()
            return message

        async def watch() -> None:
            await arrived.wait()  # whoever reads the body must not be disturbed
            while (await receive())["type"] != "http.disconnect":
                pass
            left.set()

        address, _ = scope.get("client") or ("", 0)
        token = asker.set(Asker(address, left))
        watcher = asyncio.create_task(watch())
        try:
            await self.app(scope, receive_body, send)
        finally:
            asker.reset(token)
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher
