"""The page to take away, opened from disk with the network off: everything instant is there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from camdemo import Box, Explainer, Explanation, Prediction, compare
from camdemo.records import percent
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers
from camdemo.viewer.scene import Scene

from .steps import (
    LABELS,
    STRIP,
    SUM,
    TITLE,
    changed,
    choose_layer,
    field,
    frame,
    open_menu,
    said,
    settled,
    show_view,
)

FINER = "blocks.5.1.conv_pw"


@pytest.fixture(scope="module")
def html(lion: Explanation) -> str:
    return lion.to_html()


def picture(page: Page | FrameLocator) -> int:
    """A number for what is painted."""
    return page.locator("canvas.cam-picture").evaluate(f"() => ({SUM})()")


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[[str], Page]]:
    """Writes a page to disk and opens it; any request but for that file fails the test."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    file = tmp_path / "lion & co.html"
    asked: list[str] = []
    errors: list[str] = []

    def open_file(html: str) -> Page:
        file.write_text(html, encoding="utf-8")
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda entry: entry.type == "error" and errors.append(entry.text))
        page.goto(file.as_uri())
        expect(page.locator(f"{TITLE}:not(:text('Choose'))")).to_be_visible()
        settled(page)
        return page

    yield open_file
    context.close()
    # The photo is inside the file, as an address of its own kind.
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert errors == []


@pytest.fixture
def page(opened: Callable[[str], Page], html: str) -> Page:
    return opened(html)


def look(page: Page, title: str) -> Locator:
    """A control of the menu "Look"."""
    return open_menu(page, "look").get_by_label(title, exact=True)


def test_every_control_paints_another_picture(page: Page) -> None:
    acts = [
        lambda: page.locator(STRIP).nth(2).click(),
        lambda: choose_layer(page, "blocks.5"),
        lambda: choose_layer(page, "7 of 11"),
        lambda: page.locator(LABELS).nth(1).click(),
        lambda: look(page, "Opacity").fill("0.6"),
        lambda: look(page, "Colour map").select_option("viridis"),
        lambda: look(page, "Evidence").select_option("minmax"),
        lambda: look(page, "Evidence").select_option("signed"),
        lambda: look(page, "Strongest").fill("15"),
        lambda: look(page, "One scale for all labels").uncheck(),
        lambda: look(page, "Notebook").check(),
        lambda: page.keyboard.press("Escape") or show_view(page, "photo"),
        lambda: show_view(page, "split"),
        lambda: page.get_by_label("Divider").fill("0.25"),
        lambda: show_view(page, "overlay"),
        lambda: page.get_by_label("Against", exact=True).select_option(index=1),
    ]
    for act in acts:
        before = frame(page)
        changed(page, act)
        assert frame(page) > before


def test_every_layer_and_label_is_in_the_file(page: Page) -> None:
    strip, labels = page.locator(STRIP), page.locator(LABELS)
    assert strip.count() >= 11
    assert labels.count() == 5
    look(page, "Evidence").select_option("minmax")  # leaves no map empty
    page.keyboard.press("Escape")
    seen = set()
    for place in range(5):
        labels.nth(place).click()
        for layer in range(strip.count()):
            strip.nth(layer).click()
            expect(page.locator(".cam-words")).not_to_contain_text("computed")
            seen.add(picture(page))
    # conv_head is linear in blocks.6, so that the two have the same evidence.
    assert len(seen) >= 50


def test_keys(page: Page) -> None:
    title = page.locator(TITLE)
    for place in range(4, -1, -1):
        name = page.locator(LABELS).nth(place).locator(".cam-name").inner_text()
        page.keyboard.press(str(place + 1))
        expect(title).to_contain_text(name)
    layer = field(page, "Layer")
    last = layer.input_value()
    changed(page, lambda: page.keyboard.press("ArrowLeft"))
    assert layer.input_value() != last
    changed(page, lambda: page.keyboard.press("ArrowRight"))
    assert layer.input_value() == last
    opacity = page.locator("[data-control=opacity]")
    changed(page, lambda: page.keyboard.press("+"))
    expect(opacity).to_have_value("0.9")
    for _ in range(2):
        changed(page, lambda: page.keyboard.press("-"))
    expect(opacity).to_have_value("0.8")
    for key, name, value in [("c", "colormap", "cividis"), ("e", "evidence", "signed")]:
        changed(page, lambda key=key: page.keyboard.press(key))
        expect(page.locator(f"[data-control={name}]")).to_have_value(value)
    view = page.locator("[name=cam-view]:checked")
    for shown in ("photo", "overlay"):
        changed(page, lambda: page.keyboard.press("Space"))
        expect(view).to_have_value(shown)


