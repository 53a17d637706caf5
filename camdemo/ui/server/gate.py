"""What every request has to pass: only the routes that the page needs exist, only our own files."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import seams

# Nothing comes from another host. Gradio's page needs inline scripts, and evaluates those of
# components; a Space shows the page inside another one, so that framing is not forbidden.
_POLICY = "; ".join(
    [
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    ]
)
_HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), payment=(), usb=()",
}


class SecurityHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers)


class Gate:
    """404 for a route of Gradio's that nobody needs, 403 for a file that is not ours."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self.app
        if scope["type"] == "http":
            path = seams.route_of(scope)
            if not seams.is_open(scope["method"], path):
                app = nothing()
            elif not seams.is_ours(path):
                app = JSONResponse({"detail": "There is no such file here."}, 403)
        await app(scope, receive, send)


def nothing() -> JSONResponse:
    """The answer to whoever asks for what there is not."""
    return JSONResponse({"detail": "There is nothing of that name."}, 404)
