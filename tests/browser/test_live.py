"""The camera in the canvas, with a pretended one that plays a short film of a lion."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from benchmarks.stage import film
from camdemo.ui.seams import upload_folder
from camdemo.viewer import bundle

from .chromium import find
from .conftest import OPTIONS, visit, visitors
from .steps import PATIENCE, TITLE, VIEWER, canvas, frame, settled
from .test_accessibility import violations

CHIP = f"{VIEWER} .cam-rate"
LIVE = f"{VIEWER} .cam-live"
ASKED = re.compile("/component_server")

# Notes the streams that the page gets, so that a test can see whether they have ended.
SPY = """
window.streams = [];
const devices = navigator.mediaDevices;
const get = devices.getUserMedia.bind(devices);
devices.getUserMedia = async (wish) => {
  window.wish = wish;
  const stream = await get(wish);
  window.streams.push(stream);
  return stream;
};
"""


@contextmanager
def launched(like: Browser, *flags: str) -> Iterator[Browser]:
    """Another Chromium, with a pretended camera."""
    path = find(SimpleNamespace(chromium=like.browser_type))  # type: ignore[arg-type]
    flags = (*OPTIONS, "--use-fake-device-for-media-stream", *flags)
    chromium = like.browser_type.launch(executable_path=path, args=list(flags))
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def filming(
    browser: Browser, server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """One whose camera plays the film, and is given to whoever asks."""
    path = film(tmp_path_factory.mktemp("film") / "lion.y4m")
    flags = ("--use-fake-ui-for-media-stream", f"--use-file-for-fake-video-capture={path}")
    size = {"width": 1280, "height": 900}
    with launched(browser, *flags) as one, visitors(one, server, viewport=size) as context:
        yield context


@pytest.fixture
def opened(filming: BrowserContext, server: str) -> Iterator[Callable[[str], Page]]:
    """Opens the page, after a script of one's own."""
    with visit(filming) as page:

        def open_page(script: str) -> Page:
            page.add_init_script(script)
            page.goto(server)
            expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")
            page.wait_for_url("**example=*")
            settled(page)
            return page

        yield open_page


@pytest.fixture
def page(opened: Callable[[str], Page]) -> Page:
    return opened(SPY)


def start(page: Page) -> None:
    """Press Camera, and wait until frames follow each other."""
    page.get_by_role("button", name="Camera", exact=True).click()
    expect(page.locator(CHIP)).to_have_text(re.compile(r"^Live · \d+ a second$"))


def states(page: Page) -> list[str]:
    """Of all tracks of all streams so far: "live" or "ended"."""
    return page.evaluate("streams.flatMap((one) => one.getTracks()).map((one) => one.readyState)")


def uploads() -> set[Path]:
    """All files in the server's folder of uploads."""
    return {path for path in upload_folder().rglob("*") if path.is_file()}


def question(request: Request) -> dict:
    """What one of the viewer's functions is asked, and its name."""
    body = json.loads(request.post_data or "{}")
    return {"name": body.get("fn_name"), **(body.get("data") or {})}


def requests(page: Page) -> list[Request]:
    """All that the page asks from now on."""
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    page.on("request", note)
    return asked


def painted(page: Page, count: int = 1) -> None:
    """Wait until the viewer has painted so often again."""
    page.wait_for_function(
        f"before => Number(document.querySelector('{VIEWER}').dataset.frame) >= before",
        arg=frame(page) + count,
    )


def test_label_and_map_follow_the_camera(page: Page) -> None:
    address = page.url
    start(page)
    expect(page.locator(TITLE)).to_have_text(re.compile(r"^lion · \d+ %$"))
    expect(page.locator(f"{VIEWER} .cam-labels button")).to_have_count(5)
    expect(page.locator(f"{VIEWER} .cam-legend")).to_be_visible()  # and so there is heat
    assert canvas(page).shape == (480, 640, 3)
    shown = set()
    for _ in range(12):
        painted(page)
        shown.add(canvas(page).tobytes())
    assert len(shown) > 2  # it moves
    assert page.evaluate("wish.audio") is None
    assert page.evaluate("wish.video.facingMode") == "environment"
    assert page.url == address  # a link or a reload starts no camera


