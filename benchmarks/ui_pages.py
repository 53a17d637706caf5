"""The two pages, each served by a process of its own, and how a person uses them."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page, Request

from tests.served import free_port

from .plain_page import COLORMAPS, LAYERS, MODEL, RANKS

_ROOT = Path(__file__).parents[1]
_PROBE = (Path(__file__).parent / "ui_probe.js").read_text(encoding="utf-8")
_START = 120.0  # seconds that a server may take to answer
_EXAMPLES = 3  # of each page, the same photos in the same order
_BUTTONS = ".cam-examples button, #examples button"
_POSITIONS = 9  # that the opacity is dragged through, one way


def _nothing(_page: Page, _count: int) -> None:
    pass


@dataclass(frozen=True)
class Control:
    """One control: what is done before the press, and the press itself, for the n-th time.

    `event` is the kind of event to which the control reacts; the clock starts there.
    """

    event: str
    press: Callable[[Page, int], None]
    ready: Callable[[Page, int], None] = _nothing


@dataclass(frozen=True)
class Side:
    """A page that is open, and what can be done on it."""

    page: Page
    controls: Mapping[str, Control]
    asked: list[str] = field(default_factory=list)  # addresses of all requests so far
    under_way: set[Request] = field(default_factory=set)

    def times(self, control: Control, count: int, *marks: str) -> list[float]:
        """Milliseconds from the n-th press to each of the marks of ui_probe.js."""
        control.ready(self.page, count)
        self.settle()
        self.page.evaluate("kind => probe.arm(kind)", control.event)
        control.press(self.page, count)
        found = [self.page.evaluate("mark => probe.done(mark)", mark) for mark in marks]
        self.settle()
        return found

    def settle(self) -> None:
        """Wait until nothing has been under way for a moment, so that no answer comes late."""
        quiet = 0
        while quiet < 3:
            self.page.wait_for_timeout(20)
            quiet = 0 if self.under_way else quiet + 1


@contextmanager
def open_pages(browser: Browser) -> Iterator[tuple[Side, Side]]:
    """Ours and the plain page, open and ready for the first press; closed at the end."""
    with ExitStack() as stack:
        ours, _ = stack.enter_context(serving("app.py"))
        plain, _ = stack.enter_context(serving("-m", "benchmarks.plain_page"))
        yield _visit(browser, ours, OURS), _visit(browser, plain, PLAIN)


@contextmanager
def serving(*command: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """Serve a page from a process of its own. Yields its address, once it answers, and it."""
    port = free_port()
    environment = os.environ | {
        "CAMDEMO_MODEL": MODEL,
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",  # so that neither page asks another host
    }
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + _START
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{' '.join(command)} does not answer at {address}")
            time.sleep(0.2)
        yield address, process
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5):
            return True
    except (URLError, OSError):
        return False


def _visit(browser: Browser, address: str, controls: Mapping[str, Control]) -> Side:
    """Open a page, and wait until it is ready."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    side = Side(page, controls)

    def begin(request: Request) -> None:
        if not request.url.startswith("http"):
            return  # the photo is inside the page
        side.asked.append(request.url)
        if "/heartbeat/" not in request.url:  # it stays open as long as the page does
            side.under_way.add(request)

    def end(request: Request) -> None:
        side.under_way.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    page.goto(address)
    page.locator(_BUTTONS).nth(_EXAMPLES - 1).wait_for()
    page.wait_for_timeout(500)  # once it stands, our page asks for its first example
    side.settle()
    page.evaluate(_PROBE)
    return side


# ---- both pages ----


def _click_on_example(page: Page, count: int) -> None:
    page.locator(_BUTTONS).nth(count % _EXAMPLES).click()


def _show_another_photo(page: Page) -> None:
    """The plain page can be emptied; ours never is, and shows another example before."""
    if page.locator("#viewer").count():
        page.locator(".cam-examples button").nth(_EXAMPLES - 1).click()
        page.locator("#viewer:not([data-example=''])").wait_for(state="attached")
        return
    remove = page.get_by_label("Remove Image")
    if remove.count():
        remove.first.click()
    page.locator("#picture:not(:has(img))").wait_for(state="attached")


def upload(photo: Path) -> Control:
    """The upload of a photo onto a page with none or another; no two are the same to the last byte.

    (Our page remembers what it explained, and decoders don't read what follows the end.)
    """
    fresh = photo.with_name(f"fresh-{photo.name}")

    def ready(page: Page, count: int) -> None:
        fresh.write_bytes(photo.read_bytes() + f"{page.url} {count}".encode())
        _show_another_photo(page)

    return Control(
        "input", lambda page, _count: page.set_input_files("input[type=file]", fresh), ready
    )


