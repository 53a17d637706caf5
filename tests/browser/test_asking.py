"""Asking back: hide a part, move the frame, set two labels against each other."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Page, Request, Route, expect

from camdemo import Box, Explainer, Explanation
from camdemo.records import percent
from camdemo.trust import hiding

from .steps import (
    ASKED,
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
    choose_layer,
    choose_model,
    choose_tool,
    drag,
    example,
    open_menu,
    opened,
    said,
    settled,
)

SIDE = 224


@pytest.fixture
def questions(page: Page) -> list[dict[str, Any]]:
    """What the viewer asked its server, each with the name of the function in "asked"."""
    seen: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if "component_server" in request.url:
            body = request.post_data_json
            seen.append({"asked": body["fn_name"]} | body["data"])

    page.on("request", note)
    return seen


@pytest.fixture
def viewer(page: Page, questions: list) -> Page:
    """The lion, with which the page opens."""
    page.mouse.move(2, 2)
    settled(page)
    questions.clear()
    return page


def mask_in(question: dict[str, Any]) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(question["mask"]), np.uint8))
    return bits[: SIDE * SIDE].reshape(SIDE, SIDE).astype(bool)


def masks(questions: list[dict[str, Any]]) -> list[np.ndarray]:
    return [mask_in(each) for each in questions if each["asked"] == "scene_hide"]


def shares(page: Page) -> list[str]:
    return page.locator(f"{LABELS} .cam-share").all_inner_texts()


# ---------------------------------------------------------------- hide it


def test_dragging_hides_a_box(viewer: Page, questions: list, lion: Explanation) -> None:
    expect(viewer.locator(ASKED)).to_contain_text('Drag a box over the head: does "lion" survive?')
    before = shares(viewer)
    picture = canvas(viewer)
    drag(viewer, (0.375, 0.125), (0.625, 0.5))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    first, second = questions
    assert [first["asked"], second["asked"]] == ["scene_hide", "scene_hide_elsewhere"]
    # The mask is the region that was dragged: 256 x 256 pixels have the photo.
    mask, expected = mask_in(first), hiding.mask_of([Box(96, 32, 160, 128)], lion.box, (SIDE, SIDE))
    assert (mask != expected).mean() < 0.01
    # The answer is Python's.
    answer = lion.hide(mask)
    text = viewer.locator(ASKED).inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith(answer.text)
    left = [percent(each.probability) for each in (answer.before, answer.after)]
    expect(viewer.locator(TITLE)).to_have_text(f"lion · {' → '.join(left)}")
    points = round(100 * answer.after.probability) - round(100 * answer.before.probability)
    assert points < 0
    own = viewer.locator(LABELS).first
    expect(own.locator(".cam-share")).to_have_text(percent(answer.after.probability))
    expect(own.locator(".cam-change")).to_have_text(f"was {before[0]}, −{-points}")
    # What is hidden is seen to be hidden, and nothing else has changed on the picture.
    viewer.mouse.move(2, 2)
    settled(viewer)
    now, scale = canvas(viewer), picture.shape[0] / 256
    inside = np.s_[round(40 * scale) : round(120 * scale), round(100 * scale) : round(156 * scale)]
    assert (now != picture).any(axis=2)[inside].mean() > 0.9
    assert (now == picture).all(axis=2)[round(150 * scale) :].all()


def test_regions_add_up_and_can_be_undone(viewer: Page, questions: list) -> None:
    button = lambda name: viewer.get_by_role("button", name=name, exact=True)  # noqa: E731
    whole, before = canvas(viewer), shares(viewer)
    for name in ("Undo", "Redo", "Clear"):
        expect(button(name)).to_be_disabled()
    drag(viewer, (0.2, 0.2), (0.4, 0.4))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    one = canvas(viewer)
    drag(viewer, (0.6, 0.6), (0.8, 0.8))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    first, both = masks(questions)
    assert both[first].all()
    assert both.sum() == pytest.approx(2 * first.sum(), rel=0.02)
    changed(viewer, button("Undo").click)
    assert (canvas(viewer) == one).all()
    assert (masks(questions)[-1] == first).all()
    changed(viewer, button("Redo").click)
    assert (masks(questions)[-1] == both).all()
    changed(viewer, button("Clear").click)
    assert (canvas(viewer) == whole).all()
    expect(viewer.locator(ASKED)).to_contain_text("Drag a box over")
    assert shares(viewer) == before
    changed(viewer, button("Undo").click)  # clearing can be undone, too
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    assert (masks(questions)[-1] == both).all()


def test_a_click_hides_a_cell_and_another_shows_it_again(viewer: Page, questions: list) -> None:
    choose_tool(viewer, "cell")
    cell = (16 + 2.5 * 32) / 256, (16 + 1.5 * 32) / 256  # the crop begins at 16, a cell has 32
    viewer.mouse.click(*at(viewer, *cell))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    expected = np.zeros((SIDE, SIDE), bool)
    expected[32:64, 64:96] = True
    assert (masks(questions)[0] == expected).all()
    viewer.mouse.click(*at(viewer, *cell))
    expect(viewer.locator(ASKED)).to_contain_text("Click a cell")


def test_a_brush_paints_what_is_hidden(viewer: Page, questions: list) -> None:
    choose_tool(viewer, "brush")
    drag(viewer, (0.3, 0.3), (0.5, 0.5), (0.7, 0.3))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    (mask,) = masks(questions)
    for x, y in ((0.3, 0.3), (0.5, 0.5), (0.6, 0.4)):
        assert mask[round(256 * y - 16), round(256 * x - 16)]
    assert not mask[round(256 * 0.3 - 16), round(256 * 0.5 - 16)]
    assert 0.03 < mask.mean() < 0.2


def test_the_hottest_cells_are_hidden_at_once(
    viewer: Page, questions: list, lion: Explanation
) -> None:
    viewer.get_by_role("button", name="Hide the hottest 20 %").click()
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    hottest = lion.cam >= np.sort(lion.cam, axis=None)[-10]  # of 49 cells
    expected = hottest.repeat(32, 0).repeat(32, 1)
    assert (masks(questions)[0] == expected).all()
    viewer.get_by_role("button", name="Clear").click()
    open_menu(viewer, "look").get_by_label("Strongest", exact=True).fill("6")
    viewer.keyboard.press("Escape")
    viewer.get_by_role("button", name="Hide the hottest 6 %").click()
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    assert masks(questions)[-1].sum() == 3 * 32 * 32


def test_fill_and_keep_ask_anew(viewer: Page, questions: list, lion: Explanation) -> None:
    drag(viewer, (0.3, 0.1), (0.7, 0.6))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    answers = {viewer.locator(ASKED).inner_text()}
    for fill in ("mean", "noise"):
        changed(
            viewer,
            lambda fill=fill: (
                open_menu(viewer, "fill").get_by_label("Fill with").select_option(fill)
            ),
        )
        expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
        answers.add(viewer.locator(ASKED).inner_text())
    assert len(answers) == 3
    changed(viewer, open_menu(viewer, "fill").get_by_label("Keep only this").check)
    expect(viewer.locator(ASKED)).to_have_text(re.compile("Keeping only this: .* on average"))
    asked = questions[-1]
    assert (asked["fill"], asked["keep"]) == ("noise", True)
    text = viewer.locator(ASKED).inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith(lion.hide(mask_in(asked), "noise", keep=True).text)


def test_what_the_model_does_not_see_changes_nothing(viewer: Page, questions: list) -> None:
    drag(viewer, (0.0, 0.0), (0.04, 0.5))  # on the margin
    expect(said(viewer, "canvas")).to_contain_text("does not see this part")
    assert questions == []


def test_other_labels_are_answered_without_another_question(
    viewer: Page, questions: list, lion: Explanation
) -> None:
    viewer.get_by_role("button", name="Hide the hottest").click()
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    questions.clear()
    viewer.locator(LABELS).nth(1).click()
    expect(viewer.locator(ASKED)).to_contain_text(f"Hiding this: {lion.predictions[1].label}")
    assert questions == []


def test_a_later_question_is_not_overtaken_by_an_earlier_answer(viewer: Page) -> None:
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        is_hide = route.request.post_data_json["fn_name"] == "scene_hide"
        held.append(route) if is_hide and not held else route.continue_()

    viewer.route("**/component_server/**", hold_first)
    drag(viewer, (0.3, 0.1), (0.7, 0.6))
    viewer.wait_for_timeout(100)
    drag(viewer, (0.1, 0.8), (0.2, 0.9))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    text = viewer.locator(ASKED).inner_text()
    assert held
    held[0].continue_()
    viewer.wait_for_timeout(500)
    assert viewer.locator(ASKED).inner_text() == text
    settled(viewer)


def test_escape_leaves_a_region_undrawn(viewer: Page, questions: list) -> None:
    before = canvas(viewer)
    drag(viewer, (0.3, 0.1), (0.7, 0.6), release=False)
    assert (canvas(viewer) != before).any()
    viewer.keyboard.press("Escape")
    viewer.mouse.move(*at(viewer, 0.8, 0.8))
    viewer.mouse.up()
    viewer.mouse.move(2, 2)
    settled(viewer)
    assert (canvas(viewer) == before).all()
    assert questions == []


def test_hiding_by_keyboard_alone(viewer: Page, questions: list) -> None:
    viewer.locator(CANVAS).focus()
    for key in ("r", "ArrowUp", "h"):
        viewer.keyboard.press(key)
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    expected = np.zeros((SIDE, SIDE), bool)
    expected[64:96, 96:128] = True  # above the middle cell
    assert (masks(questions)[0] == expected).all()
    for key, text in [("z", "Drag a"), ("y", "Hiding"), ("x", "Drag a"), ("r", "Drag a")]:
        viewer.keyboard.press(key)
        expect(viewer.locator(ASKED)).to_contain_text(text)
    viewer.keyboard.press("h")
    expect(viewer.locator(ASKED)).to_contain_text("Hiding this")
    assert masks(questions)[-1].sum() == 10 * 32 * 32


def test_another_photo_begins_unhidden(viewer: Page, questions: list) -> None:
    viewer.get_by_role("button", name="Hide the hottest").click()
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    choose_model(viewer, "EfficientNet-Lite1")  # the same photo: asked again
    expect(viewer.locator(FACTS)).to_contain_text("Lite1")
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    example(viewer, "Tower")
    expect(viewer.locator(ASKED)).to_contain_text("Drag a box over")
    expect(viewer.get_by_role("button", name="Undo")).to_be_disabled()


def test_nothing_jumps_when_something_is_hidden(viewer: Page) -> None:
    places = [".cam-canvas", ".cam-strip", ".cam-words", ".cam-labels", ".cam-legend", ".cam-panel"]
    top = lambda: [viewer.locator(place).bounding_box()["y"] for place in places]  # noqa: E731
    before = top()
    viewer.get_by_role("button", name="Hide the hottest").click()
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    viewer.get_by_label("Against", exact=True).select_option(index=1)
    settled(viewer)
    assert np.abs(np.subtract(top(), before)).max() <= 2


def test_a_downloaded_picture_shows_what_is_hidden(viewer: Page, tmp_path: Any) -> None:
    drag(viewer, (0.3, 0.1), (0.7, 0.6))
    expect(viewer.locator(ASKED)).to_have_text(YARDSTICK)
    viewer.mouse.move(2, 2)
    open_menu(viewer, "save")
    with viewer.expect_download() as waiting:
        viewer.get_by_role("button", name="Picture (PNG)").click()
    picture = np.asarray(_opened(waiting.value.path())).astype(int)
    viewer.keyboard.press("Escape")
    viewer.mouse.move(2, 2)
    settled(viewer)
    # It is painted on the photo itself, and the canvas on an enlarged copy of it.
    at_own_size = lambda: _small(canvas(viewer), picture)  # noqa: E731
    shown = at_own_size()
    assert np.abs(picture - shown).mean() < 6
    changed(viewer, viewer.get_by_role("button", name="Clear").click)
    hidden = (np.abs(at_own_size() - shown) > 8).any(axis=2)
    assert hidden.mean() > 0.1
    assert np.abs(picture - at_own_size())[hidden].mean() > 10


def _small(pixels: np.ndarray, like: np.ndarray) -> np.ndarray:
    size = (like.shape[1], like.shape[0])
    picture = Image.fromarray(pixels.astype(np.uint8)).resize(size, Image.Resampling.BOX)
    return np.asarray(picture).astype(int)


def _opened(path: Any) -> Image.Image:
    return Image.open(path).convert("RGB")


@pytest.fixture
def finger(phone_tab: Page, server: str) -> Page:
    phone_tab.goto(server)
    opened(phone_tab)
    return phone_tab


def swipe(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    session = page.context.new_cdp_session(page)
    (x, y), (u, v) = at(page, *start), at(page, *end)
    send = lambda kind, *points: session.send(  # noqa: E731
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]},
    )
    send("touchStart", (x, y))
    for step in range(1, 9):
        send("touchMove", (x + (u - x) * step / 8, y + (v - y) * step / 8))
    send("touchEnd")
    session.detach()


def test_hide_on_a_phone_is_ready_to_hide(finger: Page) -> None:
    bar = finger.locator(".cam-phone")
    bar.get_by_role("button", name="Hide").tap()
    expect(finger.locator("[name=cam-tool][value=box]")).to_be_checked()
    asked = finger.locator(".cam-asked")
    expect(asked).to_have_text('Drag a box over the head: does "lion" survive?')
    assert asked.bounding_box()["y"] < finger.get_by_text("Brush", exact=True).bounding_box()["y"]
    swipe(finger, (0.4, 0.2), (0.7, 0.5))  # the sheet leaves the picture free
    expect(finger.locator(TITLE)).to_contain_text("→")
    expect(finger.locator(".cam-sheet[data-sheet=hide]")).to_be_hidden()
    # What brought it takes it away: a finger scrolls again.
    bar.get_by_role("button", name="Photo").tap()
    expect(finger.locator(CANVAS)).to_have_css("touch-action", "pan-y")
    # A tool that was chosen stays.
    bar.get_by_role("button", name="Hide").tap()
    finger.get_by_text("Brush", exact=True).tap()
    bar.get_by_role("button", name="Photo").tap()
    expect(finger.locator(CANVAS)).to_have_css("touch-action", "none")
    bar.get_by_role("button", name="Hide").tap()
    expect(finger.locator("[name=cam-tool][value=brush]")).to_be_checked()


def test_the_yardstick_closes_no_sheet(finger: Page) -> None:
    """It follows the answer by a second or more: by then another sheet may be open."""
    bar = finger.locator(".cam-phone")
    bar.get_by_role("button", name="Hide").tap()
    swipe(finger, (0.4, 0.2), (0.7, 0.5))
    expect(finger.locator(TITLE)).to_contain_text("→")
    bar.get_by_role("button", name="Layer").tap()
    expect(finger.locator(".cam-words")).to_contain_text("on average")
    expect(finger.locator(".cam-sheet[data-sheet=layer]")).to_be_visible()


def test_the_words_tell_of_which_photo_they_are(viewer: Page) -> None:
    words = viewer.locator(".cam-words")
    whole = words.inner_text()
    assert whole.startswith("Half of the evidence for lion")
    viewer.keyboard.press("h")
    expect(words).to_have_text(f"Before hiding: {whole}")
    settled(viewer)
    viewer.keyboard.press("z")
    expect(words).to_have_text(whole)


def test_a_finger_scrolls_until_a_tool_is_chosen(finger: Page) -> None:
    expect(finger.locator(CANVAS)).to_have_css("touch-action", "pan-y")
    swipe(finger, (0.3, 0.2), (0.7, 0.7))
    expect(finger.locator(TITLE)).to_have_text("lion · 90 %")
    finger.get_by_role("button", name="Hide", exact=True).tap()
    finger.get_by_text("Box", exact=True).tap()
    finger.get_by_role("button", name="Hide", exact=True).tap()  # closes it
    finger.evaluate("scrollTo(0, 0)")
    swipe(finger, (0.3, 0.2), (0.7, 0.7))
    expect(finger.locator(TITLE)).to_contain_text("→")
    settled(finger)
    assert finger.evaluate("scrollY") == 0
    assert finger.evaluate("document.documentElement.scrollWidth") <= 390
    finger.wait_for_timeout(500)  # a tap that follows a swipe at once is a part of it for Chromium
    finger.get_by_role("button", name="Frame", exact=True).tap()
    finger.get_by_label("Framing").select_option("own")
    finger.get_by_role("button", name="Frame", exact=True).tap()
    finger.evaluate("scrollTo(0, 0)")
    swipe(finger, (0.5, 0.5), (0.56, 0.5))
    expect(finger.locator(VIEWER)).to_have_attribute("data-framing", re.compile(r"^\d+,16,\d+,240"))


# ---------------------------------------------------------------- move the frame


def framing_of(page: Page) -> str:
    return page.locator(VIEWER).get_attribute("data-framing") or ""


def test_the_frame_is_dragged_and_the_answer_follows(
    viewer: Page, questions: list, explainer: Explainer
) -> None:
    choose_tool(viewer, "frame")
    drag(viewer, (0.5, 0.5), (0.52, 0.5), (0.54, 0.52), release=False)
    expect(viewer.locator(".cam-busy")).to_be_hidden()
    viewer.wait_for_function("() => document.querySelector('.cam-legend').hidden === false")
    assert {each["asked"] for each in questions} == {"scene_look"}
    assert framing_of(viewer) == "crop"  # it rests when it is released
    viewer.mouse.up()
    expect(viewer.locator(VIEWER)).to_have_attribute(
        "data-framing", re.compile(r"^\d+,\d+,\d+,\d+")
    )
    settled(viewer)
    left, top, right, bottom = (int(edge) for edge in framing_of(viewer).split(","))
    assert (left, top) == (pytest.approx(26, abs=1.5), pytest.approx(21, abs=1.5))
    assert right - left == pytest.approx(224, abs=1.5)
    assert bottom - top == pytest.approx(224, abs=1.5)
    expect(viewer.get_by_label("Framing")).to_have_value("own")
    expected = explainer.explain(get_image("lion.jpg"), framing=framing_of(viewer))
    expect(viewer.locator(TITLE)).to_have_text(expected.target.text)
    assert viewer.locator(f"{LABELS} .cam-name").all_inner_texts() == [
        each.label for each in expected.predictions
    ]
    # Another model sees the same frame, and the link has it.
    framing = framing_of(viewer)
    choose_model(viewer, "EfficientNet-Lite1")
    expect(viewer.locator(FACTS)).to_contain_text("Lite1")
    assert framing_of(viewer) == framing
    viewer.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(viewer, "save")
    viewer.get_by_role("button", name="Copy link").click()
    expect(said(viewer, "save")).to_have_text("The link is copied.")
    viewer.goto(viewer.evaluate("navigator.clipboard.readText()"))
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", framing)
    expect(viewer.get_by_label("Framing")).to_have_value("own")
    # A double click brings the default back, to the page's control as well.
    viewer.mouse.dblclick(*at(viewer, 0.5, 0.5))
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", "crop")
    expect(viewer.get_by_label("Framing")).to_have_value("crop")


def test_a_corner_scales_in_shape_and_an_edge_stretches(viewer: Page) -> None:
    choose_tool(viewer, "frame")
    corner = 240 / 256
    drag(viewer, (corner, corner), (0.6, 0.7))
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", re.compile(r"^16,16,\d+,\d+"))
    settled(viewer)
    left, top, right, bottom = (int(edge) for edge in framing_of(viewer).split(","))
    assert right - left == pytest.approx(bottom - top, abs=1.5)
    assert bottom == pytest.approx(0.7 * 256, abs=2)
    drag(viewer, (right / 256, (top + bottom) / 512), (0.9, 0.3))
    expect(viewer.locator(VIEWER)).not_to_have_attribute(
        "data-framing", f"{left},{top},{right},{bottom}"
    )
    stretched = [int(edge) for edge in framing_of(viewer).split(",")]
    assert stretched[:2] + stretched[3:] == [left, top, bottom]
    assert stretched[2] == pytest.approx(0.9 * 256, abs=2)


def test_the_frame_stays_within_the_photo(viewer: Page) -> None:
    choose_tool(viewer, "frame")
    drag(viewer, (0.5, 0.5), (0.9, 0.95))
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", "32,32,256,256")


def test_the_frame_by_keyboard(viewer: Page) -> None:
    viewer.locator(CANVAS).focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowUp", "[", "]"):
        viewer.keyboard.press(key)
    expect(viewer.locator(VIEWER)).to_have_attribute(
        "data-framing", re.compile(r"^\d+,\d+,\d+,\d+")
    )
    left, top, right, _ = (int(edge) for edge in framing_of(viewer).split(","))
    assert left == pytest.approx(26, abs=1.5)
    assert top == pytest.approx(11, abs=1.5)
    assert right - left == pytest.approx(224, abs=2)
    viewer.keyboard.press("0")
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", "crop")


def test_a_late_glance_is_dropped(viewer: Page) -> None:
    held: list[Route] = []

    def hold_looks(route: Route) -> None:
        is_look = route.request.post_data_json["fn_name"] == "scene_look"
        held.append(route) if is_look else route.continue_()

    viewer.route("**/component_server/**", hold_looks)
    choose_tool(viewer, "frame")
    drag(viewer, (0.5, 0.5), (0.52, 0.5), (0.55, 0.5))
    expect(viewer.locator(VIEWER)).to_have_attribute(
        "data-framing", re.compile(r"^\d+,\d+,\d+,\d+")
    )
    settled(viewer)
    assert len(held) == 1  # one at a time: those between are never asked
    before = canvas(viewer)
    held[0].continue_()
    viewer.wait_for_timeout(500)
    assert (canvas(viewer) == before).all()


def test_escape_brings_the_frame_back(viewer: Page) -> None:
    before = canvas(viewer)
    choose_tool(viewer, "frame")
    drag(viewer, (0.5, 0.5), (0.55, 0.5), release=False)
    viewer.wait_for_timeout(300)
    viewer.keyboard.press("Escape")
    viewer.mouse.up()
    choose_tool(viewer, "read")
    settled(viewer)
    viewer.mouse.move(2, 2)
    settled(viewer)
    assert framing_of(viewer) == "crop"
    assert (canvas(viewer) == before).all()


def test_escape_keeps_the_maps_that_are_here(viewer: Page, questions: list) -> None:
    choose_tool(viewer, "frame")
    drag(viewer, (0.5, 0.5), (0.55, 0.5), release=False)
    viewer.wait_for_function(  # the model has looked through the other frame
        "() => document.querySelector('.cam-strip canvas').getContext('2d')"
        ".getImageData(0, 0, 48, 48).data.every(part => part === 0)"
    )
    viewer.keyboard.press("Escape")
    viewer.mouse.up()
    settled(viewer)
    assert {each["asked"] for each in questions} == {"scene_look"}
    for place in (0, 4, 8):  # all at hand
        changed(viewer, viewer.locator(STRIP).nth(place).click)
    changed(viewer, viewer.locator(LABELS).nth(1).click)
    assert {each["asked"] for each in questions} == {"scene_look"}


def test_maps_that_come_while_the_frame_moves_are_there_after_escape(page: Page) -> None:
    held: list[Route] = []
    release = False

    def hold_maps(route: Route) -> None:
        is_maps = route.request.post_data_json["fn_name"] == "scene_maps"
        held.append(route) if is_maps and not release else route.continue_()

    page.route("**/component_server/**", hold_maps)
    page.locator("[data-example=Cheetah]").click()
    expect(page.locator(TITLE)).to_contain_text("cheetah")
    page.wait_for_timeout(300)
    assert held
    choose_tool(page, "frame")
    drag(page, (0.5, 0.5), (0.55, 0.5), release=False)
    page.wait_for_timeout(300)
    release = True
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    page.keyboard.press("Escape")
    page.mouse.up()
    settled(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    changed(page, page.locator(STRIP).nth(2).click)
    assert asked == []


def test_choosing_a_frame_of_ones_own_gives_the_tool(viewer: Page) -> None:
    viewer.get_by_label("Framing").select_option("own")
    expect(viewer.locator("[name=cam-use][value=frame]")).to_be_checked()
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", "crop")


def test_another_photo_begins_with_the_default_frame(viewer: Page) -> None:
    viewer.locator(CANVAS).focus()
    viewer.keyboard.press("Shift+ArrowRight")
    expect(viewer.get_by_label("Framing")).to_have_value("own")
    example(viewer, "Tower")
    expect(viewer.get_by_label("Framing")).to_have_value("crop")
    expect(viewer.locator(VIEWER)).to_have_attribute("data-framing", "crop")


# ---------------------------------------------------------------- duel


@pytest.fixture
def both(page: Page, questions: list) -> Page:
    """Two animals as a whole; and no duel yet, with which they open."""
    example(page, "Cheetah + lion")
    page.get_by_label("Against", exact=True).select_option("")
    page.mouse.move(2, 2)
    settled(page)
    questions.clear()
    return page


def test_two_animals_open_as_a_whole_with_their_duel(page: Page) -> None:
    example(page, "Cheetah + lion")
    expect(page.get_by_label("Framing")).to_have_value("whole")
    duel = re.compile(r"^(lion|cheetah) · .* against (lion|cheetah) ")
    expect(page.locator(TITLE)).to_have_text(duel)


def test_a_duel_needs_no_server(both: Page, questions: list) -> None:
    own, rival = both.locator(f"{LABELS} .cam-name").all_inner_texts()[:2]
    requests: list[str] = []
    both.on("request", lambda request: requests.append(request.url))
    changed(both, lambda: both.get_by_label("Against", exact=True).select_option(label=rival))
    expect(both.locator(TITLE)).to_contain_text(own)
    expect(both.locator(TITLE)).to_contain_text(f"against {rival}")
    expect(both.locator(".cam-legend-from")).to_contain_text(rival)
    expect(both.locator(".cam-legend-to")).to_contain_text(own)
    expect(both.locator(".cam-legend-zero")).to_have_text("0")
    expect(both.locator(".cam-words")).to_contain_text(f" of what speaks for {own} (")
    for control in ("evidence", "colormap"):
        expect(both.locator(f"[data-control={control}]")).to_be_disabled()
    for place in range(both.locator(STRIP).count() - 1):
        changed(both, both.locator(STRIP).nth(place).click)
    # The other label is the same duel from the other side.
    both.locator(STRIP).last.click()
    mine = canvas(both)
    changed(both, both.locator(LABELS).nth(1).click)
    expect(both.locator(TITLE)).to_contain_text(f"against {own}")
    theirs = canvas(both)
    warm = lambda picture: picture[..., 0].mean() - picture[..., 2].mean()  # noqa: E731
    half = mine.shape[1] // 2
    assert warm(mine[:, half:]) > warm(theirs[:, half:])  # red on the lion, and then blue
    assert warm(mine[:, :half]) < warm(theirs[:, :half])
    # Then against all others, of whom there are four, and as strongly as one likes.
    changed(both, lambda: both.keyboard.press("d"))
    expect(both.get_by_label("Against", exact=True)).to_have_value("others")
    expect(both.locator(TITLE)).to_contain_text("against the mean of the other four")
    expect(both.locator(".cam-legend-from")).to_contain_text("the others")
    fully = canvas(both)
    changed(both, lambda: both.get_by_label("Strength", exact=True).fill("0.5"))
    expect(both.locator(".cam-words")).to_contain_text("against 0.5 of the mean of the other four")
    assert (canvas(both) != fully).any()
    changed(both, lambda: both.get_by_label("Strength", exact=True).fill("1"))
    assert (canvas(both) == fully).all()
    changed(both, lambda: both.keyboard.press("d"))
    expect(both.get_by_label("Against", exact=True)).to_have_value("")
    expect(both.get_by_label("Strength", exact=True)).to_be_disabled()
    assert requests == []


def test_a_duel_by_a_method_that_is_not_linear_asks_the_server(
    both: Page, questions: list, explainer: Explainer
) -> None:
    both.locator(STRIP).nth(6).click()
    changed(both, lambda: choose(both, "Method", "LayerCAM"))
    questions.clear()
    both.locator(CANVAS).focus()  # where keys are no letters
    changed(both, lambda: both.keyboard.press("d"))
    (asked,) = questions
    assert asked["asked"] == "scene_maps"
    assert (asked["layers"], asked["method"]) == (None, "layercam")
    assert asked["targets"] != asked["versus"]
    assert len(asked["targets"]) == 1
    questions.clear()
    for place in (4, 8):  # all stages came at once
        changed(both, both.locator(STRIP).nth(place).click)
    assert questions == []
    # A finer layer has its own question.
    changed(both, lambda: choose_layer(both, "blocks.5.1.conv_pwl"))
    versus = asked["versus"]
    assert ["blocks.5.1.conv_pwl"] in [
        one["layers"] for one in questions if one.get("versus") == versus
    ]
    # Back to a linear one: the difference of maps that are here.
    both.locator(STRIP).nth(6).click()
    settled(both)
    questions.clear()
    changed(both, lambda: choose(both, "Method", "Grad-CAM"))
    assert questions == []


def test_any_label_can_be_the_rival(both: Page) -> None:
    choose(both, "Add a label", "teapot")
    expect(both.locator(TITLE)).to_contain_text("teapot")
    both.locator(LABELS).first.click()
    changed(both, lambda: both.get_by_label("Against", exact=True).select_option(label="teapot"))
    expect(both.locator(TITLE)).to_contain_text("against teapot")
    # At a finer layer, too, whose maps have not been asked for yet.
    changed(both, lambda: choose_layer(both, "blocks.5.1.conv_pwl"))
    expect(both.locator(TITLE)).to_contain_text("against teapot")


def test_what_is_taken_from_a_duel_is_the_duel(
    both: Page, server: str, explainer: Explainer
) -> None:
    both.get_by_label("Against", exact=True).select_option(index=2)
    both.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(both, "save")
    copied: Callable[[], str] = lambda: both.evaluate("navigator.clipboard.readText()")  # noqa: E731
    both.get_by_role("button", name="Copy as Python").click()
    expect(said(both, "save")).to_contain_text("Python lines are copied")
    lines = copied()
    with both.expect_download() as waiting:
        both.get_by_role("button", name="Map (.npy)").click()
    assert "-against-" in waiting.value.suggested_filename
    names: dict = {}
    exec(lines, names)
    explanation = names["explanation"]
    assert len(explanation.versus) == 1
    np.testing.assert_allclose(explanation.cam, np.load(waiting.value.path()), atol=1e-6)
    with both.expect_download() as waiting:
        both.get_by_role("button", name="Numbers (JSON)").click()
    assert waiting.value.path().read_text().count(f'"{explanation.versus[0].label}"') >= 2
    expected = canvas(both)
    both.get_by_role("button", name="Copy link").click()
    expect(said(both, "save")).to_have_text("The link is copied.")
    both.goto(copied())
    expect(both.locator(TITLE)).to_contain_text(f"against {explanation.versus[0].label}")
    settled(both)
    choose_tool(both, "read")
    assert (canvas(both) == expected).all()


def test_a_duel_in_a_file(browser: Browser, lion: Explanation, tmp_path: Any) -> None:
    file = tmp_path / "lion.html"
    file.write_text(lion.to_html(), encoding="utf-8")
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.locator(TITLE)).to_contain_text("lion")
    expect(page.get_by_role("button", name="Hide the hottest")).to_have_count(0)  # needs a model
    changed(page, lambda: page.keyboard.press("d"))
    expect(page.locator(".cam-words")).to_contain_text(" of what speaks for lion (")
    for key in ("h", "z", "Shift+ArrowRight", "]", "0"):
        page.keyboard.press(key)  # these need a server, and do nothing
    expect(page.locator(TITLE)).to_contain_text("lion")
    context.close()


def test_a_duel_that_was_explained_is_in_its_file(
    browser: Browser, explainer: Explainer, tmp_path: Any
) -> None:
    file = tmp_path / "duel.html"
    explained = explainer.explain(get_image("lion.jpg"), target="tiger", versus="teapot")
    file.write_text(explained.to_html(), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    expect(page.locator(TITLE)).to_contain_text("tiger")
    expect(page.locator(TITLE)).to_contain_text("against teapot")
    page.close()
