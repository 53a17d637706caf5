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
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect

from camdemo import Explainer, Explanation, Settings, options
from camdemo.question import Look
from camdemo.ui.decks import photos_in
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options
from camdemo.viewer import bundle

from .conftest import visit, visitors
from .steps import (
    CANVAS,
    FACTS,
    LABELS,
    STRIP,
    TITLE,
    VIEWER,
    canvas,
    changed,
    choose,
    choose_layer,
    choose_model,
    drag,
    example,
    field,
    frame,
    open_menu,
    opened,
    said,
    settled,
    show_view,
)


@pytest.fixture
def viewer(page: Page) -> Page:
    """The page as it opens, with the pointer where it reads nothing."""
    page.mouse.move(2, 2)
    return page


def look(page: Page, title: str) -> Locator:
    """A control of the menu "Look"."""
    return open_menu(page, "look").get_by_label(title, exact=True)


def test_every_instant_control_paints_without_a_request(viewer: Page) -> None:
    requests: list[str] = []
    viewer.on("request", lambda request: requests.append(request.url))
    acts = [
        lambda: viewer.locator(STRIP).nth(4).click(),
        lambda: viewer.locator(LABELS).nth(1).click(),
        lambda: choose_layer(viewer, "blocks.6"),
        lambda: choose(viewer, "Layer", "Last"),
        lambda: look(viewer, "Opacity").fill("0.8"),
        lambda: look(viewer, "Colour map").select_option("turbo"),
        lambda: look(viewer, "Strongest").fill("20"),
        lambda: look(viewer, "Evidence").select_option("minmax"),
        lambda: look(viewer, "Evidence").select_option("signed"),
        lambda: viewer.locator(LABELS).nth(4).click(),  # its evidence is weaker than the first's
        lambda: look(viewer, "One scale for all labels").uncheck(),
        lambda: look(viewer, "One scale for all labels").check(),
        lambda: look(viewer, "Notebook").check(),
        lambda: look(viewer, "Glow").check(),
        lambda: viewer.keyboard.press("Escape") or show_view(viewer, "photo"),
        lambda: show_view(viewer, "split"),
        lambda: viewer.get_by_label("Divider").fill("0.2"),
        lambda: show_view(viewer, "overlay"),
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
    expect(viewer.locator("[name=cam-view][value=photo]")).to_be_checked()
    viewer.keyboard.press("?")
    expect(viewer.get_by_role("dialog", name="Help")).to_be_visible()
    viewer.keyboard.press("Escape")
    expect(viewer.get_by_role("dialog", name="Help")).to_be_hidden()


@pytest.mark.parametrize("name", ["Add a label", "Model", "Layer", "Method"])
def test_no_key_works_while_somebody_types(viewer: Page, name: str) -> None:
    field(viewer, name).click()
    settled(viewer)
    before = frame(viewer)
    viewer.keyboard.type("2 ce+x")
    assert frame(viewer) == before
    viewer.keyboard.press("Escape")


def test_strip_and_list_stay_in_step(viewer: Page) -> None:
    viewer.locator(STRIP).nth(3).click()
    title = viewer.locator(STRIP).nth(3).get_attribute("title")
    expect(field(viewer, "Layer")).to_have_value(title)
    choose_layer(viewer, "blocks.4")
    expect(viewer.locator(f"{STRIP}[aria-pressed=true]")).to_have_attribute(
        "data-layer", "blocks.4"
    )
    expect(field(viewer, "Layer")).to_have_value("7 of 11 · blocks.4 · 14 x 14")
    expect(viewer.locator(FACTS)).to_contain_text("7 of 11 · blocks.4 · 14 x 14")


def test_a_layer_is_found_by_a_part_of_its_name(viewer: Page) -> None:
    changed(viewer, lambda: choose_layer(viewer, "5.1.conv_pwl"))
    expect(field(viewer, "Layer")).to_have_value(re.compile(r"^blocks\.5\.1\.conv_pwl · "))
    field(viewer, "Layer").click()
    viewer.keyboard.type("nothing like that")
    expect(viewer.locator(".cam-choices-more:visible")).to_have_text(
        'Nothing here has "nothing like that" in its name.'
    )
    viewer.keyboard.press("Enter")
    viewer.keyboard.press("Escape")
    expect(field(viewer, "Layer")).to_have_value(re.compile(r"^blocks\.5\.1\.conv_pwl · "))


def test_pointing_reads_a_cell(viewer: Page) -> None:
    readout = viewer.locator(".cam-readout")
    viewer.locator(CANVAS).hover()
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
    said_aloud = f"Lion. {viewer.locator(TITLE).inner_text()}. {words.inner_text()}"
    expect(viewer.locator(CANVAS)).to_have_attribute("aria-label", said_aloud)


def test_strongest_hides_the_rest(viewer: Page, lion: Explanation) -> None:
    show_view(viewer, "photo")
    photo = canvas(viewer)
    show_view(viewer, "overlay")
    look(viewer, "Notebook").check()
    look(viewer, "Evidence").select_option("minmax")
    look(viewer, "Strongest").fill("25")
    settled(viewer)
    box = lion.scene(complete=False).box
    seen = (canvas(viewer) != photo)[box.top : box.bottom, box.left : box.right].any(axis=2)
    assert 0.2 < seen.mean() < 0.26


def test_the_divider_is_dragged(viewer: Page) -> None:
    """On the picture where it is near, and by its own control at the foot of it."""
    show_view(viewer, "split")
    divider = viewer.get_by_label("Divider")
    drag(viewer, (0.5, 0.3), (0.3, 0.3))
    assert float(divider.input_value()) == pytest.approx(0.3, abs=0.02)
    settled(viewer)
    assert viewer.locator(TITLE).inner_text() == "lion · 90 %"  # nothing was hidden by it
    divider.focus()
    viewer.keyboard.press("ArrowRight")
    assert float(divider.input_value()) == pytest.approx(0.31, abs=0.02)
    show_view(viewer, "overlay")
    expect(divider).to_be_hidden()


def places(page: Page) -> list[float]:
    """Where things begin and end, on the page."""
    return page.evaluate(
        """() => ["canvas", "strip", "words", "labels", "legend", "panel"]
          .map((name) => document.querySelector(`.cam-${name}`))
          .map((each) => each.getBoundingClientRect())
          .flatMap(({ left, top, right, bottom }) => [left, top, right, bottom])"""
    )


@pytest.mark.parametrize("width", [1280, 1366, 1920])
def test_nothing_jumps_between_explanations(viewer: Page, explainer: Explainer, width: int) -> None:
    viewer.set_viewport_size({"width": width, "height": {1280: 800, 1366: 768, 1920: 1080}[width]})
    settled(viewer)
    before = places(viewer)
    example(viewer, "Tower")
    assert np.abs(np.subtract(places(viewer), before)).max() <= 2
    # Six labels are more than five, and so the list grows; but the longest one makes nothing wider.
    longest = max(explainer.labels(), key=len)
    choose(viewer, "Add a label", longest)
    expect(viewer.locator(TITLE)).to_contain_text(longest)
    settled(viewer)
    after = places(viewer)
    assert np.abs(np.subtract(after, before)[0::2]).max() <= 2
    assert np.abs(np.subtract(after, before)[:12]).max() <= 2
    for row in viewer.locator(LABELS).all():
        assert row.evaluate(
            """(row) => {
              const share = row.querySelector(".cam-share").getBoundingClientRect();
              return share.right <= row.getBoundingClientRect().right && share.height < 30
                && row.scrollWidth <= row.clientWidth;
            }"""
        )


# ---------------------------------------------------------------- options and keys


def test_the_controls_have_the_options_of_python(viewer: Page) -> None:
    for name in ("evidence", "colormap"):
        option = options.find(Look, name)
        values = look(viewer, option.title).locator("option")
        assert values.evaluate_all("all => all.map((one) => one.value)") == [*option.names]
    for name in ("view", "look"):
        radios = viewer.locator(f"[data-option={name}] input")
        names = options.find(Look, name).names
        assert radios.evaluate_all("all => all.map((one) => one.value)") == [*names]
    for name in ("opacity", "strongest"):
        option = options.find(Look, name)
        control = look(viewer, option.title)
        for edge, value in (("min", option.low), ("max", option.high), ("step", option.step)):
            assert float(control.get_attribute(edge) or "") == value
        assert float(control.input_value()) == bundle.options()["look"][name]["default"]
        expect(viewer.locator(f"[data-option={name}]")).to_have_attribute("title", option.help)


@pytest.mark.parametrize(("key", "name"), [("c", "colormap"), ("e", "evidence")])
def test_a_key_steps_through_the_values_in_their_order(viewer: Page, key: str, name: str) -> None:
    control = viewer.locator(f"[data-control={name}]")
    names = control.locator("option").evaluate_all("all => all.map((one) => one.value)")
    assert len(names) >= 3
    viewer.locator("body").press("Escape")
    place = names.index(control.input_value())
    for following in [*names[place + 1 :], *names[: place + 1]]:
        viewer.keyboard.press(key)
        expect(control).to_have_value(following)


def test_a_key_steps_through_the_methods(viewer: Page) -> None:
    viewer.locator("body").press("Escape")
    known = bundle.options()["question"]["method"]["values"]
    titles = [value["title"] for value in known if value["kind"] == "layer"]  # the others take long
    assert titles[0] == "Grad-CAM"  # with which the page opens
    for title in [*titles[1:], titles[0]]:
        viewer.keyboard.press("m")
        expect(field(viewer, "Method")).to_have_value(title)
        expect(viewer.locator(FACTS)).to_contain_text(title)


def test_a_key_and_a_click_change_the_look(viewer: Page) -> None:
    def shows(name: str, colormap: str, opacity: str) -> None:
        expect(viewer.locator(f"[name=cam-look][value={name}]")).to_be_checked()
        expect(viewer.locator("[data-control=colormap]")).to_have_value(colormap)
        expect(viewer.locator("[data-control=opacity]")).to_have_value(opacity)

    shows("glow", "inferno", "0.85")
    viewer.locator("body").press("Escape")
    first = canvas(viewer)
    changed(viewer, lambda: viewer.keyboard.press("n"))
    shows("notebook", "jet", "0.5")
    changed(viewer, lambda: look(viewer, "Colour map").select_option("viridis"))
    shows("notebook", "viridis", "0.5")
    changed(viewer, look(viewer, "Glow").check)  # brings its own back
    shows("glow", "inferno", "0.85")
    assert (canvas(viewer) == first).all()


def keys_listed(page: Page) -> list[str]:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    assert page.locator(".cam-help").evaluate("one => one.scrollTop") == 0  # its beginning
    listed = page.locator(".cam-help dt").all_inner_texts()
    assert page.locator(".cam-help dd").count() == len(listed)
    page.keyboard.press("Escape")
    return listed


def test_the_help_lists_the_keys_that_do_something_here(viewer: Page, lion: Explanation) -> None:
    everywhere = ["1 to 5", "← →", "m", "space", "+ −", "n", "c", "e", "d", "r", "f", "b", "?"]
    asking = ["h", "z y x", "shift ← → ↑ ↓", "[ ] 0", "Page Up, Page Down"]
    viewer.locator("body").press("Escape")
    assert sorted(keys_listed(viewer)) == sorted([*everywhere, *asking])
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
    example(page, "Cheetah")
    shown = page.locator(LABELS).all()
    labels = [int(one.get_attribute("data-target") or "") for one in shown]
    assert labels[0] == 293
    # Two questions are under way, then the last two labels: once each, as they stand on the page.
    assert [one["targets"] for one in asked] == [labels[:1], labels[1:3], labels[3:]]
    assert {(one["layers"], one["method"]) for one in asked} == {(None, "gradcam")}


def test_a_method_is_asked_for_once_and_then_instant(
    viewer: Page, asked: list, explainer: Explainer
) -> None:
    viewer.locator(STRIP).nth(6).click()
    pictures = {"gradcam": canvas(viewer)}
    for method in ("hirescam", "layercam"):
        asked.clear()
        pictures[method] = changed(viewer, lambda method=method: choose(viewer, "Method", method))
        assert {(one["layers"], one["method"]) for one in asked} == {(None, method)}
        labels = [
            int(one.get_attribute("data-target") or "") for one in viewer.locator(LABELS).all()
        ]
        assert sorted(index for one in asked for index in one["targets"]) == sorted(labels)
    asked.clear()
    for method in ("gradcam", "hirescam", "layercam"):
        choose(viewer, "Method", method)
        settled(viewer)
        assert (canvas(viewer) == pictures[method]).all()
    changed(viewer, viewer.locator(LABELS).nth(1).click)
    changed(viewer, viewer.locator(STRIP).nth(4).click)
    assert asked == []
    assert len({picture.tobytes() for picture in pictures.values()}) == 3


def test_the_chosen_method_stays_with_the_next_photo(viewer: Page, asked: list) -> None:
    choose(viewer, "Method", "LayerCAM")
    settled(viewer)
    asked.clear()
    example(viewer, "Tower")
    expect(field(viewer, "Method")).to_have_value("LayerCAM")
    assert {question["method"] for question in asked} == {"layercam"}
    expect(viewer.locator(".cam-words")).to_contain_text("evidence")


def test_a_switch_that_changes_nothing_says_why(viewer: Page) -> None:
    line = "At this layer HiResCAM is Grad-CAM: what follows only averages and adds up."
    readout = viewer.locator(".cam-readout")
    expect(readout).to_have_text("")  # nothing to compare with yet
    before = canvas(viewer)
    choose(viewer, "Method", "hirescam")
    expect(readout).to_have_text(line)
    apart = np.abs(canvas(viewer) - before)  # a neighbour in the palette, here and there
    assert apart.max() <= 8
    assert apart.mean() < 0.01
    choose(viewer, "Method", "gradcam")
    expect(readout).to_have_text(line)
    choose(viewer, "Method", "layercam")
    expect(readout).to_have_text("")
    choose(viewer, "Method", "hirescam")
    changed(viewer, viewer.locator(STRIP).nth(6).click)  # where they differ
    expect(readout).to_have_text("")


def test_a_file_has_the_methods_whose_maps_it_carries(
    viewer: Page, browser: Browser, tmp_path: Path
) -> None:
    choose(viewer, "Method", "layercam")
    settled(viewer)
    open_menu(viewer, "save")
    with viewer.expect_download() as waiting:
        viewer.get_by_role("button", name="Page (HTML)").click()
    file = tmp_path / "page.html"
    waiting.value.save_as(file)
    page = browser.new_page()
    page.goto(file.as_uri())
    expect(page.locator(TITLE)).not_to_contain_text("Choose")
    expect(field(page, "Method")).to_have_value("LayerCAM")
    expect(field(page, "Method")).to_be_disabled()  # there is no other
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
    field(viewer, "Add a label").focus()
    expect(said(viewer, "add")).to_contain_text("does not answer")
    field(viewer, "Add a label").blur()
    choose(viewer, "Add a label", "teapot")
    expect(viewer.locator(TITLE)).to_contain_text("teapot")
    assert failed


def test_a_label_can_be_added_after_a_failure(viewer: Page) -> None:
    failed = failing_once(viewer, "scene_maps")
    for _ in range(2):
        choose(viewer, "Add a label", "teapot")
        settled(viewer)
    expect(viewer.locator(TITLE)).to_contain_text("teapot")
    assert failed


def test_a_method_is_asked_for_again_after_a_failure(viewer: Page) -> None:
    viewer.locator(STRIP).nth(6).click()
    failed = failing_once(viewer, "scene_maps")
    choose(viewer, "Method", "LayerCAM")
    expect(said(viewer, "canvas")).to_contain_text("does not answer")
    settled(viewer)
    changed(viewer, viewer.locator(LABELS).nth(1).click)
    expect(viewer.locator(".cam-words")).not_to_contain_text("computed")
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
    how = launch_options(explainer)
    yield demo.launch(prevent_thread_lock=True, quiet=True, **how)[1]
    demo.close()


@pytest.fixture(scope="module")
def visits(browser: Browser, deck_server: str) -> Iterator[BrowserContext]:
    with visitors(browser, deck_server, viewport={"width": 1280, "height": 800}) as context:
        yield context


@pytest.fixture
def deck(visits: BrowserContext, deck_server: str) -> Iterator[Page]:
    with visit(visits) as page:
        page.goto(deck_server)
        opened(page)
        page.mouse.move(2, 2)
        yield page


def agree(page: Page, place: int, expected: Explanation) -> None:
    """Everything on the page is about this photo and this model."""
    names = ["0-lion", "1-cheetah", "2-tower"]
    expect(page.locator(VIEWER)).to_have_attribute("data-example", names[place])
    settled(page)
    assert page.locator(TITLE).inner_text() == expected.target.text
    assert page.locator(f"{LABELS} .cam-name").all_inner_texts() == [
        one.label for one in expected.predictions
    ]
    assert field(page, "Model").input_value() == expected.model.title
    facts = page.locator(FACTS).inner_text()
    assert facts.startswith(f"{expected.model.title} · Last · {expected.layer.name} · ")
    assert page.locator(".cam-count").text_content() == f"{place + 1} / 3"
    assert expected.target.label in page.locator(".cam-words").inner_text()
    pressed = page.locator(".cam-examples [aria-pressed=true]")
    assert pressed.get_attribute("data-example") == names[place]
    aloud = page.locator(CANVAS).get_attribute("aria-label") or ""
    assert aloud.startswith(f"{names[place]}. {expected.target.text}.")


def test_a_deck_never_has_two_truths(deck: Page, explainer: Explainer) -> None:
    photos = [get_image(f"{name}.jpg") for name in ("lion", "cheetah", "tower")]
    explain = lambda place, model=None: explainer.explain(  # noqa: E731
        Image.open(photos[place]).convert("RGB"), model
    )
    agree(deck, 0, explain(0))
    deck.keyboard.press("PageDown")
    agree(deck, 1, explain(1))
    choose_model(deck, "EfficientNet-Lite1")  # the deck was prepared with another
    expect(deck.locator(FACTS)).to_contain_text("Lite1")
    agree(deck, 1, explain(1, "efficientnet_lite1"))
    deck.keyboard.press("PageDown")
    agree(deck, 2, explain(2, "efficientnet_lite1"))
    deck.keyboard.press("PageUp")
    deck.keyboard.press("PageUp")
    agree(deck, 0, explain(0, "efficientnet_lite1"))


def test_a_photo_of_a_deck_brings_all_its_maps(deck: Page) -> None:
    """So that a talk goes on without a wait, and with the cable out until the next photo."""
    deck.keyboard.press("PageDown")
    expect(deck.locator(TITLE)).to_contain_text("cheetah")
    settled(deck)
    deck.context.set_offline(True)
    changed(deck, lambda: deck.keyboard.press("ArrowLeft"))
    changed(deck, lambda: deck.keyboard.press("2"))
    changed(deck, lambda: deck.locator(STRIP).nth(2).click())
    before = canvas(deck)
    deck.keyboard.press("PageDown")
    expect(said(deck, "canvas")).to_contain_text("does not answer")
    assert (canvas(deck) == before).all()
    deck.context.set_offline(False)
    deck.keyboard.press("PageDown")
    expect(deck.locator(VIEWER)).to_have_attribute("data-example", "2-tower")


def test_a_slow_photo_does_not_overwrite_a_later_one(deck: Page) -> None:
    deck.evaluate(
        """() => {
          const decode = HTMLImageElement.prototype.decode;
          window.held = [];
          HTMLImageElement.prototype.decode = function () {
            if (window.held.length) return decode.call(this);
            return new Promise((done) => window.held.push(done)).then(() => decode.call(this));
          };
        }"""
    )
    deck.keyboard.press("PageDown")  # a cheetah, whose photo takes long
    deck.wait_for_function("window.held.length === 1")
    deck.keyboard.press("PageDown")
    expect(deck.locator(VIEWER)).to_have_attribute("data-example", "2-tower")
    expect(deck.locator(TITLE)).not_to_contain_text("lion")
    deck.evaluate("window.held[0]()")
    settled(deck)
    before = canvas(deck)
    deck.wait_for_timeout(300)
    expect(deck.locator(VIEWER)).to_have_attribute("data-example", "2-tower")
    assert (canvas(deck) == before).all()


def test_a_photo_of_a_deck_that_failed_is_asked_for_again(deck: Page) -> None:
    failed = failing_once(deck, "scene_open")
    deck.keyboard.press("PageDown")
    expect(said(deck, "canvas")).to_contain_text("does not answer")
    expect(deck.locator(TITLE)).to_contain_text("lion")
    deck.keyboard.press("PageDown")
    expect(deck.locator(VIEWER)).to_have_attribute("data-example", "1-cheetah")
    assert failed
