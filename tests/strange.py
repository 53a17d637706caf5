"""Requests that no browser sends, to every route that is open: seeded, so that all see the same.

Each has what a stranger wrote (`MARK`) in it, which may stand in no line of a log.
"""

from __future__ import annotations

import json
import random
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MARK = "a-stranger-wrote-this"
_FORGED = f'\n{{"request": "{MARK}", "outcome": "done"}}\n'
_TEXTS = [
    *("", " ", ".", "..", "\0", "\ud800", "\udfff\ud800", "🦁", "%", "*", "~", "-1", "NaN"),
    *(MARK, _FORGED, "x" * 300, "x" * 5000, f"../{MARK}.jpg", "/etc/passwd", "C:\\x", "__class__"),
    *(f"http://{MARK}/", f"//{MARK}/", f"data:,{MARK}", f"ftp://{MARK}/", "localhost:1"),
]
_PLAIN: list[Any] = [
    *(None, True, -1, 0, 1, 10**6, 10**30, 0.5, float("nan"), float("inf"), float("-inf")),
    *([], [[]], {}, [MARK], {MARK: MARK}, {"path": MARK}, {"__type__": "update"}),
    {"path": _FORGED, "meta": {"_type": "gradio.FileData"}},
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
    {"path": f"http://{MARK}/", "url": MARK, "meta": {"_type": "gradio.FileData"}},
]
_VALUES = [*_TEXTS, *_PLAIN]
# What json.dumps does not write.
_RAW = [
    *(b"", b"{", b"null", b"[]", b'"', b"\xff", b"1e999", b"NaN", b"[" * 2000, b"[" * 100_000),
    *(b'{"data":[1e999]}', b'{"data":[' + b"9" * 5000 + b"]}", b'{"data":["\xff"]}', b"\0"),
    b'{"data": [], "data": {}}',
]
_HEADERS = [
    *(
        ("Range", one)
        for one in ("bytes=0-1", "bytes=0-1,3-4", "bytes=-", "bytes=--1", "bytes=9-1")
    ),
    *(("Range", one) for one in (f"bytes={MARK}-", "bytes=0-" + "9" * 40, "x=0-1", "bytes=1-2-3")),
    *(("X-Forwarded-Host", one) for one in (MARK, "a b", "[", "a:b", "\xff", "@", "http://a", ",")),
    *(("X-Gradio-Server", one) for one in (f"http://{MARK}", "[", "\xff", "http://a b")),
    *(("Host", one) for one in ("", "a b", "[", "a:b:c", "\xff", "@", "a:99999999")),
    *(("X-Forwarded-Proto", one) for one in ("https", MARK, "")),
    *(("Origin", one) for one in ("null", "http://[", MARK, "\xff", "http://localhost:x")),
    *(("Cookie", one) for one in (MARK, "a=\xff; ; =", "access-token=x")),
    *(("If-None-Match", MARK), ("If-Modified-Since", MARK), ("If-Range", MARK), ("Accept", "\xff")),
    *(("Accept-Encoding", "br;q=x"), ("Authorization", "Basic \xff"), ("Content-Encoding", "gzip")),
    *(
        ("Content-Type", one)
        for one in ("", "\xff", "application/json; charset=\xff", "text/plain")
    ),
    *(("Content-Type", one) for one in ("multipart/form-data", "multipart/form-data; boundary=")),
]
_QUERIES = [
    *("deep_link", "page", "session_hash", "upload_id", "all_endpoints", "__theme", "view", "x"),
]
_FILE = {"path": f"/tmp/{MARK}.jpg", "meta": {"_type": "gradio.FileData"}}
_EVENT: dict[str, Any] = {
    "data": [_FILE],
    "fn_index": 0,
    "session_hash": MARK,
    "event_id": MARK,
    "event_data": None,
    "trigger_id": None,
    "batched": False,
    "simple_format": False,
    "oauth_token": None,
}
_TOOL = {"name": "layers", "arguments": {"model": MARK}}


