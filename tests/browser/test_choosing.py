"""Never two truths: whatever chooses model, layer, method or label, all parts of the page agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from camdemo import Explainer, Settings
from camdemo.records import percent
from camdemo.ui.decks import photos_in
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .steps import (
    CANVAS,
    EXAMPLES,
    FACTS,
    LABELS,
    STRIP,
    TITLE,
    VIEWER,
    changed,
    choose,
    choose_model,
    example,
    field,
    opened,
    settled,
)

SIX = "9 of 11 · blocks.6 · 7 x 7"  # Lite0's, in plain words and by its name


@dataclass(frozen=True)
class Shown:
    """What the page should say everywhere."""

    photo: str = "Lion"
    model: str = "EfficientNet-Lite0"
    layer: str = "Last · bn2 · 7 x 7"
    method: str = "Grad-CAM"
    label: str = "lion"
    share: str = "90 %"


def check_all_agree(page: Page, shown: Shown) -> None:
    """Title, facts, fields, thumb, examples, strip, labels and the picture's description."""
    settled(page)
    answer = f"{shown.label} · {shown.share}"
    expect(page.locator(TITLE)).to_have_text(answer)
    facts = f"{shown.model} · {shown.layer} · {shown.method}"
    expect(page.locator(FACTS)).to_contain_text(facts)
    expect(page.locator(f"{VIEWER} .cam-chip")).to_have_text(shown.model)
    chosen = {"Model": shown.model, "Layer": shown.layer, "Method": shown.method}
    for title, value in chosen.items():
        value_of = page.locator(f"[role=combobox][aria-label={title}]")  # in a closed sheet, too
        expect(value_of).to_have_value(value)
    expect(page.locator(VIEWER)).to_have_attribute("data-example", shown.photo)
    expect(page.locator(f"{EXAMPLES}[aria-pressed=true]")).to_have_attribute("title", shown.photo)
    thumb = page.locator(f"{VIEWER} .cam-thumb")
    expect(thumb).to_have_attribute("title", shown.photo)
    background = thumb.evaluate("one => getComputedStyle(one).backgroundImage")
    assert background.startswith('url("data:image/')
    expect(page.locator(f"{STRIP}[aria-pressed=true]")).to_have_attribute("title", shown.layer)
    row = page.locator(f"{LABELS}[aria-pressed=true]")
    expect(row.locator(".cam-name")).to_have_text(shown.label)
    expect(row.locator(".cam-share")).to_have_text(shown.share)
    described = page.locator(CANVAS).get_attribute("aria-label") or ""
    assert described.startswith(f"{shown.photo}. {answer}. ")
    # (No word of the caption's is held to: it says "lion", or why it can't say a thing.)
    assert shown.label in described.removeprefix(f"{shown.photo}. {answer}. ")


# ---------------------------------------------------------------- every way to choose


def by_typing(page: Page, title: str, wanted: str, _steps: int) -> None:
    choose(page, title, wanted)


def by_arrows(page: Page, title: str, _wanted: str, steps: int) -> None:
    """From what is chosen so many entries down (or up, where negative), and Enter."""
    field(page, title).focus()
    page.keyboard.press("ArrowDown")  # opens
    for _ in range(abs(steps)):
        page.keyboard.press("ArrowDown" if steps > 0 else "ArrowUp")
    page.keyboard.press("Enter")


def option(page: Page, title: str, wanted: str) -> Locator:
    listed = page.get_by_role("listbox", name=title, exact=True)
    return listed.get_by_role("option").filter(has_text=wanted).first


def by_mouse(page: Page, title: str, wanted: str, _steps: int) -> None:
    field(page, title).click()
    option(page, title, wanted).click()


def by_touch(page: Page, title: str, wanted: str, _steps: int) -> None:
    """On a phone: the sheet, the field, the entry. A result closes the sheet."""
    if not field(page, title).is_visible():
        page.locator("[data-opens=layer]:visible").last.tap()
    field(page, title).tap()
    option(page, title, wanted).tap()


def press_label(page: Page, way: str) -> None:
    """Choose the second label, Tibetan mastiff."""
    row = page.locator(LABELS).nth(1)
    if way == "typing":
        choose(page, "Add a label", "Tibetan mastiff")
    elif way == "arrows":
        row.focus()
        page.keyboard.press("Enter")
    elif way == "mouse":
        row.click()
    else:
        page.keyboard.press("Escape")  # a sheet may lie over it
        row.tap()


@pytest.fixture
def phone(browser: Browser, server: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 664}, has_touch=True)
    page = context.new_page()
    page.goto(server)
    opened(page)
    yield page
    context.close()


WAYS: dict[str, Callable[[Page, str, str, int], None]] = {
    "typing": by_typing,
    "arrows": by_arrows,
    "mouse": by_mouse,
    "touch": by_touch,
}


