"""What a person takes away is what is seen; and a step repaints only what it changes."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Download, Page, expect

from camdemo import Prediction, options
from camdemo.question import Look, Question
from camdemo.records import percent

from .steps import (
    ASKED,
    LABELS,
    STRIP,
    TITLE,
    YARDSTICK,
    at,
    canvas,
    changed,
    choose,
    choose_tool,
    drag,
    field,
    hold,
    open_menu,
    said,
    settled,
    upload,
)
from .test_parity import MAPS, Made, explanation, set_controls

LOOK = {
    "view": "split",
    "colormap": "viridis",
    "opacity": 0.35,
    "evidence": "minmax",
    "smooth": 4,
    "strongest": 20,
    "shared": True,
    "look": "notebook",
}
# Two boxes and a stroke, as the viewer keeps them; and as it does not, with more digits.
HIDDEN = [
    {"rects": [[10, 20, 60, 80]]},
    {"rects": [[100.5, 30.25, 132.75, 62]]},
    {"points": [[40, 90], [55.5, 100.25]], "radius": 11.2},
]
ANSWER = {
    "now": {"291": 0.37, "293": 0.5},
    "elsewhere": {"291": 0.8, "293": 0.1},
    "errors": {"291": 0.01, "293": 0.02},
    "overlap": 0.125,
    "first": {"index": 293, "label": "cheetah", "probability": 0.5},
    "keep": False,
}


@pytest.fixture(scope="module")
def viewer(alone: Page) -> Page:
    """The viewer alone, with two labels on its page."""
    alone.evaluate("() => { window.seen = (changes) => ({ ...viewer.state, ...changes }); }")
    lion = explanation("whole", MAPS["7 x 7"])
    layers = [replace(lion.layer, name=name) for name in ("early", "last")]
    cheetah = Prediction(293, "cheetah", 0.1)
    maps = {
        (layer.name, index): MAPS["7 x 7"] * np.float32(scale + index)
        for layer in layers
        for scale, index in enumerate((291, 293))
    }
    known = {"predictions": (lion.target, cheetah), "layers": tuple(layers), "engine": Made(maps)}
    scene = replace(lion, **known).scene().as_json()
    alone.evaluate("scene => viewer.show(scene)", scene | {"example": "Lion & co"})
    # As if the photo had as many pixels as its copy, by which the tests count.
    size = alone.evaluate("viewer.state.scene.size = [viewer.canvas.width, viewer.canvas.height]")
    assert size == [600, 338]
    return alone


def of(page: Page, function: str, **changes: Any) -> Any:
    given = "seen(changes)" if function == "pythonOf" else "viewer.state.scene, seen(changes)"
    return page.evaluate(f"changes => {function}({given})", LOOK | changes)


# ---------------------------------------------------------------- names


def test_copied_python_names_what_is_drawn(viewer: Page) -> None:
    text = of(viewer, "pythonOf", method="layercam", versus=293, strength=0.5)
    calls = {
        node.func.attr: {key.arg: ast.literal_eval(key.value) for key in node.keywords}
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert calls["explain"] == {
        "model": viewer.evaluate("viewer.state.scene.model.name"),
        "layer": "last",
        "method": "layercam",
        "target": 291,
        "versus": 293,
        "strength": 0.5,
        "framing": "whole",
    }
    # Two labels are compared in diverging colours, whatever was chosen before.
    drawn = {"colormap": "viridis", "opacity": 0.35, "evidence": "signed", "look": "notebook"}
    assert calls["overlay"] == drawn
    # What Python does not draw is said.
    assert "view split" in text
    assert "strongest 20" in text
    assert "shared" not in text  # a difference has a scale of its own
    assert "shared true" in of(viewer, "pythonOf")
    plain = of(viewer, "pythonOf", view="overlay", strongest=100, shared=False)
    assert "versus" not in plain
    assert "On the page" not in plain
    assert 'evidence="minmax"' in plain
    assert set(calls["explain"]) | {"settings"} == {each.name for each in options.of(Question)}


@pytest.mark.parametrize("evidence", options.find(Look, "evidence").values)
def test_the_caption_names_method_and_evidence(viewer: Page, evidence: options.Value) -> None:
    text = of(viewer, "captionOf", method="layercam", evidence=evidence.name)
    assert f"LayerCAM, {evidence.title.lower()}, strongest 20 %" in text
    assert "Grad-CAM" not in text
    text = of(viewer, "captionOf", evidence=evidence.name, versus=293, strongest=100)
    assert "Grad-CAM, difference of two logits ·" in text
    assert "lion against cheetah" in text


@pytest.mark.parametrize("versus", [None, 293])
def test_a_link_carries_everything_that_was_chosen(viewer: Page, versus: int | None) -> None:
    """There and back: `linkOf` writes what `askedBy` reads."""
    strength = 0.5 if versus else 1
    chosen = {
        "method": "layercam",
        "versus": versus,
        "strength": strength,
        "split": 0.3,
        "tool": "cell",
        "keep": True,
    }
    hidden = {"history": [[], HIDDEN], "at": 1, "fill": "noise"}
    link = viewer.evaluate("changes => linkOf({ state: seen(changes) })", LOOK | chosen | hidden)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert query["example"] == "Lion & co"
    asked = viewer.evaluate("askedBy", query)
    assert set(LOOK) == {each.name for each in options.of(Look)}
    assert asked["wanted"] == LOOK | {
        **{"split": 0.3, "tool": "cell", "fill": "noise", "keep": True},
        "hidden": HIDDEN,
    }
    assert asked["question"] == {
        "model": viewer.evaluate("viewer.state.scene.model.name"),
        "layer": "last",
        "method": "layercam",
        "target": "lion",
        **({"versus": "cheetah", "strength": "0.5"} if versus else {}),
        "framing": "whole",
    }
    assert set(asked["question"]) | {"versus", "strength", "settings"} == {
        each.name for each in options.of(Question)
    }


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("", []),
        ("1,2,3", []),
        ("1,2,3,x", []),
        ("1,2,3,NaN;5,6,7,8", [{"rects": [[5, 6, 7, 8]]}]),
        ("1,2,3,4+5,6,7,8", [{"rects": [[1, 2, 3, 4], [5, 6, 7, 8]]}]),
        ("b2.5:1,2,3,4", [{"points": [[1, 2], [3, 4]], "radius": 2.5}]),
        ("b2:1", []),
        ("b2:1,2;<script>", [{"points": [[1, 2]], "radius": 2}]),
    ],
)
def test_regions_in_an_address(viewer: Page, text: str, regions: list) -> None:
    assert viewer.evaluate("regionsFrom", text) == regions


def test_a_files_name_has_what_is_unusual(viewer: Page) -> None:
    def name(framing: str, **changes: Any) -> str:
        scene = viewer.evaluate("viewer.state.scene") | {"framing": framing}
        call = "changes => fileName(seen(changes))"
        return viewer.evaluate(call, {"scene": scene, **changes})

    assert name("crop").endswith("-last")
    assert name("crop", method="layercam").endswith("-last-layercam")
    assert name("whole", method="layercam").endswith("-last-layercam-whole")
    assert name("1,2,30,40").endswith("-last-1-2-30-40")
    assert name("crop", versus=293).startswith("lion-against-cheetah-")


# ---------------------------------------------------------------- what is hidden


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def hiding(**more: Any) -> dict[str, Any]:
    return {"history": [[], HIDDEN], "at": 1, "answer": ANSWER} | more


def test_copied_python_hides_the_same(viewer: Page) -> None:
    text = of(viewer, "pythonOf", **hiding(keep=True, fill="noise"))
    tree = ast.parse(text)
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "hide"
    ]
    # Half a pixel up, as the photo is shown in its own size; the stroke is no box.
    expected = (
        "explanation.hide([Box(10, 20, 60, 80), Box(101, 30, 133, 62)], fill='noise', keep=True)"
    )
    assert ast.unparse(call) == expected
    assert "# On the page a stroke of the brush kept more: no boxes say that." in text
    assert "from camdemo import Box, Explainer" in text
    one = of(viewer, "pythonOf", history=[HIDDEN[:1]], at=0, fill="blur")
    assert 'explanation.hide(Box(10, 20, 60, 80), fill="blur")\n' in one
    assert "brush" not in one
    stroke = of(viewer, "pythonOf", history=[HIDDEN[2:]], at=0)
    assert "explanation.hide" not in stroke
    assert "# On the page a stroke of the brush hid more" in stroke
    assert "Box" not in stroke
    ast.parse(stroke)
    assert "hide" not in of(viewer, "pythonOf")


def test_the_caption_says_what_is_hidden(viewer: Page) -> None:
    text = of(viewer, "captionOf", **hiding(fill="mean"))
    assert "lion 90 % → 37 %" in text
    assert "· a part hidden by mean colour ·" in text
    assert "· whole photo, squeezed ·" in text
    assert "· Notebook, Viridis, 35 % ·" in text
    assert "· Glow, 35 % ·" in of(viewer, "captionOf", look="glow", evidence="signed")
    assert "all but a part hidden by blurred copy" in of(viewer, "captionOf", **hiding(keep=True))
    plain = of(viewer, "captionOf")
    assert "lion 90 % ·" in plain
    assert "hidden" not in plain


def figure(page: Page, **changes: Any) -> tuple[np.ndarray, list[str]]:
    """The figure's pixels and its texts."""
    address, texts = page.evaluate(
        """async (changes) => {
          const [texts, write] = [[], CanvasRenderingContext2D.prototype.fillText];
          CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            texts.push(text);
            return write.call(this, text, ...place);
          };
          const [kept, before] = [save, { ...viewer.state }];
          Object.assign(viewer.state, changes);
          const blob = await new Promise((done) => { save = done; actionsOf(viewer).figure(); });
          Object.assign(viewer.state, before);
          CanvasRenderingContext2D.prototype.fillText = write;
          save = kept;
          const canvas = make("canvas", { width: 1600, height: 900 });
          canvas.getContext("2d").drawImage(await createImageBitmap(blob), 0, 0);
          return [canvas.toDataURL(), texts];
        }""",
        changes,
    )
    return pixels(base64.b64decode(address.split(",")[1])), texts