@dataclass(frozen=True)
class Request:
    """One request, as it goes over the wire: what of `target` and headers is text is latin-1."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.target[:120]} {self.headers} {self.body[:300]!r}"


def requests(
    templates: dict[str, tuple[str, ...]], viewer: int, count: int, seed: int = 0
) -> Iterator[Request]:
    """So many requests, each route as often as any other.

    Args:
        templates: the routes by method, with {parameters}, as in `routes.OPEN`.
        viewer: the number of the viewer's component.
    """
    dice = random.Random(seed)
    routes = [(method, one) for method, several in templates.items() for one in several]
    for number in range(count):
        method, template = routes[number % len(routes)]
        yield _request(dice, method, template, viewer)


def _request(dice: random.Random, method: str, template: str, viewer: int) -> Request:
    names = ["explain", "layers", "models", *_TEXTS] if "api_name" in template else _TEXTS
    target = re.sub(r"{[^}]*}", lambda _: _quoted(dice, dice.choice(names)), template)
    if dice.random() < 0.4:
        target += f"?{dice.choice(_QUERIES)}={_quoted(dice, dice.choice(_TEXTS))}"
    headers = [dice.choice(_HEADERS)] if dice.random() < 0.5 else []
    if method != "POST":
        return Request(method, target, tuple(headers), b"")
    if template.endswith("/upload") or dice.random() < 0.05:
        kind, body = _form(dice)
    else:
        kind, body = "application/json", _json(dice, template, viewer)
    if template == "/mcp":
        headers.append(("Accept", "application/json, text/event-stream"))
    if not any(name == "Content-Type" for name, _ in headers):
        headers.append(("Content-Type", kind))
    return Request(method, target, tuple(headers), body)


def _quoted(dice: random.Random, text: str) -> str:
    """Text as it may stand in an address: of its bytes those that must be are written as %XX."""
    kept = b"" if dice.random() < 0.2 else b"/:.-_~*="
    data = text.encode("utf-8", "surrogatepass")
    if dice.random() < 0.1:
        data += b"\xff"
    return "".join(
        chr(one) if one in kept or (chr(one).isascii() and chr(one).isalnum()) else f"%{one:02X}"
        for one in data
    )


def _json(dice: random.Random, template: str, viewer: int) -> bytes:
    if dice.random() < 0.15:
        return dice.choice(_RAW)
    if "component_server" in template:
        asked = {"source": {"example": "Lion"}, "id": MARK, "model": MARK, "after": 0}
        name = dice.choice(["scene_open", "scene_maps", "page_start", "scene_live", "scene_labels"])
        whole = {"data": asked, "component_id": viewer, "fn_name": name, "session_hash": MARK}
    elif template == "/mcp":
        whole = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": _TOOL}
    else:
        whole = dict(_EVENT, fn_index=dice.choice([None, 0, 1, 2]))
    text = json.dumps(_changed(dice, whole))
    return text.encode()


def _changed(dice: random.Random, value: Any) -> Any:
    """The same with one thing in it changed, left out or added."""
    if not isinstance(value, dict | list) or not value or dice.random() < 0.15:
        return dice.choice(_VALUES)
    if isinstance(value, list):
        place = dice.randrange(len(value))
        return [*value[:place], _changed(dice, value[place]), *value[place + 1 :]]
    name = dice.choice(list(value))
    if dice.random() < 0.15:
        return {key: one for key, one in value.items() if key != name}
    return value | {name: _changed(dice, value[name])}


def _form(dice: random.Random) -> tuple[str, bytes]:
    """A body with files: its type, and itself."""
    charset = dice.choice(
        ["", "", "; charset=utf-16", "; charset=raw_unicode_escape", "; charset=x"]
    )
    boundary = dice.choice(["x", "x", "x", "", "y" * 200])
    name = dice.choice(["files", "files", "", "data", MARK])
    file = dice.choice(["a.jpg", *_TEXTS, "\\ud800", "a/b", "a" * 255 + ".jpg"])
    filename = file.encode("utf-8", "surrogatepass").replace(b'"', b"")
    disposition = b'Content-Disposition: form-data; name="%s"' % name.encode()
    if dice.random() < 0.8:
        disposition += b'; filename="%s"' % filename
    part = b"--x\r\n" + disposition + b"\r\n\r\n" + MARK.encode() + b"\r\n"
    body = part * dice.choice([0, 1, 1, 1, 3]) + dice.choice([b"--x--\r\n", b"--x--\r\n", b""])
    if dice.random() < 0.1:
        body = body[: dice.randrange(len(body) + 1)]
    return f"multipart/form-data; boundary={boundary}{charset}", body


def answer(port: int, asked: Request, seconds: float = 20.0) -> tuple[int, dict[str, str], bytes]:
    """Send a request to this machine; returns status, headers by their small names, and body.

    Of an endless answer only the beginning is read. Status 0: closed without an answer.
    """
    head = [f"{asked.method} {asked.target} HTTP/1.1", "Connection: close"]
    own = {name.lower() for name, _ in asked.headers}
    head += [f"{name}: {value}" for name, value in asked.headers]
    head += [] if "host" in own else [f"Host: 127.0.0.1:{port}"]
    head += [f"Content-Length: {len(asked.body)}"] if asked.body or asked.method == "POST" else []
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        with suppress(OSError):  # it may be refused before all of it was read
            connection.sendall("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + asked.body)
        received = b""
        while not _is_endless(received):
            try:
                some = connection.recv(1 << 16)
            except ConnectionError:
                break
            if not some:
                break
            received += some
    first, _, body = received.partition(b"\r\n\r\n")
    if not first:
        return 0, {}, b""
    status, *lines = first.decode("latin-1").split("\r\n")
    parts = [line.partition(":") for line in lines]
    found = {name.lower(): value.strip() for name, _, value in parts}
    return int(status.split()[1]), found, body


def _is_endless(received: bytes) -> bool:
    head, there, body = received.partition(b"\r\n\r\n")
    return bool(there) and b"text/event-stream" in head.lower() and bool(body)
