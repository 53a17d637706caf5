"""What an explanation says of itself: in pictures, in words, and in numbers for JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

from camdemo import Explainer, Explanation, Occlusion, picture
from camdemo import explanation as module
from camdemo.engine import Rank, Sweep
from camdemo.errors import ChoiceError, RangeError, RegionError
from camdemo.finding import Finding
from camdemo.question import FILLS
from camdemo.records import Box
from camdemo.trust import hiding

from .oracles import captum
from .tiny_models import Small, install

PHOTO = np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8)
NEGATIVE = np.array([[-3, -1], [-2, -4]], np.float32)
CONSTANT = np.full((2, 2), 3, np.float32)


@pytest.fixture(scope="module")
def explanation() -> Iterator[Explanation]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch, lambda spec: Small())
        yield Explainer().explain(PHOTO, "efficientnet_lite0", "first", target=291)


@pytest.fixture(scope="module")
def duel(explanation: Explanation) -> Explanation:
    """The same label against the least probable one, in a frame of one's own."""
    options = {"target": 291, "versus": int(explanation.probabilities.argmin())}
    explainer = Explainer(engine=explanation.engine)
    return explainer.explain(PHOTO, "efficientnet_lite0", "first", framing="20,5,130,85", **options)


@pytest.fixture(scope="module")
def fitted(explanation: Explanation) -> Explanation:
    """Letterboxed: the photo's 150 x 90 pixels are 224 x 134 of the input, from row 45 on."""
    explainer = Explainer(engine=explanation.engine)
    return explainer.explain(PHOTO, "efficientnet_lite0", "first", target=291, framing="fit")


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, {"colormap": "jet", "opacity": 0.5}),
        ({"look": "notebook", "opacity": 0}, {"colormap": "jet"}),
        ({"look": "glow"}, {"colormap": "inferno", "opacity": 0.85}),
        ({"look": "glow", "colormap": "viridis"}, {"opacity": 0.85}),
        ({"look": "glow", "opacity": 0.5}, {"colormap": "inferno"}),
        ({"colormap": "turbo", "opacity": 0.8, "evidence": "signed"}, {}),
    ],
)
def test_overlay(explanation: Explanation, options: dict, more: dict) -> None:
    overlay = explanation.overlay(**options)
    assert overlay.mode == "RGB"
    assert overlay.size == explanation.image.size == (150, 90)
    drawn = {"evidence": "positive"} | options | more
    expected = picture.overlay(PHOTO, explanation.cam, explanation.box, **drawn)
    assert (np.asarray(overlay) == expected).all()