def test_the_figure_shows_what_is_hidden(viewer: Page) -> None:
    plain, words = figure(viewer)
    hidden, said = figure(viewer, **hiding())
    assert "lion · 90 %" in words
    assert "lion · 90 % → 37 %" in said
    assert {"90 % → 37 %", "10 % → 50 %"} <= set(said)
    assert "a part hidden by blurred copy" in " · ".join(said)
    # The photo stays what it is, and over it the first box is hidden: 600 pixels wide in both.
    apart = (plain != hidden).any(axis=2)
    assert not apart[110:750, 30:630].any()
    left, top = 650, 110 + (640 - 338) // 2
    assert apart[top + 25 : top + 75, left + 15 : left + 55].mean() > 0.9
    assert not apart[top + 130 : top + 338, 650:1250].any()


def test_the_numbers_have_what_is_hidden(viewer: Page) -> None:
    """Of a photo that has twice as many pixels as its copy."""
    call = """changes => {
      const state = seen(changes);
      return numbersOf({ state, heat: viewer.heat }, viewer.mapOf("last", 291), "");
    }"""
    scene = viewer.evaluate("viewer.state.scene") | {"size": [1200, 676]}
    found = viewer.evaluate(call, hiding(fill="mean", keep=True, scene=scene))
    boxes = [region["boxes"] for region in found["hidden"]["regions"] if "boxes" in region]
    assert boxes == [
        [{"left": 20, "top": 40, "right": 120, "bottom": 160}],
        [{"left": 201, "top": 61, "right": 266, "bottom": 124}],
    ]
    assert found["hidden"]["regions"][2] == {"points": [[80, 180], [111, 200.5]], "radius": 22.4}
    assert (found["hidden"]["fill"], found["hidden"]["keep"]) == ("mean", True)
    assert found["hidden"]["predictions"] == [
        {"index": 291, "label": "lion", "probability": 0.37},
        {"index": 293, "label": "cheetah", "probability": 0.5},
    ]
    assert found["look"] == {name: viewer.evaluate(f"viewer.state.{name}") for name in LOOK}
    plain = viewer.evaluate(call, {})
    assert plain["hidden"] is None


