"""The whole photo, letterboxed: the map reaches beyond the photo, and nothing else does."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Page, expect

from camdemo import Box, Explainer
from camdemo.trust import hiding

from .steps import TITLE, VIEWER, canvas, changed, example, open_menu, opened, said
from .test_asking import ASKED, YARDSTICK, drag, masks, questions  # noqa: F401  (a fixture)
from .test_parity import MAPS, address_of, explanation, show

WIDE, TALL = "fit wide", "fit tall"  # 600 x 400 and 400 x 600
PART = {WIDE: Box(0, 37, 224, 186), TALL: Box(37, 0, 186, 224)}


def mask_of(page: Page, regions: list[dict[str, Any]]) -> np.ndarray | None:
    text = page.evaluate("regions => maskOf(regions, viewer.state.scene)", regions)
    if text is None:
        return None
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))
    return bits[: 224 * 224].reshape(224, 224).astype(bool)


@pytest.mark.parametrize("photo", [WIDE, TALL])
def test_no_region_reaches_into_a_bar(alone: Page, photo: str) -> None:
    explained = explanation(photo, MAPS["7 x 7"])
    show(alone, explained)
    # A brush along the photo's edge, wider than a bar; and more than the photo.
    brush = {"points": [[0, 0], [600, 0], [0, 600]], "radius": 120}
    part = np.zeros((224, 224), bool)
    part[PART[photo].slices] = True
    mask = mask_of(alone, [brush])
    assert mask.any()
    assert not (mask & ~part).any()
    assert (mask_of(alone, [{"rects": [[-500, -500, 900, 900]]}]) == part).all()
    assert mask_of(alone, [{"rects": [[-99, -99, 900, -1], [-99, -99, -1, 900]]}]) is None
    # A box on the photo is Python's, but for the edge of a pixel.
    boxed = mask_of(alone, [{"rects": [[100, 50, 200, 250]]}])
    assert (
        boxed != hiding.mask_of([Box(100, 50, 200, 250)], explained.box, (224, 224))
    ).mean() < 0.01


@pytest.mark.parametrize("photo", [WIDE, TALL])
def test_a_cell_is_read_and_outlined_on_the_photo_alone(alone: Page, photo: str) -> None:
    show(alone, explanation(photo, MAPS["7 x 7"]))
    width, height = (600, 400) if photo == WIDE else (400, 600)
    # 37 of 224 rows are bar: the first row of 32 is not on the photo, the second by 27.
    grid = "(({ row, column }) => ({ row, column }))"
    first = alone.evaluate(f"{grid}(cellAt(viewer, {{ x: 1, y: 1 }}))")
    assert first == ({"row": 1, "column": 0} if photo == WIDE else {"row": 0, "column": 1})
    for outside in ((-1, 5), (5, -1), (width + 1, 5), (5, height + 1)):
        assert alone.evaluate("([x, y]) => cellAt(viewer, { x, y })", outside) is None
    for key in ("r", *["ArrowUp"] * 9, *["ArrowLeft"] * 9):
        alone.keyboard.press(key)
    assert alone.evaluate(f"{grid}(viewer.state.cell)") == first
    left, top, right, bottom = alone.evaluate(
        """() => {
          const { scene, cell } = viewer.state;
          return rectOf(viewer.mapOf("last", 291), scene.box, cell, viewer.state.photo);
        }"""
    )
    assert (left, top) == (0, 0)
    # 64 of 224 pixels of the input end the second cell, of which 37 are bar.
    assert (bottom if photo == WIDE else right) == pytest.approx(400 * 27 / 149, abs=1)
    for key in ["ArrowDown"] * 9 + ["ArrowRight"] * 9:
        alone.keyboard.press(key)
    last = alone.evaluate(f"{grid}(viewer.state.cell)")
    assert last == ({"row": 5, "column": 6} if photo == WIDE else {"row": 6, "column": 5})
    alone.keyboard.press("r")


def test_the_hottest_cells_are_those_on_the_photo(alone: Page) -> None:
    cam = np.zeros((7, 7), np.float32)
    cam[0], cam[6], cam[3, 3] = 9, 9, 1  # the first and the last row are bar
    show(alone, explanation(WIDE, cam))
    rects = alone.evaluate("hottestRegion(viewer).rects")
    (rect,) = rects
    left, top, right, bottom = rect
    assert (right - left, bottom - top) == (pytest.approx(600 / 7), pytest.approx(601 / 7))
    assert (left + right) / 2 == pytest.approx(300)
    assert (top + bottom) / 2 == pytest.approx(201, abs=1)
    words = alone.locator(".cam-words").inner_text()
    assert words.startswith("99 % of the evidence for lion lies in the bars, outside of the photo.")
    cam[3, 3] = 0
    show(alone, explanation(WIDE, cam))
    assert alone.evaluate("hottestRegion(viewer)") is None


def test_the_threshold_counts_the_photos_pixels(alone: Page) -> None:
    """Of bars as hot as can be nothing is painted, and so they take no part of the 25 %."""
    cam = np.tile(np.arange(7, dtype=np.float32)[:, np.newaxis], 7).T.copy()
    cam[0], cam[6] = 99, 99
    explained = explanation(WIDE, cam)
    photo = show(alone, explained)
    alone.evaluate(
        """viewer.set({
          look: "notebook", strongest: 25, opacity: 1, evidence: "positive", view: "overlay",
        })"""
    )
    painted = (canvas(alone) != photo).any(axis=2).mean()
    alone.evaluate("viewer.set({ strongest: 100, look: 'glow' })")
    assert 0.2 < painted < 0.45


def test_a_frame_begins_to_move_at_the_photos_edges(alone: Page) -> None:
    show(alone, explanation(TALL, MAPS["7 x 7"]))
    assert alone.evaluate("viewer.framing.now()") == [0, 0, 400, 600]
    # A glance through a frame has no bars any more.
    alone.evaluate(
        """() => viewer.glance([10, 20, 110, 220], { labels: viewer.state.scene.labels, target: 291,
          maps: viewer.state.scene.maps })"""
    )
    assert alone.evaluate("viewer.state.scene.part") == [0, 0, 224, 224]
    assert "bars" not in alone.locator(".cam-words").inner_text()


def test_what_is_hidden_at_the_photos_edge_is_covered(alone: Page) -> None:
    """A blurred copy mixes photo and bar, as the model's does: the photo must not shine through."""
    explained = explanation(WIDE, MAPS["nothing positive"])
    white = Image.new("RGB", explained.image.size, "white")
    show(alone, explained, photo=address_of(white))
    alone.evaluate(
        """() => {
          const history = [[{ rects: [[100, 0, 500, 400]] }]];
          viewer.set({ fill: "blur", history, at: 0 });
        }"""
    )
    column = canvas(alone)[:, 300]
    assert column[3].max() < 235  # white and the mean colour
    assert column[200].min() > 250
    alone.evaluate("viewer.set({ history: [[]], at: 0 })")


