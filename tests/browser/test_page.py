"""The page as a stranger uses it, in a real Chromium: examples, uploads, models, links, decks."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect
from skimage import data

from camdemo import Explainer, Settings
from camdemo.ui.decks import photos_in
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .steps import (
    CAM,
    EXAMPLES,
    LABELS,
    TITLE,
    VIEWER,
    canvas,
    changed,
    choose,
    choose_layer,
    choose_model,
    example,
    field,
    open_menu,
    opened,
    said,
    settled,
    upload,
)


def test_the_notebooks_look_of_an_example(tab: Page, server: str) -> None:
    tab.goto(f"{server}?example=Lion&colormap=jet")
    opened(tab)
    expect(tab.locator(LABELS)).to_have_count(5)
    overlay = canvas(tab)
    with Image.open(get_image("lion.jpg")) as lion:
        photo = np.asarray(lion.convert("RGB").resize(overlay.shape[1::-1])).astype(int)
    # The head is red and the rock blue: jet covers all of the frame.
    head, rock = (overlay - photo)[165:255, 240:350], (overlay - photo)[470:540, 140:230]
    assert head[..., 0].mean() > head[..., 2].mean() + 50
    assert rock[..., 2].mean() > rock[..., 0].mean() + 30


def test_the_first_picture_needs_two_answers(tab: Page, server: str) -> None:
    """What there is, and the scene: no maps of other labels nor anything else is waited for."""
    asked: list[str] = []

    def note(route: Route) -> None:
        asked.append(route.request.post_data_json["fn_name"])
        if asked[-1] in ("page_start", "scene_open"):
            route.continue_()  # all else is never answered

    tab.route("**/component_server/**", note)
    tab.goto(server)
    expect(tab.locator(CAM)).to_have_attribute("data-empty", "false")
    expect(tab.locator(TITLE)).to_have_text("lion · 90 %")
    assert len(set(canvas(tab).reshape(-1, 3).sum(axis=1))) > 100  # it is painted
    assert asked[:2] == ["page_start", "scene_open"]
    assert [name for name in asked if name in ("page_start", "scene_open")] == asked[:2]


def test_upload_is_shown_upright(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "sideways.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: show it turned by 90 degrees
    photo = Image.fromarray(data.chelsea()).rotate(90, expand=True)
    photo.save(file, exif=exif, quality=95)
    upload(page, file)
    expect(page.locator(TITLE)).to_contain_text("cat")
    expect(page.locator(LABELS)).to_have_count(5)
    assert canvas(page).shape == (399, 600, 3)  # the least width, for a photo of 451 x 300


def test_large_photos_are_shown_at_most_1280_pixels_wide(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    with Image.open(get_image("cheetah.jpg")) as photo:
        photo.resize((4000, 3000)).save(file, quality=90)
    upload(page, file)
    expect(page.locator(TITLE)).to_contain_text("cheetah")
    assert canvas(page).shape == (960, 1280, 3)


def test_model_framing_layer_and_label_change_the_picture(page: Page) -> None:
    seen = [canvas(page)]

    def step(act: Callable[[], object]) -> None:
        picture = changed(page, act)
        assert not any((picture == old).all() for old in seen), "an old picture again"
        seen.append(picture)

    step(lambda: choose_layer(page, "blocks.3"))
    step(lambda: page.locator(LABELS).filter(has_text="tiger").click())
    step(lambda: page.get_by_label("Framing", exact=True).select_option("whole"))
    step(lambda: choose_model(page, "EfficientNet-Lite2"))
    # what was chosen for this photo stays chosen
    expect(page.locator(TITLE)).to_contain_text("tiger")


def test_a_finer_layer_is_computed_on_request(page: Page) -> None:
    changed(page, lambda: choose_layer(page, "blocks.5.1.conv_pw"))
    # and for all labels on the page at once
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    changed(page, lambda: page.locator(LABELS).nth(2).click())
    assert requests == []


def test_any_label_can_be_added(page: Page) -> None:
    choose(page, "Add a label", "tabby")
    expect(page.locator(LABELS)).to_have_count(6)
    expect(page.locator(TITLE)).to_contain_text("tabby")
    choose(page, "Add a label", "unicorn")
    expect(page.locator("[data-choice=add] [role=status]")).to_contain_text('"unicorn"')
    expect(page.locator(LABELS)).to_have_count(6)


def test_examples_work_from_any_folder(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Space the packages, and with them the photos, lie outside the working directory."""
    assert not Path(get_image("lion.jpg")).is_relative_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # nor do they lie there
    page.reload()
    opened(page)
    example(page, "Cheetah")
    loaded = "pictures => pictures.map(({ naturalWidth }) => naturalWidth)"
    assert all(page.locator(f"{EXAMPLES} img").evaluate_all(loaded))
    expect(said(page, "photo")).to_be_empty()


