"""Reload and Back bring the view again: of an example, and of a photo that is in no address."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from skimage import data

from .steps import (
    CANVAS,
    FACTS,
    LABELS,
    TITLE,
    VIEWER,
    canvas,
    changed,
    choose,
    choose_layer,
    choose_model,
    example,
    open_menu,
    opened,
    settled,
    upload,
)


def view_of(page: Page) -> dict[str, object]:
    """All that a person has chosen or is told, but not the picture."""
    settled(page)
    controls = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#viewer [data-control]")].map(
          ({ dataset, type, checked, value }) =>
            [dataset.control, type === "checkbox" ? checked : value]))"""
    )
    radios = page.locator(f"{VIEWER} [type=radio]:checked")
    return controls | {
        "title": page.locator(TITLE).inner_text(),
        "facts": page.locator(FACTS).inner_text(),
        "framing": page.locator(VIEWER).get_attribute("data-framing"),
        "photo": page.locator(f"{VIEWER} .cam-thumb").get_attribute("title"),
        "asked": page.locator(f"{VIEWER} .cam-asked").inner_text(),
        "radios": sorted(
            radios.evaluate_all("all => all.map((one) => `${one.name} ${one.value}`)")
        ),
    }


def look_closely(page: Page) -> None:
    """Choose something of every kind."""
    page.get_by_label("Framing", exact=True).select_option("whole")
    expect(page.locator(VIEWER)).to_have_attribute("data-framing", "whole")
    changed(page, lambda: choose_layer(page, "blocks.6"))
    changed(page, lambda: choose(page, "Method", "HiResCAM"))
    changed(page, page.locator(LABELS).nth(1).click)
    menu = open_menu(page, "look")
    menu.get_by_label("Colour map").select_option("viridis")
    menu.get_by_label("Opacity").fill("0.8")
    menu.get_by_label("Strongest").fill("30")
    menu.get_by_label("One scale for all labels").click()
    page.keyboard.press("Escape")
    menu = open_menu(page, "fill")
    menu.get_by_label("Fill with").select_option("noise")
    page.keyboard.press("Escape")
    page.get_by_label("Split", exact=True).check()
    # A box and a stroke of the brush.
    box = page.locator(CANVAS).bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(left: float, top: float) -> None:
        page.mouse.move(x + left, y + top)
        page.mouse.down()
        page.mouse.move(x + left + 61, y + top + 47, steps=5)
        page.mouse.up()

    changed(page, lambda: drag(-111, -83))
    page.get_by_label("Hide by").select_option("brush")
    changed(page, lambda: drag(57, 31))
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("on average")
    settled(page)
    page.wait_for_timeout(400)  # what changes quickly is written into the address with a delay


def check_same(page: Page, view: dict[str, object], picture: np.ndarray) -> None:
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("on average")
    assert view_of(page) == view
    # Of regions the address has two decimals of a pixel.
    difference = np.abs(canvas(page) - picture)
    assert difference.mean() < 0.05
    assert (difference.max(axis=2) > 8).mean() < 0.001


@pytest.fixture(params=["example", "upload"])
def photo(request: pytest.FixtureRequest, page: Page, tmp_path: Path) -> str:
    if request.param == "example":
        example(page, "Tower")
        return "Tower"
    file = tmp_path / "my holidays.png"
    Image.fromarray(data.chelsea()).save(file)
    upload(page, file)
    expect(page.locator(TITLE)).to_contain_text("cat")
    return ""


def test_reload_brings_the_view_again(page: Page, photo: str) -> None:
    look_closely(page)
    view, picture = view_of(page), canvas(page)
    page.reload()
    opened(page)
    check_same(page, view, picture)
    page.reload()  # nor does it wander
    opened(page)
    check_same(page, view, picture)
    address = parse_qs(urlsplit(page.url).query)
    assert address.get("example", [""]) == [photo]
    if photo:
        assert address["strongest"] == ["30"]
        assert address["tool"] == ["brush"]
        assert ";b" in address["hidden"][0]
    else:  # neither the photo nor its name is anywhere in it
        assert address == {}