@pytest.mark.parametrize(("framing", "zooms"), [("fit", False), ("crop", True)])
def test_the_view_zooms_to_what_the_model_saw_of_the_photo(
    alone: Page, framing: str, zooms: bool
) -> None:
    """Of 4000 x 600 the crop shows a seventh; letterboxed all is seen, however large the box."""
    explained = explanation("fit long" if framing == "fit" else "long", MAPS["7 x 7"])
    show(alone, explained)
    assert explained.framing == framing
    style = alone.locator("canvas.cam-picture").evaluate("canvas => canvas.style.transform")
    assert bool(style) == zooms


# ---------------------------------------------------------------- on the page


def choose_fit(page: Page) -> None:
    page.get_by_label("Framing", exact=True).select_option(label="Whole photo, letterboxed")


def test_letterboxed_on_the_page(
    page: Page,
    questions: list,  # noqa: F811
    explainer: Explainer,
) -> None:
    example(page, "Cheetah")
    changed(page, lambda: choose_fit(page))
    expect(page.locator(VIEWER)).to_have_attribute("data-framing", "fit")
    expect(page.get_by_label("Framing", exact=True)).to_have_value("fit")
    fitted = explainer.explain(get_image("cheetah.jpg"), framing="fit")
    expect(page.locator(TITLE)).to_have_text(fitted.target.text)
    questions.clear()
    # A box from above the photo to its middle: what the server is asked has no bar in it.
    drag(page, (0.5, 0.5), (0.7, 0.02))
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    (mask,) = masks(questions)
    assert mask[fitted.part.slices].sum() == mask.sum() > 0
    answer = page.locator(ASKED).inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert answer.startswith(fitted.hide(mask).text)
    page.keyboard.press("x")
    # The frame begins as the whole photo.
    page.get_by_label("Frame", exact=True).check()
    drag(page, (0.995, 0.995), (0.795, 0.795))
    expect(page.locator(VIEWER)).to_have_attribute("data-framing", "0,0,402,274")
    expect(page.get_by_label("Framing", exact=True)).to_have_value("own")


def test_a_link_opens_letterboxed(tab: Page, server: str) -> None:
    tab.goto(f"{server}?example=Cheetah&framing=fit")
    opened(tab)
    expect(tab.locator(VIEWER)).to_have_attribute("data-framing", "fit")
    expect(tab.get_by_label("Framing", exact=True)).to_have_value("fit")
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(tab, "save").get_by_role("button", name="Copy link").click()
    expect(said(tab, "save")).to_have_text("The link is copied.")
    assert "framing=fit" in tab.evaluate("navigator.clipboard.readText()")
