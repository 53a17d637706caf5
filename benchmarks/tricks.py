"""Tricks: what a client may name, send or say that it should not, one request after another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import httpx

from camdemo.ui import routes
from tests import hostile, strange

from .floods import event_of, explained
from .toll import Field

MARK = strange.MARK  # in each name and line that the log must not have
STRANGE = 1000  # requests that no browser sends
_AGENTS = {"accept": "application/json, text/event-stream"}
_MEGABYTE = bytes(2**20)


def addresses(canary: str) -> list[str]:
    """What names another host, in every spelling: this machine, and a public one."""
    here = canary.removeprefix("http:")
    public = "//canary.example.org/photo.jpg"
    return [
        *(canary, f"HTTP:{here}", here, f" {canary}", f"http:/{here[2:]}", f"\\\\{here[2:]}"),
        *(f"{scheme}:{public}" for scheme in ("http", "https", "ftp", "hTTps", "gopher", "file")),
        *("http://192.0.2.7/photo.jpg", "data:image/png;base64,AAAA", public),
    ]


async def requests(field: Field) -> None:
    """Requests that no browser sends, to every route."""
    port = field.http.base_url.port or 0

    async def sent(asked: strange.Request) -> httpx.Response:
        status, headers, body = await asyncio.to_thread(strange.answer, port, asked)
        if not status:
            raise httpx.RemoteProtocolError("closed without an answer")
        is_whole = "transfer-encoding" not in headers
        kind = {"content-type": headers.get("content-type", "")} if is_whole else {}
        request = httpx.Request(asked.method, field.http.base_url)
        return httpx.Response(status, headers=kind, content=body, request=request)

    viewer = field.visitor().component("viewer")
    for asked in strange.requests(routes.OPEN, viewer, STRANGE):
        await field.toll.alone(str(asked)[:200], sent(asked))


async def proxies(field: Field) -> None:
    """The address of another host, wherever a photo or a file may be named."""
    for named in addresses(field.canary):
        asked = []
        for way in ("file=", "file/", "proxy=", "stream/"):
            address = f"/gradio_api/{way}{quote(named, safe=':/,;')}"
            asked.append((f"GET {address}", field.http.get(address)))
        for photo in (
            {"path": named, "meta": {"_type": "gradio.FileData"}},
            {"path": "x.jpg", "url": named, "meta": {"_type": "gradio.FileData"}},
            named,
        ):
            asked += [(f"{name} {photo}", one) for name, one in _ways_in(field, photo)]
        await field.toll.together(asked)


def _ways_in(field: Field, photo: Any) -> Iterator[tuple[str, Awaitable[Any]]]:
    """Each way in which a photo is named."""
    data, visitor = explained(field, photo), field.visitor()
    yield "join", visitor.run(event_of(field, "explain"), data)
    yield "run", _post(field, "run/explain", {"data": data})
    yield "run layers", _post(field, "run/layers", {"data": [photo]})
    yield "call", _called(field, data)
    yield "scene_open", visitor.ask("scene_open", {"source": photo})
    yield "scene_live", visitor.ask("scene_live", {"frame": photo})
    yield "upload", field.http.post("/gradio_api/upload", files={"files": (str(photo), b"x")})
    given = {"name": "explain", "arguments": {"photo": photo}}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": given}
    yield "agent", field.http.post("/mcp", json=asked, headers=_AGENTS)


def _post(field: Field, route: str, asked: Any) -> Awaitable[httpx.Response]:
    return field.http.post(f"/gradio_api/{route}", json=asked)


async def _called(field: Field, data: list[Any]) -> httpx.Response:
    """The API as curl asks it: an event, and then its end."""
    answer = await _post(field, "call/explain", {"data": data})
    if answer.is_error:
        return answer
    return await field.http.get(f"/gradio_api/call/explain/{answer.json()['event_id']}")


async def disk(field: Field) -> None:
    """More than may lie there: in pieces without a length, broken off, and as results."""
    photo = hostile.encode(hostile.noise(1000, 700), "PNG")

    async def pieces(count: int) -> AsyncIterator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
        for _ in range(count):
            yield _MEGABYTE
        yield b"\r\n--x--\r\n"

    async def broken_off() -> str:
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(0.3):
                await uploaded(pieces(15))
        return "left"

    async def uploaded(body: AsyncIterator[bytes]) -> httpx.Response:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        return await field.http.post("/gradio_api/upload", content=body, headers=headers)

    async def result(number: int) -> Any:
        visitor = field.visitor()
        file = await visitor.upload(photo + bytes([number]))
        return await visitor.run(event_of(field, "explain"), explained(field, file))

    for _ in range(6):
        await field.toll.together(("pieces", uploaded(pieces(15))) for _ in range(4))
        await field.toll.together(("broken off", broken_off()) for _ in range(4))
    for number in range(24):
        await field.toll.put("result", result(number))


async def log(field: Field) -> None:
    """Lines that look like the log's, names, and bodies of 15 MB that are nothing."""
    line = f'%0A{{"request":"{MARK}"}}%0A'
    for path in (
        line,
        f"gradio_api/file={line}",
        f"photo/{line}",
        f"gradio_api/call/{line}/{line}",
    ):
        for method in ("GET", "POST", "HEAD"):
            asked = field.http.request(method, f"/{path}")
            await field.toll.alone(f"{method} {path}", asked)
    named = {"files": (f"{MARK}\n.jpg", b"no photo", "image/jpeg")}
    answer = await field.toll.put("upload", field.http.post("/gradio_api/upload", files=named))
    if answer is not None and not answer.is_error:
        visitor, file = field.visitor(), {"path": answer.json()[0]}
        await field.toll.put("open it", visitor.ask("scene_open", {"source": file}))
        whole = file | {"meta": {"_type": "gradio.FileData"}}
        asked = visitor.run(event_of(field, "explain"), explained(field, whole))
        await field.toll.put("explain it", asked)
    large = MARK * (15_000_000 // len(MARK))
    for route in ("queue/join", "component_server", "call/explain", "run/layers", "cancel"):
        for body in (large, json.dumps({"data": large}), json.dumps([large]), "[" * 10**6):
            content = body.encode()
            headers = {"content-type": "application/json"}
            asked = field.http.post(f"/gradio_api/{route}", content=content, headers=headers)
            await field.toll.alone(f"{route} {body[:20]}", asked)
    await field.toll.alone("mcp", field.http.post("/mcp", content=large.encode(), headers=_AGENTS))