def test_space_freezes_the_frame_that_is_seen_and_explains_it_in_full(page: Page) -> None:
    start(page)
    before = uploads()
    page.locator(f"{VIEWER} [name=cam-view][value=photo]").check(force=True)
    asked = requests(page)
    address = page.evaluate(
        f"""() => {{
          const shown = document.querySelector("{VIEWER} .cam-picture").toDataURL("image/png");
          document.body.dispatchEvent(new KeyboardEvent("keydown", {{ key: " ", bubbles: true }}));
          return shown;
        }}"""
    )
    seen = pixels(address.split(",", 1)[1])
    expect(page.locator(LIVE)).to_be_hidden()
    expect(page.locator(TITLE)).to_have_text(re.compile(r"^lion · \d+ %$"))
    assert states(page) == ["ended"]
    settled(page)
    (photo,) = uploads() - before
    with Image.open(photo) as image:
        assert (image.format, image.size) == ("JPEG", (320, 240))
    # The picture is the one that was seen when the key was pressed, but for JPEG's rounding.
    assert difference(canvas(page), seen) < 4
    page.locator(f"{VIEWER} [name=cam-view][value=overlay]").check(force=True)
    # In full: every layer has its map, and a part can be hidden.
    for mini in page.locator(f"{VIEWER} .cam-strip canvas").all():
        assert mini.evaluate("c => c.getContext('2d').getImageData(24, 24, 1, 1).data[3]") == 255
    page.keyboard.press("h")
    expect(page.locator(f"{VIEWER} .cam-answered")).to_contain_text("Hiding this: lion")
    names = [question(one)["name"] for one in asked if "component_server" in one.url]
    assert names.count("scene_open") == 1
    assert {"scene_maps", "scene_hide"} <= set(names)


def test_where_a_frame_cannot_be_sent_the_camera_goes_on(page: Page) -> None:
    start(page)
    page.route(re.compile("/upload"), lambda route: route.abort())
    page.keyboard.press(" ")
    said = page.locator(f"{VIEWER} [data-at=canvas]")
    expect(said).to_contain_text("does not answer")
    painted(page, 3)
    assert states(page) == ["live"]
    page.unroute(re.compile("/upload"))
    page.keyboard.press(" ")
    expect(page.locator(LIVE)).to_be_hidden()
    expect(said).to_have_text("")


def test_the_picture_is_the_frame_that_was_explained_and_late_answers_are_dropped(
    page: Page,
) -> None:
    start(page)
    page.locator(f"{VIEWER} [name=cam-view][value=photo]").check(force=True)
    held: list[Route] = []
    over = Event()

    def hold(route: Route) -> None:
        if question(route.request)["name"] == "scene_live" and not over.is_set():
            held.append(route)
        else:
            route.continue_()

    page.route(ASKED, hold)
    until(page, lambda: len(held) == 2)  # two are under way, and no more
    page.wait_for_timeout(300)
    assert len(held) == 2
    older, newer = held
    before = frame(page)
    newer.continue_()
    until(page, lambda: len(held) == 3)  # the answer is there
    assert frame(page) == before + 1
    sent = pixels(question(newer.request)["frame"])
    assert difference(canvas(page), sent) < 4  # though the camera has gone on
    answer = older.fetch()
    late = answer.json()
    late["labels"][0]["label"] = "too late"
    older.fulfill(response=answer, json=late)
    until(page, lambda: len(held) == 4)
    assert frame(page) == before + 1
    expect(page.locator(TITLE)).to_have_text(re.compile(r"^lion · \d+ %$"))
    assert difference(canvas(page), sent) < 4
    over.set()
    for route in held[2:]:
        route.continue_()
    painted(page, 3)  # and it goes on


def test_stop_frees_the_camera_and_shows_what_was_there_before(page: Page) -> None:
    title = page.locator(TITLE).text_content()
    before = canvas(page)
    address = page.url
    start(page)
    assert states(page) == ["live"]
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(LIVE)).to_be_hidden()
    assert states(page) == ["ended"]
    expect(page.locator(TITLE)).to_have_text(title or "")
    settled(page)
    np.testing.assert_array_equal(canvas(page), before)
    assert page.url == address
    asked = requests(page)
    page.wait_for_timeout(500)
    assert [question(one)["name"] for one in asked if "component_server" in one.url] == []
    start(page)  # and again
    assert states(page) == ["ended", "live"]


