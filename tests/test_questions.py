"""What a browser may ask: everything else is refused with a sentence, whatever it is."""

from __future__ import annotations

import base64
import copy
import json
import math
from typing import Any

import numpy as np
import pytest

from camdemo.errors import CamdemoError, RangeError
from camdemo.ui import questions


def text_of(mask: np.ndarray) -> str:
    """What the viewer sends of a mask."""
    return base64.b64encode(np.packbits(mask).tobytes()).decode("ascii")


# -- masks


def test_a_mask_by_hand() -> None:
    # 1000 0000 and 1100 0001 are the bytes 0x80 and 0xc1: two rows of four bits each.
    assert text_of(np.unpackbits(np.array([0x80, 0xC1], np.uint8))) == "gME="
    mask = questions.mask({"mask": "gME="}, (4, 4))
    assert mask.dtype == bool
    assert mask.astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("side", [1, 3, 4, 224, 240, 260, 299])  # those of all models, too
def test_every_mask_arrives(side: int) -> None:
    for width in (side, side + 5):
        mask = np.random.default_rng(width).random((side, width)) < 0.3
        assert (questions.mask({"mask": text_of(mask)}, mask.shape) == mask).all()


def test_bits_behind_the_last_pixel_do_not_count() -> None:
    mask = questions.mask({"mask": base64.b64encode(b"\x80\x7f").decode()}, (3, 3))  # 9 of 16 bits
    assert mask.astype(int).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


GOOD = text_of(np.ones((224, 224), bool))


