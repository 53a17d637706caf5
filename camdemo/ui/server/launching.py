"""How the page is served: its looks, limits and security headers, and an answer for probes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import examples
from . import journal
from .presence import Presence
from .uploads import BoundedUploads

if TYPE_CHECKING:
    from ...explainer import Explainer

_STATIC = Path(__file__).parent.parent / "static"
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
_THREADS = 256
_FORM = 100_000  # bytes that a form adds to the file in it
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "geolocation=(), microphone=(), payment=(), usb=()",
}


def launch_options(explainer: Explainer, deck: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `demo.launch` needs for this page: its looks, its photos, its limits and headers.

    Gradio shows no file from outside the working directory, where an installed package's
    photos or a deck may well lie: they are named here, one by one.
    """
    settings = explainer.settings

    async def health(_request: Request) -> JSONResponse:
        state = explainer.state
        status = "starting" if state.name == "cold" else state.name
        facts = {"status": status} | ({"reason": state.reason} if state.reason else {})
        return JSONResponse(facts, 200 if status == "ready" else 503)

    most = settings.max_upload * 10**6
    return {
        "theme": _theme(),
        "css_paths": [_STATIC / "page.css"],
        "footer_links": ["api"],
        "allowed_paths": list((examples.photos() if deck is None else deck).values()),
        "max_file_size": most,
        # Threads that wait for the worker. With as many sweeps waiting as there are threads, no
        # first map could overtake them.
        "max_threads": _THREADS,
        "server_name": settings.host or None,
        "server_port": settings.port or None,
        "root_path": settings.root_path or None,
        "app_kwargs": {
            "routes": [Route("/health", health)],
            "exception_handlers": {KeyError: _not_found},
            "max_body_size": most + _FORM,
            "middleware": [
                Middleware(_SecurityHeaders),
                Middleware(Presence),
                Middleware(
                    BoundedUploads,
                    folder=Path(get_upload_folder()),
                    most=settings.max_disk * 10**6,
                ),
            ],
        },
    }


def _not_found(_request: Request, error: Exception) -> JSONResponse:
    """Gradio looks up what a client names, and fails where there is no such component or event."""
    journal.failed("lookup", error)
    return JSONResponse({"detail": "There is nothing of that name."}, 404)


def _theme() -> gr.themes.Base:
    """Gradio's own, in a calmer colour; the fonts are those of the visitor's system."""
    system = ["system-ui", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    calm = gr.themes.Default(primary_hue="teal", neutral_hue="slate", font=system, font_mono=mono)
    # Gradio's own quiet text is too pale to be read by many: 2.6 to 1, where 4.5 is the least.
    return calm.set(body_text_color_subdued="*neutral_500")


class _SecurityHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers)
