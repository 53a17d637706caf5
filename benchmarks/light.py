"""The light visitor: somebody who comes now and then, whatever else goes on, and wants a map."""

from __future__ import annotations

import asyncio
import io
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import httpx
from PIL import ImageChops

from tests import hostile

from .toll import MODEL, PATIENCE
from .visitor import Client

PAUSE = 0.5  # seconds from one visit to the next, however long that takes
MOST = 8  # visits at a time: a page that stands still is not made busier by them


@dataclass(frozen=True)
class Visit:
    """One of the light visitor's: when it began, how many seconds it took, and what went wrong."""

    began: float
    seconds: float  # infinite if there was no map
    wrong: str = ""


def photos(count: int) -> Iterator[bytes]:
    """So many photos of 500 x 333, no two the same."""
    photo = hostile.noise(50, 33).resize((500, 333))
    for number in range(count):
        file = io.BytesIO()
        ImageChops.offset(photo, number % 500, number // 500).save(file, "JPEG", quality=90)
        yield file.getvalue()


def visit_now_and_then(address: str, over: Event, sent: Any) -> None:
    """What the light visitor does, in a process of its own: sends its visits when it is over."""
    sent.send(asyncio.run(_visits(address, over)))


async def _visits(address: str, over: Event) -> list[Visit]:
    found: list[Visit] = []
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits) as http:
        config = (await http.get("/config")).json()

        async def visit(photo: bytes) -> None:
            visitor, began = Client(http, config), time.monotonic()
            try:
                await visitor.open(await visitor.upload(photo), model=MODEL)
                found.append(Visit(began, time.monotonic() - began))
            except Exception as error:  # whatever it is, there is no map
                found.append(Visit(began, math.inf, f"{type(error).__name__} {error}"[:120]))

        under_way, sendable = set(), iter(photos(2000))
        while not over.is_set():
            if len(under_way) < MOST:
                task = asyncio.create_task(visit(next(sendable)))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(PAUSE)
        await asyncio.gather(*under_way)
    return found


def p95(visits: list[Visit]) -> float:
    """Of their seconds; infinite where more than one in twenty had no map."""
    found = sorted(one.seconds for one in visits)
    return found[min(len(found) - 1, int(0.95 * len(found)))] if found else math.nan
