"""The page as a stranger uses it, in a real Chromium."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Page, expect
from skimage import data


def example(page: Page, name: str) -> None:
    page.locator("#examples button").filter(has_text=re.compile(f"{name}$")).click()


def picture(page: Page) -> np.ndarray:
    """The pixels of the overlay that is on the page."""
    address = page.locator("#picture img").get_attribute("src")
    body = page.request.get(address).body()
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)


def changed(page: Page, act: Callable[[], None]) -> np.ndarray:
    """The overlay after `act`, which must bring another one."""
    before = page.locator("#picture img").get_attribute("src")
    act()
    page.wait_for_function(
        "before => { const image = document.querySelector('#picture img');"
        " return image && image.src !== before }",
        arg=before,
    )
    return picture(page)


def choose(page: Page, label: str, text: str) -> None:
    """Pick an entry of a dropdown by typing, as its search invites to."""
    field = page.get_by_label(label, exact=True)
    field.fill("")
    field.press_sequentially(text)
    page.get_by_role("option", name=text).first.click()


@pytest.fixture
def lion(page: Page) -> Page:
    example(page, "Lion")
    expect(page.locator("#title")).to_contain_text("lion · 90 %")
    expect(page.locator("#picture img")).to_be_visible()
    return page


def test_example_gives_a_heat_map_and_five_labels(lion: Page) -> None:
    expect(lion.locator("[data-testid$=confidence-set]")).to_have_count(5)
    overlay = picture(lion)
    photo = np.asarray(Image.open(get_image("lion.jpg")).convert("RGB")).astype(int)
    assert overlay.shape == photo.shape
    # jet: red where it is hot (the head), blue where it is not (the rock)
    head, rock = (overlay - photo)[70:110, 100:150], (overlay - photo)[200:230, 60:100]
    assert head[..., 0].mean() > head[..., 2].mean() + 50
    assert rock[..., 2].mean() > rock[..., 0].mean() + 50


def test_upload_is_shown_upright(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "sideways.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: show it turned by 90 degrees
    photo = Image.fromarray(data.chelsea()).rotate(90, expand=True)
    photo.save(file, exif=exif, quality=95)
    page.set_input_files("input[type=file]", file)
    expect(page.locator("#title")).to_contain_text("cat")
    expect(page.locator("[data-testid$=confidence-set]")).to_have_count(5)
    assert picture(page).shape == data.chelsea().shape


def test_every_control_changes_the_picture(lion: Page) -> None:
    seen = [picture(lion)]

    def step(act: Callable[[], None]) -> None:
        overlay = changed(lion, act)
        same = [overlay.shape == s.shape and abs(overlay - s).mean() < 0.5 for s in seen]
        assert not any(same), f"step {len(seen)} painted an old picture again"
        seen.append(overlay)

    step(lambda: choose(lion, "Layer", "blocks.3"))
    step(lambda: lion.locator("[data-testid='tiger-confidence-set']").click())
    expect(lion.locator("#title")).to_contain_text("tiger")
    step(lambda: lion.get_by_label("Whole photo").check())
    step(lambda: lion.get_by_label("For and against").check())
    step(lambda: choose(lion, "Model", "EfficientNet-Lite2"))
    step(lambda: lion.get_by_label("Min-max").check())
    step(lambda: choose(lion, "Colour map", "viridis"))
    slider = lion.get_by_role("slider", name="Opacity")
    step(lambda: slider.press("End"))


def test_every_layer_on_request(lion: Page) -> None:
    choose_from = lion.get_by_label("Layer", exact=True)
    choose_from.click()
    stages = lion.get_by_role("option").count()
    lion.keyboard.press("Escape")
    lion.get_by_label("List every layer").check()
    expect(choose_from).to_be_enabled()
    lion.wait_for_timeout(500)
    choose_from.click()
    assert lion.get_by_role("option").count() > stages
    lion.keyboard.press("Escape")
    changed(lion, lambda: choose(lion, "Layer", "blocks.5.1.conv_pw"))


def test_broken_file_is_explained_and_the_page_lives_on(lion: Page, tmp_path: Path) -> None:
    before = lion.locator("#picture img").get_attribute("src")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(get_image("cheetah.jpg")).read_bytes()[:300])
    lion.get_by_label("Remove Image").or_(lion.get_by_label("Clear")).first.click()
    lion.set_input_files("input[type=file]", broken)
    error = lion.get_by_test_id("toast-body")
    expect(error).to_contain_text("not a photo that can be read")
    assert "Traceback" not in error.inner_text()
    assert before
    example(lion, "Cheetah")
    expect(lion.locator("#title")).to_contain_text("cheetah")


def test_missing_weights_keep_the_model_and_the_result(lion: Page) -> None:
    before = picture(lion)
    choose(lion, "Model", "ResNet-18")
    expect(lion.get_by_test_id("toast-body")).to_contain_text("resnet18-f37072fd.pth")
    expect(lion.get_by_label("Model", exact=True)).to_have_value("EfficientNet-Lite0")
    assert (picture(lion) == before).all()
    expect(lion.locator("#title")).to_contain_text("lion")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_scrolls_sideways(page: Page, server: str, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server}?__theme={theme}")
    example(page, "Cheetah")
    expect(page.locator("#picture img")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_request_leaves_the_machine(page: Page, server: str) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(server)
    example(page, "Tower")
    expect(page.locator("#picture img")).to_be_visible()
    assert hosts == {server.split("/")[2]}