def test_what_needs_a_server_is_not_offered(page: Page) -> None:
    open_menu(page, "save")
    for name in ("Page (HTML)", "Copy link", "Upload", "Camera", "Undo"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.keyboard.press("Escape")
    for name in ("Add a label", "Model", "Framing", "Fill with", "Keep only this", "Hide by"):
        expect(page.get_by_label(name, exact=True)).to_have_count(0)
    field(page, "Layer").click()
    # Those of the strip, and no finer layer.
    listed = page.locator(".cam-choices:visible [role=option]")
    expect(listed).to_have_count(page.locator(STRIP).count())
    page.keyboard.type(FINER)
    expect(page.locator(".cam-choices-more:visible")).to_contain_text("Nothing here has")


def test_it_fits_into_the_window(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.evaluate("document.documentElement.scrollHeight") <= 800 + 60
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize(
    ("button", "ending"),
    [
        ("Picture (PNG)", ".png"),
        ("Figure for slides", "-figure.png"),
        ("Map (.npy)", ".npy"),
        ("Numbers (JSON)", ".json"),
    ],
)
def test_what_is_offered_works(page: Page, lion: Explanation, button: str, ending: str) -> None:
    open_menu(page, "save")
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    assert download.value.suggested_filename.endswith(ending)
    if ending == ".npy":
        assert (np.load(download.value.path()) == lion.cam).all()


def download(page: Page, button: str) -> tuple[str, bytes]:
    """The name of the file behind a button, and what is in it."""
    open_menu(page, "save")
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def numbers(page: Page) -> dict[str, Any]:
    return json.loads(download(page, "Numbers (JSON)")[1])


def cam_in(page: Page) -> tuple[str, np.ndarray]:
    name, file = download(page, "Map (.npy)")
    return name, np.load(io.BytesIO(file))


@pytest.mark.parametrize("versus", [None, "teapot"])
def test_the_numbers_are_those_of_the_summary(
    opened: Callable[[str], Page], explainer: Explainer, versus: str | None
) -> None:
    with Image.open(get_image("lion.jpg")) as photo:
        large = photo.convert("RGB").resize((2400, 1800))
    frame = Box(300, 0, 2100, 1800)
    explained = explainer.explain(large, framing=frame, versus=versus)
    found = numbers(opened(explained.to_html()))
    expected = json.loads(json.dumps(explained.summary()))
    assert found["image"] == {"width": 2400, "height": 1800}
    assert found["box"] == {"left": 300, "top": 0, "right": 2100, "bottom": 1800}
    # What only one of them can know, and the method.
    assert found.pop("method") == expected.pop("method")
    assert found.pop("averaged") is found.pop("rounded") is False
    assert "torch" in found.pop("versions")
    assert found.pop("hidden") is None
    assert found.pop("look")["look"] == "glow"
    expected.pop("milliseconds")
    assert list(found) == list(expected)
    # The browser subtracts the maps of two labels, Python the logits.
    cams = [np.asarray(one.pop("map")) for one in (found, expected)]
    ranges = [one.pop("range") for one in (found, expected)]
    near = {"rtol": 0, "atol": 1e-5 * np.ptp(cams[1]) if versus else 0}
    np.testing.assert_allclose(*cams, **near)
    assert list(ranges[0]) == list(ranges[1])
    np.testing.assert_allclose(*([*one.values()] for one in ranges), **near)
    assert found == expected


@pytest.mark.parametrize("versus", [None, "tiger"])
def test_the_map_that_is_shown_is_in_the_file_whole(
    opened: Callable[[str], Page], explainer: Explainer, versus: str | None
) -> None:
    explained = explainer.explain(get_image("lion.jpg"), layer="blocks.0", versus=versus)
    assert explained.cam.shape == (112, 112)
    page = opened(explained.to_html())
    name, cam = cam_in(page)
    np.testing.assert_allclose(cam, explained.cam, atol=1e-6 * np.ptp(explained.cam))
    assert "averaged" not in name
    expect(said(page, "save")).to_have_text("")
    found = numbers(page)
    assert found["averaged"] is found["rounded"] is False
    assert np.shape(found["map"]) == (112, 112)


def test_a_map_that_the_file_has_averaged_is_called_so(
    opened: Callable[[str], Page], explainer: Explainer
) -> None:
    page = opened(explainer.explain(get_image("lion.jpg"), layer="blocks.0").to_html())
    changed(page, page.locator(LABELS).nth(1).click)
    name, cam = cam_in(page)
    assert cam.shape == (56, 56)
    assert name.endswith("-averaged.npy")
    expect(said(page, "save")).to_contain_text("averaged to fewer cells than its 112 x 112")
    assert download(page, "Numbers (JSON)")[0].endswith("-averaged.json")
    assert numbers(page)["averaged"] is True
    # One that travels in steps of 16 bits is not the computed one either.
    changed(page, lambda: choose_layer(page, "blocks.1"))
    name, cam = cam_in(page)
    assert cam.shape == (56, 56)
    assert name.endswith("-rounded.npy")
    expect(said(page, "save")).to_contain_text("rounded")
    found = numbers(page)
    assert (found["averaged"], found["rounded"]) == (False, True)
    changed(page, lambda: choose_layer(page, "blocks.6"))
    assert cam_in(page)[0].endswith("-blocks.6.npy")
    expect(said(page, "save")).to_have_text("")


def test_a_page_that_is_saved_opens_with_what_was_shown(
    opened: Callable[[str], Page], explainer: Explainer
) -> None:
    answers = Answers(explainer, Offers(explainer))
    scene = answers.answer(get_image("lion.jpg"), None, {})
    target = scene.predictions[2].index
    teapot = explainer.labels().index("teapot")
    question = {"id": scene.id, "layer": "conv_stem", "target": teapot, "versus": [target]}
    page = opened(answers.page(question)["html"])
    expect(page.locator(TITLE)).to_contain_text("teapot")
    expect(field(page, "Layer")).to_have_value("First · conv_stem · 112 x 112")
    explained = explainer.explain(
        get_image("lion.jpg"), layer="conv_stem", target=teapot, versus=target
    )
    cam = cam_in(page)[1]
    np.testing.assert_allclose(cam, explained.cam, atol=1e-5 * np.ptp(explained.cam))


def share_of(page: Page, label: str) -> list[str]:
    """What A and B say of a label on the page."""
    row = page.locator(LABELS).filter(has=page.get_by_text(label, exact=True))
    return row.locator(".cam-share").all_inner_texts()


@pytest.mark.parametrize(
    "differs",
    [
        {"model": "efficientnet_lite1"},
        {"photo": "cheetah.jpg"},
        {"method": "hirescam", "layer": "blocks.4"},
    ],
    ids=lambda differs: next(iter(differs)),
)
def test_both_of_two_that_are_compared_are_in_the_file(
    opened: Callable[[str], Page], explainer: Explainer, differs: dict[str, str]
) -> None:
    answers = Answers(explainer, Offers(explainer))
    lion = get_image("lion.jpg")
    photo, model = get_image(differs.get("photo", "lion.jpg")), differs.get("model")
    a = answers.answer(lion, None, {})
    same = photo == lion and model is None
    b = a if same else answers.answer(photo, model, {"target": "lion"})
    method, layer = differs.get("method", "gradcam"), differs.get("layer", b.layer.name)

    def shown(scene: Scene, **how: str) -> dict[str, Any]:
        index = answers.explainer.find_label("lion", scene.model.name)
        return {"id": scene.id, "target": index, "versus": None, **how}

    asked = shown(a, layer=a.layer.name, method="gradcam")
    beside = shown(b, layer=layer, method=method)
    page = opened(answers.page({**asked, "beside": beside})["html"])
    expect(page.locator(".cam-half:visible")).to_have_count(2)
    expect(page.locator(".cam-words")).not_to_contain_text("computed")
    one = explainer.explain(lion, target="lion")
    two = explainer.explain(photo, model, layer, "lion", method=method)
    assert share_of(page, "lion") == [
        f"{side} {percent(each.target.probability)}" for side, each in (("A", one), ("B", two))
    ]
    names = page.locator(".cam-half span").all_inner_texts()
    assert (names[0] == names[1]) is ("photo" in differs)  # these have no names
    told = page.locator(".cam-words").inner_text().replace("\u00a0", " ")
    assert told.startswith(compare(one, two).text)
    # The other labels of both are there, too, and so are their maps.
    before = picture(page)
    changed(page, lambda: page.keyboard.press("2"))
    assert picture(page) != before
    assert "…" not in page.locator(".cam-labels").inner_text()
    expect(page.locator(".cam-words")).not_to_contain_text("computed")


@pytest.mark.parametrize(("size", "smaller"), [((1280, 900), ""), ((2400, 1800), "1280 x 960")])
def test_a_picture_that_is_smaller_than_the_photo_is_called_so(
    opened: Callable[[str], Page], explainer: Explainer, size: tuple[int, int], smaller: str
) -> None:
    page = opened(explainer.explain(Image.new("RGB", size, (200, 30, 30))).to_html())
    _, file = download(page, "Picture (PNG)")
    assert max(Image.open(io.BytesIO(file)).size) == 1280
    if smaller:
        expect(said(page, "save")).to_contain_text(f"its copy of {smaller} was saved")
    else:
        expect(said(page, "save")).to_have_text("")


def test_python_is_copied(page: Page) -> None:
    open_menu(page, "save")
    page.get_by_role("button", name="Copy as Python").click()
    expect(said(page, "save")).to_have_text("The Python lines are copied.")


def test_a_finer_layer_that_was_explained_is_in_the_file(
    opened: Callable[[str], Page], explainer: Explainer
) -> None:
    page = opened(explainer.explain(get_image("lion.jpg"), layer=FINER).to_html())
    expect(field(page, "Layer")).to_have_value(f"{FINER} · 7 x 7")
    for place in (2, 1, 0):
        changed(page, page.locator(LABELS).nth(place).click)
        expect(page.locator(".cam-words")).to_contain_text("evidence for")
    changed(page, lambda: page.locator(STRIP).nth(3).click())
    changed(page, lambda: choose_layer(page, FINER))


def test_a_hostile_label_is_only_text(opened: Callable[[str], Page], lion: Explanation) -> None:
    text = "</script><img src=x onerror='window.hacked = 1'><b>&amp;"
    label = Prediction(lion.target.index, text, lion.target.probability)
    hostile = replace(lion, target=label, predictions=(label, *lion.predictions[1:]))
    page = opened(hostile.to_html())
    expect(page.locator(TITLE)).to_contain_text(text)
    expect(page.locator(LABELS).first).to_contain_text(text)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, b:not(.cam-half b)").count() == 0


@pytest.mark.parametrize("size", [(20000, 3), (1, 1), (3, 400)])
def test_odd_photos_are_painted_too(
    opened: Callable[[str], Page], explainer: Explainer, size: tuple[int, int]
) -> None:
    width, height = size
    page = opened(explainer.explain(np.full((height, width, 3), 90, np.uint8)).to_html())
    changed(page, lambda: look(page, "Evidence").select_option("minmax"))
    assert frame(page) > 0


def test_a_notebook_frame_is_alive(browser: Browser, lion: Explanation) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_content(f"<h1>A notebook</h1>{lion._repr_html_()}")
    inside = page.frame_locator("iframe")
    expect(inside.locator(TITLE)).to_contain_text("lion")
    before = picture(inside)
    inside.locator(STRIP).first.click()
    assert picture(inside) != before
    context.close()