# ---------------------------------------------------------------- as seen


@pytest.fixture
def seen(page: Page) -> Page:
    """A view of which nothing is as it was at first; and the model has answered."""
    changed(page, lambda: page.locator(LABELS).nth(1).click())
    changed(page, lambda: page.locator(STRIP).nth(7).click())
    choose(page, "Method", "LayerCAM")
    settled(page)
    set_controls(page, colormap="viridis", opacity=0.7, evidence="minmax", strongest=40)
    set_controls(page, fill="noise")
    drag(page, (0.2, 0.2), (0.5, 0.6))
    drag(page, (0.6, 0.6), (0.8, 0.9))
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    set_controls(page, view="split")
    page.locator("[data-control=split]").fill("0.3")
    page.mouse.move(2, 2)
    settled(page)
    return page


def told(page: Page) -> dict[str, Any]:
    """All that the page says of what it shows."""
    texts = {
        name: page.locator(f".cam-{name}").inner_text()
        for name in ("title", "asked", "words", "facts")
    }
    controls = {
        name: page.locator(f"[data-control={name}]").input_value()
        for name in ("colormap", "opacity", "evidence", "strongest", "split", "versus")
    }
    labels = page.locator(LABELS).all_inner_texts()
    chosen = {name: field(page, name).input_value() for name in ("Layer", "Method")}
    view = page.locator("[name=cam-view]:checked").input_value()
    return {**texts, **controls, **chosen, "labels": labels, "view": view}


