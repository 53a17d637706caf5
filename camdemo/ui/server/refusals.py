"""What goes wrong on a route, in words: what a client did is a 4xx, and only our mistakes are 500.

Gradio and FastAPI repeat in their answers what was sent, print it, and call their own refusals
errors of the server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import routes, seams
from . import journal

_ANOTHER = "This is not what is asked for here. What is, /gradio_api/info tells."


def nothing() -> JSONResponse:
    """The answer to whoever asks for what there is not."""
    return JSONResponse({"detail": "There is nothing of that name."}, 404)


def _sorry() -> JSONResponse:
    return JSONResponse({"detail": journal.SORRY}, 500)


def _unnamed(_request: Request, _error: Exception) -> JSONResponse:
    return nothing()


def _not_found(_request: Request, error: Exception) -> JSONResponse:
    """What a client names and Gradio does not find is not there; all else is our own mistake."""
    if seams.found_nothing(error):
        journal.unknown("lookup")
        return nothing()
    journal.failed("request", error)
    return _sorry()


def _another(_request: Request, _error: Exception) -> JSONResponse:
    """Not FastAPI's answer, which has the whole question in it, and fails over NaN."""
    return JSONResponse({"detail": _ANOTHER}, 422)


HANDLERS: Mapping[Any, Any] = {
    KeyError: _not_found,
    FnIndexInferError: _unnamed,
    RequestValidationError: _another,
}


class Failsafe:
    """Answers whatever nobody else has answered, and logs it as one line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:
            # Of a stream, Gradio finds out only after its beginning that nobody has asked for it.
            if not isinstance(error.__cause__, HTTPException):
                journal.failed("request", error)
            if not has_begun:
                await _sorry()(scope, receive, send)
                return
            with suppress(Exception):  # of what had a length, uvicorn closes the connection
                await send({"type": "http.response.body", "body": b"", "more_body": False})


class Runs:
    """Gradio answers 500 to what /run refuses in words: 400."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not routes.is_run(routes.route_of(scope)):
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def told(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 500:
                start = message
                return
            if start is not None:
                if _is_refusal(message.get("body", b"")):
                    start["status"] = 400
                await send(start)
                start = None
            await send(message)

        await self.app(scope, receive, told)


def _is_refusal(body: bytes) -> bool:
    with suppress(ValueError, AttributeError):
        return json.loads(body).get("error") not in (None, journal.SORRY)
    return False