def test_another_photo_frees_the_camera(page: Page) -> None:
    start(page)
    page.locator(f"{VIEWER} .cam-examples button").nth(2).click()
    expect(page.locator(LIVE)).to_be_hidden()
    assert states(page) == ["ended"]
    start(page)
    page.set_input_files(f"{VIEWER} .cam-file", get_image("cheetah.jpg"))
    expect(page.locator(TITLE)).to_have_text(re.compile("^cheetah"))
    expect(page.locator(LIVE)).to_be_hidden()
    assert states(page) == ["ended", "ended"]


def test_leaving_the_page_frees_the_camera(page: Page) -> None:
    start(page)
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert states(page) == ["ended"]


def test_a_camera_that_is_pulled_out_is_told(page: Page) -> None:
    title = page.locator(TITLE).text_content()
    start(page)
    page.evaluate("streams[0].getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.locator(f"{VIEWER} [data-at=canvas]")).to_have_text("The camera was switched off.")
    expect(page.locator(TITLE)).to_have_text(title or "")


def test_nothing_of_a_frame_is_kept_on_the_server(page: Page) -> None:
    before = uploads()
    asked = requests(page)
    start(page)
    painted(page, 5)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(LIVE)).to_be_hidden()
    assert uploads() == before
    posts = [one for one in asked if one.method == "POST"]
    # Frames go to one function alone; what that keeps, tests/test_live.py knows: nothing.
    assert {question(one)["name"] for one in posts} == {"scene_live"}
    for one in posts:
        width, height = Image.open(io.BytesIO(base64.b64decode(question(one)["frame"]))).size
        assert max(width, height) <= 512


def test_layer_method_label_model_and_framing_can_be_chosen_meanwhile(page: Page) -> None:
    start(page)
    asked: list[dict] = []
    page.on("request", lambda one: asked.append(question(one)))

    def follows(**wanted: object) -> None:
        asked.clear()
        until(page, lambda: any(wanted.items() <= one.items() for one in asked))
        painted(page, 2)
        expect(page.locator(f"{VIEWER} .cam-legend")).to_be_visible()

    page.locator(f"{VIEWER} .cam-strip button").nth(8).click()
    layer = page.locator(f"{VIEWER} .cam-strip button").nth(8).get_attribute("data-layer")
    follows(layer=layer, target=None)
    page.keyboard.press("m")
    follows(layer=layer, method="hirescam")
    row = page.locator(f"{VIEWER} .cam-labels button").first
    row.click()
    follows(target="lion")
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text('The map stays with "lion"')
    row.click()
    follows(target=None)
    for framing in ("whole", "fit"):
        page.locator(f"{VIEWER} [data-control=framing]").select_option(framing)
        follows(framing=framing)
    field = page.get_by_role("combobox", name="Model", exact=True)
    field.click()
    field.fill("Lite1")
    page.get_by_role("option", name="EfficientNet-Lite1").click()
    follows(model="efficientnet_lite1")
    expect(page.locator(f"{VIEWER} .cam-facts")).to_contain_text("EfficientNet-Lite1")
    assert states(page) == ["live"]


def test_what_only_a_photo_can_be_asked_waits(page: Page) -> None:
    start(page)
    said = page.locator(f"{VIEWER} .cam-said").filter(has_text="Freeze the picture first")
    for key in ("h", "d", "]"):
        painted(page)
        page.keyboard.press(key)
        expect(said).to_be_visible()
        page.evaluate(f"document.querySelector('{VIEWER} [data-at=canvas]').textContent = ''")
    expect(page.locator("[data-menu=save]").first).to_be_disabled()
    assert page.locator(f"{VIEWER} .cam-tools").evaluate("part => part.inert")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("[data-menu=save]").first).to_be_enabled()
    assert not page.locator(f"{VIEWER} .cam-tools").evaluate("part => part.inert")
    expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-tool", "box")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_more_while_it_runs(page: Page, server: str, scheme: str) -> None:
    page.goto(f"{server}?__theme={scheme}")
    expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")
    settled(page)
    before = violations(page)  # tests/browser/test_accessibility.py's to find
    start(page)
    assert set(violations(page)) <= set(before)
    page.set_viewport_size({"width": 390, "height": 664})
    painted(page)
    assert set(violations(page)) <= set(before)
    page.keyboard.press("f")
    expect(page.locator(".cam-fills-screen")).to_be_visible()
    assert set(violations(page)) <= set(before)


