"""The stage: picture and labels fill the screen, for an audience; and there is a way out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from playwright.sync_api import Page, expect

from camdemo import Explainer

from .steps import (
    ASKED,
    CAM,
    CANVAS,
    FACTS,
    LABELS,
    STRIP,
    TITLE,
    VIEWER,
    YARDSTICK,
    at,
    canvas,
    changed,
    choose,
    drag,
    example,
    opened,
    settled,
    upload,
)

SIZES = [(390, 844), (844, 390), (1024, 768), (1920, 1080)]
LEAVE = f"{VIEWER} .cam-leave"


@pytest.fixture
def stage(page: Page) -> Page:
    page.mouse.move(2, 2)
    page.keyboard.press("f")
    expect(page.locator(CAM)).to_have_class("cam cam-fills-screen")
    return page


def is_on_stage(page: Page) -> bool:
    return page.locator(f"{CAM}.cam-fills-screen").count() == 1


def fit(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    settled(page)


# ---------------------------------------------------------------- what is on it


# What is seen of each part: of a text where its letters are, of the picture where it is painted.
RECTS = """() => {
  const seen = [];
  let part = 0; // one text may be in several rectangles
  const add = (name, { left, top, right, bottom }) => {
    if (right - left < 0.5 || bottom - top < 0.5) return;
    seen.push({ part, name, left, top, right, bottom });
  };
  const cut = (a, b) => ({
    left: Math.max(a.left, b.left), top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom),
  });
  const cam = document.querySelector(".cam");
  const words = document.createTreeWalker(cam, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const { currentNode: node } = words;
    const element = node.parentElement;
    const style = getComputedStyle(element);
    if (!node.data.trim() || style.visibility === "hidden") continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    part++;
    const clips = style.overflow !== "visible" && element !== cam;
    for (const rect of range.getClientRects()) {
      add(`"${node.data.trim()}"`, clips ? cut(rect, element.getBoundingClientRect()) : rect);
    }
  }
  for (const place of [".cam-strip canvas", ".cam-labels canvas", ".cam-bar", ".cam-legend-bar"]) {
    for (const each of cam.querySelectorAll(place)) {
      part++;
      add(place, each.getBoundingClientRect());
    }
  }
  part++;
  const picture = document.querySelector("canvas.cam-picture");
  const area = picture.getBoundingClientRect();
  const scale = Math.min(area.width / picture.width, area.height / picture.height);
  const [x, y] = [area.left + area.width / 2, area.top + area.height / 2];
  const [w, h] = [picture.width * scale / 2, picture.height * scale / 2];
  const painted = { left: x - w, top: y - h, right: x + w, bottom: y + h };
  add("picture", cut(painted, picture.parentElement.getBoundingClientRect()));
  return seen;
}"""


def overlaps(page: Page) -> list[str]:
    """What lies over something else, or beyond the screen; by more than a pixel."""
    rects = page.evaluate(RECTS)
    assert len(rects) > 30
    size = page.viewport_size
    assert size
    found = []
    for i, one in enumerate(rects):
        edges = (-one["left"], -one["top"], one["right"] - size["width"])
        if max(*edges, one["bottom"] - size["height"]) > 1:
            found.append(f"{one['name']} is beyond the screen")
        for other in rects[i + 1 :]:
            across = min(one["right"], other["right"]) - max(one["left"], other["left"])
            down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
            if min(across, down) > 1 and one["part"] != other["part"]:
                found.append(f"{one['name']} and {other['name']} by {across:.0f} x {down:.0f}")
    return found


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nothing_overlaps(page: Page, size: tuple[int, int]) -> None:
    page.keyboard.press("f")
    fit(page, size)
    page.mouse.move(size[0] / 2, size[1] / 2)  # the button that leaves is there, too
    expect(page.locator(LEAVE)).to_have_css("opacity", "1")
    assert overlaps(page) == []
    drag(page, (0.3, 0.1), (0.7, 0.6))
    expect(page.locator(TITLE)).to_contain_text("→")
    settled(page)
    assert overlaps(page) == []
    for key in ("d", "2"):  # against another label, and the other way round
        page.keyboard.press(key)
        settled(page)
        assert overlaps(page) == []


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nothing_overlaps_with_the_longest_label(
    page: Page, explainer: Explainer, size: tuple[int, int]
) -> None:
    choose(page, "Add a label", max(explainer.labels(), key=len))
    settled(page)
    page.locator(CANVAS).focus()  # where keys are no letters
    page.keyboard.press("f")
    fit(page, size)
    page.mouse.move(size[0] / 2, size[1] / 2)
    assert overlaps(page) == []


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_percentages_are_read_to_their_end(page: Page, size: tuple[int, int]) -> None:
    """A name may be cut off; a number is not, and is on one line."""
    drag(page, (0.3, 0.1), (0.7, 0.6))
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    page.keyboard.press("f")
    fit(page, size)
    title = page.locator(TITLE)
    assert (title.text_content() or "").startswith("lion · 90 % → ")
    label = title.locator("span > span").first
    assert label.evaluate("one => one.scrollWidth <= one.clientWidth + 1")  # "lion", and not "l…"
    assert title.evaluate(
        """one => [one, ...one.querySelectorAll("span > span:last-child")].every((each) =>
          each.scrollWidth <= each.clientWidth + 1 &&
          each.getBoundingClientRect().right <= one.getBoundingClientRect().right)"""
    )
    for share in page.locator(f"{LABELS} :is(.cam-share, .cam-change):visible").all():
        assert share.evaluate("one => one.scrollWidth <= one.clientWidth + 1")
        assert share.evaluate(
            "one => { const range = document.createRange(); range.selectNodeContents(one);"
            " return range.getClientRects().length <= 1; }"
        )


def test_the_stage_fills_the_screen_with_the_picture(page: Page, tmp_path: Path) -> None:
    photo = tmp_path / "cat.png"
    Image.fromarray(skimage.data.chelsea()).resize((900, 600)).save(photo)  # 3:2
    upload(page, photo)
    page.keyboard.press("f")
    fit(page, (1920, 1080))
    cam = page.locator(CAM).bounding_box()
    assert cam
    assert (cam["width"], cam["height"]) == (1920, 1080)
    (picture,) = [each for each in page.evaluate(RECTS) if each["name"] == "picture"]
    area = (picture["right"] - picture["left"]) * (picture["bottom"] - picture["top"])
    assert area >= 0.45 * 1920 * 1080
    expect(page.locator(TITLE)).to_have_css("font-size", "72px")
    expect(page.locator(CAM)).to_have_css("background-color", "rgb(0, 0, 0)")


def test_what_an_audience_must_know_is_on_the_stage(page: Page) -> None:
    example(page, "Cheetah")
    page.keyboard.press("f")
    for size in SIZES:
        fit(page, size)
        for place in (TITLE, ".cam-legend", FACTS, ".cam-count", CANVAS):
            expect(page.locator(place)).to_be_in_viewport(ratio=1)
        for place in (STRIP, LABELS):
            for each in page.locator(place).all():
                expect(each).to_be_in_viewport(ratio=0.99)
        expect(page.locator(FACTS)).to_have_text(
            "EfficientNet-Lite0 · Last · bn2 · 7 x 7 · Grad-CAM"
        )
        expect(page.locator(".cam-count")).to_have_text("1 / 4")
    assert page.locator(STRIP).count() >= 11
    # What is no longer of use is gone.
    for control in ("Opacity", "Fill with", "Framing"):
        expect(page.get_by_label(control, exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Save and share")).to_be_hidden()


def test_the_labels_stay_at_their_places(stage: Page) -> None:
    fit(stage, (1920, 1080))
    boxes = lambda: [row.bounding_box() for row in stage.locator(LABELS).all()]  # noqa: E731
    before = boxes()
    assert len(before) == 5
    stage.keyboard.press("PageDown")
    expect(stage.locator(VIEWER)).to_have_attribute("data-example", "Tower")
    settled(stage)
    assert boxes() == before
    drag(stage, (0.3, 0.1), (0.7, 0.6))
    expect(stage.locator(TITLE)).to_contain_text("→")
    settled(stage)
    assert boxes() == before
    changed(stage, lambda: stage.keyboard.press("3"))
    assert boxes() == before


def test_hiding_works_on_the_stage(stage: Page) -> None:
    drag(stage, (0.3, 0.1), (0.7, 0.6))
    expect(stage.locator(TITLE)).to_contain_text("lion · 90 % → ")
    stage.keyboard.press("z")
    expect(stage.locator(TITLE)).to_have_text("lion · 90 %")


# ---------------------------------------------------------------- the way out


@pytest.mark.parametrize("api", ["with", "without"])
@pytest.mark.parametrize("way", ["button", "f", "Escape"])
def test_there_is_a_way_out(page: Page, api: str, way: str) -> None:
    if api == "without":  # as on an iPhone
        page.evaluate(
            """() => {
              delete Element.prototype.requestFullscreen;
              delete Element.prototype.webkitRequestFullscreen;
              delete Document.prototype.exitFullscreen;
            }"""
        )
    page.get_by_role("button", name="Stage").click()
    assert is_on_stage(page)
    if way == "button":
        page.mouse.move(300, 300)
        page.mouse.move(310, 310)
        expect(page.locator(LEAVE)).to_have_css("opacity", "1")
        page.locator(LEAVE).click()
    else:
        page.keyboard.press(way)
    expect(page.locator(CAM)).not_to_have_class("cam-fills-screen")
    assert not is_on_stage(page)
    expect(page.get_by_role("button", name="Stage")).to_be_visible()
    expect(page.locator(LEAVE)).to_be_hidden()
    assert page.evaluate("document.fullscreenElement") is None


@pytest.fixture
def finger(phone_tab: Page, server: str) -> Page:
    phone_tab.add_init_script("delete Element.prototype.requestFullscreen")
    phone_tab.goto(server)
    opened(phone_tab)
    return phone_tab


def test_a_tap_shows_the_way_out(finger: Page) -> None:
    finger.get_by_role("button", name="Stage").tap()
    assert is_on_stage(finger)
    finger.wait_for_selector(f"{CAM}:not(.cam-moved)", state="attached")
    expect(finger.locator(LEAVE)).to_have_css("opacity", "0")
    finger.locator(CANVAS).tap()
    expect(finger.locator(LEAVE)).to_have_css("opacity", "1")
    size = finger.locator(LEAVE).bounding_box()
    assert size
    assert size["height"] >= 44
    finger.locator(LEAVE).tap()
    assert not is_on_stage(finger)


# ---------------------------------------------------------------- still and black


def test_pointer_button_and_outline_fade(stage: Page) -> None:
    still = canvas(stage)
    before = stage.evaluate("performance.now()")
    stage.mouse.move(*at(stage, 0.5, 0.5))
    stage.mouse.move(*at(stage, 0.52, 0.52))
    expect(stage.locator(LEAVE)).to_have_css("opacity", "1")
    expect(stage.locator(CANVAS)).to_have_css("cursor", "crosshair")
    settled(stage)
    assert (canvas(stage) != still).any()  # the cell under the pointer is outlined
    expect(stage.locator(LEAVE)).to_have_css("opacity", "0")
    expect(stage.locator(CANVAS)).to_have_css("cursor", "none")
    assert stage.evaluate("performance.now()") - before > 1900
    settled(stage)
    assert (canvas(stage) == still).all()
    stage.mouse.move(*at(stage, 0.6, 0.6))
    expect(stage.locator(CANVAS)).to_have_css("cursor", "crosshair")
    assert (canvas(stage) != still).any()


def test_what_is_read_by_keyboard_stays(stage: Page) -> None:
    stage.keyboard.press("r")
    read = canvas(stage)
    stage.wait_for_selector(f"{CAM}:not(.cam-moved)", state="attached")
    settled(stage)
    assert (canvas(stage) == read).all()


def shot(page: Page) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def test_b_makes_all_black(stage: Page) -> None:
    assert shot(stage).max() > 200
    stage.keyboard.press("b")
    stage.wait_for_selector(f"{CAM}:not(.cam-moved)", state="attached")
    expect(stage.locator(LEAVE)).to_have_css("opacity", "0")
    assert shot(stage).max() == 0
    # There is a way out of that, too; and b brings all of it back.
    stage.mouse.move(400, 300)
    expect(stage.locator(LEAVE)).to_be_visible()
    stage.keyboard.press("b")
    assert shot(stage).max() > 200
    stage.keyboard.press("b")
    stage.mouse.move(410, 310)
    stage.locator(LEAVE).click()
    assert not is_on_stage(stage)
    assert shot(stage).max() > 200
    stage.keyboard.press("b")  # nothing here
    assert shot(stage).max() > 200
