"""A crowd over HTTP: nobody gets another's map, and whatever clients do, the next one is served."""

from __future__ import annotations

import asyncio
import base64
import io
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from benchmarks.visitor import Client, Refused
from camdemo import Explainer, Settings

from . import hostile
from .served import Served, arguments, run, served

MODEL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), "--max-queue", "30") as one:
        yield one


def visit(running: Served, what: Callable[[Callable[[], Client]], Awaitable[Any]]) -> Any:
    """Run a visit with a function that makes clients, each with a session of its own."""

    async def ask() -> Any:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=running.address, timeout=120, limits=limits) as http:
            config = (await http.get("/config")).json()
            return await what(lambda: Client(http, config))

    return run(ask())


async def explain(client: Client, photo: bytes) -> dict:
    """The scene of an upload."""
    return await client.open(await client.upload(photo), model=MODEL)


def photos(count: int, size: tuple[int, int] = (300, 200)) -> list[bytes]:
    """So many different ones: parts of three photos, each with another view of them."""
    made = []
    for number in range(count):
        with Image.open(get_image(f"{('lion', 'cheetah', 'tower')[number % 3]}.jpg")) as photo:
            width, height = photo.size
            shift = number / (2 * count)
            box = (shift * width, shift * height, (0.5 + shift) * width, (0.5 + shift) * height)
            part = photo.convert("RGB").resize(size, box=box)
        file = io.BytesIO()
        part.save(file, "JPEG", quality=90)
        made.append(file.getvalue())
    return made


def values_of(packet: dict) -> np.ndarray:
    data = base64.b64decode(packet["data"])
    if packet["type"] == "f4":
        return np.frombuffer(data, "<f4")
    return np.frombuffer(data, "<i2") * np.float32(packet["largest"] / 32767)


def test_under_load_everybody_gets_what_a_lone_visitor_gets(running: Served) -> None:
    """In the last layer to the bit, and no two share a token."""
    sent = photos(24)

    async def crowd(client: Callable[[], Client]) -> list[tuple[dict, dict]]:
        async def one(photo: bytes) -> tuple[dict, dict]:
            visitor = client()
            scene = await explain(visitor, photo)
            question = {"id": scene["id"], "layers": None, "targets": None}
            return scene, await visitor.ask("scene_maps", question)

        return await asyncio.gather(*(one(photo) for photo in sent))

    answers = visit(running, crowd)
    explainer = Explainer(Settings(model=MODEL, lanes=2))
    for photo, (scene, answer) in zip(sent, answers, strict=True):
        alone = explainer.explain(photo)
        assert [one["index"] for one in scene["labels"]] == [one.index for one in alone.predictions]
        (first,) = scene["maps"]
        np.testing.assert_array_equal(values_of(first), alone.cam.ravel())
        maps = {(one["layer"], one["target"]): values_of(one) for one in answer["maps"]}
        expected = alone.maps()
        assert maps.keys() == expected.keys()
        for key, cam in expected.items():
            if cam.shape[0] <= 28:  # larger ones are averaged before they travel
                np.testing.assert_allclose(
                    maps[key], cam.ravel(), rtol=0, atol=1e-5 * np.ptp(cam), err_msg=str(key)
                )
    assert len({scene["id"] for scene, _ in answers}) == len(sent)


