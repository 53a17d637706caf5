"""What a person takes away names every setting; and a step repaints only what it changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from camdemo import Prediction, question
from camdemo.question import Look, Question
from camdemo.ui import links
from camdemo.viewer import bundle

from .test_parity import MAPS, Made, explanation, set_controls

LOOK = {
    "view": "split",
    "colormap": "viridis",
    "opacity": 0.35,
    "evidence": "minmax",
    "strongest": 20,
    "shared": True,
    "look": "notebook",
}


@pytest.fixture(scope="module")
def viewer(browser: Browser) -> Iterator[Page]:
    """The viewer alone, with two labels on its page."""
    page = browser.new_page()
    page.set_content(
        f"""<style>{bundle.static("viewer.css")}</style>
        <div id="viewer">{bundle.static("viewer.html")}</div>
        <script>{bundle.script()}
        const viewer = mountViewer(document.getElementById("viewer"), {{}});
        const seen = (changes) => ({{ ...viewer.state, ...changes }});
        </script>"""
    )
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
    page.evaluate("scene => viewer.show(scene)", scene | {"example": "Lion & co"})
    yield page
    page.close()


def of(page: Page, function: str, **changes: Any) -> Any:
    return page.evaluate(
        f"changes => {function}(viewer.state.scene, seen(changes))", LOOK | changes
    )


# ---------------------------------------------------------------- names


def test_copied_python_names_what_is_drawn(viewer: Page) -> None:
    text = of(viewer, "pythonOf", method="layercam", versus=293)
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
    assert set(calls["explain"]) == {each.name for each in question.options(Question)}


@pytest.mark.parametrize("evidence", question.find(Look, "evidence").values)
def test_the_caption_names_method_and_evidence(viewer: Page, evidence: question.Value) -> None:
    text = of(viewer, "captionOf", method="layercam", evidence=evidence.name)
    assert f"LayerCAM, {evidence.title.lower()}, strongest 20 %" in text
    assert "Grad-CAM" not in text
    text = of(viewer, "captionOf", evidence=evidence.name, versus=293, strongest=100)
    assert "Grad-CAM, difference of two logits ·" in text
    assert "lion against cheetah" in text


@pytest.mark.parametrize("versus", [None, 293])
def test_a_link_carries_everything_that_was_chosen(viewer: Page, versus: int | None) -> None:
    link = of(viewer, "linkOf", method="layercam", versus=versus)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    wanted = links.read(query, ["Lion & co"])
    assert dict(wanted.view) == LOOK
    assert set(LOOK) == {each.name for each in question.options(Look)}
    assert wanted.question == Question(
        model=viewer.evaluate("viewer.state.scene.model.name"),
        layer="last",
        method="layercam",
        target="lion",
        versus="cheetah" if versus else None,
        framing="whole",
    )


def test_only_another_method_is_in_a_files_name(viewer: Page) -> None:
    name = lambda **changes: viewer.evaluate("changes => fileName(seen(changes))", changes)  # noqa: E731
    assert name().endswith("-last")
    assert name(method="layercam").endswith("-last-layercam")
    assert name(method="layercam", versus=293).startswith("lion-against-cheetah-")


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
    assert (found["strip"], found["labels"]) == (2, 0)


def test_other_colours_are_painted_from_what_is_there(counted: Page) -> None:
    set_controls(counted, colormap="turbo")
    assert counts(counted) == {"strip": 2, "labels": 2, "upsamplings": 0, "ranges": 0}
    set_controls(counted, opacity=0.7)
    assert counts(counted) == {"strip": 2, "labels": 2, "upsamplings": 0, "ranges": 0}


def test_other_values_are_painted_anew(counted: Page) -> None:
    """A control: what has changed is not left as it was."""
    set_controls(counted, evidence="signed")
    found = counts(counted)
    assert (found["strip"], found["labels"], found["upsamplings"]) == (2, 2, 5)
    set_controls(counted, evidence="positive")
    counted.evaluate("viewer.set({ shared: true })")
    tiles = counts(counted)
    assert tiles["labels"] > 2  # the weaker label pales beside the stronger one
    counted.evaluate("viewer.set({ shared: false })")
