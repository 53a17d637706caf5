"""No dead ends: a photo is replaced by one click, drop or paste, and what fails loses nothing."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import JSHandle, Page, expect
from skimage import data

from camdemo.ui.seams import upload_folder

from .steps import (
    CANVAS,
    FACTS,
    LABELS,
    TITLE,
    VIEWER,
    canvas,
    changed,
    choose_model,
    choose_tool,
    field,
    said,
    settled,
    upload,
)

# What nobody should read: a path of the server's, a number of the system's, a trace.
INTERNAL = re.compile(
    r"(?<![\w.:/])/(tmp|root|home|usr|var|work|opt)/|errno|traceback|\.py\b", re.I
)


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    file = tmp_path / "cat.png"
    Image.fromarray(data.chelsea()).save(file)
    return file


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "broken.jpg"
    file.write_bytes(Path(get_image("cheetah.jpg")).read_bytes()[:300])
    return file


def transfer(page: Page, file: Path) -> JSHandle:
    """What a browser hands on with a drop or a paste of a file."""
    return page.evaluate_handle(
        """([name, text]) => {
          const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], name, { type: "image/png" }));
          return transfer;
        }""",
        [file.name, base64.b64encode(file.read_bytes()).decode()],
    )


def is_cat(page: Page) -> None:
    expect(page.locator(VIEWER)).to_have_attribute("data-example", "")
    expect(page.locator(TITLE)).to_contain_text("cat")
    settled(page)
    assert canvas(page).shape == (399, 600, 3)  # the least width, for a photo of 451 x 300


# ---------------------------------------------------------------- ways in


@pytest.mark.parametrize("name", ["Replace the photo", "Upload"])
def test_a_photo_is_replaced_by_one_click(page: Page, cat: Path, name: str) -> None:
    with page.expect_file_chooser() as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    waiting.value.set_files(cat)
    is_cat(page)
    thumb = page.get_by_role("button", name="Replace the photo")
    expect(thumb).to_have_attribute("title", re.compile("photo|cat"))
    with page.expect_file_chooser() as waiting:  # and the same file again
        thumb.click()
    waiting.value.set_files(cat)
    is_cat(page)


def test_a_cancelled_chooser_keeps_all(page: Page, cat: Path) -> None:
    changed(page, lambda: page.keyboard.press("h"))
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("on average")
    settled(page)
    before, title = canvas(page), page.locator(TITLE).inner_text()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    with page.expect_file_chooser() as waiting:
        page.get_by_role("button", name="Replace the photo").click()
    waiting.value.set_files([])
    settled(page)
    assert (canvas(page) == before).all()
    assert page.locator(TITLE).inner_text() == title
    assert requests == []


@pytest.mark.parametrize("place", ["body", CANVAS, f"{VIEWER} .cam-labels", f"{VIEWER} .cam-brand"])
def test_drop_works_anywhere(page: Page, cat: Path, place: str) -> None:
    files = transfer(page, cat)
    page.dispatch_event(place, "dragover", {"dataTransfer": files})
    expect(page.locator(".cam-drops")).to_be_visible()
    page.dispatch_event(place, "drop", {"dataTransfer": files})
    is_cat(page)
    expect(page.locator(".cam-drops")).to_have_count(0)


@pytest.mark.parametrize("place", [None, "Model", "Add a label"])
def test_ctrl_v_works_anywhere(page: Page, cat: Path, place: str | None) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (text) => {
          const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
          const item = new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) });
          await navigator.clipboard.write([item]);
        }""",
        base64.b64encode(cat.read_bytes()).decode(),
    )
    if place:
        field(page, place).focus()
    page.keyboard.press("Control+V")
    is_cat(page)