def taken(page: Page, button: str) -> Download:
    open_menu(page, "save")
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    page.keyboard.press("Escape")
    return waiting.value


def copied(page: Page, button: str) -> str:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_menu(page, "save")
    page.get_by_role("button", name=button).click()
    expect(said(page, "save")).to_contain_text("copied")
    page.keyboard.press("Escape")
    return page.evaluate("navigator.clipboard.readText()")


def test_the_page_to_take_away_opens_as_seen(seen: Page, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    taken(seen, "Page (HTML)").save_as(file)
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(file.as_uri())
    expect(page.locator(TITLE)).to_contain_text("→")
    settled(page)
    assert told(page) == told(seen)
    assert (canvas(page) == canvas(seen)).all()
    label = seen.locator(f"{LABELS} .cam-name").nth(1).inner_text()
    assert page.title() == f"{label} · camdemo"
    # And it goes on from there, for another label too.
    changed(page, page.locator(LABELS).nth(0).click)
    expect(page.locator(TITLE)).to_contain_text("lion · 90 % →")
    expect(page.locator(ASKED)).to_contain_text("Hiding this: lion")
    context.close()


def test_a_page_that_is_saved_before_the_yardstick_has_the_answer(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    hold(page, "scene_hide_elsewhere")
    drag(page, (0.3, 0.1), (0.7, 0.6))
    expect(page.locator(TITLE)).to_contain_text("→")
    file = tmp_path / "page.html"
    taken(page, "Page (HTML)").save_as(file)
    other = browser.new_page()
    other.goto(file.as_uri())
    expect(other.locator(TITLE)).to_have_text(page.locator(TITLE).inner_text())
    expect(other.locator(ASKED)).to_have_text(
        re.compile(r"^Hiding this: lion 90\s% to [\d.]+\s%\.$")
    )
    other.close()
    page.unroute_all(behavior="ignoreErrors")


def test_a_link_opens_as_seen(seen: Page) -> None:
    expected, picture = told(seen), canvas(seen)
    link = copied(seen, "Copy link")
    other = seen.context.new_page()
    other.set_viewport_size({"width": 1280, "height": 800})
    other.goto(link)
    expect(other.locator(ASKED)).to_have_text(YARDSTICK)
    settled(other)
    assert told(other) == expected
    assert (canvas(other) == picture).all()
    other.close()


@pytest.mark.parametrize("kind", ["example", "upload"])
@pytest.mark.parametrize("tool", ["box", "brush", "cell"])
def test_what_is_hidden_survives_a_reload(page: Page, kind: str, tool: str, tmp_path: Path) -> None:
    if kind == "upload":
        file = tmp_path / "mine.png"
        Image.open(get_image("cheetah.jpg")).save(file)
        upload(page, file)
        expect(page.locator(TITLE)).to_contain_text("cheetah")
        settled(page)
    choose_tool(page, tool)
    drag(page, (0.3, 0.3), (0.5, 0.6))
    drag(page, (0.6, 0.2), (0.8, 0.4))
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    page.mouse.move(2, 2)
    settled(page)
    title, picture = page.locator(TITLE).inner_text(), canvas(page)
    page.wait_for_function("location.search.includes('hidden') || history.state?.view.hidden")
    page.reload()
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    settled(page)
    assert (canvas(page) == picture).all()
    expect(page.locator(TITLE)).to_have_text(title)
    # It can be undone and redone, and the cell is known again.
    button = lambda name: page.get_by_role("button", name=name, exact=True)  # noqa: E731
    bare = changed(page, button("Undo").click)
    expect(page.locator(TITLE)).not_to_contain_text("→")
    assert (changed(page, button("Redo").click) == picture).all()
    expect(page.locator(TITLE)).to_have_text(title)
    if tool == "cell":
        for place in ((0.3, 0.3), (0.6, 0.2)):
            page.mouse.click(*at(page, *place))
        page.mouse.move(2, 2)
        expect(page.locator(TITLE)).not_to_contain_text("→")
        settled(page)
        assert (canvas(page) == bare).all()


def test_back_brings_each_view_with_its_regions(page: Page) -> None:
    first = canvas(page)
    page.get_by_label("Framing").select_option("whole")
    settled(page)
    page.locator(LABELS).nth(1).click()
    page.locator(STRIP).nth(3).click()
    drag(page, (0.3, 0.3), (0.5, 0.6))
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    page.mouse.move(2, 2)
    settled(page)
    page.wait_for_function("location.search.includes('hidden')")
    second, title = canvas(page), page.locator(TITLE).inner_text()
    page.go_back()  # what was hidden is a step of its own
    page.wait_for_function("!location.search.includes('hidden')")
    settled(page)
    page.go_back()
    expect(page.locator("#viewer")).to_have_attribute("data-framing", "crop")
    settled(page)
    expect(page.locator(TITLE)).to_have_text("lion · 90 %")
    assert (canvas(page) == first).all()
    page.go_forward()
    expect(page.locator("#viewer")).to_have_attribute("data-framing", "whole")
    settled(page)
    page.go_forward()
    expect(page.locator(TITLE)).to_have_text(title)
    settled(page)
    assert (canvas(page) == second).all()


def test_numbers_and_python_have_what_was_hidden(seen: Page) -> None:
    numbers = json.loads(taken(seen, "Numbers (JSON)").path().read_text())
    title = seen.locator(TITLE).inner_text()
    label = numbers["target"]["label"]
    after = next(one for one in numbers["hidden"]["predictions"] if one["label"] == label)
    shares = [percent(one["probability"]) for one in (numbers["target"], after)]
    assert title == f"{label} · {' → '.join(shares)}"
    assert numbers["hidden"]["fill"] == "noise"
    assert list(numbers["look"]) == [each.name for each in options.of(Look)]
    assert {"view": "split", "colormap": "viridis", "strongest": 40}.items() <= numbers[
        "look"
    ].items()
    names: dict[str, Any] = {}
    lines = copied(seen, "Copy as Python").splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("explanation.hide("))
    lines[place] = f"answer = {lines[place]}"
    exec("\n".join(lines), names)
    explained, answer = names["explanation"], names["answer"]
    assert explained.summary()["layer"] == numbers["layer"]
    np.testing.assert_allclose(explained.cam, numbers["map"], atol=1e-5)
    # The photo has 256 pixels, and the model's input 224: of the boxes' edges a row may differ.
    assert answer.after.probability == pytest.approx(after["probability"], rel=0.02)


def test_the_title_says_what_is_left_and_never_wraps(page: Page) -> None:
    drag(page, (0.3, 0.05), (0.75, 0.6))
    expect(page.locator(ASKED)).to_have_text(YARDSTICK)
    expect(page.locator(TITLE)).to_have_text(re.compile(r"^lion · 90 % → [\d.<]+ %$"))
    for share in page.locator(f"{LABELS} :is(.cam-share, .cam-change)").all():
        assert share.evaluate(
            "one => one.getClientRects().length <= 1 &&"
            " one.offsetHeight < 2 * parseFloat(getComputedStyle(one).lineHeight)"
        )


# ---------------------------------------------------------------- repainting


@pytest.fixture
def counted(viewer: Page) -> Page:
    """The same, with all it paints counted from here on: {tiles, upsamplings, ranges}."""
    set_controls(viewer, view="overlay", colormap="jet", evidence="positive")
    viewer.evaluate(
        """() => {
          viewer.set({ layer: "last", target: 291, versus: null });
          window.counts = { strip: 0, labels: 0, upsamplings: 0, ranges: 0 };
          if (window.isCounted) return;
          window.isCounted = true;
          const put = CanvasRenderingContext2D.prototype.putImageData;
          CanvasRenderingContext2D.prototype.putImageData = function (...given) {
            if (this.canvas.closest(".cam-strip")) counts.strip++;
            if (this.canvas.closest(".cam-labels")) counts.labels++;
            return put.apply(this, given);
          };
          const plain = upsample;
          upsample = (...given) => { counts.upsamplings++; return plain(...given); };
          const set = ranges.set;
          ranges.set = (...given) => { counts.ranges++; return set.apply(ranges, given); };
        }"""
    )
    return viewer


def counts(page: Page) -> dict[str, int]:
    return page.evaluate("counts")


def test_a_layer_step_repaints_only_the_labels(counted: Page) -> None:
    counted.evaluate("viewer.set({ layer: 'early' })")
    found = counts(counted)
    assert (found["strip"], found["labels"]) == (0, 2)


def test_another_label_repaints_only_the_strip(counted: Page) -> None:
    counted.evaluate("viewer.set({ target: 293 })")
    found = counts(counted)
    assert (found["strip"], found["labels"]) == (3, 0)  # two layers, and both fused


def test_other_colours_are_painted_from_what_is_there(counted: Page) -> None:
    set_controls(counted, colormap="turbo")
    assert counts(counted) == {"strip": 3, "labels": 2, "upsamplings": 0, "ranges": 0}
    set_controls(counted, opacity=0.7)
    assert counts(counted) == {"strip": 3, "labels": 2, "upsamplings": 0, "ranges": 0}


def test_other_values_are_painted_anew(counted: Page) -> None:
    """A control: what has changed is not left as it was."""
    set_controls(counted, evidence="signed")
    found = counts(counted)
    assert (found["strip"], found["labels"], found["upsamplings"]) == (3, 2, 6)
    set_controls(counted, evidence="positive")
    counted.evaluate("viewer.set({ shared: true })")
    tiles = counts(counted)
    assert tiles["labels"] > 2  # the weaker label pales beside the stronger one
    counted.evaluate("viewer.set({ shared: false })")