def test_back_brings_the_view_again(page: Page, photo: str) -> None:
    look_closely(page)
    view, picture = view_of(page), canvas(page)
    example(page, "Cheetah")
    expect(page.locator(TITLE)).to_contain_text("cheetah")
    changed(page, lambda: choose_model(page, "EfficientNet-Lite1"))
    page.go_back()
    expect(page.locator(FACTS)).to_contain_text("EfficientNet-Lite0")
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "Cheetah")
    settled(page)
    page.go_back()
    expect(page.locator(VIEWER)).to_have_attribute("data-example", photo)
    check_same(page, view, picture)
    page.go_forward()
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "Cheetah")
    settled(page)
    page.go_forward()
    expect(page.locator(FACTS)).to_contain_text("EfficientNet-Lite1")


def test_back_undoes_one_step_of_hiding_and_asks_for_no_other_scene(page: Page) -> None:
    hidden = page.locator(f"{VIEWER} .cam-asked")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    changed(page, lambda: page.keyboard.press("h"))
    expect(hidden).to_contain_text("on average")
    once = canvas(page)
    changed(page, lambda: page.keyboard.press("h"))
    expect(hidden).to_contain_text("on average")
    # What is only painted otherwise is no step.
    changed(page, lambda: page.keyboard.press("n"))
    changed(page, lambda: page.keyboard.press("n"))
    page.wait_for_timeout(400)
    changed(page, page.go_back)
    expect(hidden).to_contain_text("on average")
    assert (canvas(page) == once).all()
    changed(page, page.go_back)
    expect(hidden).to_contain_text("Drag a box")
    expect(page.get_by_role("button", name="Clear")).to_be_disabled()
    changed(page, page.go_forward)
    expect(hidden).to_contain_text("on average")
    assert (canvas(page) == once).all()
    assert not [body for body in asked if "scene_open" in body]


@pytest.mark.parametrize("key", ["2", "ArrowLeft", "m", "c", "d"])
def test_a_label_a_layer_a_method_and_a_look_are_no_steps(page: Page, key: str) -> None:
    steps = page.evaluate("history.length")
    before = page.url
    page.keyboard.press(key)  # (At the last layer HiResCAM's picture is Grad-CAM's.)
    page.wait_for_function("before => location.href !== before", arg=before)
    settled(page)
    page.wait_for_timeout(400)
    assert page.evaluate("history.length") == steps
    example(page, "Tower")
    assert page.evaluate("history.length") == steps + 1


def test_back_from_the_first_photo_leaves_the_page(tab: Page, server: str) -> None:
    """Opening it is no step of a person's."""
    tab.goto("about:blank")
    tab.goto(server)
    opened(tab)
    tab.keyboard.press("2")
    tab.wait_for_timeout(400)
    tab.go_back()
    assert tab.url == "about:blank"


def test_a_frame_of_ones_own_is_restored(page: Page) -> None:
    page.keyboard.press("]")
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_function(f"document.querySelector('{VIEWER}').dataset.framing.includes(',')")
    settled(page)
    page.wait_for_timeout(400)
    view = view_of(page)
    page.reload()
    opened(page)
    assert view_of(page) == view
    page.go_back()
    expect(page.locator(VIEWER)).to_have_attribute("data-framing", "crop")


def test_the_theme_stays_in_the_address(tab: Page, server: str) -> None:
    tab.goto(f"{server}?__theme=dark")
    opened(tab)
    example(tab, "Tower")
    assert parse_qs(urlsplit(tab.url).query)["__theme"] == ["dark"]


def test_a_link_to_what_is_not_here_says_so(tab: Page, server: str) -> None:
    tab.goto(f"{server}?example=Nope&layer=blocks.5")
    opened(tab)
    said = tab.locator(".cam-said[data-at=canvas]")
    expect(said).to_have_text('There is no example "Nope" here: this is Lion.')
    expect(tab.locator(FACTS)).to_contain_text("blocks.5")
    tab.goto(f"{server}?example=Nope&model=bogus")
    opened(tab)
    expect(said).to_contain_text("bogus")


def test_a_link_needs_no_example(tab: Page, server: str) -> None:
    tab.goto(f"{server}?model=efficientnet_lite1&look=notebook")
    opened(tab)
    expect(tab.locator(FACTS)).to_contain_text("EfficientNet-Lite1")
    expect(tab.locator(".cam-said[data-at=canvas]")).to_have_text("")