def _drag(slider: str) -> Control:
    """A slider that is held and moved to and fro."""

    def position(page: Page, count: int) -> tuple[float, float]:
        box = page.locator(slider).bounding_box()
        assert box is not None
        step = count % (2 * _POSITIONS)
        across = 0.1 + 0.8 * min(step, 2 * _POSITIONS - step) / _POSITIONS
        return box["x"] + across * box["width"], box["y"] + box["height"] / 2

    def hold(page: Page, count: int) -> None:
        page.mouse.up()
        page.locator(slider).scroll_into_view_if_needed()
        page.mouse.move(*position(page, count - 1))
        page.mouse.down()

    return Control("pointermove", lambda page, n: page.mouse.move(*position(page, n)), hold)


EXAMPLE = Control("pointerdown", _click_on_example)


# ---- our page ----


def _close_menu(page: Page, _count: int) -> None:
    page.mouse.up()  # it may still hold the slider
    if page.locator("#cam-menu-look").is_visible():
        page.keyboard.press("Escape")


def _layer(page: Page, count: int) -> None:
    buttons = page.locator("#viewer .cam-strip button")
    buttons.nth(count % buttons.count()).click()


def _label(page: Page, count: int) -> None:
    page.locator("#viewer .cam-labels button").nth((count + 1) % 5).click()


def _focus_picture(page: Page, count: int) -> None:
    _close_menu(page, count)
    page.locator("#viewer .cam-picture").focus()


def _opacity() -> Control:
    """The slider, in the menu of the look."""
    slider = _drag("#cam-menu-look [data-control=opacity]")

    def ready(page: Page, count: int) -> None:
        if not page.locator("#cam-menu-look").is_visible():
            page.locator("#viewer [data-menu=look]:visible").first.click()
        slider.ready(page, count)

    return replace(slider, ready=ready)


OURS = {
    "layer": Control("click", _layer, _close_menu),
    "label": Control("click", _label, _close_menu),
    "opacity": _opacity(),
    "colour map": Control("keydown", lambda page, _count: page.keyboard.press("c"), _focus_picture),
}


def _hold_region(page: Page, count: int) -> None:
    """Nothing is hidden, and a region has been dragged but not let go of."""
    _focus_picture(page, count)
    page.keyboard.press("x")
    page.locator("#viewer [name=cam-use][value=hide]").check()
    page.locator("#viewer .cam-answered").wait_for(state="detached")
    box = page.locator("#viewer .cam-picture").bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2
    page.mouse.move(across - 60, down)
    page.mouse.down()
    page.mouse.move(across + 40, down + 40 + 8 * (count % 10), steps=4)


# From the end of the drag to the bars without that region, and to the yardstick beside them.
HIDE = Control("pointerup", lambda page, _count: page.mouse.up(), _hold_region)


def glances(side: Side, seconds: float) -> float:
    """How often a second labels and map followed while the frame was dragged to and fro."""
    page = side.page
    page.locator("#viewer [name=cam-use][value=frame]").check()
    box = page.locator("#viewer .cam-picture").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y)
    page.wait_for_timeout(300)
    answered: list[Request] = []

    def note(request: Request) -> None:
        if "scene_look" in (request.post_data or ""):
            answered.append(request)

    page.on("requestfinished", note)
    start = time.monotonic()
    step = 0
    while time.monotonic() - start < seconds:
        step += 1
        page.mouse.move(x + 30 * math.sin(step / 20), y)
        page.wait_for_timeout(16)
    rate = len(answered) / (time.monotonic() - start)
    page.remove_listener("requestfinished", note)
    page.mouse.up()
    side.settle()
    page.keyboard.press("0")
    side.settle()
    return rate


# ---- the plain page ----


def _dropdown(name: str, choices: int, first: int) -> Control:
    """One entry after the other. A dropdown of Gradio reacts when the entry is pressed."""

    def ready(page: Page, _count: int) -> None:
        page.mouse.up()
        page.locator(f"#{name} input").click()
        page.get_by_role("option").nth(choices - 1).wait_for()

    def press(page: Page, count: int) -> None:
        page.get_by_role("option").nth((count + first) % choices).click()

    return Control("pointerdown", press, ready)


PLAIN = {
    "layer": _dropdown("layer", len(LAYERS), first=0),  # it opens with the last one
    "label": _dropdown("label", len(RANKS), first=1),
    "opacity": _drag("#opacity input[type=range]"),
    "colour map": _dropdown("colormap", len(COLORMAPS), first=1),
}
