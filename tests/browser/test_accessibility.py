"""Everyone can use it: axe-core finds nothing, the keyboard reaches everything, phones fit."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from camdemo import Explanation

from .steps import (
    CANVAS,
    EXAMPLES,
    LABELS,
    STRIP,
    TITLE,
    VIEWER,
    changed,
    choose,
    choose_model,
    example,
    field,
    open_menu,
    opened,
    said,
    settled,
    upload,
)

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


def is_dark(page: Page) -> bool:
    return page.evaluate("document.body.classList.contains('dark')")


def in_theme(page: Page, server: str, theme: str) -> Page:
    page.goto(f"{server}?__theme={theme}")
    opened(page)
    assert is_dark(page) == (theme == "dark")
    return page


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def themed(theme: str, tab: Page, server: str) -> Page:
    return in_theme(tab, server, theme)


@pytest.fixture
def phone(theme: str, phone_tab: Page, server: str) -> Page:
    return in_theme(phone_tab, server, theme)


def put_all_on_the_page(page: Page) -> None:
    """A state in which much of the viewer is shown: divider, read-out, what hiding did."""
    page.get_by_label("Split", exact=True).check()
    menu = open_menu(page, "look")
    menu.get_by_label("Evidence", exact=True).select_option("signed")  # disables the colour map
    page.keyboard.press("Escape")
    if page.locator("[data-action=hottest]").count():  # not in a file, where no model answers
        page.get_by_role("button", name="Hide the hottest").click()
        expect(page.locator(".cam-asked")).to_contain_text("on average")
    page.locator(CANVAS).hover()
    expect(page.locator(".cam-readout")).to_contain_text("Row")


def test_axe_finds_nothing_on_the_page(themed: Page, tmp_path: Path) -> None:
    """One page through all its states, since loading it takes longer than looking at it."""
    assert violations(themed) == []
    put_all_on_the_page(themed)
    assert violations(themed) == []
    example(themed, "Cheetah + lion")  # a duel
    assert violations(themed) == []
    for name in ("look", "fill", "save"):
        open_menu(themed, name)
        assert violations(themed) == [], name
        themed.keyboard.press("Escape")
    for title in ("Model", "Layer", "Add a label"):
        field(themed, title).click()
        expect(themed.locator(".cam-popup:visible [role=option]").first).to_be_visible()
        assert violations(themed) == [], title
        themed.keyboard.press("Escape")
    for tab in themed.get_by_role("tab").all():
        tab.click()
        assert violations(themed) == [], tab.inner_text()
    themed.get_by_role("button", name="Help").click()
    expect(themed.get_by_role("dialog", name="Help")).to_be_visible()
    assert violations(themed) == []
    themed.keyboard.press("Escape")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    upload(themed, broken)
    choose_model(themed, "ResNet-18")
    expect(said(themed, "model")).not_to_be_empty()
    settled(themed)
    assert violations(themed) == []


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_axe_finds_nothing_on_stage(themed: Page, size: tuple[int, int]) -> None:
    themed.set_viewport_size({"width": size[0], "height": size[1]})
    example(themed, "Cheetah + lion")
    themed.keyboard.press("f")
    expect(themed.locator(".cam-fills-screen")).to_be_visible()
    themed.wait_for_timeout(400)  # what fades is there, or gone
    assert violations(themed) == []
    themed.mouse.move(200, 200)
    themed.mouse.move(300, 300)
    expect(themed.get_by_role("button", name="Leave")).to_be_visible()
    themed.wait_for_timeout(400)
    assert violations(themed) == []


def test_axe_finds_nothing_on_a_phone(phone: Page) -> None:
    assert violations(phone) == []
    for name in ("photo", "layer", "hide", "frame", "compare"):
        phone.locator(f".cam-phone [data-opens={name}]").tap()
        expect(phone.locator(f"[data-sheet={name}].cam-sheet")).to_be_visible()
        assert violations(phone) == [], name
        phone.locator(f".cam-phone [data-opens={name}]").tap()
    phone.locator(".cam-phone [data-menu=save]").tap()
    expect(phone.locator("#cam-menu-save")).to_be_visible()
    assert violations(phone) == []


def test_axe_finds_nothing_about_a_map_of_pixels(themed: Page) -> None:
    """Nor does it on stage."""
    choose(themed, "Method", "Gradient SHAP")
    expect(themed.locator(".cam-words")).to_contain_text("unexplained", timeout=60_000)
    settled(themed)
    assert violations(themed) == []
    themed.locator(".cam-settings").click()
    expect(themed.get_by_label("Samples", exact=True)).to_be_visible()
    assert violations(themed) == []
    themed.keyboard.press("Escape")
    themed.keyboard.press("f")
    themed.wait_for_timeout(400)
    assert violations(themed) == []


def test_axe_finds_nothing_about_a_map_of_pixels_on_a_phone(phone: Page) -> None:
    phone.locator(".cam-phone [data-opens=layer]").tap()
    choose(phone, "Method", "Occlusion")
    expect(phone.locator(".cam-facts")).to_contain_text("Occlusion", timeout=60_000)
    settled(phone)
    if not phone.locator(".cam-settings").is_visible():
        phone.locator(".cam-phone [data-opens=layer]").tap()
    assert violations(phone) == []
    phone.locator(".cam-settings").tap()
    expect(phone.get_by_label("Window", exact=True)).to_be_visible()
    assert violations(phone) == []


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
    for name in ("look", "save"):
        open_menu(standalone, name)
        assert violations(standalone) == [], name
        standalone.keyboard.press("Escape")
    standalone.get_by_role("button", name="Help").click()
    assert violations(standalone) == []
    standalone.keyboard.press("Escape")
    standalone.keyboard.press("f")
    assert violations(standalone) == []


def test_axe_would_find_something(page: Page) -> None:
    """A control: it does run, and looks into the viewer."""
    page.evaluate(f"document.querySelector('{VIEWER} .cam-words').style.color = '#ccc'")
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
    page.get_by_label("Split", exact=True).check()
    assert page.locator(f"{VIEWER} :is({FOCUSABLE})").count() > 40
    assert tab_stops(page) == []
    for name in ("look", "fill", "save"):  # by Tab from the button that opened it
        open_menu(page, name)
        assert tab_stops(page) == [], name
        page.keyboard.press("Escape")


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
    page.locator(EXAMPLES).nth(2).press("Enter")
    expect(page.locator(TITLE)).to_contain_text("obelisk")
    page.locator(EXAMPLES).nth(1).press("Enter")
    expect(page.locator(TITLE)).to_contain_text("lion")
    settled(page)
    menus = {"look": "Look: ", "fill": "Fill"}
    for place, control, key in [
        ("", page.locator(STRIP).nth(3), "Enter"),
        ("", page.locator(LABELS).nth(2), "Enter"),
        ("look", page.get_by_label("Opacity", exact=True), "ArrowLeft"),
        ("look", page.get_by_label("Strongest", exact=True), "Home"),
        ("look", page.get_by_label("Colour map", exact=True), "ArrowDown"),
        ("look", page.get_by_label("Evidence", exact=True), "ArrowDown"),
        ("", page.get_by_role("button", name="Hide the hottest"), "Enter"),
        ("fill", page.get_by_label("Keep only this"), " "),
        ("fill", page.get_by_label("Fill with"), "ArrowDown"),
        ("", page.get_by_role("button", name="Clear"), "Enter"),
        ("", page.get_by_role("button", name="Undo"), "Enter"),
        ("", page.get_by_label("Against"), "ArrowDown"),
        ("", page.get_by_label("Overlay", exact=True), "ArrowRight"),
        ("", page.get_by_label("Split", exact=True), " "),
        ("", page.get_by_label("Divider", exact=True), "ArrowLeft"),
    ]:
        if place:
            page.get_by_role("button", name=menus[place]).press("Enter")
        print(control, key)
        changed(page, lambda control=control, key=key: control.press(key))
        if place:
            page.keyboard.press("Escape")
            expect(page.locator(f"#cam-menu-{place}")).to_be_hidden()
    page.get_by_role("button", name="Save and share").press("Enter")
    page.get_by_role("button", name="Copy as Python").press("Enter")
    expect(said(page, "save")).to_contain_text("copied")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Help").press("Enter")
    page.get_by_role("button", name="Close").press("Enter")
    expect(page.get_by_role("dialog", name="Help")).to_be_hidden()
    expect(page.get_by_role("button", name="Help")).to_be_focused()
    page.get_by_role("button", name="Stage").press("Enter")
    expect(page.locator(".cam-fills-screen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cam-fills-screen")).to_have_count(0)


def test_what_changes_is_told(page: Page) -> None:
    """Who can't see the canvas hears of it: texts change in live regions."""
    picture = page.locator(CANVAS)
    before = picture.get_attribute("aria-label")
    second = page.locator(LABELS).nth(1).locator(".cam-name").inner_text()
    page.keyboard.press("2")
    expect(page.locator(f"{TITLE}[aria-live=polite]")).to_contain_text(second)
    assert picture.get_attribute("aria-label") != before
    expect(page.locator(LABELS).nth(1)).to_have_attribute("aria-pressed", "true")
    opacity = page.locator("[data-control=opacity]")
    expect(opacity).to_have_attribute("aria-valuetext", re.compile(r"^\d+ %$"))


