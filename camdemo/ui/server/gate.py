"""What every request has to pass: only the routes that the page needs exist, only our own files,
and nothing that could not be answered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import routes
from .refusals import nothing

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
_HOST = re.compile(rb"(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?", re.IGNORECASE)
_LAST_PORT = 65535
_NO_HOST = b"localhost"  # where none is named, as by probes of HTTP/1.0
# Where in a body there can be what JSON has no number or no letter for, and what is not UTF-8:
# the text of a body is looked through, and only where one of these stands, it is read.
_SUSPICIOUS = re.compile(rb"NaN|Infinity|\\u[dD][89a-fA-F]|\d[eE]\+?\d{3}|\xed[\xa0-\xbf]|\0")
_VALUES = b",[{"  # one of these stands before each value of JSON but the first
_MOST_VALUES = 10_000  # of an agent's question, which has a photo, but that is one text
_NAMELESS = re.compile(rb'"session_hash"\s*:\s*""')  # Gradio fails over it after it has begun


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
    """404 for a route of Gradio's that nobody needs, 400 for what can't be answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, is_post = routes.route_of(scope), scope["method"] == "POST"
        scope["headers"], is_host = _plain(scope["headers"])
        scope["query_string"] = routes.query_of(path, scope["query_string"])
        refusal = None
        if not routes.is_open(scope["method"], path):
            refusal = nothing()
        elif not is_host:
            refusal = _wrong("Host is not the name of a host.")
        elif is_post and not routes.is_upload(path):
            body, last = await _whole(receive)
            receive = _again({**last, "body": body}, receive)
            if dict(scope["headers"]).get(b"content-type", b"").startswith(b"multipart"):
                refusal = _wrong("Files are taken by /gradio_api/upload alone.")
            elif path == routes.AGENTS and _has_many_values(body):
                refusal = _wrong("The body has more values than any question needs.")
            elif _NAMELESS.search(body):
                refusal = _wrong("session_hash is empty. Give it any name, the same each time.")
            elif not _is_plain(body):
                refusal = _wrong("The body has what is no number or no text.")
        await (refusal or self.app)(scope, receive, send)


def _wrong(why: str) -> JSONResponse:
    return JSONResponse({"detail": why}, 400)


def _plain(headers: list[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The headers, and whether Host is one.

    From these Gradio makes the address of the page; what is none it can't read. Of what proxies
    say it knows one more that none of them says.
    """
    kept = []
    for name, value in headers:
        if name == b"x-forwarded-host" and not _is_host(value.partition(b",")[0].strip()):
            continue
        if name != b"x-gradio-server":
            kept.append((name, value))
    hosts = [value for name, value in headers if name == b"host"]
    if not hosts:
        kept.append((b"host", _NO_HOST))
    return kept, all(map(_is_host, hosts))


def _is_host(value: bytes) -> bool:
    found = _HOST.fullmatch(value)
    return found is not None and int(found[1] or 0) <= _LAST_PORT


async def _whole(receive: Receive) -> tuple[bytes, Message]:
    """The body of a request, of which the server takes no more than a photo's, and its end."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body), message


def _again(message: Message, receive: Receive) -> Receive:
    left = [message]

    async def received() -> Message:
        return left.pop() if left else await receive()

    return received


def _has_many_values(body: bytes) -> bool:
    """Whether it would take a hundred times its bytes of memory, once it is read."""
    return sum(body.count(one) for one in _VALUES) > _MOST_VALUES


def _is_plain(body: bytes) -> bool:
    """Whether all that is in it could be written again: finite numbers, and letters of UTF-8.

    What is no JSON at all is for the route to refuse.
    """
    if not _SUSPICIOUS.search(body):
        return True
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return False
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):  # UnicodeEncodeError is one
        return False
    return True