def test_a_full_house_says_so_at_once_and_serves_those_in_it(running: Served) -> None:
    sent = photos(120)

    async def crowd(client: Callable[[], Client]) -> list[Any]:
        visitors = [client() for _ in sent]
        files = [await one.upload(photo) for one, photo in zip(visitors, sent, strict=True)]
        asked = [
            one.open(file, model=MODEL, framing="whole")
            for one, file in zip(visitors, files, strict=True)
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = visit(running, crowd)
    refused = [one for one in answers if isinstance(one, Refused)]
    served_ones = [one for one in answers if isinstance(one, dict)]
    assert len(refused) + len(served_ones) == len(sent)
    assert len(served_ones) >= 30
    assert {str(one) for one in refused} == {
        "Many are asking at the moment. Try again in a minute."
    }


def test_nothing_is_computed_for_viewers_that_were_closed(running: Served) -> None:
    before = len(running.log())

    async def leave(client: Callable[[], Client]) -> dict:
        visitor = client()
        scene = await explain(visitor, photos(1)[0])
        # Each asks for other maps, so that all of them are work.
        asked = [
            asyncio.create_task(
                visitor.ask(
                    "scene_maps", {"id": scene["id"], "layers": None, "targets": [n, n + 100]}
                )
            )
            for n in range(60)
        ]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return await explain(client(), photos(2)[1])  # and the next one is served

    assert visit(running, leave)["labels"]
    outcomes: list[str] = []
    for _ in range(30):  # until no more of them end
        time.sleep(1)
        lines = [line for line in running.log()[before:] if line["request"] == "maps"]
        if lines and len(lines) == len(outcomes):
            break
        outcomes = [line["outcome"] for line in lines]
    assert set(outcomes) == {"done", "Abandoned"}
    assert outcomes.count("Abandoned") > outcomes.count("done")


def test_who_vanishes_before_their_turn_leaves_it_to_others(running: Served) -> None:
    before = len(running.log())

    async def vanish(client: Callable[[], Client]) -> dict:
        sent = photos(25)
        visitors = [client() for _ in sent]
        files = [await one.upload(photo) for one, photo in zip(visitors, sent, strict=True)]
        asked = [
            asyncio.create_task(one.open(file, model="efficientnet_lite2", framing="whole"))
            for one, file in zip(visitors, files, strict=True)
        ]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return await explain(client(), sent[0])

    assert visit(running, vanish)["labels"]
    for _ in range(30):
        opened = [line for line in running.log()[before:] if line["request"] == "open"]
        if len(opened) == 26:
            break
        time.sleep(0.2)
    outcomes = [line["outcome"] for line in opened]
    assert len(outcomes) == 26
    assert set(outcomes) == {"done", "Abandoned"}
    assert outcomes.count("Abandoned") > 10
    computed = [line for line in opened if "explain_ms" in line]
    assert len(computed) <= outcomes.count("done")


def test_the_disk_is_full_when_an_upload_comes(running: Served) -> None:
    """A file stands where uploads should go: none can be written, and then again they can."""

    async def upload(client: Callable[[], Client]) -> dict:
        return await explain(client(), photos(3)[2])

    assert visit(running, upload)["labels"]
    moved = running.uploads.rename(running.folder / "moved")
    running.uploads.write_text("no folder")
    try:
        # A server that answers before it has read everything may close the connection, too.
        with pytest.raises((httpx.HTTPStatusError, httpx.TransportError)) as failed:
            visit(running, upload)
    finally:
        running.uploads.unlink()
        moved.rename(running.uploads)
    if isinstance(failed.value, httpx.HTTPStatusError):
        assert failed.value.response.status_code >= 400
        assert "Traceback" not in failed.value.response.text
        assert str(running.folder) not in failed.value.response.text
    assert visit(running, upload)["labels"]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of a file's size is Linux's")
def test_the_disk_is_full_when_a_result_is_written(running: Served) -> None:
    async def ask(client: Callable[[], Client]) -> list:
        visitor = client()
        file = await visitor.upload(photos(4, (900, 600))[3])
        dependencies = visitor.config["dependencies"]
        event = next(one["id"] for one in dependencies if one["api_name"] == "explain")
        return await visitor.run(event, arguments(visitor.config, file))

    usual = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    size = (running.folder / "log").stat().st_size
    assert size < 100_000  # else the log, too, would be over the limit
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (100_000, usual[1]))
    try:
        with pytest.raises(Refused) as refused:
            visit(running, ask)
    finally:
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, usual)
    assert str(running.folder) not in str(refused.value)
    picture, *_ = visit(running, ask)
    assert picture["path"]


def test_bombs_of_a_visitor_and_of_a_program_keep_nobody_waiting(running: Served) -> None:
    bomb = dict(hostile.bombs())["JPEG of 10,000 scans"]

    async def crowd(client: Callable[[], Client]) -> tuple[list[Any], dict]:
        visitor, program = client(), client()
        file = await program.upload(bomb)
        dependencies = program.config["dependencies"]
        event = next(one["id"] for one in dependencies if one["api_name"] == "explain")
        asked = [
            asyncio.create_task(explain(client(), bomb)),
            asyncio.create_task(program.run(event, arguments(program.config, file))),
        ]
        await asyncio.sleep(1)  # they are at it now
        scene = await visitor.open({"example": "Cheetah"}, model=MODEL)
        assert not any(one.done() for one in asked)
        return await asyncio.gather(*asked, return_exceptions=True), scene

    refused, scene = visit(running, crowd)
    assert scene["labels"]
    assert all("takes too much time or memory" in str(one) for one in refused), refused


def test_sigterm_in_the_middle_of_load_is_a_clean_end(running: Served) -> None:
    """Last of this file, for the server is gone then; one that hangs fails by its wait."""

    async def load(client: Callable[[], Client]) -> list[Any]:
        asked = [asyncio.create_task(explain(client(), photo)) for photo in photos(20)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        running.process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = visit(running, load)
    assert running.process.wait(timeout=30) == 0
    finished = [one for one in answers if isinstance(one, dict)]
    assert finished  # those that ran were finished
    assert all(one["labels"] for one in finished)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{running.address}/health")
