"""Which of Gradio's routes there are for the world: a list of those that are open, and of the rest.

tests/test_seams_of_gradio.py walks the app's own routes, and fails when one is in neither list.
"""

from __future__ import annotations

import re

from starlette.routing import compile_path
from starlette.types import Scope

FILE = (
    "/gradio_api/file={path_or_url:path}"  # Gradio's name; the route is ours, see server/files.py
)
AGENTS = "/mcp"  # ours, where agents may ask
QUESTIONS = "/gradio_api/component_server"  # the viewer's
# What the page and gradio_client ask for.
OPEN: dict[str, tuple[str, ...]] = {
    "GET": (
        "/",
        "/config",
        "/config/",
        "/assets/{path:path}",
        "/static/{path:path}",
        "/theme.css",
        "/favicon.ico",
        "/manifest.json",
        "/robots.txt",
        "/health",  # ours
        "/photo/{token}",  # ours
        "/gradio_api/info",
        "/gradio_api/info/",
        FILE,  # ours
        "/gradio_api/heartbeat/{session_hash}",
        "/gradio_api/queue/data",
        "/gradio_api/startup-events",  # Gradio itself asks for it to see whether it runs
        "/gradio_api/call/{api_name}/{event_id}",  # the API by curl, which waits in the queue, too
    ),
    "HEAD": ("/", "/health", "/photo/{token}", FILE),
    "POST": (
        "/gradio_api/upload",
        "/gradio_api/queue/join",
        "/gradio_api/run/{api_name}",  # what is not queued and takes no time; see `Page`
        "/gradio_api/call/{api_name}",
        "/gradio_api/cancel",
        "/gradio_api/reset",
        QUESTIONS,
        f"{QUESTIONS}/",
        AGENTS,
    ),
}
# The others, which answer 404. The test knows a new Gradio's new routes by their absence here.
CLOSED: dict[str, tuple[str, ...]] = {
    "GET": (
        "/openapi.json",
        "/gradio_api/openapi.json",
        "/gradio_api/proxy={url_path:path}",  # fetches what strangers name
        "/gradio_api/queue/status",  # how many ask
        "/gradio_api/upload_progress",  # of widgets that are not here
        "/gradio_api/file/{path:path}",  # an older name of file=
        "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",  # no media here
        "/gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file",
        "/gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
        "/gradio_api/custom_component/{id}/{environment}/{type}/{file_name}",  # there is none
        "/svelte/{path:path}",  # for those
        "/gradio_api/call/v2/{api_name}/{event_id}",
        "/gradio_api/user",  # nobody logs in
        "/gradio_api/user/",
        "/gradio_api/login_check",
        "/gradio_api/login_check/",
        "/gradio_api/token",
        "/gradio_api/token/",
        "/logout",
        "/gradio_api/app_id",
        "/gradio_api/app_id/",
        "/gradio_api/deep_link",  # the address of the page has all that a link needs
        "/gradio_api/runs",  # who asked what, when
        "/gradio_api/runs/",
        "/gradio_api/run-history/buckets",
        "/gradio_api/run-history/records",
        "/gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}",
        "/monitoring",
        "/monitoring/summary",
        "/monitoring/{key}",
        "/gradio_api/theme.css",
        "/pwa_icon",
        "/pwa_icon/{size}",
        "/gradio_api/dev/reload",  # for developing
        "/gradio_api/vibe-code",
        "/gradio_api/vibe-code/",
    ),
    "HEAD": ("/openapi.json", "/gradio_api/proxy={url_path:path}"),
    "POST": (
        "/gradio_api/process_recording",  # runs ffmpeg for anybody
        "/gradio_api/run/{api_name}/",
        "/gradio_api/api/{api_name}",  # an older name of run
        "/gradio_api/api/{api_name}/",
        "/gradio_api/call/{api_name}/",
        "/gradio_api/call/v2/{api_name}",
        "/gradio_api/call/v2/{api_name}/",
        "/gradio_api/reset/",
        "/gradio_api/stream/{event_id}",
        "/gradio_api/stream/{event_id}/close",
        "/gradio_api/run-history/connect",
        "/login",
        "/login/",
        "/gradio_api/vibe-edit",
        "/gradio_api/vibe-edit/",
        "/gradio_api/undo-vibe-edit",
        "/gradio_api/undo-vibe-edit/",
        "/gradio_api/vibe-code",
        "/gradio_api/vibe-code/",
        "/gradio_api/vibe-starter-queries",
        "/gradio_api/vibe-starter-queries/",
    ),
}
_PATTERNS = {
    method: [compile_path(template)[0] for template in templates]
    for method, templates in OPEN.items()
}
_CONTROL = re.compile(r"[\0-\x1f\x7f]")  # Gradio makes addresses of paths, and fails over these
_LONGEST_NAME = 255  # bytes of the name of a file; of a longer one systems won't even say no


def route_of(scope: Scope) -> str:
    """The path of a request below that under which a proxy shows the page, as routes are found."""
    path, root = scope["path"], scope.get("root_path", "")
    below = path.removeprefix(root) if path.startswith(root + "/") or path == root else path
    return below or "/"


def address_of(scope: Scope) -> str:
    """From where a request comes, as far as that is known."""
    return (scope.get("client") or [""])[0]


def is_open(method: str, path: str) -> bool:
    """Whether a route is one of those that the page and its API need."""
    if _CONTROL.search(path):
        return False
    if any(len(name.encode("utf-8", "replace")) > _LONGEST_NAME for name in path.split("/")):
        return False
    return any(pattern.match(path) for pattern in _PATTERNS.get(method, ()))


def is_upload(path: str) -> bool:
    """Whether it takes files."""
    return path == "/gradio_api/upload"


def is_run(path: str) -> bool:
    """Whether it answers an event at once."""
    return path.startswith("/gradio_api/run/")


def query_of(path: str, query: bytes) -> bytes:
    """What may stand behind the `?` of a path: the page and its API need next to nothing.

    Gradio would look for a page or a link of that name, or keep it for ever.
    """
    if path.startswith("/gradio_api/info"):
        # Else Gradio keeps what it told the first who asked, with the address that he wrote into
        # a header, and tells it everybody. Of a page, be it the only one, it keeps none.
        return b"page="
    return query if path == "/gradio_api/queue/data" else b""
