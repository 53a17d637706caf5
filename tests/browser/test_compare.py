"""Two answers side by side: what differs, what is shared, and what is taken away."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Page, Request, expect

from camdemo import Explainer, Explanation, compare
from camdemo.ui.examples import photos

from .steps import (
    CANVAS,
    LABELS,
    TITLE,
    canvas,
    choose,
    choose_layer,
    example,
    field,
    open_menu,
    opened,
    said,
    settled,
)
from .test_accessibility import violations

HALVES = "#viewer .cam-half:visible"
HEAD = 28  # CSS pixels above each half


def differ(page: Page, name: str, text: str) -> None:
    """Choose in what B differs: its "photo", "model", "layer" or "method"."""
    page.get_by_role("tab", name="Compare").click()
    choose(page, f"B's {name}", text)
    page.evaluate("document.activeElement.blur()")  # where keys are letters
    settled(page)


def words(page: Page) -> str:
    return page.locator(".cam-words").inner_text().replace("\xa0", " ")


def compared(page: Page) -> str:
    """The words, when both maps are there."""
    expect(page.locator(".cam-words")).to_contain_text("Evidence: A has")
    return words(page)


def halves(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of two square pictures that are equally large and stand beside each other."""
    both = canvas(page)
    side = round(both.shape[1] / 2.02)
    gap = both.shape[1] - 2 * side
    return both[-side:, :side], both[-side:, side + gap :]


