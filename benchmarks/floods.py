"""Floods: many who ask at once, who never read what they asked for, or who only stay."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Awaitable
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
from PIL import Image

from tests import hostile

from .toll import MODEL, Field

HOME = "127.0.0.2"  # the attackers' address
_SMALL = hostile.encode(hostile.noise(400, 300), "JPEG")
_TESTS = ("scene_scores", "scene_curves", "scene_randomised", "scene_completeness")
_PIXEL_METHODS = ("integrated_gradients", "smoothgrad", "occlusion", "rise")
_HELD = 8.0  # seconds for which connections are kept


def _giant() -> bytes:
    return hostile.encode(Image.new("RGB", (10_000, 5_000), "teal"), "JPEG")


def explained(field: Field, photo: Any) -> list[Any]:
    """What /explain takes for a photo, all else as it is by default."""
    event = next(one for one in field.config["dependencies"] if one["api_name"] == "explain")
    usual = {one["id"]: one["props"].get("value") for one in field.config["components"]}
    return [photo, *(usual[each] for each in event["inputs"][1:])]


def event_of(field: Field, name: str) -> int:
    """The number of an event of the API."""
    return next(one["id"] for one in field.config["dependencies"] if one["api_name"] == name)


async def api(field: Field) -> None:
    """Giants by the API: around its queue, which does not exist, and through it."""
    file = await field.visitor().upload(_giant())
    data = explained(field, file)
    run = ({"data": data, "session_hash": f"run{n}"} for n in range(16))
    around = [("run", field.http.post("/gradio_api/run/explain", json=one)) for one in run]
    through = [("join", field.visitor().run(event_of(field, "explain"), data)) for _ in range(16)]
    await field.toll.together(around + through)


async def unread(field: Field) -> None:
    """Answers for which nobody comes."""
    file = await field.visitor().upload(_SMALL)
    data, event = explained(field, file), event_of(field, "explain")

    def join(number: int) -> Awaitable[httpx.Response]:
        asked = {"data": data, "fn_index": event, "session_hash": f"unread{number}"}
        return field.http.post("/gradio_api/queue/join", json=asked)

    await field.toll.together((f"join {n}", join(n)) for n in range(400))
    await asyncio.sleep(_HELD)


async def photos(field: Field) -> None:
    """A photo of each of many visitors."""
    sent = (hostile.encode(hostile.noise(400, 300 + n), "JPEG") for n in range(200))
    await field.toll.together(
        (f"photo {n}", field.opened(photo, model=MODEL)) for n, photo in enumerate(sent)
    )


async def reframings(field: Field) -> None:
    """Other frames of a giant, and glances through them, of many visitors at once."""
    file = await field.visitor().upload(_giant())
    scene = await field.visitor().open(file, model=MODEL)

    def frame(number: int) -> str:
        return f"{number},{number},{200 + number},{200 + number}"

    opens = [
        ("reframe", field.visitor().open(file, model=MODEL, framing=frame(n))) for n in range(24)
    ]
    looks = [
        ("look", field.ask("scene_look", {"id": scene["id"], "framing": frame(n)}))
        for n in range(24)
    ]
    await field.toll.together(opens + looks)


async def maps(field: Field) -> None:
    """Sweeps of other labels of one photo, all at once."""
    scene = await field.opened(_SMALL, model=MODEL)

    def sweep(number: int) -> Awaitable[httpx.Response]:
        targets = [number, number + 330, number + 660]
        question = {"id": scene["id"], "layers": None, "targets": targets}
        return field.ask("scene_maps", question)

    await field.toll.together((f"maps {n}", sweep(n)) for n in range(320))


async def tests(field: Field) -> None:
    """Maps put to every test, and maps of pixels, each of another label."""
    scene = await field.opened(_SMALL, model=MODEL)
    shown = {"id": scene["id"], "layer": scene["layer"], "method": "gradcam"}

    def tested(number: int) -> Awaitable[httpx.Response]:
        question = shown | {"target": number, "fill": "blur", "after": 0}
        return field.ask(_TESTS[number % len(_TESTS)], question)

    def pixels(number: int) -> Awaitable[httpx.Response]:
        name = _PIXEL_METHODS[number % len(_PIXEL_METHODS)]
        question = {"id": scene["id"], "method": name, "target": number}
        return field.ask("scene_pixel", question)

    asked = [(f"test {n}", tested(n)) for n in range(64)]
    await field.toll.together(asked + [(f"pixels {n}", pixels(n)) for n in range(64)])


async def frames(field: Field) -> None:
    """Cameras that wait for no answer."""
    photos = [
        hostile.encode(hostile.noise(400, 300).rotate(angle), "JPEG") for angle in range(0, 360, 30)
    ]
    texts = itertools.cycle(base64.b64encode(one).decode() for one in photos)
    asked = ({"frame": next(texts), "model": MODEL} for _ in range(160))
    await field.toll.together(
        (f"frame {n}", field.ask("scene_live", one)) for n, one in enumerate(asked)
    )


async def downloads(field: Field) -> None:
    """Weights that can't be had, for which many wait and ask how far they are."""
    models = (await field.visitor().ask("page_start", {}))["models"]
    missing = [one["name"] for one in models if not one["ready"]] or [MODEL]

    async def watch(number: int) -> httpx.Response:
        model = {"model": missing[number % len(missing)]}
        told = await field.ask("model_download", model)
        for _ in range(5):
            told = await field.ask("model_download_state", model)
            await asyncio.sleep(0.2)
        return told

    await field.toll.together((f"download {n}", watch(n)) for n in range(100))


async def agents(field: Field) -> None:
    """Programs that explain, all at once."""
    photo = base64.b64encode(_SMALL).decode()

    def call(number: int) -> Awaitable[httpx.Response]:
        given = {"name": "explain", "arguments": {"photo": photo, "target": number}}
        asked = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": given}
        headers = {"accept": "application/json, text/event-stream"}
        return field.http.post("/mcp", json=asked, headers=headers)

    await field.toll.together((f"agent {n}", call(n)) for n in range(64))


async def idle(field: Field) -> None:
    """Connections that say nothing, half of what they want, or less than they promised."""
    host, port = field.http.base_url.host, field.http.base_url.port
    upload = b"POST /gradio_api/upload HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n--"
    begun = [b"", b"GET / HTTP/1.1\r\nhost:", upload]
    async with AsyncExitStack() as stack:
        for number in range(660):
            try:
                _reader, writer = await asyncio.open_connection(host, port, local_addr=(HOME, 0))
            except OSError:
                break
            stack.push_async_callback(_close, writer)
            field.toll.tried += 1
            field.toll.refused += 1  # nobody answers them; what counts is the others
            with suppress(OSError):
                writer.write(begun[number % len(begun)])
        for _ in range(round(_HELD)):
            await field.toll.alone("health beside them", field.http.get("/health"), honest=True)
            await asyncio.sleep(1)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
