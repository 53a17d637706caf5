"""The page as a stranger uses it, in a real Chromium: photo, model, framing, errors, links."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from skimage import data

from camdemo import Explainer, Settings
from camdemo.ui.decks import photos_in
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .steps import LABELS, TITLE, canvas, changed, choose_model, example

MODEL = "efficientnet_lite0"


@pytest.fixture
def lion(page: Page) -> Page:
    example(page, "Lion")
    expect(page.locator(TITLE)).to_have_text("lion · 90 %")
    return page


def test_example_gives_a_heat_map_and_five_labels(lion: Page) -> None:
    expect(lion.locator(LABELS)).to_have_count(5)
    overlay = canvas(lion)
    photo = np.asarray(Image.open(get_image("lion.jpg")).convert("RGB")).astype(int)
    assert overlay.shape == photo.shape
    # The head glows, and the rock is the photo itself.
    head, rock = (overlay - photo)[70:110, 100:150], (overlay - photo)[200:230, 60:100]
    assert head[..., 0].mean() > head[..., 2].mean() + 50
    assert np.abs(rock).mean() < 5


def test_upload_is_shown_upright(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "sideways.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: show it turned by 90 degrees
    photo = Image.fromarray(data.chelsea()).rotate(90, expand=True)
    photo.save(file, exif=exif, quality=95)
    page.set_input_files("input[type=file]", file)
    expect(page.locator(TITLE)).to_contain_text("cat")
    expect(page.locator(LABELS)).to_have_count(5)
    assert canvas(page).shape == data.chelsea().shape


def test_large_photos_are_shown_at_most_1280_pixels_wide(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    with Image.open(get_image("cheetah.jpg")) as photo:
        photo.resize((4000, 3000)).save(file, quality=90)
    page.set_input_files("input[type=file]", file)
    expect(page.locator(TITLE)).to_contain_text("cheetah")
    assert canvas(page).shape == (960, 1280, 3)


def test_model_framing_layer_and_label_change_the_picture(lion: Page) -> None:
    seen = [canvas(lion)]

    def step(act: Callable[[], object]) -> None:
        picture = changed(lion, act)
        assert not any((picture == old).all() for old in seen), "an old picture again"
        seen.append(picture)

    step(lambda: lion.get_by_label("Layer", exact=True).select_option("blocks.3"))
    step(lambda: lion.locator(LABELS).filter(has_text="tiger").click())
    step(lambda: lion.get_by_label("Whole photo").check())
    step(lambda: choose_model(lion, "EfficientNet-Lite2"))
    # what was chosen for this photo stays chosen
    expect(lion.locator(TITLE)).to_contain_text("tiger")


def test_a_finer_layer_is_computed_on_request(lion: Page) -> None:
    changed(
        lion, lambda: lion.get_by_label("Layer", exact=True).select_option("blocks.5.1.conv_pw")
    )
    # and for all labels on the page at once
    requests: list[str] = []
    lion.on("request", lambda request: requests.append(request.url))
    changed(lion, lambda: lion.locator(LABELS).nth(2).click())
    assert requests == []


def test_any_label_can_be_added(lion: Page) -> None:
    field = lion.get_by_label("Add a label")
    field.fill("tabby")
    field.press("Enter")
    expect(lion.locator(LABELS)).to_have_count(6)
    expect(lion.locator(TITLE)).to_contain_text("tabby")
    field.fill("unicorn")
    field.press("Enter")
    expect(lion.locator(".cam-said")).to_contain_text('no label "unicorn"')


def test_broken_file_is_explained_and_the_result_stays(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(get_image("cheetah.jpg")).read_bytes()[:300])
    example(page, "Lion")
    page.set_input_files("input[type=file]", broken)
    error = page.get_by_test_id("toast-body")
    expect(error).to_contain_text("not a photo that can be read")
    assert "Traceback" not in error.inner_text()
    expect(page.locator(TITLE)).to_have_text("lion · 90 %")
    example(page, "Cheetah")
    expect(page.locator(TITLE)).to_contain_text("cheetah")


def test_examples_work_from_any_folder(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Space the packages, and with them the photos, lie outside the working directory."""
    assert not Path(get_image("lion.jpg")).is_relative_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # nor do they lie there
    example(page, "Lion")
    expect(page.get_by_test_id("image").locator("img").first).to_be_visible()
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


