"""Everyone can use it: axe-core finds nothing, the keyboard reaches everything, phones fit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from camdemo import Explanation

from .steps import LABELS, STRIP, TITLE, VIEWER, changed, choose_model, example, settled

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]"


def violations(page: Page, *exclude: str) -> list[str]:
    """What axe-core finds wrong, of any impact: one line for each rule and element."""
    page.evaluate("source => { if (!window.axe) (0, eval)(source) }", AXE.read_text())
    found = page.evaluate(
        """exclude => axe.run({ exclude }, { resultTypes: ["violations"] })
             .then(({ violations }) => violations)""",
        [[selector] for selector in exclude],
    )
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, page: Page, server: str) -> Page:
    page.goto(f"{server}?__theme={request.param}")
    page.wait_for_function("document.querySelector('input[aria-label=Model]')?.value")
    is_dark = page.evaluate("document.body.classList.contains('dark')")
    assert is_dark == (request.param == "dark")
    return page


def put_all_on_the_page(page: Page) -> None:
    """A state in which every part of the viewer is shown."""
    page.get_by_text("Take away").click()
    page.get_by_label("Split", exact=True).check()
    page.get_by_label("Evidence", exact=True).select_option("signed")  # disables the colour map
    page.get_by_text("How to read this").click()
    if page.locator(".cam-ask").is_visible():  # not in a file, where no model answers
        page.get_by_label("Move frame").check()
        page.get_by_role("button", name="Hide the hottest").click()
        expect(page.locator(".cam-asked")).to_contain_text("on average")
    page.locator("canvas.cam-picture").hover()
    expect(page.locator(".cam-readout")).to_contain_text("Row")


def test_axe_finds_nothing_on_the_page(themed: Page) -> None:
    """One page through all its states, since loading it takes longer than looking at it."""
    expect(themed.locator(TITLE)).to_have_text("Choose a photo")
    assert violations(themed) == []
    example(themed, "Cheetah + lion")
    assert violations(themed) == []
    put_all_on_the_page(themed)
    assert violations(themed) == []
    themed.set_viewport_size({"width": 390, "height": 844})
    assert violations(themed) == []
    themed.set_viewport_size({"width": 1280, "height": 900})
    themed.locator("#headline").click()
    themed.keyboard.press("d")
    expect(themed.locator(".cam-note")).to_contain_text("against")
    assert violations(themed) == []
    themed.keyboard.press("?")
    expect(themed.get_by_role("dialog", name="Keys")).to_be_visible()
    assert violations(themed) == []
    themed.keyboard.press("Escape")
    themed.keyboard.press("f")
    expect(themed.locator(".cam-fills-screen")).to_be_visible()
    assert violations(themed) == []
    themed.keyboard.press("Escape")
    choose_model(themed, "ResNet-18")
    expect(themed.get_by_test_id("toast-body")).to_be_visible()
    themed.wait_for_timeout(500)  # it fades in, and is pale until then
    # Gradio's own: the head of a message is a button with a button in it.
    assert violations(themed, ".toast-header") == []


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, lion: Explanation) -> str:
    path = tmp_path_factory.mktemp("file") / "lion.html"
    path.write_text(lion.to_html(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=["light", "dark"])
def standalone(request: pytest.FixtureRequest, browser: Browser, file: str) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, offline=True)
    page = context.new_page()
    page.goto(file)
    expect(page.locator(TITLE)).to_contain_text("lion")
    settled(page)
    yield page
    context.close()


def test_axe_finds_nothing_in_the_file(standalone: Page) -> None:
    assert violations(standalone) == []
    put_all_on_the_page(standalone)
    assert violations(standalone) == []
    standalone.get_by_role("button", name="Keys").click()
    assert violations(standalone) == []
    standalone.keyboard.press("Escape")
    standalone.keyboard.press("f")
    assert violations(standalone) == []


def test_axe_would_find_something(page: Page) -> None:
    """A control: it does run, and looks into the viewer."""
    page.evaluate(f"document.querySelector('{VIEWER} .cam-note').style.color = '#ccc'")
    assert any("color-contrast" in line for line in violations(page))
    example(page, "Lion")
    page.evaluate("document.querySelector('canvas.cam-picture').removeAttribute('aria-label')")
    assert any("role-img-alt" in line for line in violations(page))


# ---------------------------------------------------------------- keyboard


def tab_stops(page: Page) -> list[str]:
    """Which of the focusable elements Tab reaches; each is numbered in `data-stop`."""
    expected = page.evaluate(
        """selector => {
          const shown = (element) => element.checkVisibility({ visibilityProperty: true });
          const all = [...document.querySelectorAll(selector)].filter(
            (one) => one.tabIndex >= 0 && !one.disabled && shown(one));
          // of a group of radio buttons Tab reaches one, and the arrow keys the others
          return all.filter((one) => one.type !== "radio" || one.checked).map((one, place) => {
            one.dataset.stop = place;
            return `${place} ${one.tagName} ${one.getAttribute("aria-label") ?? one.textContent}`;
          });
        }""",
        FOCUSABLE,
    )
    reached = set()
    for _ in range(2 * len(expected)):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.stop"))
    return [name for name in expected if name.split()[0] not in reached]


def test_tab_reaches_every_control(page: Page) -> None:
    assert tab_stops(page) == []
    example(page, "Lion")
    page.get_by_text("Take away").click()
    page.get_by_label("Split", exact=True).check()
    assert page.locator(f"{VIEWER} :is({FOCUSABLE})").count() > 40
    assert tab_stops(page) == []


def luminance(pixels: np.ndarray) -> np.ndarray:
    """WCAG's relative luminance of uint8 colours (..., 3)."""
    light = pixels / 255
    linear = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def clip(page: Page, area: dict[str, float]) -> np.ndarray:
    shot = page.screenshot(clip=area, animations="disabled")
    return luminance(np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")))


def check_focus_is_seen(page: Page) -> int:
    """Walk through the viewer by Tab; the number of stops, each of which must change in sight."""
    stops: list[Any] = []
    for _ in range(90):
        page.keyboard.press("Tab")
        place = page.evaluate(
            """viewer => {
              const one = document.activeElement;
              if (!one.closest(viewer)) return null;
              const { x, y, width, height } = one.getBoundingClientRect();
              const name = one.getAttribute("aria-label") || one.textContent || one.value;
              return { name, x, y, width, height };
            }""",
            VIEWER,
        )
        if place is None:
            if stops:
                break
            continue
        assert place["name"] not in stops
        stops.append(place["name"])
        left, top = max(place["x"] - 8, 0), max(place["y"] - 8, 0)
        area = {"x": left, "y": top, "width": place["width"] + 16, "height": place["height"] + 16}
        focused = clip(page, area)
        page.evaluate("document.activeElement.blur()")
        plain = clip(page, area)
        contrast = (np.maximum(focused, plain) + 0.05) / (np.minimum(focused, plain) + 0.05)
        around = 2 * (place["width"] + place["height"])
        # WCAG 2.2, 2.4.13: two pixels around the control that differ by 3 to 1
        assert (contrast >= 3).sum() >= 1.9 * around, place
    return len(stops)


def test_focus_has_an_outline_on_the_page(themed: Page) -> None:
    example(themed, "Lion")
    themed.get_by_text("Take away").click()
    themed.get_by_label("Split", exact=True).check()
    outlines: dict[str, float] = {}
    for _ in range(90):
        themed.keyboard.press("Tab")
        found = themed.evaluate(
            """viewer => {
              const one = document.activeElement;
              if (!one.closest(viewer)) return null;
              const name = one.getAttribute("aria-label") || one.textContent || one.value;
              // the canvas is outlined by the frame around it, which would clip its own
              const outlined = one.closest(".cam-canvas") ?? one;
              const { outlineStyle, outlineWidth } = getComputedStyle(outlined);
              return [name, outlineStyle === "none" ? 0 : parseFloat(outlineWidth)];
            }""",
            VIEWER,
        )
        if found:
            outlines[found[0]] = found[1]
    assert len(outlines) > 30
    assert min(outlines.values()) >= 2


def test_focus_is_seen_in_the_file(standalone: Page) -> None:
    assert check_focus_is_seen(standalone) > 20


def test_everything_works_by_keyboard_alone(page: Page) -> None:
    page.locator("#examples button").nth(1).press("Enter")
    expect(page.locator(TITLE)).to_contain_text("lion")
    settled(page)
    for control, key in [
        (page.locator(STRIP).nth(3), "Enter"),
        (page.locator(LABELS).nth(2), "Enter"),
        (page.get_by_label("Opacity", exact=True), "ArrowRight"),
        (page.get_by_label("Glow", exact=True), "ArrowRight"),
        (page.get_by_label("Notebook", exact=True), "ArrowLeft"),
        (page.get_by_label("Strongest", exact=True), "Home"),
        (page.get_by_label("Colour map", exact=True), "ArrowDown"),
        (page.get_by_label("Evidence", exact=True), "ArrowDown"),
        (page.get_by_label("Layer", exact=True), "ArrowDown"),
        (page.get_by_label("One scale for all labels"), " "),
        (page.get_by_role("button", name="Hide the hottest"), "Enter"),
        (page.get_by_label("Keep only this"), " "),
        (page.get_by_label("Fill with"), "ArrowDown"),
        (page.get_by_role("button", name="Clear"), "Enter"),
        (page.get_by_role("button", name="Undo"), "Enter"),
        (page.get_by_label("Against"), "ArrowDown"),
        (page.get_by_label("Overlay", exact=True), "ArrowRight"),
        (page.get_by_label("Split", exact=True), " "),
        (page.get_by_label("Divider", exact=True), "ArrowLeft"),
    ]:
        changed(page, lambda control=control, key=key: control.press(key))
    take_away = page.get_by_text("Take away")
    take_away.press("Enter")
    page.get_by_role("button", name="Copy as Python").press("Enter")
    expect(page.locator(".cam-said")).to_contain_text("copied")
    page.get_by_role("button", name="Keys").press("Enter")
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    expect(page.get_by_role("button", name="Keys")).to_be_focused()
    page.get_by_role("button", name="Fill the screen").press("Enter")
    expect(page.locator(".cam-fills-screen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cam-fills-screen")).to_have_count(0)


def test_what_changes_is_told(page: Page) -> None:
    """Who can't see the canvas hears of it: texts change in live regions."""
    example(page, "Lion")
    picture = page.locator("canvas.cam-picture")
    before = picture.get_attribute("aria-label")
    second = page.locator(LABELS).nth(1).locator(".cam-name").inner_text()
    page.keyboard.press("2")
    expect(page.locator(".cam-heading[aria-live=polite] .cam-title")).to_contain_text(second)
    assert picture.get_attribute("aria-label") != before
    expect(page.locator(LABELS).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Opacity", exact=True)).to_have_attribute("aria-valuetext", "85 %")


# ---------------------------------------------------------------- phones


def test_a_phone_shows_the_canvas_first_and_scrolls_only_down(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    scroll = "() => document.documentElement.scrollWidth"
    assert page.evaluate(scroll) <= 390
    example(page, "Lion")
    put_all_on_the_page(page)
    assert page.evaluate(scroll) <= 390
    canvas = page.locator("canvas.cam-picture").bounding_box()
    upload = page.locator("#question").bounding_box()
    assert canvas
    assert upload
    assert canvas["y"] + canvas["height"] <= upload["y"]
    assert canvas["width"] >= 300
    # Nothing of the viewer sticks out, except that the filmstrip scrolls by itself.
    outside = page.evaluate(
        """selector => [...document.querySelectorAll(`${selector} *`)].filter((one) => {
          const { right, width } = one.getBoundingClientRect();
          return width > 0 && right > 391 && !one.closest(".cam-strip");
        }).map((one) => one.className || one.tagName)""",
        VIEWER,
    )
    assert outside == []


def test_a_file_on_a_phone(standalone: Page) -> None:
    standalone.set_viewport_size({"width": 390, "height": 844})
    put_all_on_the_page(standalone)
    assert standalone.evaluate("document.documentElement.scrollWidth") <= 390
