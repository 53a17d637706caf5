"""How the page is served: its looks and limits, an answer for probes, and what runs beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...engine.protocol import width
from .. import routes, seams
from . import files, journal, trimming
from .admission import threads
from .bodies import BoundedBodies
from .gate import Gate, SecurityHeaders
from .presence import Presence
from .refusals import HANDLERS, Failsafe, Runs
from .turns import Turns
from .uploads import BoundedUploads

if TYPE_CHECKING:
    from ...explainer import Explainer
    from ..agents import Agents

_STATIC = Path(__file__).parent.parent / "static"
_THREADS = 256
_PAUSE = 1.0  # seconds until a watch that failed begins again
_FORM = 100_000  # bytes that a form adds to the file in it


def launch_options(explainer: Explainer, agents: Agents | None = None) -> dict[str, Any]:
    """What `demo.launch` needs for this page: its looks, its limits and headers.

    Args:
        agents: what answers them, where they may ask.
    """
    settings = explainer.settings

    async def health(_request: Request) -> JSONResponse:
        answer = _health(explainer)
        return JSONResponse(answer, 200 if answer["status"] == "ready" else 503)

    async def photo(request: Request) -> Response:
        return await seams.page_of(request.scope).photos.answer(request)

    most = settings.max_upload * 10**6
    return {
        "theme": _theme(),
        "css_paths": [_STATIC / "page.css", seams.CSS],
        "favicon_path": _STATIC / "icon.svg",
        "footer_links": ["api"],
        "max_file_size": most,
        # If those who wait had all threads, no page could open.
        "max_threads": _THREADS + threads(settings, width(explainer.engine)),
        "server_name": settings.host or None,
        "server_port": settings.port or None,
        "root_path": settings.root_path or None,
        "app_kwargs": {
            "routes": [
                Route("/health", health),
                Route("/photo/{token}", photo),
                Route(routes.FILE, files.answer),
                *([agents.route] if agents else []),
            ],
            "exception_handlers": HANDLERS,
            "lifespan": partial(_lifespan, agents),
            "max_body_size": most + _FORM,
            "middleware": [
                Middleware(SecurityHeaders),
                Middleware(Failsafe),
                Middleware(BoundedBodies, agents=most + _FORM if agents else None),
                Middleware(Gate),
                Middleware(Runs),
                Middleware(Presence, visitors=lambda scope: seams.page_of(scope).visitors),
                Middleware(Turns),
                Middleware(BoundedUploads, disk=lambda scope: seams.page_of(scope).disk),
            ],
        },
    }


def _health(explainer: Explainer) -> dict[str, str]:
    """What probes are told: "ready", "starting", or "failed" with the reason."""
    state = explainer.state
    status = "starting" if state.name == "cold" else state.name
    return {"status": status} | ({"reason": state.reason} if state.reason else {})


@asynccontextmanager
async def _lifespan(agents: Agents | None, app: Any) -> AsyncIterator[None]:
    """While the server runs, what is old is deleted, and agents are answered."""
    seams.keep_no_sessions(app)
    page = seams.page_of({"app": app})
    watches = page.disk.watch, page.unread.watch, trimming.watch
    watching = asyncio.gather(*map(_kept_up, watches))
    try:
        async with agents.running() if agents else nullcontext():
            yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _kept_up(watch: Callable[[], Awaitable[None]]) -> None:
    """Watch, and begin again after what went wrong: else what is old would stay, unseen."""
    while True:
        try:
            await watch()
            return
        except Exception as error:
            journal.failed("watch", error)
            await asyncio.sleep(_PAUSE)


def _theme() -> gr.themes.Base:
    """Gradio's own, in a calmer colour; the fonts are those of the visitor's system."""
    system = ["system-ui", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    calm = gr.themes.Default(primary_hue="teal", neutral_hue="slate", font=system, font_mono=mono)
    # Gradio's own quiet text is too pale to be read by many: 2.6 to 1, where 4.5 is the least.
    return calm.set(body_text_color_subdued="*neutral_500")