def test_missing_weights_keep_the_model_and_the_result(lion: Page) -> None:
    before = canvas(lion)
    choose_model(lion, "ResNet-18")
    error = lion.get_by_test_id("toast-body")
    expect(error).to_contain_text("resnet18-f37072fd.pth")
    expect(error).to_contain_text("python -m camdemo fetch resnet18")
    expect(lion.get_by_label("Model", exact=True)).to_have_value("EfficientNet-Lite0")
    assert (canvas(lion) == before).all()


def test_clearing_the_photo_empties_the_page(lion: Page) -> None:
    lion.get_by_label("Remove Image").first.click()
    expect(lion.locator(TITLE)).to_have_text("Choose a photo")
    expect(lion.locator("canvas.cam-picture")).to_be_hidden()


def test_a_link_opens_the_same_view(lion: Page, server: str) -> None:
    lion.get_by_label("Layer", exact=True).select_option("blocks.6")
    lion.locator(LABELS).nth(1).click()
    lion.get_by_label("Heat", exact=True).check()
    lion.get_by_label("Colour map").select_option("viridis")
    expected = canvas(lion)
    lion.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lion.get_by_text("Take away").click()
    lion.get_by_role("button", name="Copy link").click()
    expect(lion.locator(".cam-said")).to_have_text("The link is copied.")
    link = lion.evaluate("navigator.clipboard.readText()")
    assert link.startswith(server)
    lion.goto(link)
    expect(lion.locator("#viewer .cam")).to_have_attribute("data-empty", "false")
    assert (canvas(lion) == expected).all()
    expect(lion.get_by_label("Layer", exact=True)).to_have_value("blocks.6")


def test_a_link_to_a_model_that_is_not_here_opens_the_page_and_says_why(
    page: Page, server: str
) -> None:
    page.goto(f"{server}?example=Lion&model=resnet18")
    error = page.get_by_test_id("toast-body")
    expect(error).to_contain_text("The link asks for what can't be shown.")
    expect(error).to_contain_text("python -m camdemo fetch resnet18")
    expect(page.get_by_label("Model", exact=True)).to_have_value("EfficientNet-Lite0")
    example(page, "Tower")  # and the page works


def test_a_link_fills_the_controls(page: Page, server: str) -> None:
    page.goto(f"{server}?example=Tower&model=efficientnet_lite1&framing=whole")
    expect(page.locator("#viewer .cam")).to_have_attribute("data-empty", "false")
    expect(page.get_by_label("Model", exact=True)).to_have_value("EfficientNet-Lite1")
    expect(page.get_by_label("Whole photo")).to_be_checked()
    expect(page.get_by_test_id("image").locator("img").first).to_be_visible()
    page.get_by_label("Centre crop").check()  # of the example that the link brought
    expect(page.locator("#viewer")).to_have_attribute("data-framing", "crop")
    expect(page.locator("#viewer")).to_have_attribute("data-example", "Tower")


def test_an_upload_has_no_link(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "mine.png"
    Image.fromarray(data.coffee()).save(file)
    page.set_input_files("input[type=file]", file)
    expect(page.locator("#viewer .cam")).to_have_attribute("data-empty", "false")
    page.get_by_text("Take away").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".cam-said")).to_contain_text("Only an example has a link")


def test_a_hostile_link_is_refused_in_words(page: Page, server: str) -> None:
    page.goto(f"{server}?example=Lion&model=__class__&layer=<img src=x onerror=alert(1)>")
    expect(page.get_by_test_id("toast-body")).to_contain_text("There is no model '__class__'")
    example(page, "Lion")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_scrolls_sideways(page: Page, server: str, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server}?__theme={theme}")
    example(page, "Cheetah")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_no_request_leaves_the_machine(page: Page, server: str) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(server)
    example(page, "Tower")
    assert {host for host in hosts if host} == {server.split("/")[2]}