def test_a_large_photo_is_painted_by_and_by(
    explanation: Explanation, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.asarray(explanation.overlay()).astype(int)
    monkeypatch.setattr(module, "_AT_ONCE", 32 * explanation.image.width)
    off = np.abs(np.asarray(explanation.overlay()) - whole)
    assert (off > 0).mean() < 0.001  # a sum may be rounded to another colour
    assert off.max() < 8


def test_overlay_refuses_what_it_can_not_draw(explanation: Explanation) -> None:
    with pytest.raises(ChoiceError):
        explanation.overlay(colormap="rainbow")
    with pytest.raises(ChoiceError):
        explanation.overlay(evidence="negative")
    with pytest.raises(ChoiceError, match="glow, notebook"):
        explanation.overlay(look="neon")
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
        "method": "gradcam",
        "framing": "crop",
        "target": {
            "index": 291,
            "label": "lion",
            "probability": explanation.target.probability,
        },
        "versus": [],
        "strength": 1.0,
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


@pytest.mark.parametrize("evidence", ["minmax", "signed"])
def test_the_note_is_that_of_the_picture(explanation: Explanation, evidence: str) -> None:
    negative = replace(explanation, cam=NEGATIVE)
    assert negative.summary(evidence)["note"] == ""  # the map is drawn in full
    assert negative.summary("positive") == negative.summary()
    same = replace(explanation, cam=0 * CONSTANT).summary(evidence)["note"]
    assert same == "The map of lion is the same everywhere at this layer."


def test_without_its_photo_it_answers_the_same(explanation: Explanation, duel: Explanation) -> None:
    for explained in (explanation, duel):
        kept = explained.finding
        assert type(kept) is Finding
        for one in fields(kept):
            assert getattr(kept, one.name) is getattr(explained, one.name)
        assert not hasattr(kept, "image")
        maps = kept.maps()
        assert maps.keys() == explained.maps().keys()
        assert all((maps[key] == cam).all() for key, cam in explained.maps().items())
        assert kept.hide(explained.box) == explained.hide(explained.box)
        assert kept.labels_shown() == explained.labels_shown()


def test_more_maps_by_layer_label_and_rival(explanation: Explanation) -> None:
    tiger, lion = 292, 291
    maps = explanation.maps(["second", "first"], ["tiger", 291, 292])
    # layers in the order of execution, labels in that of the question, each once
    layers = ("first", "second")
    assert list(maps) == [(layer, index) for index in (tiger, lion) for layer in layers]
    span = np.ptp(explanation.cam)
    assert np.abs(maps["first", lion] - explanation.cam).max() <= 1e-5 * span
    for layer in ("first", "second"):
        duel = explanation.maps([layer], [lion], versus="tiger")
        assert list(duel) == [(layer, lion)]
        expected = maps[layer, lion] - maps[layer, tiger]
        assert np.abs(duel[layer, lion] - expected).max() <= 1e-5 * np.ptp(expected)


def test_all_stages_come_in_the_order_of_use(explanation: Explanation) -> None:
    asked: list[Sweep] = []

    class Watched:
        def run(self, job: Sweep) -> dict:
            asked.append(job)
            return explanation.engine.run(job)

    watched = replace(explanation, engine=Watched(), target=explanation.predictions[2])
    first, second, third, *others = [each.index for each in explanation.predictions]
    assert {index for _, index in watched.maps(targets=[third])} == {third}
    assert [index for layer, index in watched.maps() if layer == "first"] == [
        *(third, first, second),
        *others,
    ]
    alone, all_of_them = asked
    assert (alone.targets, alone.more) == ((third,), (first, second, *others))
    assert (all_of_them.targets, all_of_them.more) == ((third, first, second, *others), ())
    for job in asked:  # whoever asks the one next asks the other of the same computation
        assert [layer.name for layer in job.layers] == ["first", "second"]
        assert job.rank is Rank.SWEEP


def test_a_finer_layer_is_asked_on_its_own(explanation: Explanation) -> None:
    finer = next(layer for layer in explanation.layers if layer.name == "first.0")
    maps = replace(explanation, layer=finer).maps(targets=[291])
    assert list(maps) == [("first", 291), ("second", 291), ("first.0", 291)]


@pytest.mark.parametrize(
    ("error", "says", "asked"),
    [
        (ChoiceError, "layer 'third'", {"layers": ["third"]}),
        (ChoiceError, "label 'lionn'", {"targets": ["lionn"]}),
        (RangeError, "999", {"targets": [1000]}),
        (ChoiceError, "method 'gradcan'", {"method": "gradcan"}),
        (RangeError, "999", {"versus": -1}),
    ],
)
def test_maps_that_do_not_exist_are_refused(
    explanation: Explanation, error: type, says: str, asked: dict
) -> None:
    class Unasked:
        def run(self, job: object) -> None:
            pytest.fail(f"asked for {job}")

    with pytest.raises(error, match=says):
        replace(explanation, engine=Unasked()).maps(**asked)


def test_an_explanation_is_frozen(explanation: Explanation) -> None:
    with pytest.raises(FrozenInstanceError):
        explanation.cam = NEGATIVE


def test_a_smaller_copy_keeps_the_map_where_it_was(explanation: Explanation) -> None:
    small = explanation.resized(50, 30)
    assert small.image.size == (50, 30)
    assert small.box == Box(12, 2, 38, 28)  # a third of 36, 6, 114, 84
    assert small.cam is explanation.cam
    assert explanation.resized(150, 90) is explanation


def test_a_larger_copy_keeps_the_map_where_it_was(explanation: Explanation) -> None:
    large = explanation.resized(600, 360)
    assert large.box == Box(144, 24, 456, 336)  # four times as much
    assert large.cam is explanation.cam
    bicubic = Image.fromarray(PHOTO).resize((600, 360), Image.Resampling.BICUBIC)
    assert (np.asarray(large.image) == np.asarray(bicubic)).all()


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (3000, 5)])
def test_a_smaller_copy_of_a_thread_of_a_photo_can_still_be_drawn(
    explanation: Explanation, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    install(monkeypatch, lambda spec: Small())
    photo = np.zeros((size[1], size[0], 3), np.uint8)
    copy = [max(1, round(edge / 30)) for edge in size]
    small = Explainer().explain(photo, "efficientnet_lite0").resized(*copy)
    assert max(small.image.size) == 100
    assert small.overlay(evidence="minmax").size == small.image.size
    assert small.box.width >= 1
    assert small.box.height >= 1
    assert 0 <= small.box.left < small.box.right <= small.image.width
    assert 0 <= small.box.top < small.box.bottom <= small.image.height


# -- one label against another


def test_a_duel_is_drawn_with_its_sign(explanation: Explanation, duel: Explanation) -> None:
    assert (duel.natural_evidence, explanation.natural_evidence) == ("signed", "positive")
    for shown in (duel, explanation):
        drawn = {kind: shown.overlay(evidence=kind).tobytes() for kind in ("signed", "positive")}
        assert drawn["signed"] != drawn["positive"]
        assert shown.overlay().tobytes() == drawn[shown.natural_evidence]
        assert shown.overlay(evidence=None).tobytes() == drawn[shown.natural_evidence]


def test_a_duel_that_says_nothing_says_so(duel: Explanation) -> None:
    assert duel.caveat() == ""
    assert replace(duel, cam=NEGATIVE).caveat() == ""  # it speaks for the rival
    same = "The map of lion is the same everywhere at this layer."
    assert replace(duel, cam=0 * CONSTANT).caveat() == same
    assert replace(duel, cam=NEGATIVE).caveat("positive").startswith("No positive evidence")
    assert replace(duel, cam=0 * CONSTANT).summary()["note"] == same


def test_summary_of_a_duel_in_a_frame(duel: Explanation) -> None:
    summary = json.loads(json.dumps(duel.summary(), allow_nan=False))
    (rival,) = duel.versus
    assert summary["versus"][0] == {
        "index": rival.index,
        "label": rival.label,
        "probability": rival.probability,
    }
    assert rival.probability == duel.probabilities[rival.index] < duel.target.probability
    assert summary["target"]["label"] == "lion"
    assert summary["framing"] == "20,5,130,85"
    assert summary["box"] == {"left": 20, "top": 5, "right": 130, "bottom": 85}
    assert summary["map"] == duel.cam.tolist()


def test_a_duel_shows_both_labels_and_both_maps(
    explanation: Explanation, duel: Explanation
) -> None:
    pair = [duel.target.index, duel.versus[0].index]
    assert [each.index for each in duel.labels_shown()][-2:] == pair
    lion, rival = (duel.maps_shown()["first", index] for index in pair)
    assert np.abs(lion - rival - duel.cam).max() <= 1e-5 * np.ptp(duel.cam)
    assert set(duel.maps()) == {
        (layer, each.index) for layer in ("first", "second") for each in duel.labels_shown()
    }
    assert explanation.maps_shown() == {("first", 291): explanation.cam}


# -- asking back


def test_hide_tells_what_is_left(explanation: Explanation) -> None:
    # Of the 78 x 78 pixels that were seen, from 36, 6 on, the left half.
    half = Box(36, 6, 75, 84)
    found = explanation.hide([half])
    mask = np.zeros((224, 224), bool)
    mask[:, :112] = True
    now = explanation.without(mask)
    elsewhere = explanation.without_elsewhere(mask)
    assert found == Occlusion(
        predictions=explanation.top(now),
        before=explanation.target,
        after=replace(explanation.target, probability=float(now[291])),
        elsewhere=replace(explanation.target, probability=float(elsewhere.mean[291])),
        elsewhere_error=float(elsewhere.error[291]),
        overlap=elsewhere.overlap,
        share=0.5,
    )
    assert found.elsewhere_error > 0
    assert 0 < found.overlap < 0.3  # the other half, and what lies next to it
    order = [each.probability for each in found.predictions]
    assert len(order) == 5
    assert order == sorted(order, reverse=True)
    assert 0 < sum(order) < 1
    assert found.before.probability == explanation.probabilities[291]
    assert len({found.before.probability, found.after.probability}) == 2


def test_hidden_boxes_add_up(explanation: Explanation) -> None:
    boxes = [Box(40, 10, 60, 30), Box(50, 20, 80, 40), Box(0, 70, 150, 90)]
    together = np.zeros((224, 224), bool)
    for box in boxes:
        together |= hiding.mask_of([box], explanation.box, (224, 224))
    found = explanation.hide(boxes)
    assert found == explanation.hide(together)  # a mask works like the boxes
    assert found == explanation.hide(tuple(boxes[::-1]))
    assert found.share == pytest.approx(together.mean())
    assert found.after != explanation.hide(boxes[:1]).after
    assert explanation.hide(boxes[0]) == explanation.hide(boxes[:1])


def test_keep_hides_the_rest(explanation: Explanation) -> None:
    mask = np.zeros((224, 224), bool)
    mask[:56] = True
    kept, hidden = explanation.hide(mask, keep=True), explanation.hide(~mask)
    assert (kept.keep, hidden.keep) == (True, False)
    assert kept.after == hidden.after
    assert kept.predictions == hidden.predictions
    assert kept.share == hidden.share == 0.75
    assert kept.after != explanation.hide(mask).after


def test_what_takes_the_place_matters(explanation: Explanation) -> None:
    region = [Box(40, 10, 90, 60)]
    found = {fill: explanation.hide(region, fill).after.probability for fill in FILLS}
    assert len(set(found.values())) == 3
    assert explanation.hide(region).after.probability == found["blur"]


def test_a_duel_is_asked_back_for_its_first_label(duel: Explanation) -> None:
    found = duel.hide([Box(20, 5, 75, 85)])
    assert found.before == duel.target
    assert found.after.label == found.elsewhere.label == "lion"
    assert found.share == 0.5


def test_a_smaller_copy_is_asked_in_its_own_pixels(explanation: Explanation) -> None:
    small = explanation.resized(50, 30)  # its box is 12, 2, 38, 28
    assert small.hide([Box(12, 2, 25, 28)]) == explanation.hide([Box(36, 6, 75, 84)])


@pytest.mark.parametrize(
    ("error", "says", "asked"),
    [
        (RegionError, "Nothing of it", {"regions": []}),
        (RegionError, "Nothing of it", {"regions": [Box(0, 0, 36, 90)]}),  # the unseen margin
        (RegionError, "40,10,40,30 has no area", {"regions": [Box(40, 10, 40, 30)]}),
        (RegionError, r"\(224, 224\)", {"regions": np.ones((90, 150), bool)}),
        (RegionError, "type float64", {"regions": np.ones((224, 224))}),
        (ChoiceError, "blur, mean, noise", {"fill": "black"}),
    ],
)
def test_what_can_not_be_hidden_is_refused(
    explanation: Explanation, error: type, says: str, asked: dict
) -> None:
    with pytest.raises(error, match=says):
        explanation.hide(**({"regions": [Box(40, 10, 60, 30)]} | asked))


# -- the whole photo, letterboxed


def test_a_letterboxed_map_is_that_of_the_square(fitted: Explanation) -> None:
    assert fitted.framing == fitted.framing_text == fitted.summary()["framing"] == "fit"
    assert fitted.part == Box(0, 45, 224, 179)
    # 90 rows are 134 of the input's: 45 of these above are 30.2 of the photo's.
    assert fitted.box == Box(0, -30, 150, 120)
    assert fitted.summary()["box"] == {"left": 0, "top": -30, "right": 150, "bottom": 120}
    expected = captum(Small(), fitted.layer, torch.from_numpy(fitted.inputs), 291).numpy()
    assert np.abs(fitted.cam - expected).max() <= 3e-6 * np.ptp(expected)
    assert fitted.overlay().size == (150, 90)
    small = fitted.resized(50, 30)
    assert small.box == Box(0, -10, 50, 40)
    assert small.overlay().size == (50, 30)
    content = fitted.scene(complete=False).as_json()
    assert content["natural_box"] == [0, -30, 150, 120]
    assert content["part"] == [0, 45, 224, 179]


def test_evidence_in_the_bars_is_told(fitted: Explanation, explanation: Explanation) -> None:
    cam = np.zeros((4, 4), np.float32)  # cells of 56 rows, of which 45 are bar in the first
    cam[0, 1], cam[1, 2], cam[3, 0] = 1, 1, -9
    share = 45 / 56 / 2
    assert fitted.in_bars(cam) == pytest.approx(share)
    assert explanation.in_bars(cam) == 0
    assert fitted.in_bars(-np.abs(cam)) == 0  # nothing positive, nothing lost
    lost = replace(fitted, cam=cam)
    told = "40 % of the evidence for lion lies in the bars, outside of the photo."
    assert lost.caveat() == lost.summary()["note"] == lost.caveat("minmax") == told
    cam[1, 2] = 8
    assert replace(fitted, cam=cam).caveat() == ""  # less than a tenth
    tiger = replace(fitted.target, label="tiger")
    assert replace(fitted, cam=cam, versus=(tiger,)).caveat() == (
        "80 % of what speaks for tiger lies in the bars, outside of the photo."
    )


def test_bars_are_not_hidden(fitted: Explanation) -> None:
    photo = np.zeros((224, 224), bool)
    photo[45:179] = True
    everything = np.ones((224, 224), bool)
    for fill in FILLS:
        found = fitted.hide(everything, fill)
        assert found == fitted.hide(photo, fill) == fitted.hide([fitted.box], fill)
        assert found.share == found.overlap == 1
        kept = fitted.hide(photo, fill, keep=True)  # nothing is hidden
        assert kept.after.probability == pytest.approx(fitted.target.probability, rel=1e-5)
    half = fitted.hide([Box(0, 0, 75, 90)])
    assert half.share == pytest.approx(0.5, abs=0.01)
    with pytest.raises(RegionError, match="Nothing of it is within what the model saw"):
        fitted.hide([Box(0, -30, 150, 0)])
    with pytest.raises(RegionError, match="Nothing of it is within what the model saw"):
        fitted.without(~photo)
