"""What the browser tests do with the page, in the words of a person."""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

# How long a page may take, in milliseconds: on a busy machine seconds count for nothing.
PATIENCE = float(os.environ.get("CAMDEMO_TEST_PATIENCE", "10000"))
expect.set_options(timeout=PATIENCE)

VIEWER = "#viewer"
CAM = f"{VIEWER} .cam"
TITLE = f"{VIEWER} .cam-title"
LABELS = f"{VIEWER} .cam-labels button"
STRIP = f"{VIEWER} .cam-strip button"
EXAMPLES = f"{VIEWER} .cam-examples button"
FACTS = f"{VIEWER} .cam-facts"
CANVAS = f"{VIEWER} canvas.cam-picture"
ASKED = f"{VIEWER} .cam-asked"
YARDSTICK = re.compile(r"on average, give or take ")  # the second answer to hiding is here


def opened(page: Page) -> None:
    """Wait until the first picture is there, and all maps of it."""
    expect(page.locator(CAM)).to_have_attribute("data-empty", "false")
    settled(page)


def example(page: Page, name: str) -> None:
    """Click an example, and wait until all its maps are there."""
    opened(page)
    button = page.locator(f'{EXAMPLES}[data-example="{name}"]')
    if not button.is_visible():  # on a phone
        page.locator("[data-opens=photo]:visible").click()
    button.click()
    expect(page.locator(VIEWER)).to_have_attribute("data-example", name)
    settled(page)


def upload(page: Page, file: Path) -> None:
    """Choose a file as the photo, and wait for what becomes of it."""
    page.set_input_files(f"{VIEWER} input.cam-file", file)
    settled(page)


def settled(page: Page) -> None:
    """Wait until no request of the viewer is under way and the picture has been painted."""
    expect(page.locator(f"{VIEWER} .cam-busy")).to_be_hidden()
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def canvas(page: Page) -> np.ndarray:
    """The pixels of the canvas, int (H, W, 3)."""
    address = page.locator(CANVAS).evaluate("c => c.toDataURL('image/png')")
    body = base64.b64decode(address.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)


def frame(page: Page) -> int:
    """How often the viewer has painted."""
    return int(page.locator(VIEWER).get_attribute("data-frame") or 0)


# A number for the picture, in a fraction of the time that a PNG of it takes.
SUM = f"""() => {{
  const {{ width, height }} = document.querySelector("{CANVAS}");
  const context = document.querySelector("{CANVAS}").getContext("2d");
  let sum = width;
  for (const pixel of new Uint32Array(context.getImageData(0, 0, width, height).data.buffer))
    sum = Math.imul(sum ^ pixel, 0x01000193);
  return sum;
}}"""


def changed(page: Page, act: Callable[[], object]) -> np.ndarray:
    """The picture after `act`, which must bring another one."""
    before = page.evaluate(SUM)
    act()
    page.wait_for_function(f"before => ({SUM})() !== before", arg=before, polling=30)
    settled(page)
    return canvas(page)


def field(page: Page, title: str) -> Locator:
    """A field that is searched by typing: "Model", "Layer", "Method", "Add a label"."""
    return page.get_by_role("combobox", name=title, exact=True)


def choose(page: Page, title: str, text: str) -> None:
    """Type into such a field, and press Enter."""
    field(page, title).click()
    expect(page.locator(".cam-popup:visible [role=option]").first).to_be_visible()
    field(page, title).fill(text)
    field(page, title).press("Enter")


def choose_model(page: Page, title: str) -> None:
    choose(page, "Model", title)


def choose_layer(page: Page, name: str) -> None:
    choose(page, "Layer", name)


def open_menu(page: Page, name: str) -> Locator:
    """Open what is one click away: "look" or "save"; the menu."""
    menu = page.locator(f"#cam-menu-{name}")
    if not menu.is_visible():
        page.locator(f"{VIEWER} [data-menu={name}]:visible").first.click()
    expect(menu).to_be_visible()
    return menu


def said(page: Page, at: str) -> Locator:
    """What is said beside what caused it: "photo", "model", "canvas", "add", "hide" or "save"."""
    return page.locator(f"{VIEWER} .cam-said[data-at={at}]")


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place on the photo, given in shares of its width and height, on the page."""
    return tuple(
        page.locator(CANVAS).evaluate(
            """(canvas, [x, y]) => {
              const area = canvas.getBoundingClientRect();
              const scale = Math.min(area.width / canvas.width, area.height / canvas.height);
              const [width, height] = [canvas.width * scale, canvas.height * scale];
              return [area.left + (area.width - width) / 2 + x * width,
                      area.top + (area.height - height) / 2 + y * height];
            }""",
            [x, y],
        )
    )


def drag(page: Page, *places: tuple[float, float], release: bool = True) -> None:
    """Press the mouse at the first place on the photo, and move it over the others."""
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place), steps=3)
    if release:
        page.mouse.up()


def show_view(page: Page, name: str) -> None:
    """What is painted: "overlay", "photo" or "split"."""
    page.locator(f"[name=cam-view][value={name}]").check()


def choose_tool(page: Page, name: str) -> None:
    """What dragging does: "read", "frame", or "box", "brush", "cell" of hiding."""
    if name in ("read", "frame"):
        page.locator(f"[name=cam-use][value={name}]").check()
    else:
        page.locator("[data-control=hider]").select_option(name)


def hold(page: Page, name: str, most: int | None = None) -> list[Route]:
    """Keep what the viewer asks of a function of the server from it: all, or the first ones."""
    held: list[Route] = []

    def handle(route: Route) -> None:
        is_meant = route.request.post_data_json["fn_name"] == name
        keeps = is_meant and (most is None or len(held) < most)
        held.append(route) if keeps else route.continue_()

    page.route("**/component_server/**", handle)
    return held