def test_downloads(lion: Page, explainer: Explainer) -> None:
    lion.get_by_text("Take away").click()

    def download(button: str) -> bytes:
        with lion.expect_download() as waiting:
            lion.get_by_role("button", name=button).click()
        return Path(waiting.value.path()).read_bytes()

    picture = np.asarray(Image.open(io.BytesIO(download("Picture (PNG)"))).convert("RGB"))
    # Painted on the photo itself; the canvas has a JPEG of it.
    lion_itself = explainer.explain(get_image("lion.jpg"))
    expected = np.asarray(lion_itself.overlay(look="glow")).astype(int)
    # Where rounding moves a value to the next of the 256 colours, it is up to 3 levels off.
    assert np.abs(picture - expected).max() <= 3
    assert np.abs(picture - expected).mean() < 0.5
    assert np.abs(picture - canvas(lion)).mean() < 2
    assert Image.open(io.BytesIO(download("Figure for slides"))).size == (1600, 900)
    cam = np.load(io.BytesIO(download("Map (.npy)")))
    assert cam.dtype == np.float32
    assert cam.shape == (7, 7)
    assert b"mountViewer" in download("Page (HTML)")


def test_the_picture_has_the_photos_own_resolution(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "large.jpg"
    with Image.open(get_image("lion.jpg")) as photo:
        photo.resize((2400, 1800)).save(file)
    page.set_input_files("input[type=file]", file)
    expect(page.locator(TITLE)).to_contain_text("lion")
    page.get_by_text("Take away").click()
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
    options = launch_options(explainer, deck) | {"server_name": "127.0.0.1"}
    _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    page = browser.new_page()
    told: list[str] = []
    page.on("response", lambda answer: told.append(answer.url + str(answer.headers)))
    page.on("request", lambda request: told.append(request.url + (request.post_data or "")))
    try:
        page.goto(address)
        expect(page.locator(TITLE)).to_contain_text("lion")
        expect(page.locator("#examples button")).to_have_text(["one.jpg", "one.png"])
        page.get_by_text("Take away").click()
        for size in ((2400, 1800), (2000, 1500)):
            with page.expect_download() as waiting:
                page.get_by_role("button", name="Picture (PNG)").click()
            assert Image.open(waiting.value.path()).size == size
            page.keyboard.press("PageDown")
            expect(page.locator(TITLE)).not_to_contain_text("lion")
        said = page.content() + page.evaluate("JSON.stringify(window.gradio_config)")
        assert folder.name not in said
        assert folder.name not in "".join(told)
        scene = page.request.post(
            f"{address}gradio_api/component_server",
            data={
                "component_id": component(page, "viewer"),
                "fn_name": "scene_of_deck",
                "session_hash": "a",
                "data": {"place": 0},
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


def test_a_large_map_is_downloaded_whole(lion: Page) -> None:
    lion.get_by_label("Layer", exact=True).select_option("conv_stem")  # shown at 56 x 56
    lion.get_by_text("Take away").click()
    with lion.expect_download() as waiting:
        lion.get_by_role("button", name="Map (.npy)").click()
    assert np.load(waiting.value.path()).shape == (112, 112)


def test_copied_python_computes_this_very_map(lion: Page) -> None:
    lion.get_by_label("Layer", exact=True).select_option("blocks.6")
    lion.locator(LABELS).nth(2).click()
    lion.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lion.get_by_text("Take away").click()
    lion.get_by_role("button", name="Copy as Python").click()
    expect(lion.locator(".cam-said")).to_contain_text("copied")
    lines = lion.evaluate("navigator.clipboard.readText()")
    with lion.expect_download() as waiting:
        lion.get_by_role("button", name="Map (.npy)").click()
    names: dict = {}
    exec(lines, names)
    np.testing.assert_allclose(names["explanation"].cam, np.load(waiting.value.path()), atol=1e-6)