def test_missing_weights_keep_the_model_and_the_result(page: Page) -> None:
    before = canvas(page)
    choose_model(page, "ResNet-18")
    expect(said(page, "model")).not_to_be_empty()
    settled(page)
    expect(field(page, "Model")).to_have_value("EfficientNet-Lite0")
    assert (canvas(page) == before).all()
    example(page, "Tower")  # and the sentence goes with what it was about
    expect(said(page, "model")).to_be_empty()


def test_a_link_opens_the_same_view(page: Page, server: str) -> None:
    choose_layer(page, "blocks.6")
    page.locator(LABELS).nth(1).click()
    page.get_by_label("Split", exact=True).check()
    open_menu(page, "look").get_by_label("Colour map").select_option("viridis")
    settled(page)
    expected = canvas(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(page, "save").get_by_role("button", name="Copy link").click()
    expect(said(page, "save")).to_have_text("The link is copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(server)
    page.goto("about:blank")  # what this tab remembers is of no help
    page.goto(link)
    opened(page)
    assert (canvas(page) == expected).all()
    expect(field(page, "Layer")).to_have_value("9 of 11 · blocks.6 · 7 x 7")


def test_a_link_to_a_model_that_is_not_here_opens_the_page_and_says_why(
    tab: Page, server: str
) -> None:
    tab.goto(f"{server}?example=Tower&model=resnet18")
    opened(tab)
    expect(tab.locator(TITLE)).to_contain_text("lion")
    expect(said(tab, "canvas")).not_to_be_empty()
    expect(field(tab, "Model")).to_have_value("EfficientNet-Lite0")
    example(tab, "Tower")  # and the page works
    expect(said(tab, "canvas")).to_be_empty()


def test_a_link_fills_the_controls(tab: Page, server: str) -> None:
    tab.goto(f"{server}?example=Tower&model=efficientnet_lite1&framing=whole")
    opened(tab)
    expect(field(tab, "Model")).to_have_value("EfficientNet-Lite1")
    framing = tab.get_by_label("Framing", exact=True)
    expect(framing).to_have_value("whole")
    framing.select_option("crop")  # of the example that the link brought
    expect(tab.locator(VIEWER)).to_have_attribute("data-framing", "crop")
    expect(tab.locator(VIEWER)).to_have_attribute("data-example", "Tower")


def test_an_upload_has_no_link(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "mine.png"
    Image.fromarray(data.coffee()).save(file)
    upload(page, file)
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "")
    open_menu(page, "save").get_by_role("button", name="Copy link").click()
    expect(said(page, "save")).to_contain_text("Only an example has a link")
    assert "?" not in page.url


def test_a_hostile_link_is_refused_in_words(tab: Page, server: str) -> None:
    tab.goto(f"{server}?example=Lion&model=__class__&layer=<img src=x onerror=alert(1)>")
    opened(tab)
    expect(said(tab, "canvas")).to_contain_text("There is no model '__class__'")
    example(tab, "Lion")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_scrolls_sideways(tab: Page, server: str, width: int, theme: str) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(f"{server}?__theme={theme}")
    example(tab, "Cheetah")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_no_request_leaves_the_machine(tab: Page, server: str) -> None:
    hosts: set[str] = set()
    tab.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    tab.goto(server)
    example(tab, "Tower")
    assert {host for host in hosts if host} == {server.split("/")[2]}


def test_downloads(tab: Page, server: str, explainer: Explainer) -> None:
    tab.goto(f"{server}?example=Lion&colormap=jet")
    opened(tab)
    open_menu(tab, "save")

    def download(button: str) -> bytes:
        with tab.expect_download() as waiting:
            tab.get_by_role("button", name=button).click()
        return Path(waiting.value.path()).read_bytes()

    picture = np.asarray(Image.open(io.BytesIO(download("Picture (PNG)"))).convert("RGB"))
    # Painted on the photo itself; the canvas has a JPEG of it.
    lion_itself = explainer.explain(get_image("lion.jpg"))
    expected = np.asarray(lion_itself.overlay()).astype(int)
    # Where rounding moves a value to the next of the 256 colours, it is up to 3 levels off.
    assert np.abs(picture - expected).max() <= 3
    assert np.abs(picture - expected).mean() < 0.5
    assert Image.open(io.BytesIO(download("Figure for slides"))).size == (1600, 900)
    cam = np.load(io.BytesIO(download("Map (.npy)")))
    assert cam.dtype == np.float32
    assert cam.shape == (7, 7)
    assert b"mountViewer" in download("Page (HTML)")


def test_the_picture_has_the_photos_own_resolution(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    with Image.open(get_image("lion.jpg")) as photo:
        photo.resize((2400, 1800)).save(file)
    upload(page, file)
    expect(page.locator(TITLE)).to_contain_text("lion")
    open_menu(page, "save")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Picture (PNG)").click()
    assert Image.open(waiting.value.path()).size == (2400, 1800)


def test_a_decks_pictures_have_the_photos_own_resolution_and_tell_no_path(
    browser: Browser, tmp_path: Path
) -> None:
    """And both of two photos of one name are there."""
    folder = tmp_path / "somebodys-folder"
    folder.mkdir()
    with Image.open(get_image("lion.jpg")) as photo:
        photo.resize((2400, 1800)).save(folder / "one.jpg")
    with Image.open(get_image("tower.jpg")) as photo:
        photo.resize((2000, 1500)).convert("RGB").save(folder / "one.png")
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    deck = photos_in(folder)
    demo = build_demo(explainer, deck)
    options = launch_options(explainer) | {"server_name": "127.0.0.1"}
    _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    page = browser.new_page()
    told: list[str] = []
    page.on("response", lambda answer: told.append(answer.url + str(answer.headers)))
    page.on("request", lambda request: told.append(request.url + (request.post_data or "")))
    try:
        page.goto(address)
        expect(page.locator(TITLE)).to_contain_text("lion")
        expect(page.locator(EXAMPLES)).to_have_text(["one.jpg", "one.png"])
        for size in ((2400, 1800), (2000, 1500)):
            open_menu(page, "save")
            with page.expect_download() as waiting:
                page.get_by_role("button", name="Picture (PNG)").click()
            assert Image.open(waiting.value.path()).size == size
            page.keyboard.press("Escape")
            page.keyboard.press("PageDown")
            expect(page.locator(TITLE)).not_to_contain_text("lion")
        said = page.content() + page.evaluate("JSON.stringify(window.gradio_config)")
        assert folder.name not in said
        assert folder.name not in "".join(told)
        scene = page.request.post(
            f"{address}gradio_api/component_server",
            data={
                "component_id": component(page, "viewer"),
                "fn_name": "scene_open",
                "session_hash": "a",
                "data": {"source": {"example": "one.jpg"}},
            },
        )
        assert "photo/" in scene.text()
        assert folder.name not in scene.text()
        copied = page.evaluate("document.getElementById('viewer').innerHTML")
        assert folder.name not in copied
    finally:
        page.close()
        demo.close()


def component(page: Page, name: str) -> int:
    """The number of a component of the page by its id."""
    return page.evaluate(
        "id => gradio_config.components.find((one) => one.props.elem_id === id).id", name
    )


def test_a_large_map_is_downloaded_whole(page: Page) -> None:
    choose_layer(page, "conv_stem")  # shown at 56 x 56
    open_menu(page, "save")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Map (.npy)").click()
    assert np.load(waiting.value.path()).shape == (112, 112)


def test_copied_python_computes_this_very_map(page: Page) -> None:
    choose_layer(page, "blocks.6")
    page.locator(LABELS).nth(2).click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(page, "save")
    page.get_by_role("button", name="Copy as Python").click()
    expect(said(page, "save")).to_contain_text("copied")
    lines = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Map (.npy)").click()
    names: dict = {}
    exec(lines, names)
    np.testing.assert_allclose(names["explanation"].cam, np.load(waiting.value.path()), atol=1e-6)
