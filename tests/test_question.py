"""Every option once: those that there are, and what the viewer is told of them."""

from __future__ import annotations

import argparse
from dataclasses import fields

import pytest

from camdemo import options, question
from camdemo.errors import ChoiceError, RangeError
from camdemo.options import Option
from camdemo.question import COLORMAPS, EVIDENCE, Hiding, Look, Question

ALL = [each for chosen in (Question, Look, Hiding) for each in options.of(chosen)]


def test_every_field_is_an_option_of_its_name():
    for chosen in (Question, Look, Hiding):
        assert [each.name for each in options.of(chosen)] == [f.name for f in fields(chosen)]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.name)
def test_a_default_is_allowed_and_an_empty_text_is_it(each: Option):
    assert each.check(each.default) == each.default
    assert each.check(None) == each.default
    assert each.read(" ") == each.default
    assert each.help
    assert each.help[-1] != "."
    assert each.default_text


def test_a_look_brings_its_colours_and_opacity():
    glow = options.read(Look, {"look": "glow"})
    assert (glow.colormap, glow.opacity) == ("inferno", 0.85)
    own = options.check(Look, look="glow", opacity=0.0)
    assert (own.colormap, own.opacity) == ("inferno", 0)
    for each in options.find(Look, "look").values:
        options.check(Look, **each.brings)  # what it brings can be chosen


def test_the_flags_are_the_options():
    parser = argparse.ArgumentParser()
    options.add_flags(parser, Question)
    options.add_flags(parser, Look)
    given = vars(parser.parse_args(["--target", "291", "--opacity", "0.3"]))
    assert options.read(Question, given) == Question(target=291)
    assert options.read(Look, given) == Look(opacity=0.3)
    assert given.keys().isdisjoint({"view", "strongest", "shared"})  # the viewer's alone
    shown = " ".join(parser.format_help().split())
    assert "where it is strongest (0 to 1); default: the look's: 0.5, in glow 0.85" in shown
    assert "(glow, notebook); default: notebook; in the viewer glow" in shown


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


def test_options_that_can_be_drawn() -> None:
    for colormap in COLORMAPS:
        for evidence in EVIDENCE:
            for opacity in (0, 1, 0.0, 1.0, 0.5):
                options.check(Look, colormap=colormap, opacity=opacity, evidence=evidence)


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
    given = {"colormap": "jet", "opacity": 0.5, "evidence": "positive"} | changed
    with pytest.raises(error, match=says):
        options.check(Look, **given)