@pytest.mark.parametrize("way", WAYS)
def test_model_layer_method_and_label(
    way: str, request: pytest.FixtureRequest, explainer: Explainer
) -> None:
    page: Page = request.getfixturevalue("phone" if way == "touch" else "page")
    choose_by = WAYS[way]
    shown = Shown()
    check_all_agree(page, shown)

    changed(page, lambda: choose_by(page, "Layer", "blocks.6", -2))
    shown = replace(shown, layer=SIX)
    check_all_agree(page, shown)

    changed(page, lambda: choose_by(page, "Method", "LayerCAM", 2))
    shown = replace(shown, method="LayerCAM")
    check_all_agree(page, shown)

    changed(page, lambda: press_label(page, way))
    lion = explainer.explain(get_image("lion.jpg"), target="Tibetan mastiff")
    shown = replace(shown, label="Tibetan mastiff", share=percent(lion.target.probability))
    check_all_agree(page, shown)

    changed(page, lambda: choose_by(page, "Model", "EfficientNet-Lite1", 1))
    other = explainer.explain(get_image("lion.jpg"), "efficientnet_lite1", target="Tibetan mastiff")
    shown = replace(
        shown,
        model="EfficientNet-Lite1",
        layer="Last · bn2 · 8 x 8",
        share=percent(other.target.probability),
    )
    check_all_agree(page, shown)


def test_the_arrow_keys_and_the_strip_choose_layers(page: Page) -> None:
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    check_all_agree(page, Shown(layer=SIX))
    changed(page, page.locator(STRIP).nth(-2).click)  # the last one is that of all layers
    check_all_agree(page, Shown())
    changed(page, lambda: page.locator(STRIP).nth(8).press("Enter"))
    check_all_agree(page, Shown(layer=SIX))


def test_a_finer_layer_is_named_everywhere_and_in_no_strip(page: Page) -> None:
    changed(page, lambda: choose(page, "Layer", "blocks.5.1.conv_pw"))
    expect(field(page, "Layer")).to_have_value("blocks.5.1.conv_pw · 7 x 7")
    expect(page.locator(FACTS)).to_contain_text("· blocks.5.1.conv_pw · 7 x 7 ·")
    expect(page.locator(f"{STRIP}[aria-pressed=true]")).to_have_count(0)


def test_a_duel_is_named_everywhere(page: Page) -> None:
    against = page.get_by_label("Against", exact=True)
    for act in (
        lambda: page.keyboard.press("d"),
        lambda: choose(page, "Add a label", "tabby"),  # one more that it can be against
    ):
        changed(page, act)
        expect(page.locator(TITLE)).to_contain_text(" against Tibetan mastiff · 1.1 %")
        expect(against.locator("option:checked")).to_have_text("Tibetan mastiff")
        expect(page.locator(f"{VIEWER} .cam-words")).to_contain_text("Tibetan mastiff")
        expect(page.locator(f"{VIEWER} .cam-legend-from")).to_contain_text("Tibetan mastiff")


# ---------------------------------------------------------------- photos


def test_page_down_goes_on_from_where_a_click_led(page: Page) -> None:
    def turn(key: str, name: str) -> None:
        page.keyboard.press(key)
        expect(page.locator(VIEWER)).to_have_attribute("data-example", name)

    turn("PageDown", "Tower")
    example(page, "Cheetah")
    turn("PageDown", "Lion")
    check_all_agree(page, Shown())
    example(page, "Cheetah + lion")
    turn("PageUp", "Tower")
    turn("PageDown", "Cheetah + lion")
    page.keyboard.press("PageDown")  # there is none after it
    settled(page)
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "Cheetah + lion")
    expect(page.locator(f"{EXAMPLES}[aria-pressed=true]")).to_have_text("Cheetah + lion")


def test_two_quick_steps_are_two(page: Page) -> None:
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "Cheetah + lion")


def test_a_deck_shows_the_map_of_the_model_that_it_names(
    browser: Browser, tmp_path: Path, explainer: Explainer
) -> None:
    for name in ("lion", "tower"):
        with Image.open(get_image(f"{name}.jpg")) as photo:
            photo.convert("RGB").save(tmp_path / f"{name}.png")
    deck = photos_in(tmp_path)
    own = Explainer(Settings(model="efficientnet_lite0"))
    demo = build_demo(own, deck)
    options = launch_options(own) | {"server_name": "127.0.0.1"}
    _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    page = browser.new_page()
    try:
        page.goto(f"{address}?colormap=jet")
        opened(page)
        expect(page.locator(FACTS)).to_contain_text("EfficientNet-Lite0")
        changed(page, lambda: choose_model(page, "EfficientNet-Lite2"))
        # The focus is still in the field, which is closed and has no use for this key.
        changed(page, lambda: page.keyboard.press("PageDown"))
        expect(page.locator(FACTS)).to_contain_text("EfficientNet-Lite2")
        tower = explainer.explain(tmp_path / "tower.png", "efficientnet_lite2")
        share = percent(tower.target.probability)
        expect(page.locator(TITLE)).to_have_text(f"{tower.target.label} · {share}")
    finally:
        page.close()
        demo.close()


# ---------------------------------------------------------------- what is hidden


def test_a_hidden_part_changes_every_number(page: Page) -> None:
    changed(page, lambda: page.keyboard.press("h"))
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("on average")
    title = page.locator(TITLE).inner_text()
    assert title.startswith("lion · 90 % → ")
    now = title.removeprefix("lion · 90 % → ")
    row = page.locator(f"{LABELS}[aria-pressed=true]")
    expect(row.locator(".cam-share")).to_have_text(now)
    expect(row.locator(".cam-change")).to_contain_text("was 90 %")
    asked = page.locator(f"{VIEWER} .cam-asked").inner_text().replace("\u00a0", " ")
    assert asked.startswith(f"Hiding this: lion 90 % to {now}.")
    assert f"lion · 90 % → {now}. " in (page.locator(CANVAS).get_attribute("aria-label") or "")
    changed(page, lambda: page.keyboard.press("z"))
    check_all_agree(page, Shown())
