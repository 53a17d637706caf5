"""Methods of pixels on the page: watched, cancelled, painted whole, and taken away."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from playwright.sync_api import Browser, Page, Request, expect

from camdemo import Explainer, picture

from .steps import (
    CANVAS,
    FACTS,
    LABELS,
    STRIP,
    TITLE,
    VIEWER,
    canvas,
    choose,
    choose_tool,
    example,
    field,
    open_menu,
    said,
    settled,
)

WORDS = f"{VIEWER} .cam-words"


@pytest.fixture
def saliency(page: Page) -> Page:
    example(page, "Lion")
    choose_tool(page, "read")
    choose(page, "Method", "Saliency")
    expect(page.locator(FACTS)).to_contain_text("Input · 224 x 224 · Saliency")
    settled(page)
    return page


@pytest.mark.parametrize("sigma", [0.5, 2, 4, 16])
def test_python_and_the_canvas_smooth_alike(alone: Page, sigma: float) -> None:
    cam = np.random.default_rng(0).normal(size=(23, 40)).astype(np.float32)
    given = {"height": 23, "width": 40, "values": [float(value) for value in cam.ravel()]}
    found = alone.evaluate("([map, sigma]) => [...smoothed(map, sigma).values]", [given, sigma])
    expected = picture.smoothed(cam, sigma)
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-6)
    assert expected.std() < 0.9 * cam.std()
    assert picture.smoothed(cam, 0) is cam


def test_it_is_painted_as_python_does_and_no_layer_can_be_chosen(
    saliency: Page, explainer: Explainer
) -> None:
    found = explainer.explain(get_image("lion.jpg"), method="saliency")
    seen = explainer.explain(get_image("lion.jpg"))
    assert found.cam.shape == (224, 224)
    size = tuple(reversed(canvas(saliency).shape[:2]))
    drawn = np.asarray(found.resized(*size).overlay(look="glow", evidence="signed"))
    far = np.abs(canvas(saliency).astype(int) - drawn).mean()
    plain = np.abs(np.asarray(seen.resized(*size).overlay(look="glow")).astype(int) - drawn).mean()
    assert far < 1.5 < plain
    expect(field(saliency, "Layer")).to_be_disabled()
    for button in saliency.locator(STRIP).all():
        expect(button).to_be_disabled()
        assert "no layer" in (button.get_attribute("title") or "")
    expect(saliency.locator(f"{VIEWER} .cam-legend-to")).to_contain_text("for the label")
    # Another label is asked for again; the first one is there at once.
    asked: list[str] = []

    def note(request: Request) -> None:
        if "component_server" in request.url:
            asked.append(request.post_data_json["fn_name"])

    saliency.on("request", note)
    first = canvas(saliency)
    saliency.locator(LABELS).nth(1).click()
    expect(saliency.locator(WORDS)).not_to_contain_text("computed")
    settled(saliency)
    assert "scene_pixel" in asked
    assert (canvas(saliency) != first).any()
    asked.clear()
    saliency.locator(LABELS).nth(0).click()
    settled(saliency)
    assert (canvas(saliency) == first).all()
    assert asked == []
    # Back to the layers, in the colours of before.
    choose(saliency, "Method", "Grad-CAM")
    expect(field(saliency, "Layer")).to_be_enabled()
    expect(saliency.locator(f"{VIEWER} .cam-legend-to")).to_contain_text("most evidence")


def test_settings_gap_link_and_python(page: Page, explainer: Explainer) -> None:
    example(page, "Lion")
    choose(page, "Method", "Integrated Gradients")
    page.locator(".cam-settings").click()
    steps = page.get_by_label("Steps", exact=True)
    steps.fill("5")
    steps.press("Enter")
    assert steps.input_value() == "5"
    steps.fill("1")  # the nearest that there is
    steps.press("Enter")
    expect(steps).to_have_value("2")
    steps.fill("5")
    steps.press("Enter")
    page.get_by_label("Baseline", exact=True).select_option("black")
    expect(page.locator(WORDS)).to_contain_text("is left unexplained", timeout=60_000)
    settled(page)
    asked = {"method": "integrated_gradients", "steps": 5, "baseline": "black"}
    found = explainer.explain(get_image("lion.jpg"), **asked)
    assert found.gap_text
    assert found.gap_text.replace(" ", "") in page.locator(WORDS).inner_text().replace(
        "\u00a0", ""
    ).replace(" ", "")
    page.keyboard.press("Escape")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(page, "save")
    page.get_by_role("button", name="Copy as Python").click()
    expect(said(page, "save")).to_contain_text("Python lines are copied")
    lines = page.evaluate("navigator.clipboard.readText()")
    calls = [node for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Call)]
    keywords = {key.arg: key.value for call in calls for key in call.keywords}
    for name, value in asked.items():
        assert ast.literal_eval(keywords[name]) == value
    assert "layer" not in keywords
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Numbers (JSON)").click()
    numbers = json.loads(Path(waiting.value.path()).read_text())
    assert (numbers["layer"], numbers["settings"]) == ("input", {"steps": 5, "baseline": "black"})
    assert numbers["gap"] == pytest.approx(found.gap, rel=1e-3)
    assert np.shape(numbers["map"]) == (224, 224)
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator(WORDS)).to_contain_text("is left unexplained", timeout=60_000)
    expect(field(page, "Method")).to_have_value("Integrated Gradients")
    assert page.locator(".cam-settings").get_attribute("title") == "steps 5, baseline black"


def test_a_long_one_is_cancelled(page: Page) -> None:
    example(page, "Lion")
    before = canvas(page)
    choose(page, "Method", "RISE")
    page.get_by_role("button", name="Cancel").click()
    expect(field(page, "Method")).to_have_value("Grad-CAM")
    settled(page)
    assert (canvas(page) == before).all()
    expect(page.locator(TITLE)).to_contain_text("lion")


def test_what_the_model_can_not_do_says_why(page: Page) -> None:
    example(page, "Lion")
    field(page, "Method").click()
    rollout = page.get_by_role("option", name="Attention rollout")
    expect(rollout).to_have_attribute("aria-disabled", "true")
    expect(rollout).to_contain_text("needs a vision transformer")
    expect(page.get_by_role("option", name="Integrated Gradients")).to_contain_text("66 forwards")


def test_a_saved_page_has_the_map(saliency: Page, browser: Browser, tmp_path: Path) -> None:
    expected = canvas(saliency)
    open_menu(saliency, "save")
    with saliency.expect_download() as waiting:
        saliency.get_by_role("button", name="Page (HTML)").click()
    file = tmp_path / "lion.html"
    file.write_bytes(Path(waiting.value.path()).read_bytes())
    context = browser.new_context(offline=True)
    opened = context.new_page()
    opened.goto(file.as_uri())
    expect(opened.locator(TITLE)).to_contain_text("lion")
    expect(opened.locator(CANVAS.removeprefix("#viewer "))).to_be_visible()
    expect(opened.locator(".cam-facts")).to_contain_text("Input · 224 x 224 · Saliency")
    settled(opened)
    assert np.abs(canvas(opened).astype(int) - expected).mean() < 0.1
    context.close()