def test_text_is_pasted_into_a_field(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('Lite2')")
    field(page, "Model").click()
    page.keyboard.press("Control+V")
    changed(page, lambda: page.keyboard.press("Enter"))
    expect(page.locator(FACTS)).to_contain_text("EfficientNet-Lite2")


# ---------------------------------------------------------------- what fails


def distance(page: Page, one: str, other: str) -> float:
    """Pixels between two elements."""
    return page.evaluate(
        """([one, other]) => {
          const areaOf = (selector) => document.querySelector(selector).getBoundingClientRect();
          const [a, b] = [areaOf(one), areaOf(other)];
          const across = Math.max(0, a.left - b.right, b.left - a.right);
          const down = Math.max(0, a.top - b.bottom, b.top - a.bottom);
          return Math.hypot(across, down);
        }""",
        [one, other],
    )


def check_sentence(text: str) -> None:
    """One or two sentences for people, of no more than they can use."""
    assert text[0].isupper()
    assert text.endswith((".", "?"))
    assert len(text) < 250
    assert not INTERNAL.search(text), text


def test_a_file_that_is_too_large_is_not_sent(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(21_000_000))
    before = page.locator(TITLE).inner_text()
    upload(page, large)
    expect(said(page, "photo")).to_have_text(
        "The photo has 21.0 MB, more than 20. Send a smaller one."
    )
    assert page.locator(TITLE).inner_text() == before


@pytest.mark.parametrize("way", ["Upload", "drop"])
def test_a_broken_file_is_told_beside_its_cause_and_loses_nothing(
    page: Page, broken: Path, way: str
) -> None:
    changed(page, lambda: page.keyboard.press("2"))
    before, title = canvas(page), page.locator(TITLE).inner_text()
    if way == "Upload":
        upload(page, broken)
        at, cause = "photo", f"{VIEWER} .cam-sources [data-action=upload]"
    else:
        page.dispatch_event(CANVAS, "drop", {"dataTransfer": transfer(page, broken)})
        at, cause = "canvas", CANVAS
    sentence = said(page, at)
    expect(sentence).to_contain_text("not a photo that can be read")
    check_sentence(sentence.inner_text())
    assert page.locator(f"{VIEWER} .cam-said:not(:empty)").count() == 1
    assert distance(page, f"{VIEWER} .cam-said[data-at={at}]", cause) <= 200
    settled(page)
    assert page.locator(TITLE).inner_text() == title
    assert (canvas(page) == before).all()
    expect(page.locator(f"{VIEWER} .cam-thumb")).to_have_attribute("title", "Lion")
    changed(page, lambda: page.keyboard.press("3"))  # and everything goes on


def encoded(photo: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()


def test_whatever_is_sent_the_answer_is_a_sentence(page: Page, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8))
    files = {
        "empty.jpg": b"",
        "a letter.txt": b"Dear reader,",
        "a page.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "half.png": encoded(noise, "PNG")[:4000],
        "../../etc/passwd.gif": encoded(noise, "GIF")[:200],
        "half.webp": encoded(noise, "WEBP")[:500],
    }
    for name, content in files.items():
        file = {"name": name, "mimeType": "image/png", "buffer": content}
        page.set_input_files(f"{VIEWER} input.cam-file", file)
        settled(page)
        check_sentence(said(page, "photo").inner_text())
        expect(page.locator(TITLE)).to_have_text("lion · 90 %")


def test_a_model_that_cant_be_had_is_told_beside_the_field(page: Page) -> None:
    choose_model(page, "ResNet-18")
    sentence = said(page, "model")
    expect(sentence).not_to_be_empty()
    check_sentence(sentence.inner_text())
    near = distance(page, f"{VIEWER} .cam-said[data-at=model]", "[role=combobox][aria-label=Model]")
    assert near <= 200


def test_an_upload_that_is_gone_is_told(page: Page, cat: Path) -> None:
    """After an hour the server deletes it."""
    upload(page, cat)
    is_cat(page)
    before = canvas(page)
    for file in upload_folder().rglob("*.png"):
        file.unlink()
    page.get_by_label("Framing", exact=True).select_option("whole")
    sentence = said(page, "canvas")
    expect(sentence).to_have_text("This photo is no longer on the server. Choose it again.")
    settled(page)
    assert (canvas(page) == before).all()
    expect(page.get_by_label("Framing", exact=True)).to_have_value("crop")


def test_a_server_that_is_gone_is_told(page: Page, cat: Path) -> None:
    before = canvas(page)
    page.route("**/gradio_api/**", lambda route: route.abort())
    upload(page, cat)
    check_sentence(said(page, "photo").inner_text())
    choose_model(page, "EfficientNet-Lite1")
    expect(said(page, "model")).to_have_text("The server does not answer. Is it still running?")
    expect(field(page, "Model")).to_have_value("EfficientNet-Lite0")
    page.keyboard.press("Escape")
    page.locator(f"{VIEWER} [data-action=hottest]").click()
    expect(said(page, "hide")).to_have_text("The server does not answer. Is it still running?")
    page.unroute("**/gradio_api/**")
    page.keyboard.press("x")
    settled(page)
    assert (canvas(page) == before).all()
    changed(page, lambda: choose_model(page, "EfficientNet-Lite1"))  # it is back


# ---------------------------------------------------------------- the frame


def test_double_click_resets_only_a_frame_that_was_moved_by_hand(page: Page) -> None:
    viewer = page.locator(VIEWER)
    page.get_by_label("Framing", exact=True).select_option("whole")
    expect(viewer).to_have_attribute("data-framing", "whole")
    settled(page)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.post_data or ""))
    choose_tool(page, "read")
    page.locator(CANVAS).dblclick()
    settled(page)
    expect(viewer).to_have_attribute("data-framing", "whole")
    assert not [body for body in requests if "scene_open" in body]

    page.keyboard.press("[")  # smaller, by hand
    expect(viewer).to_have_attribute("data-framing", re.compile(r"^\d+,\d+,\d+,\d+$"))
    settled(page)
    page.locator(CANVAS).dblclick()
    expect(viewer).to_have_attribute("data-framing", re.compile("^(crop|whole)$"))
    settled(page)
    expect(page.locator(LABELS)).to_have_count(5)


def test_a_small_photo_and_a_frame_of_bars_are_told(page: Page, tmp_path: Path) -> None:
    words = page.locator(".cam-words")
    expect(words).not_to_contain_text("The model sees")
    for size, told in {
        # Of the shorter side 0.875 are seen.
        (90, 60): "The model sees 52 x 52 pixels, enlarged to 224 x 224: the map is no finer",
        (240, 240): None,
    }.items():
        file = tmp_path / f"{size[0]}.png"
        Image.fromarray(data.coffee()).resize(size).save(file)
        upload(page, file)
        expect(words).to_contain_text("evidence for")
        if told:
            expect(words).to_contain_text(told)
        else:
            expect(words).not_to_contain_text("enlarged")
    wide = tmp_path / "wide.png"
    Image.fromarray(data.coffee()).resize((1200, 240)).save(wide)
    upload(page, wide)
    expect(words).not_to_contain_text("bars beside")
    page.get_by_label("Framing", exact=True).select_option("fit")
    expect(words).to_contain_text("80 % of what the model sees are bars beside the photo.")
