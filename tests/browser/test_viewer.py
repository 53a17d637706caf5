"""The viewer's own controls: instant, without the server, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from camdemo import Explainer, Settings
from camdemo.ui.decks import photos_in
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .steps import LABELS, STRIP, TITLE, canvas, changed, example, frame, settled


@pytest.fixture
def viewer(page: Page) -> Page:
    example(page, "Cheetah + lion")
    return page


def test_every_instant_control_paints_without_a_request(viewer: Page) -> None:
    requests: list[str] = []
    viewer.on("request", lambda request: requests.append(request.url))
    label = lambda name: viewer.get_by_label(name, exact=True)  # noqa: E731
    acts = [
        lambda: viewer.locator(STRIP).nth(4).click(),
        lambda: viewer.locator(LABELS).nth(1).click(),
        lambda: label("Layer").select_option("blocks.6"),
        lambda: label("Opacity").fill("0.8"),
        lambda: label("Colour map").select_option("turbo"),
        lambda: label("Strongest").fill("20"),
        lambda: label("Evidence").select_option("minmax"),
        lambda: label("Evidence").select_option("signed"),
        lambda: viewer.locator(LABELS).nth(4).click(),  # its evidence is weaker than the first's
        lambda: label("One scale for all labels").check(),
        lambda: label("Heat").check(),
        lambda: label("Photo").check(),
        lambda: label("Split").check(),
        lambda: label("Divider").fill("0.2"),
        lambda: label("Overlay").check(),
    ]
    for act in acts:
        before = frame(viewer)
        changed(viewer, act)
        assert frame(viewer) > before
    assert requests == []


def test_keys(viewer: Page) -> None:
    viewer.locator("body").press("Escape")
    # (One more to the left the map is the same: what lies between the two layers is linear.)
    for key in ["2", "ArrowLeft", "ArrowRight", "+", "-", "c", "e", "e", " "]:
        changed(viewer, lambda key=key: viewer.keyboard.press(key))
    expect(viewer.get_by_label("Photo", exact=True).last).to_be_checked()
    viewer.keyboard.press("?")
    expect(viewer.get_by_role("dialog", name="Keys")).to_be_visible()
    viewer.keyboard.press("Escape")
    expect(viewer.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_no_key_works_while_somebody_types(viewer: Page) -> None:
    before = frame(viewer)
    viewer.get_by_label("Add a label").press_sequentially("2 ce+")
    viewer.get_by_label("Model", exact=True).press_sequentially("c")
    assert frame(viewer) == before


def test_strip_and_dropdown_stay_in_step(viewer: Page) -> None:
    viewer.locator(STRIP).nth(3).click()
    name = viewer.locator(STRIP).nth(3).get_attribute("title")
    expect(viewer.get_by_label("Layer", exact=True)).to_have_value(name)
    viewer.get_by_label("Layer", exact=True).select_option("blocks.4")
    expect(viewer.locator(f"{STRIP}[aria-pressed=true]")).to_have_attribute("title", "blocks.4")


def test_a_layer_is_found_by_a_part_of_its_name(viewer: Page) -> None:
    field = viewer.get_by_label("Find a layer")
    field.fill("5.1.conv_pwl")
    changed(viewer, lambda: field.press("Enter"))
    expect(viewer.get_by_label("Layer", exact=True)).to_have_value("blocks.5.1.conv_pwl")
    field.fill("conv")
    field.press("Enter")
    expect(viewer.locator(".cam-said")).to_contain_text('layers have "conv" in their names')


def test_pointing_reads_a_cell(viewer: Page) -> None:
    readout = viewer.locator(".cam-readout")
    viewer.locator("canvas.cam-picture").hover()
    expect(readout).to_contain_text("of 7 x 7")
    viewer.mouse.move(2, 2)
    expect(readout).to_have_text("")
    # and the same by keyboard
    viewer.keyboard.press("r")
    expect(readout).to_contain_text("Row 4, column 4 of 7 x 7")
    viewer.keyboard.press("ArrowRight")
    viewer.keyboard.press("ArrowUp")
    expect(readout).to_contain_text("Row 3, column 5 of 7 x 7")
    viewer.keyboard.press("r")
    expect(readout).to_have_text("")


def test_the_map_is_said_in_words(viewer: Page) -> None:
    words = viewer.locator(".cam-words")
    expect(words).to_have_text(
        re.compile(
            r"^(Most|The largest part) \(\d+ %\) of the evidence for [\w ]+ lies in the [\w ]+\. "
            r"Half of all evidence lies in [\d.]+ % of the seen area\.$"
        )
    )
    expect(viewer.locator("canvas.cam-picture")).to_have_attribute(
        "aria-label", f"Cheetah + lion. {words.inner_text()}"
    )


def test_strongest_hides_the_rest(viewer: Page) -> None:
    viewer.get_by_label("Photo", exact=True).last.check()
    photo = canvas(viewer)
    viewer.get_by_label("Overlay", exact=True).check()
    viewer.get_by_label("Strongest", exact=True).fill("25")
    settled(viewer)
    shown = (canvas(viewer) != photo).any(axis=2)
    rows, columns = shown.shape
    crop = shown[rows // 16 : -rows // 16, (columns - rows) // 2 : (columns + rows) // 2]
    assert 0.15 < crop[:, 30:-30].mean() < 0.45


def test_touch_drags_the_divider(viewer: Page) -> None:
    viewer.get_by_label("Split", exact=True).check()
    box = viewer.locator("canvas.cam-picture").bounding_box()
    assert box
    viewer.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50)
    viewer.mouse.down()
    viewer.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 50)
    viewer.mouse.up()
    assert float(viewer.get_by_label("Divider", exact=True).input_value()) < 0.5


def test_stage_mode_fills_the_screen_and_escape_leaves(viewer: Page) -> None:
    cam = viewer.locator("#viewer .cam")
    viewer.get_by_role("button", name="Fill the screen").click()
    size = viewer.viewport_size
    box = cam.bounding_box()
    assert size
    assert box
    assert (box["width"], box["height"]) == (size["width"], size["height"])
    expect(viewer.get_by_label("Opacity", exact=True)).to_be_hidden()
    expect(viewer.locator(LABELS)).to_have_count(5)
    changed(viewer, lambda: viewer.keyboard.press("3"))
    viewer.keyboard.press("Escape")
    expect(viewer.get_by_label("Opacity", exact=True)).to_be_visible()


def test_stage_mode_shows_the_layer_of_a_strip_that_has_become_too_long(viewer: Page) -> None:
    viewer.set_viewport_size({"width": 1920, "height": 1080})
    viewer.locator(STRIP).first.click()
    viewer.locator(STRIP).last.click()
    viewer.keyboard.press("f")
    strip, layer = (viewer.locator(".cam-strip"), viewer.locator(f"{STRIP}[aria-pressed=true]"))
    assert strip.evaluate("strip => strip.scrollWidth > strip.clientWidth")
    inside, outside = layer.bounding_box(), strip.bounding_box()
    assert inside["x"] >= outside["x"]
    assert inside["x"] + inside["width"] <= outside["x"] + outside["width"]


def test_nothing_jumps_between_explanations(viewer: Page) -> None:
    places = [TITLE, ".cam-canvas", ".cam-strip", ".cam-controls", ".cam-legend"]
    before = [viewer.locator(place).bounding_box()["y"] for place in places]
    example(viewer, "Tower")
    after = [viewer.locator(place).bounding_box()["y"] for place in places]
    assert np.abs(np.subtract(after, before)).max() < 1


@pytest.fixture(scope="module")
def deck_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("deck")
    for place, name in enumerate(("lion", "cheetah", "tower")):
        with Image.open(get_image(f"{name}.jpg")) as photo:
            photo.convert("RGB").save(folder / f"{place}-{name}.png")
    (folder / "notes.txt").write_text("not a photo")
    deck = photos_in(Path(folder))
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    demo = build_demo(explainer, deck)
    options = launch_options(explainer, deck)
    yield demo.launch(prevent_thread_lock=True, quiet=True, **options)[1]
    demo.close()


def test_a_deck_steps_without_the_server(browser: Browser, deck_server: str) -> None:
    page = browser.new_page()
    answers: list[str] = []
    page.on("requestfinished", lambda request: answers.append(request.url))
    page.goto(deck_server)
    expect(page.locator(TITLE)).to_contain_text("lion")  # the first one is there by itself
    for _ in range(100):  # until all three scenes are in the browser
        if sum("component_server" in url for url in answers) >= 3:
            break
        page.wait_for_timeout(100)
    page.context.set_offline(True)  # the cable is pulled
    for key, label in [("PageDown", "cheetah"), ("PageDown", ""), ("PageUp", "cheetah")]:
        before = canvas(page)
        page.keyboard.press(key)
        expect(page.locator(TITLE)).to_contain_text(label)
        page.wait_for_timeout(200)
        assert not np.array_equal(canvas(page), before)
    changed(page, lambda: page.keyboard.press("ArrowLeft"))
    page.close()