def test_labels_stay_in_their_rows(page: Page) -> None:
    places = """
      const label = (index) => ({ index });
      const places = (before, after) => labelsInPlace(before.map(label), after.map(label));
      return [
        places([1, 2, 3, 4, 5], [1, 5, 4, 3, 2]),  // only the numbers have changed
        places([1, 2, 3, 4, 5], [1, 6, 2, 3, 5]),  // 6 for 4
        places([1, 2, 3, 4, 5], [3, 1, 2, 4, 5]),  // another first one
        places([1, 2], [7, 8, 1, 9, 2]),
      ].map((labels) => labels.map(({ index }) => index));
    """
    order = page.evaluate(f"() => {{ {bundle.static('live.js')} {places} }}")
    assert order == [[1, 2, 3, 4, 5], [1, 2, 3, 6, 5], [3, 2, 1, 4, 5], [7, 2, 8, 1, 9]]


# A browser's own names for why there is no camera.
REASONS = {
    "NotAllowedError": "The camera was refused.",
    "NotFoundError": "There is no camera here.",
    "NotReadableError": "does another program use it?",
    "AbortError": "The camera does not start: the words of the browser",
    "": "only to pages under https or on localhost",
}


@pytest.mark.parametrize("name", REASONS)
def test_why_there_is_no_camera(opened: Callable[[str], Page], name: str) -> None:
    throw = f"throw new DOMException('the words of the browser', '{name}')"
    devices = f"{{ getUserMedia: async () => {{ {throw}; }} }}" if name else "undefined"
    page = opened(f"Object.defineProperty(navigator, 'mediaDevices', {{ value: {devices} }});")
    title = page.locator(TITLE).text_content()
    page.get_by_role("button", name="Camera", exact=True).click()
    expect(page.locator(f"{VIEWER} [data-at=photo]")).to_contain_text(REASONS[name])
    expect(page.locator(LIVE)).to_be_hidden()
    expect(page.locator(TITLE)).to_have_text(title or "")
    settled(page)


def test_a_browser_that_refuses(browser: Browser, server: str) -> None:
    with launched(browser, "--use-fake-ui-for-media-stream=deny") as refusing:
        page = refusing.new_page()
        page.goto(server)
        expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")
        page.get_by_role("button", name="Camera", exact=True).click()
        said = page.locator(f"{VIEWER} [data-at=photo]")
        expect(said).to_contain_text("The camera was refused.")


def test_a_server_that_does_not_answer_ends_it(page: Page) -> None:
    start(page)
    page.route(ASKED, lambda route: route.abort())
    expect(page.locator(f"{VIEWER} [data-at=canvas]")).to_contain_text("does not answer")
    expect(page.locator(LIVE)).to_be_hidden()
    assert states(page) == ["ended"]


def until(page: Page, happened: Callable[[], bool]) -> None:
    """Let the browser go on until something has happened here."""
    for _ in range(int(PATIENCE / 20)):
        if happened():
            return
        page.wait_for_timeout(20)
    assert happened()


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """How far two pictures are from each other on average, in grey levels, whatever their sizes."""
    small = [Image.fromarray(each.astype(np.uint8)).resize((160, 120)) for each in (one, other)]
    return float(np.abs(np.subtract(*(np.asarray(each).astype(int) for each in small))).mean())


def pixels(text: str) -> np.ndarray:
    """A picture from base64, int (H, W, 3)."""
    image = Image.open(io.BytesIO(base64.b64decode(text)))
    return np.asarray(image.convert("RGB")).astype(int)
