"""What an explanation says of itself: in pictures, in words, and in numbers for JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from camdemo import Explainer, Explanation, render
from camdemo.errors import ChoiceError, RangeError
from camdemo.records import Box

from .tiny_models import Small, install

PHOTO = np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8)
NEGATIVE = np.array([[-3, -1], [-2, -4]], np.float32)
CONSTANT = np.full((2, 2), 3, np.float32)


@pytest.fixture(scope="module")
def explanation() -> Iterator[Explanation]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch, lambda spec: Small())
        yield Explainer().explain(PHOTO, "efficientnet_lite0", "first", target=291)


@pytest.mark.parametrize(
    "options", [{}, {"colormap": "turbo", "opacity": 0.8, "evidence": "signed"}]
)
def test_overlay(explanation: Explanation, options: dict) -> None:
    overlay = explanation.overlay(**options)
    assert overlay.mode == "RGB"
    assert overlay.size == explanation.image.size == (150, 90)
    drawn = {"colormap": "jet", "opacity": 0.5, "evidence": "positive"} | options
    expected = render.overlay(PHOTO, explanation.cam, explanation.box, **drawn)
    assert (np.asarray(overlay) == expected).all()


def test_overlay_refuses_what_it_can_not_draw(explanation: Explanation) -> None:
    with pytest.raises(ChoiceError):
        explanation.overlay(colormap="rainbow")
    with pytest.raises(ChoiceError):
        explanation.overlay(evidence="negative")
    with pytest.raises(RangeError):
        explanation.overlay(opacity=2)


@pytest.mark.parametrize(
    ("cam", "evidence", "caveat"),
    [
        (None, "positive", ""),
        (None, "signed", ""),
        (None, "minmax", ""),
        (NEGATIVE, "positive", "No positive evidence for lion at this layer."),
        (NEGATIVE, "signed", ""),
        (NEGATIVE, "minmax", ""),
        (CONSTANT, "positive", ""),
        (CONSTANT, "minmax", "The map of lion is the same everywhere at this layer."),
        (0 * CONSTANT, "positive", "No positive evidence for lion at this layer."),
        (0 * CONSTANT, "signed", "The map of lion is the same everywhere at this layer."),
    ],
)
def test_a_map_that_says_nothing_says_so(
    explanation: Explanation, cam: np.ndarray | None, evidence: str, caveat: str
) -> None:
    if cam is not None:
        explanation = replace(explanation, cam=cam)
    assert explanation.caveat(evidence) == caveat
    is_plain = (np.asarray(explanation.overlay(evidence=evidence)) == PHOTO).all()
    assert is_plain == bool(caveat)


def test_summary_has_everything_but_the_pictures(explanation: Explanation) -> None:
    summary = explanation.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary.pop("milliseconds").keys() == {"decode", "prepare", "explain"}
    assert summary == {
        "model": "efficientnet_lite0",
        "layer": "first",
        "framing": "crop",
        "target": {
            "index": 291,
            "label": "lion",
            "probability": explanation.target.probability,
        },
        "predictions": [
            {"index": each.index, "label": each.label, "probability": each.probability}
            for each in explanation.predictions
        ],
        "image": {"width": 150, "height": 90},
        # 90 rows become 256, of which 224 are seen: 78.75 pixels each way, in the middle.
        "box": {"left": 36, "top": 6, "right": 114, "bottom": 84},
        "map": explanation.cam.tolist(),
        "range": {"min": explanation.cam.min(), "max": explanation.cam.max()},
        "note": "",
    }


def test_summary_tells_of_an_empty_map(explanation: Explanation) -> None:
    summary = replace(explanation, cam=NEGATIVE).summary()
    assert summary["note"] == "No positive evidence for lion at this layer."
    assert summary["map"] == [[-3, -1], [-2, -4]]
    assert summary["range"] == {"min": -4, "max": -1}


def test_an_explanation_is_frozen(explanation: Explanation) -> None:
    with pytest.raises(FrozenInstanceError):
        explanation.cam = NEGATIVE


def test_a_smaller_copy_keeps_the_map_where_it_was(explanation: Explanation) -> None:
    small = explanation.at_most(50)
    assert small.image.size == (50, 30)
    assert small.box == Box(12, 2, 38, 28)  # a third of 36, 6, 114, 84
    assert small.cam is explanation.cam
    assert explanation.at_most(150) is explanation


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (3000, 5)])
def test_a_smaller_copy_of_a_thread_of_a_photo_can_still_be_drawn(
    explanation: Explanation, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    install(monkeypatch, lambda spec: Small())
    photo = np.zeros((size[1], size[0], 3), np.uint8)
    small = Explainer().explain(photo, "efficientnet_lite0").at_most(100)
    assert max(small.image.size) == 100
    assert small.overlay(evidence="minmax").size == small.image.size
    assert small.box.width >= 1
    assert small.box.height >= 1
    assert 0 <= small.box.left < small.box.right <= small.image.width
    assert 0 <= small.box.top < small.box.bottom <= small.image.height