def asks(page: Page) -> list[str]:
    """Notes what the viewer asks the server for."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "component_server" in request.url:
            asked.append(request.post_data_json["fn_name"])

    page.on("request", note)
    return asked


def test_another_layer_is_there_at_once(page: Page) -> None:
    expect(page.get_by_role("button", name="End comparing")).to_be_hidden()
    alone, asked = canvas(page), asks(page)
    differ(page, "layer", "blocks.4")
    expect(page.locator(HALVES)).to_have_text(
        ["ALast · bn2 · 7 x 7", "B7 of 11 · blocks.4 · 14 x 14"]
    )
    compared(page)
    assert asked == []
    left, right = halves(page)
    assert (left == alone).all()
    page.get_by_role("button", name="End comparing").click()
    assert (canvas(page) == alone).all()
    expect(page.locator(HALVES)).to_have_count(0)
    choose_layer(page, "blocks.4")
    settled(page)
    assert (canvas(page) == right).all()


def test_another_model_answers_beside_it(
    page: Page, explainer: Explainer, lion: Explanation
) -> None:
    other = explainer.explain(get_image("lion.jpg"), "efficientnet_lite1", target="lion")
    differ(page, "model", "Lite1")
    expect(page.locator(HALVES).last).to_contain_text("EfficientNet-Lite1")
    assert compared(page).startswith(compare(lion, other).text)
    shares = [f"A {lion.target.text.split(' · ')[1]}", f"B {other.target.text.split(' · ')[1]}"]
    expect(page.locator(TITLE)).to_have_text(" · ".join(["lion", *shares]))
    # Two bars a label, in A's order: of all of them.
    expect(page.locator(f"{LABELS} .cam-name")).to_have_text(
        [one.label for one in lion.predictions]
    )
    for place, one in enumerate(lion.predictions):
        theirs = other.prediction(one.index)
        row = page.locator(LABELS).nth(place)
        told = [
            f"{letter} {each.text.split(' · ')[1]}" for letter, each in (("A", one), ("B", theirs))
        ]
        expect(row.locator(".cam-share")).to_have_text(told)
        bars = row.locator(".cam-bar").evaluate_all(
            "bars => bars.map((bar) => Number(bar.style.getPropertyValue('--share')))"
        )
        assert bars == pytest.approx([one.probability, theirs.probability], abs=1e-6)


def test_the_words_are_those_of_python(page: Page, explainer: Explainer, lion: Explanation) -> None:
    page.goto(f"{page.url.split('?')[0]}?example=Lion&shared=false")
    opened(page)
    photo = get_image("lion.jpg")
    for model, layer, method in [
        (None, "blocks.6", None),
        (None, "blocks.3", "layercam"),
        (None, "blocks.3", "hirescam"),
        ("efficientnet_lite2", None, "layercam"),
        ("efficientnet_lite2", "blocks.5", None),
    ]:
        other = explainer.explain(
            photo, model or lion.model.name, layer, "lion", method=method or "gradcam"
        )
        chosen = {"model": other.model.title, "layer": layer, "method": None}
        if method:
            chosen["method"] = {"layercam": "LayerCAM", "hirescam": "HiResCAM"}[method]
        for name, text in chosen.items():
            is_own = name == "model" and model is None
            differ(page, name, "As A" if is_own or text is None else text)
        settled(page)
        assert compared(page) == compare(lion, other).text


def test_another_photo_shares_the_label_by_its_name(page: Page, explainer: Explainer) -> None:
    a = explainer.explain(photos()["Lion"])
    b = explainer.explain(photos()["Cheetah"], target="lion")
    differ(page, "photo", "Cheetah")
    expect(page.locator(HALVES)).to_have_text(["ALion", "BCheetah"])
    assert compared(page).startswith(compare(a, b).text)
    assert "overlap" not in words(page)
    # B's first label stands among A's as long as the two are compared.
    expect(page.locator(f"{LABELS} .cam-name")).to_have_text(
        [*(one.label for one in a.predictions), "cheetah"]
    )
    row = page.locator(LABELS).last
    shares = [a.prediction(b.predictions[0].index).text, b.predictions[0].text]
    expect(row.locator(".cam-share")).to_have_text(
        [f"{letter} {text.split(' · ')[1]}" for letter, text in zip("AB", shares, strict=True)]
    )
    row.click()
    expect(page.locator(TITLE)).to_contain_text("cheetah")
    assert compared(page).startswith("cheetah: A ")
    page.locator(LABELS).first.click()
    page.get_by_role("button", name="End comparing").click()
    expect(page.locator(LABELS)).to_have_count(5)
    expect(page.locator(LABELS).first).to_contain_text("90 %")
    expect(page.locator(LABELS).first).not_to_contain_text("B")


def test_the_pointer_is_shared(page: Page) -> None:
    differ(page, "layer", "blocks.4")
    box = page.locator(CANVAS).bounding_box()
    assert box
    readout = page.locator(".cam-readout")
    # The middle of B: of 14 x 14 cells a corner of the middle one of 7 x 7.
    page.mouse.move(box["x"] + 0.75 * box["width"] + 6, box["y"] + box["height"] / 2 + HEAD / 2 + 4)
    expect(readout).to_contain_text("A: Row 4, column 4 of 7 x 7")
    expect(readout).to_contain_text("B: Row 8, column 8 of 14 x 14")
    marked = halves(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # between them
    expect(readout).to_have_text("")
    for with_cell, without in zip(marked, halves(page), strict=True):
        assert (with_cell != without).any()
    # In A it is the cell's middle that counts.
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + box["height"] / 2 + HEAD / 2)
    expect(readout).to_contain_text("A: Row 4, column 4 of 7 x 7")
    expect(readout).to_contain_text("B: Row 8, column 8 of 14 x 14")
    page.mouse.move(2, 2)
    page.keyboard.press("r")
    page.keyboard.press("ArrowLeft")
    expect(readout).to_contain_text("A: Row 4, column 3 of 7 x 7")
    expect(readout).to_contain_text("B: Row 8, column 6 of 14 x 14")


def test_what_is_not_chosen_follows_a(page: Page, explainer: Explainer) -> None:
    differ(page, "model", "Lite1")
    compared(page)
    page.locator("body").press("ArrowLeft")
    layers = [one.split(" · ")[-2] for one in page.locator(HALVES).all_inner_texts()]
    assert layers == ["conv_head", "conv_head"]
    example(page, "Tower")
    a, b = (
        explainer.explain(photos()["Tower"], f"efficientnet_{name}", "conv_head", target="beacon")
        for name in ("lite0", "lite1")
    )
    if a.predictions[0].label == "beacon":
        assert compared(page).startswith(compare(a, b).text)
    expect(page.locator(HALVES).last).to_contain_text("Lite1")
    # A value like A's own is no difference, and where nothing differs nothing is compared.
    differ(page, "model", "Lite0")
    expect(page.locator(HALVES)).to_have_count(0)
    assert "Evidence: A" not in words(page)


def test_the_address_has_both(page: Page) -> None:
    differ(page, "method", "LayerCAM")
    differ(page, "layer", "blocks.4")
    differ(page, "photo", "Cheetah")
    page.wait_for_function(
        "['b_example=Cheetah', 'b_layer=blocks.4', 'b_method=layercam']"
        ".every((text) => location.search.includes(text))"
    )
    assert "b_model" not in page.url
    before, address = compared(page), page.url
    picture = canvas(page)
    page.reload()
    opened(page)
    assert compared(page) == before
    assert page.url == address
    settled(page)
    assert (canvas(page) == picture).all()
    expect(field(page, "B's photo")).to_have_value("Cheetah")
    expect(field(page, "B's model")).to_have_value("As A")
    page.get_by_role("button", name="End comparing").click()
    page.wait_for_function("!location.search.includes('b_')")


def test_nonsense_in_the_address_is_no_comparison(tab: Page, server: str) -> None:
    tab.goto(f"{server}?example=Lion&b_layer=nonsense")
    opened(tab)
    expect(tab.locator(HALVES)).to_have_count(0)
    tab.goto(f"{server}?example=Lion&b_model=nonsense")
    opened(tab)
    expect(tab.locator(HALVES)).to_have_count(0)
    expect(said(tab, "compare")).to_contain_text("nonsense")


def test_what_asks_of_one_picture_rests(page: Page) -> None:
    alone = canvas(page)
    page.locator("body").press("h")
    expect(page.locator(".cam-asked")).to_contain_text("Hiding this")
    differ(page, "layer", "blocks.4")
    assert (halves(page)[0] == alone).all()
    tools = page.get_by_role("toolbar", name="View and tools")
    for name in ("Hide", "Frame"):
        expect(tools.get_by_label(name, exact=True)).to_be_disabled()
    for name in ("Undo", "Redo", "Clear"):
        expect(tools.get_by_role("button", name=name)).to_be_disabled()
    expect(tools.get_by_label("Point", exact=True)).to_be_checked()
    expect(page.get_by_text("Hide and Frame rest meanwhile.")).to_be_visible()
    asked = asks(page)
    for key in ("h", "z", "x", "Shift+ArrowLeft", "["):
        page.locator("body").press(key)
    page.locator(CANVAS).dblclick(position={"x": 100, "y": 200})
    settled(page)
    assert asked == []
    page.get_by_role("button", name="End comparing").click()
    expect(tools.get_by_label("Hide", exact=True)).to_be_checked()
    page.locator("body").press("z")
    expect(page.locator(".cam-asked")).to_contain_text("Hiding this")


def test_a_model_that_can_not_be_had_changes_nothing(page: Page) -> None:
    alone, told = canvas(page), words(page)
    differ(page, "model", "MobileNetV2")
    expect(said(page, "compare")).not_to_have_text("")
    expect(page.locator(HALVES)).to_have_count(0)
    assert (canvas(page) == alone).all()
    assert words(page) == told
    differ(page, "layer", "blocks.4")
    differ(page, "model", "MobileNetV2")
    expect(said(page, "compare")).not_to_have_text("")
    expect(page.locator(HALVES).last).to_contain_text("blocks.4")


def test_a_method_that_knows_no_label_has_no_duel(page: Page) -> None:
    differ(page, "method", "EigenCAM")
    assert "B's map is the same for all labels." in compared(page)
    page.keyboard.press("d")
    expect(page.locator(".cam-words")).to_contain_text("B has no map here: EigenCAM knows no label")
    asked = asks(page)
    page.keyboard.press("ArrowLeft")
    settled(page)
    assert asked == []
    page.keyboard.press("d")  # against the others
    page.keyboard.press("d")
    compared(page)


def test_all_layers_beside_the_last(page: Page) -> None:
    asked = asks(page)
    differ(page, "layer", "All layers")
    expect(page.locator(HALVES).last).to_contain_text("All layers")
    compared(page)
    assert asked == []


def test_an_upload_beside_it(page: Page, tmp_path: Path, explainer: Explainer) -> None:
    file = tmp_path / "mine.png"
    Image.open(get_image("cheetah.jpg")).convert("RGB").crop((60, 0, 440, 300)).save(file)
    page.get_by_role("tab", name="Compare").click()
    with page.expect_file_chooser() as chooser:
        choose(page, "B's photo", "Upload")
    chooser.value.set_files(file)
    expect(page.locator(HALVES).last).to_have_text("Bmine.png")
    text = compare(explainer.explain(photos()["Lion"]), explainer.explain(file, target="lion")).text
    assert compared(page).startswith(text)
    assert "b_" not in page.url  # it stays a person's own
    page.wait_for_function("history.state?.sent")  # but this tab remembers
    page.reload()
    opened(page)
    expect(page.locator(HALVES).last).to_have_text("Byour photo")
    assert compared(page).startswith(text)


def test_a_file_that_is_no_photo_is_told_so(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "notes.png"
    file.write_text("no photo")
    page.get_by_role("tab", name="Compare").click()
    with page.expect_file_chooser() as chooser:
        choose(page, "B's photo", "Upload")
    chooser.value.set_files(file)
    expect(said(page, "compare")).not_to_have_text("")
    expect(page.locator(HALVES)).to_have_count(0)
    expect(field(page, "B's photo")).to_have_value("As A")


def test_one_above_the_other_where_that_is_larger(page: Page) -> None:
    example(page, "Cheetah")
    differ(page, "layer", "blocks.4")
    a, b = (page.locator(HALVES).nth(i) for i in (0, 1))
    left, right = a.bounding_box(), b.bounding_box()
    assert left["y"] == right["y"]
    page.set_viewport_size({"width": 1000, "height": 1400})
    page.wait_for_function(
        "() => new Set([...document.querySelectorAll('.cam-half')]"
        ".map((half) => half.getBoundingClientRect().top)).size === 2"
    )
    upper, lower = a.bounding_box(), b.bounding_box()
    assert upper["x"] == lower["x"]
    assert upper["y"] < lower["y"]


def test_take_away(page: Page, explainer: Explainer, lion: Explanation) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    differ(page, "model", "Lite1")
    text = compared(page)
    menu = open_menu(page, "save")

    def download(name: str) -> bytes:
        with page.expect_download() as started:
            menu.get_by_role("button", name=name).click()
        assert "compared" in started.value.suggested_filename
        return Path(started.value.path()).read_bytes()

    picture = np.asarray(Image.open(io.BytesIO(download("Picture (PNG)"))).convert("RGB"))
    left, right = halves(page)
    # On the photo itself, of which the canvas has a larger copy as a JPEG.
    seen = [picture[-256:, :256].astype(int), picture[-256:, -256:].astype(int)]
    for one, other in zip(seen, (left, right), strict=True):
        small = Image.fromarray(other.astype(np.uint8)).resize((256, 256), Image.Resampling.BOX)
        assert np.abs(one - np.asarray(small)).mean() < 6
    assert np.abs(seen[0] - seen[1]).mean() > 8
    assert (picture[:-256] < 100).any()  # what each is stands above it
    assert Image.open(io.BytesIO(download("Figure for slides"))).size == (1600, 900)
    numbers = json.loads(download("Numbers (JSON)"))
    other = explainer.explain(photos()["Lion"], "efficientnet_lite1", target="lion")
    found = compare(lion, other)
    assert numbers["model"] == "efficientnet_lite0"
    theirs, summary = numbers["compared"], other.summary()
    for name in ("model", "layer", "method", "framing", "image", "box"):
        assert theirs[name] == summary[name]
    assert np.allclose(theirs["map"], summary["map"], atol=1e-6)
    assert theirs["overlap"] == pytest.approx(found.overlap)
    assert theirs["chance"] == pytest.approx(found.chance)
    assert theirs["text"] == text
    menu.get_by_role("button", name="Copy as Python").click()
    expect(said(page, "save")).to_contain_text("copied")
    code = page.evaluate("navigator.clipboard.readText()")
    made: dict = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(code, made)
    assert text.startswith(printed.getvalue().strip())
    assert made["comparison"].b.model.name == "efficientnet_lite1"


def phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 664})


def small_stage(page: Page) -> None:
    page.set_viewport_size({"width": 844, "height": 390})
    page.locator("body").press("f")


def stage(page: Page) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.locator("body").press("f")


@pytest.mark.parametrize("sized", [phone, small_stage, stage])
def test_both_are_seen_at_any_size(page: Page, sized: Callable[[Page], None]) -> None:
    differ(page, "photo", "Cheetah")
    compared(page)
    sized(page)
    settled(page)
    size = page.viewport_size
    assert size
    for i in (0, 1):
        chip = page.locator(HALVES).nth(i).bounding_box()
        assert chip["width"] > 40
        assert chip["x"] >= 0
        assert chip["x"] + chip["width"] <= size["width"]
    picture = page.locator(CANVAS).bounding_box()
    assert picture["y"] + picture["height"] <= size["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    rows = page.locator(LABELS)
    tops = [rows.nth(i).bounding_box() for i in range(rows.count())]
    for above, below in pairwise(tops):  # no row lies on another
        assert above["y"] + above["height"] <= below["y"] + 1


def test_the_sheet_of_a_phone(page: Page) -> None:
    phone(page)
    page.get_by_role("button", name="Compare", exact=True).click()
    choose(page, "B's layer", "blocks.4")
    expect(field(page, "B's layer")).to_be_hidden()  # a result closes the sheet
    expect(page.locator(HALVES)).to_have_count(2)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("button", name="End comparing").click()
    expect(page.locator(HALVES)).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_more(tab: Page, server: str, theme: str) -> None:
    def found(query: str) -> set[str]:
        tab.set_viewport_size({"width": 1280, "height": 800})
        tab.goto(f"{server}?__theme={theme}&example=Lion{query}")
        opened(tab)
        tab.locator(CANVAS).hover(position={"x": 200, "y": 300})
        seen = violations(tab)
        tab.locator("body").press("f")
        seen += violations(tab)
        tab.locator("body").press("f")
        phone(tab)
        tab.get_by_role("button", name="Compare", exact=True).click()
        return {one.partition(":")[0] for one in seen + violations(tab)}

    alone = found("")
    both = found("&b_example=Cheetah&b_layer=blocks.4")
    expect(tab.locator(HALVES)).to_have_count(2)
    assert both <= alone


def test_of_a_letterboxed_photo(tab: Page, explainer: Explainer, server: str) -> None:
    tab.goto(f"{server}?example=Cheetah&framing=fit&shared=false&b_model=efficientnet_lite2")
    opened(tab)
    a, b = (
        explainer.explain(photos()["Cheetah"], f"efficientnet_{name}", framing="fit")
        for name in ("lite0", "lite2")
    )
    assert compared(tab) == compare(a, b).text
