"""Every option once: what it is, what it may be, and how it is read."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields

import pytest

from camdemo import question
from camdemo.errors import CamdemoError, ChoiceError, RangeError
from camdemo.question import COLORMAPS, EVIDENCE, Hiding, Look, Question, Value, option

ALL = [*question.options(Question), *question.options(Look), *question.options(Hiding)]


def test_every_field_is_an_option_of_its_name():
    for chosen in (Question, Look, Hiding):
        assert [each.name for each in question.options(chosen)] == [f.name for f in fields(chosen)]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_a_default_is_allowed_and_an_empty_text_is_it(each: question.Option):
    assert each.check(each.default) == each.default
    assert each.check(None) == each.default
    assert each.read(" ") == each.default
    assert each.help
    assert each.help[-1] != "."
    assert each.default_text


@pytest.mark.parametrize(
    "each", [one for one in ALL if one.kind == "choice"], ids=lambda each: each.name
)
def test_a_choice_takes_its_values_and_nothing_else(each: question.Option):
    for name in each.names:
        assert each.check(name) == each.read(f" {name}\n") == name
    for wrong in ("", "Jet", "none", 1, True, ["jet"], {"jet": 1}):
        with pytest.raises(ChoiceError, match="Allowed"):
            each.check(wrong)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, float("nan"), float("inf"), "0.5", True, [0.5]])
def test_a_number_keeps_its_range(wrong: object):
    opacity = question.find(Look, "opacity")
    assert opacity.check(0) == 0
    assert opacity.check(1.0) == 1
    with pytest.raises(RangeError, match=r"opacity .* is not a number from 0 to 1\."):
        opacity.check(wrong)


@pytest.mark.parametrize(("text", "value"), [("0.35", 0.35), (" 1 ", 1), ("0", 0), ("1e-1", 0.1)])
def test_a_number_is_read(text: str, value: float):
    assert question.find(Look, "opacity").read(text) == value


@pytest.mark.parametrize("text", ["half", "nan", "inf", "1,5", "--", "0x1", "9" * 500])
def test_a_text_that_is_no_number_is_refused(text: str):
    with pytest.raises(RangeError):
        question.find(Look, "opacity").read(text)


def test_a_switch_is_read():
    shared = question.find(Look, "shared")
    assert [shared.read(text) for text in ("yes", "TRUE", "1")] == [True] * 3
    assert [shared.read(text) for text in ("no", "False", "0")] == [False] * 3
    for wrong in ("maybe", "2"):
        with pytest.raises(CamdemoError, match="neither yes nor no"):
            shared.read(wrong)


def test_a_label_is_an_index_where_it_is_a_number():
    target = question.find(Question, "target")
    assert target.read("291") == 291
    assert target.read(" lion ") == "lion"
    assert target.read("-5") == -5  # which the explainer refuses


def test_a_record_is_read_whole():
    texts = {"view": "split", "opacity": "0.35", "colormap": "viridis", "strongest": "20", "x": "y"}
    assert question.read(Look, texts) == Look("split", "viridis", 0.35, None, 20)
    assert question.read(Look, {"opacity": 0.35}) == Look(opacity=0.35)
    assert question.read(Look, {}) == question.check(Look) == Look()
    assert Look() == Look(colormap="jet", opacity=0.5, look="notebook")  # the notebook's


def test_a_look_brings_its_colours_and_opacity():
    glow = question.read(Look, {"look": "glow"})
    assert (glow.colormap, glow.opacity) == ("inferno", 0.85)
    own = question.check(Look, look="glow", opacity=0.0)
    assert (own.colormap, own.opacity) == ("inferno", 0)
    for each in question.find(Look, "look").values:
        question.check(Look, **each.brings)  # what it brings can be chosen


def test_a_wrong_value_is_refused_whole():
    texts = {"view": "split", "colormap": "viridis"}
    with pytest.raises(ChoiceError, match="'Jet'"):
        question.read(Look, texts | {"colormap": "Jet"})


def test_the_flags_are_the_options():
    parser = argparse.ArgumentParser()
    question.add_flags(parser, Question)
    question.add_flags(parser, Look)
    given = vars(parser.parse_args(["--target", "291", "--opacity", "0.3"]))
    assert question.read(Question, given) == Question(target=291)
    assert question.read(Look, given) == Look(opacity=0.3)
    assert given.keys().isdisjoint({"view", "strongest", "shared"})  # the viewer's alone
    shown = " ".join(parser.format_help().split())
    assert "where it is strongest (0 to 1); default: the look's: 0.5, in glow 0.85" in shown
    assert "(glow, notebook); default: notebook; in the viewer glow" in shown


def test_an_option_from_outside_is_one_everywhere():
    @dataclass(frozen=True)
    class Wider(Look):
        mood: str = option("calm", "Mood", "how it feels", values=(Value("calm", "Calm"),))

    assert question.read(Wider, {"mood": "calm", "opacity": "1"}) == Wider(opacity=1)
    assert "| `mood` | how it feels | `calm` | calm |" in question.table(Wider)
    parser = argparse.ArgumentParser()
    question.add_flags(parser, Wider)
    assert parser.parse_args(["--mood", "calm"]).mood == "calm"


def test_what_the_viewer_knows():
    known = question.as_json([{"name": "gradcam", "title": "Grad-CAM", "linear": True}])
    assert known["look"]["evidence"]["default"] == "positive"
    assert known["look"]["view"]["values"][0] == {"name": "overlay", "title": "Overlay"}
    assert known["look"]["look"]["default"] == "glow"
    assert known["look"]["look"]["values"][1] == {
        "name": "notebook",
        "title": "Notebook",
        "brings": {"colormap": "jet", "opacity": 0.5},
    }
    assert known["look"]["colormap"]["default"] == "inferno"
    assert known["look"]["opacity"] | {"help": ""} == {
        "name": "opacity",
        "title": "Opacity",
        "help": "",
        "default": 0.85,
        "low": 0,
        "high": 1,
        "step": 0.05,
    }
    assert known["question"]["method"]["values"][0]["linear"] is True
    assert [value["name"] for value in known["fill"]["values"]] == ["blur", "mean", "noise"]


# -- options


def test_options_that_can_be_drawn() -> None:
    for colormap in COLORMAPS:
        for evidence in EVIDENCE:
            for opacity in (0, 1, 0.0, 1.0, 0.5):
                question.check(Look, colormap=colormap, opacity=opacity, evidence=evidence)


@pytest.mark.parametrize(
    ("error", "says", "changed"),
    [
        (ChoiceError, "jet, turbo, viridis, inferno, cividis", {"colormap": "rainbow"}),
        (ChoiceError, "colour map", {"colormap": "JET"}),
        (ChoiceError, "colour map", {"colormap": "signed"}),
        (ChoiceError, "colour map", {"colormap": "__class__"}),
        (ChoiceError, "positive, signed, minmax", {"evidence": "negative"}),
        (ChoiceError, "evidence", {"evidence": ""}),
        *(
            (RangeError, "from 0 to 1", {"opacity": opacity})
            for opacity in (
                -0.01,
                1.01,
                float("nan"),
                float("inf"),
                True,
                False,
                "0.5",
                [0.5],
            )
        ),
    ],
)
def test_options_that_are_refused(error: type, says: str, changed: dict) -> None:
    options = {"colormap": "jet", "opacity": 0.5, "evidence": "positive"} | changed
    with pytest.raises(error, match=says):
        question.check(Look, **options)


@pytest.mark.parametrize(
    ("text", "meant"), [("291", 291), ("-1", -1), ("lion", "lion"), ("1.5", "1.5")]
)
def test_what_a_text_means(text: str, meant: str | int) -> None:
    assert question.label_or_index(text) == meant