# ---------------------------------------------------------------- phones


def test_a_phone_shows_the_answer_first_and_scrolls_only_down(phone: Page) -> None:
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    for part in (CANVAS, f"{VIEWER} .cam-words", f"{LABELS}:nth-child(5)", f"{STRIP}:last-child"):
        area = phone.locator(part).bounding_box()
        assert area
        assert area["y"] + area["height"] <= 844 - 56, part  # the bar
    phone.locator(".cam-phone [data-opens=hide]").tap()
    phone.get_by_role("button", name="Hide the hottest").tap()
    settled(phone)
    expect(phone.locator(".cam-sheet[data-sheet=hide]")).to_be_hidden()  # the answer is in sight
    # Nothing of the viewer sticks out, except that the filmstrip scrolls by itself.
    outside = phone.evaluate(
        """selector => [...document.querySelectorAll(`${selector} *`)].filter((one) => {
          const { right, width } = one.getBoundingClientRect();
          return width > 1 && right > 391 && !one.closest(".cam-strip, .cam-examples");
        }).map((one) => one.className || one.tagName)""",
        VIEWER,
    )
    assert outside == []


def test_a_phones_targets_are_large_enough(phone: Page) -> None:
    """44 pixels, and rows of labels 31; of radio buttons their group counts."""
    small = """() => {
      const targets = "button, select, input[type=text], fieldset, .cam-check";
      const heightOf = (one) => one.getBoundingClientRect().height;
      return [...document.querySelectorAll(`#viewer :is(${targets})`)]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }))
        .filter((one) => heightOf(one) < (one.closest(".cam-labels") ? 31 : 44) - 0.5)
        .map((one) => `${one.textContent.trim() || one.ariaLabel}: ${heightOf(one)}`);
    }"""
    assert phone.evaluate(small) == []
    for name in ("photo", "layer", "hide", "frame", "compare"):
        phone.locator(f".cam-phone [data-opens={name}]").tap()
        assert phone.evaluate(small) == [], name
        phone.locator(f".cam-phone [data-opens={name}]").tap()


def test_a_file_on_a_phone(standalone: Page) -> None:
    standalone.set_viewport_size({"width": 390, "height": 844})
    settled(standalone)
    assert violations(standalone) == []
    assert standalone.evaluate("document.documentElement.scrollWidth") <= 390
