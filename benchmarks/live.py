"""The camera: `python -m benchmarks.live`, a part of `make bench-ui`. About a minute.

How many frames a second are shown with their own map, browser and server on the same cores; and
what somebody else notices of it, who uploads photos meanwhile. A pretended camera plays a film.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

import httpx
from playwright.sync_api import Page, Request, sync_playwright

from tests.browser import chromium
from tests.browser.conftest import OPTIONS

from . import stage
from .load import photos_of_their_own
from .timing import table
from .ui_pages import serving
from .visitor import Client

SECONDS = 10.0
VISITS = 20
FRAMES = 10  # a second: the aim


def main() -> None:
    """Print the tables."""
    before = os.getloadavg()[0]
    photos = photos_of_their_own()  # no two the same
    with (
        tempfile.TemporaryDirectory(prefix="camdemo-live-") as folder,
        serving("app.py") as (address, _),
        sync_playwright() as playwright,
        ThreadPoolExecutor(1) as beside,
    ):
        path = chromium.find(playwright)
        if path is None:
            raise SystemExit("no Chromium: run `python tests/browser/chromium.py`")
        film = stage.film(Path(folder) / "film.y4m", frames=60, rate=30)
        flags = [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={film}",
        ]
        browser = playwright.chromium.launch(executable_path=path, args=[*OPTIONS, *flags])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("#viewer [data-empty=false]").wait_for(state="attached", timeout=60_000)
        page.wait_for_timeout(2000)
        alone = beside.submit(asyncio.run, visits(address, photos)).result()
        page.locator("[data-action=camera]").click()
        page.locator(".cam-rate", has_text="a second").wait_for()
        rate, took = follow(page, SECONDS)
        visitor = beside.submit(asyncio.run, visits(address, photos))
        slower, _ = follow(page, 0, visitor.done)
        browser.close()
    print("\n## The camera\n")
    met = "met" if rate >= FRAMES else "missed"
    print(
        table(
            ["", "frames a second", "to the answer, ms", "nine of ten within", "beside a visitor"],
            [
                [
                    "EfficientNet-Lite0, 320 x 240",
                    f"{rate:.0f} (aim {FRAMES}: {met})",
                    f"{median(took):.0f}",
                    f"{quantiles(took, n=10)[-1]:.0f}",
                    f"{slower:.0f}",
                ]
            ],
        )
    )
    print("\nOf somebody who uploads photos, alone and beside the camera:\n")
    rows = []
    for name, here, there in zip(("heat map", "all maps"), alone, visitor.result(), strict=True):
        ratio = f"{median(there) / median(here):.1f}"
        rows.append([name, f"{median(here):.0f}", f"{median(there):.0f}", ratio])
    print(table(["", "alone, ms", "beside it, ms", "ratio"], rows))
    print(f"\nLoad of the machine {before:.1f} before, {os.getloadavg()[0]:.1f} after.")


def follow(
    page: Page, seconds: float, done: Callable[[], bool] = bool
) -> tuple[float, list[float]]:
    """Frames a second that were painted, and milliseconds from each question to its answer.

    For so many seconds, or until it is done.
    """
    took: list[float] = []

    def note(request: Request) -> None:
        if "scene_live" in (request.post_data or ""):
            took.append(request.timing["responseEnd"])

    def frames() -> int:
        return int(page.locator("#viewer").get_attribute("data-frame") or 0)

    page.on("requestfinished", note)
    start, first = time.monotonic(), frames()
    while time.monotonic() - start < seconds or not (seconds or done()):
        page.wait_for_timeout(100)
    rate = (frames() - first) / (time.monotonic() - start)
    page.remove_listener("requestfinished", note)
    return rate, took


async def visits(address: str, photos: Iterator[bytes]) -> tuple[list[float], list[float]]:
    """Milliseconds to the first map and to all maps of photos that are uploaded one by one."""
    first, complete = [], []
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        config = (await http.get("/config")).json()
        for _ in range(VISITS):
            client = Client(http, config)
            start = time.perf_counter()
            path = (await client.upload(next(photos)))["path"]
            asked = {"source": {"path": path}, "model": "efficientnet_lite0"}
            scene = await client.ask("scene_open", asked)
            first.append(1000 * (time.perf_counter() - start))
            question = {"id": scene["id"], "layers": None, "targets": None}
            await client.ask("scene_maps", question)
            complete.append(1000 * (time.perf_counter() - start))
            await asyncio.sleep(0.2)
    return first, complete


if __name__ == "__main__":
    main()
