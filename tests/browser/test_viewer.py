"""The viewer's own controls: instant, without the server, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from camdemo import Explainer, Explanation, Settings, question
from camdemo.question import Look
from camdemo.ui.decks import photos_in
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options
from camdemo.viewer import bundle

from .steps import LABELS, STRIP, TITLE, VIEWER, canvas, changed, example, frame, settled


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
        lambda: label("One scale for all labels").uncheck(),
        lambda: label("One scale for all labels").check(),
        lambda: label("Notebook").check(),
        lambda: label("Glow").check(),
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
            r"^Half of the evidence for [\w ]+ lies in [\d.]+ % of the frame\. "
            r"(Most|The largest part) of it \(\d+ %\) lies in the [\w ]+\.$"
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


# ---------------------------------------------------------------- options and keys


def test_the_controls_have_the_options_of_python(viewer: Page) -> None:
    for name in ("evidence", "colormap"):
        option = question.find(Look, name)
        field = viewer.get_by_label(option.title, exact=True)
        assert field.locator("option").evaluate_all("all => all.map((one) => one.value)") == [
            *option.names
        ]
    for name in ("view", "look"):
        radios = viewer.locator(f"[data-option={name}] input")
        names = question.find(Look, name).names
        assert radios.evaluate_all("all => all.map((one) => one.value)") == [*names]
    for name in ("opacity", "strongest"):
        option = question.find(Look, name)
        field = viewer.get_by_label(option.title, exact=True)
        for edge, value in (("min", option.low), ("max", option.high), ("step", option.step)):
            assert float(field.get_attribute(edge) or "") == value
        assert float(field.input_value()) == bundle.options()["look"][name]["default"]
        expect(viewer.locator(f"[data-option={name}]")).to_have_attribute("title", option.help)


@pytest.mark.parametrize(("key", "name"), [("c", "colormap"), ("e", "evidence"), ("m", "method")])
def test_a_key_steps_through_the_values_in_their_order(viewer: Page, key: str, name: str) -> None:
    control = viewer.locator(f"[data-control={name}]")
    names = control.locator("option").evaluate_all("all => all.map((one) => one.value)")
    assert len(names) >= 3
    viewer.locator("body").press("Escape")
    at = names.index(control.input_value())
    for following in [*names[at + 1 :], *names[: at + 1]]:
        viewer.keyboard.press(key)
        expect(control).to_have_value(following)


def test_a_key_and_a_click_change_the_look(viewer: Page) -> None:
    settings = [viewer.get_by_label(name, exact=True) for name in ("Colour map", "Opacity")]
    glow, notebook = [viewer.get_by_label(name, exact=True) for name in ("Glow", "Notebook")]

    def shows(look: Locator, colormap: str, opacity: str) -> None:
        expect(look).to_be_checked()
        expect(settings[0]).to_have_value(colormap)
        expect(settings[1]).to_have_value(opacity)

    shows(glow, "inferno", "0.85")
    viewer.locator("body").press("Escape")
    first = canvas(viewer)
    changed(viewer, lambda: viewer.keyboard.press("n"))
    shows(notebook, "jet", "0.5")
    changed(viewer, lambda: settings[0].select_option("viridis"))
    shows(notebook, "viridis", "0.5")
    changed(viewer, glow.check)  # brings its own back
    shows(glow, "inferno", "0.85")
    assert (canvas(viewer) == first).all()


def keys_listed(page: Page) -> list[str]:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    listed = page.locator(".cam-help dt").all_inner_texts()
    assert page.locator(".cam-help dd").count() == len(listed)
    page.keyboard.press("Escape")
    return listed


def test_the_help_lists_the_keys_that_do_something_here(viewer: Page, lion: Explanation) -> None:
    everywhere = ["1 to 5", "← →", "m", "space", "+ −", "n", "c", "e", "d", "r", "f", "?"]
    asking = ["h", "z y x", "shift ← → ↑ ↓", "[ ] 0"]
    viewer.locator("body").press("Escape")
    assert sorted(keys_listed(viewer)) == sorted([*everywhere, *asking])  # no deck here
    viewer.set_content(lion.to_html())
    settled(viewer)
    assert sorted(keys_listed(viewer)) == sorted(everywhere)  # and no server there


# ---------------------------------------------------------------- methods


@pytest.fixture
def asked(page: Page) -> list[dict[str, Any]]:
    """What the viewer asked for of maps."""
    seen: list[dict[str, Any]] = []

    def note(request: Request) -> None:
        if "component_server" in request.url:
            body = request.post_data_json
            seen.append(body["data"]) if body["fn_name"] == "scene_maps" else None

    page.on("request", note)
    return seen


def test_the_label_on_the_page_comes_first(page: Page, asked: list) -> None:
    example(page, "Lion")
    first, others = asked
    assert (first["layers"], first["targets"]) == (None, [291])
    assert (others["layers"], others["targets"]) == (None, None)
    assert {one["method"] for one in asked} == {"gradcam"}


def test_a_method_is_asked_for_once_and_then_instant(
    viewer: Page, asked: list, explainer: Explainer
) -> None:
    viewer.locator(STRIP).nth(6).click()
    field = viewer.get_by_label("Method", exact=True)
    pictures = {"gradcam": canvas(viewer)}
    for method in ("hirescam", "layercam"):
        asked.clear()
        pictures[method] = changed(viewer, lambda method=method: field.select_option(method))
        (question,) = asked
        assert (question["layers"], question["method"]) == (None, method)
        labels = [
            int(one.get_attribute("data-target") or "") for one in viewer.locator(LABELS).all()
        ]
        assert sorted(question["targets"]) == sorted(labels)
    asked.clear()
    for method in ("gradcam", "hirescam", "layercam"):
        field.select_option(method)
        settled(viewer)
        assert (canvas(viewer) == pictures[method]).all()
    changed(viewer, viewer.locator(LABELS).nth(1).click)
    changed(viewer, viewer.locator(STRIP).nth(4).click)
    assert asked == []
    assert len({picture.tobytes() for picture in pictures.values()}) == 3


def test_the_chosen_method_stays_with_the_next_photo(viewer: Page, asked: list) -> None:
    viewer.get_by_label("Method", exact=True).select_option("layercam")
    settled(viewer)
    asked.clear()
    example(viewer, "Tower")
    expect(viewer.get_by_label("Method", exact=True)).to_have_value("layercam")
    assert {question["method"] for question in asked} == {"layercam"}
    expect(viewer.locator(".cam-words")).to_contain_text("evidence")


def test_a_switch_that_changes_nothing_says_why(viewer: Page) -> None:
    line = "At this layer HiResCAM is Grad-CAM: what follows only averages and adds up."
    said = viewer.locator(".cam-readout")
    viewer.mouse.move(2, 2)
    expect(said).to_have_text("")  # nothing to compare with yet
    before = canvas(viewer)
    viewer.get_by_label("Method", exact=True).select_option("hirescam")
    expect(said).to_have_text(line)
    assert np.abs(canvas(viewer) - before).max() <= 1
    viewer.get_by_label("Method", exact=True).select_option("gradcam")
    expect(said).to_have_text(line)
    viewer.get_by_label("Method", exact=True).select_option("layercam")
    expect(said).to_have_text("")
    viewer.get_by_label("Method", exact=True).select_option("hirescam")
    changed(viewer, viewer.locator(STRIP).nth(6).click)  # where they differ
    expect(said).to_have_text("")


def test_a_file_has_the_methods_whose_maps_it_carries(
    viewer: Page, browser: Browser, tmp_path: Path
) -> None:
    viewer.get_by_label("Method", exact=True).select_option("layercam")
    settled(viewer)
    viewer.get_by_text("Take away").click()
    with viewer.expect_download() as waiting:
        viewer.get_by_role("button", name="Page (HTML)").click()
    file = tmp_path / "page.html"
    waiting.value.save_as(file)
    page = browser.new_page()
    page.goto(file.as_uri())
    expect(page.locator(TITLE)).not_to_contain_text("Choose")
    field = page.get_by_label("Method", exact=True)
    assert field.locator("option").all_inner_texts() == ["LayerCAM"]
    expect(field).to_be_disabled()  # it would change nothing
    changed(page, page.locator(STRIP).nth(3).click)
    page.close()


# ---------------------------------------------------------------- answers that fail


def failing_once(page: Page, name: str) -> list[str]:
    """Let the first call of a function fail, as with a cable that is out for a moment."""
    failed: list[str] = []

    def handle(route: Route) -> None:
        if route.request.post_data_json["fn_name"] == name and not failed:
            failed.append(name)
            route.abort()
        else:
            route.continue_()

    page.route("**/component_server/**", handle)
    return failed


def test_the_labels_are_asked_for_again_after_a_failure(viewer: Page) -> None:
    failed = failing_once(viewer, "scene_labels")
    field = viewer.get_by_label("Add a label")
    field.focus()
    expect(viewer.locator(".cam-said")).to_contain_text("does not answer")
    field.fill("teapot")
    field.press("Enter")
    expect(viewer.locator(TITLE)).to_contain_text("teapot")
    assert failed


def test_a_label_can_be_added_after_a_failure(viewer: Page) -> None:
    field = viewer.get_by_label("Add a label")
    field.focus()
    failed = failing_once(viewer, "scene_maps")
    for _ in range(2):
        field.fill("teapot")
        field.press("Enter")
        settled(viewer)
    expect(viewer.locator(TITLE)).to_contain_text("teapot")
    assert failed


def test_a_method_is_asked_for_again_after_a_failure(viewer: Page) -> None:
    viewer.locator(STRIP).nth(6).click()
    failed = failing_once(viewer, "scene_maps")
    viewer.get_by_label("Method", exact=True).select_option("layercam")
    expect(viewer.locator(".cam-said")).to_contain_text("does not answer")
    settled(viewer)
    changed(viewer, viewer.locator(LABELS).nth(1).click)
    expect(viewer.locator(".cam-note")).not_to_contain_text("computed")
    assert failed


# ---------------------------------------------------------------- decks


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


def test_a_slow_photo_does_not_overwrite_a_later_one(browser: Browser, deck_server: str) -> None:
    page = browser.new_page()
    page.goto(deck_server)
    expect(page.locator(TITLE)).to_contain_text("lion")
    settled(page)
    page.evaluate(
        """() => {
          const decode = HTMLImageElement.prototype.decode;
          window.held = [];
          HTMLImageElement.prototype.decode = function () {
            if (window.held.length) return decode.call(this);
            return new Promise((done) => window.held.push(done)).then(() => decode.call(this));
          };
        }"""
    )
    page.keyboard.press("PageDown")  # a cheetah, whose photo takes long
    page.wait_for_function("window.held.length === 1")
    page.keyboard.press("PageDown")
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "2-tower")
    settled(page)
    before = canvas(page)
    page.evaluate("window.held[0]()")
    page.wait_for_timeout(300)
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "2-tower")
    assert (canvas(page) == before).all()
    page.close()


def test_a_photo_of_a_deck_that_failed_is_asked_for_again(
    browser: Browser, deck_server: str
) -> None:
    page = browser.new_page()
    failed: list[int] = []

    def handle(route: Route) -> None:
        body = route.request.post_data_json
        if body["fn_name"] == "scene_of_deck" and body["data"]["place"] == 1 and not failed:
            failed.append(1)
            route.abort()
        else:
            route.continue_()

    page.route("**/component_server/**", handle)
    page.goto(deck_server)
    expect(page.locator(".cam-said")).to_contain_text("does not answer")
    page.keyboard.press("PageDown")
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "1-cheetah")
    page.keyboard.press("PageDown")
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "2-tower")
    assert failed
    page.close()