@pytest.mark.parametrize(
    "sent",
    [
        *["", "=", GOOD[:-4], GOOD + "////", GOOD[:-1], GOOD + "=", GOOD * 100, "A" * 10**7],
        *[GOOD[:-2] + "==", GOOD[:-1] + "/", "====" + GOOD[4:]],  # a byte too few, too many
        *["!" + GOOD[1:], "-_" + GOOD[2:], " " + GOOD[1:], "\n" + GOOD[1:], "\0" + GOOD[1:]],
        *["é" + GOOD[1:], "\ud800" + GOOD[1:], "Ａ" + GOOD[1:]],
        *[None, 0, 1.5, True, math.nan, [], [GOOD], {"mask": GOOD}, [True] * 224**2],
        *[GOOD.encode(), bytearray(GOOD.encode()), np.ones((224, 224), bool)],
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_mask_is_refused(sent: object) -> None:
    with pytest.raises(CamdemoError) as refused:
        questions.mask({"mask": sent}, (224, 224))
    assert str(refused.value) == "The mask must be base64 of 224 x 224 bits."


def test_a_mask_of_another_model_is_refused() -> None:
    with pytest.raises(CamdemoError, match="240 x 240 bits"):
        questions.mask({"mask": GOOD}, (240, 240))
    with pytest.raises(CamdemoError, match="224 x 224 bits"):
        questions.mask({}, (224, 224))


# -- a view, for a file that opens as it

LABELS = ["tench", "goldfish", "shark"]
SAID = {"labels": [2, 0], "now": [0.25, 0], "first": {"index": 1, "probability": 0.5}}
HIDDEN = {
    "regions": [{"rects": [[1, 2, 3.5, 4], [5, 6, 7, 8]]}, {"points": [[-1, 2]], "radius": 0.5}],
    "fill": "noise",
    "keep": True,
    "answer": SAID | {"elsewhere": [1, 0.5], "errors": [0, 0.125], "overlap": 0.75},
}
VIEW = {"look": {"view": "split", "opacity": 0.35, "shared": True}, "split": 0.25, "hidden": HIDDEN}


def test_a_view_is_what_the_viewer_of_a_file_is_told() -> None:
    """By hand: labels by their indices, and the first one by its name."""
    assert questions.view({}, LABELS) == {}
    assert questions.view({"look": None, "hidden": None}, LABELS) == {}
    assert questions.view(VIEW, LABELS) == {
        **{"view": "split", "opacity": 0.35, "shared": True, "split": 0.25},
        **{"hidden": HIDDEN["regions"], "fill": "noise", "keep": True},
        "answer": {
            "first": {"index": 1, "label": "goldfish", "probability": 0.5},
            "now": {2: 0.25, 0: 0},
            "elsewhere": {2: 1, 0: 0.5},
            "errors": {2: 0, 0: 0.125},
            "overlap": 0.75,
            "keep": True,
        },
    }
    early = {"hidden": HIDDEN | {"answer": SAID | {"elsewhere": None}}}
    answer = questions.view(early, LABELS)["answer"]
    assert answer.keys() == {"first", "now", "keep"}
    unanswered = questions.view({"hidden": {"regions": []}}, LABELS)
    assert unanswered == {"hidden": [], "fill": "blur", "keep": False}


WRONG = [None, 7, True, "text", math.nan, math.inf, -1, 1e400, [], [7], {}, {"a": 1}, [[math.nan]]]


@pytest.mark.parametrize(
    "where",
    [
        *[
            ["look"],
            ["look", "view"],
            ["look", "opacity"],
            ["look", "shared"],
            ["look", "nonsense"],
        ],
        *[["split"], ["hidden"], ["hidden", "regions"], ["hidden", "fill"], ["hidden", "keep"]],
        *[["hidden", "regions", 0], ["hidden", "regions", 0, "rects"], ["hidden", "regions", 1]],
        *[["hidden", "regions", 1, "points"], ["hidden", "regions", 1, "radius"]],
        *[["hidden", "answer", name] for name in ("labels", "now", "elsewhere", "errors")],
        *[["hidden", "answer"], ["hidden", "answer", "first"], ["hidden", "answer", "overlap"]],
        *[["hidden", "answer", "first", name] for name in ("index", "probability")],
    ],
    ids=str,
)
def test_another_view_is_refused_or_harmless(where: list) -> None:
    """Refused in a sentence; or what the viewer is told is JSON that a browser reads."""
    answers = []
    for wrong in WRONG:
        sent = copy.deepcopy(VIEW)
        inner: Any = sent
        for step in where[:-1]:
            inner = inner[step]
        inner[where[-1]] = wrong
        answers.append(view_or_words(sent))
    words = [answer for answer in answers if isinstance(answer, str)]
    assert len(words) >= 6
    assert all(text.endswith(".") for text in words)
    json.dumps(answers, allow_nan=False)


def view_or_words(sent: dict[str, Any]) -> dict[str, Any] | str:
    try:
        return questions.view(sent, LABELS)
    except CamdemoError as error:
        return str(error)


# -- models, layers, labels and framings


def test_what_is_asked_are_the_arguments_of_explain() -> None:
    asked = {"framing": "12,0,345,333", "layer": "blocks.3", "method": "layercam"}
    asked |= {"model": "vgg16", "target": 291, "versus": 0}
    assert questions.explain(asked | {"id": "token", "source": {}, "more": [1]}) == asked
    assert questions.explain({"framing": "crop"}) == {"framing": "crop"}
    assert questions.explain({}) == questions.explain(dict.fromkeys(asked)) == {}


def test_a_label_is_its_name_or_its_index_as_a_link_has_it() -> None:
    asked = questions.explain({"target": "tiger", "versus": "291"})
    assert asked == {"target": "tiger", "versus": 291}
    asked = questions.explain({"versus": ["tiger", 291], "strength": "0.5"})
    assert asked == {"versus": ("tiger", 291), "strength": 0.5}
    assert questions.explain({"versus": "tiger; 291"})["versus"] == ("tiger", 291)
    assert questions.explain({"versus": "others"})["versus"] == "others"
    with pytest.raises(RangeError, match="1 to 64"):
        questions.explain({"versus": list(range(65))})
    with pytest.raises(RangeError, match="strength"):
        questions.explain({"versus": 1, "strength": "2"})
    # What is none is refused by the explainer, which knows how many there are.
    assert questions.explain({"target": "", "versus": "-1"}) == {"target": "", "versus": -1}


TEXTS = "Model, layer, method, settings and framing must be texts."
NO_LABEL = "Target and versus must be labels or their indices."
OF_ANOTHER_TYPE = [
    *(
        ({name: sent}, TEXTS)
        for name in ("model", "layer", "method", "framing")
        for sent in (5, 0, 0.5, True, False, b"crop", [], ["crop"], [1, 2, 3, 4], {}, {"name": "x"})
    ),
    *(
        ({name: sent}, NO_LABEL)
        for name in ("target", "versus")
        for sent in (291.0, math.nan, math.inf, True, False, b"lion", [], [291.0], {"index": 1})
    ),
    *(({"target": sent}, NO_LABEL) for sent in ([291], ["lion"])),
]


@pytest.mark.parametrize(("wrong", "message"), OF_ANOTHER_TYPE, ids=str)
def test_another_type_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(CamdemoError) as refused:
        questions.explain({"framing": "crop"} | wrong)
    assert str(refused.value) == message


@pytest.mark.parametrize("sent", [None, 5, True, "crop", [], [{"framing": "crop"}], math.nan])
def test_a_question_that_is_none_is_refused(sent: object) -> None:
    with pytest.raises(CamdemoError, match="must be an object with names and values"):
        questions.explain(sent)


def test_which_maps_are_asked_for() -> None:
    nothing = {"layers": None, "targets": None, "method": None, "versus": None, "strength": 1.0}
    assert questions.maps({}) == nothing
    asked = {
        "layers": ["a", "b"],
        "targets": [1, 2, 3],
        "method": "layercam",
        "versus": [4, 5],
        "strength": 0.5,
    }
    assert questions.maps(asked | {"id": "token", "exact": True}) == asked
    wrong: list[dict] = [{"layers": []}, {"targets": [1] * 9}, {"targets": [True]}, {"layers": "a"}]
    wrong += [{"method": 1}, {"versus": "4"}, {"versus": True}, {"versus": 4}, {"versus": [2]}]
    for sent in wrong:
        with pytest.raises(CamdemoError):
            questions.maps(asked | sent)
