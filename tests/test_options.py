"""An option: what it may be, how it is checked and read, and how it is listed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import pytest

from camdemo import options
from camdemo.errors import CamdemoError, ChoiceError, RangeError
from camdemo.options import Option, Value, option
from camdemo.question import Hiding, Look, Question

ALL = [each for chosen in (Question, Look, Hiding) for each in options.of(chosen)]
STEPS = Option("Steps", "how fine", 32, kind="whole", low=1, high=256, name="steps")


@pytest.mark.parametrize(
    "each", [one for one in ALL if one.kind == "choice"], ids=lambda each: each.name
)
def test_a_choice_takes_its_values_and_nothing_else(each: Option):
    for name in each.names:
        assert each.check(name) == each.read(f" {name}\n") == name
    for wrong in ("", "Jet", "none", 1, True, ["jet"], {"jet": 1}):
        with pytest.raises(ChoiceError, match="Allowed"):
            each.check(wrong)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, float("nan"), float("inf"), "0.5", True, [0.5]])
def test_a_number_keeps_its_range(wrong: object):
    opacity = options.find(Look, "opacity")
    assert opacity.check(0) == 0
    assert opacity.check(1.0) == 1
    with pytest.raises(RangeError, match=r"opacity .* is not a number from 0 to 1\."):
        opacity.check(wrong)


@pytest.mark.parametrize(("text", "value"), [("0.35", 0.35), (" 1 ", 1), ("0", 0), ("1e-1", 0.1)])
def test_a_number_is_read(text: str, value: float):
    assert options.find(Look, "opacity").read(text) == value


@pytest.mark.parametrize("text", ["half", "nan", "inf", "1,5", "--", "0x1", "9" * 500])
def test_a_text_that_is_no_number_is_refused(text: str):
    with pytest.raises(RangeError, match=r"opacity .* is not a number from 0 to 1\."):
        options.find(Look, "opacity").read(text)


def test_a_switch_is_read():
    shared = options.find(Look, "shared")
    assert [shared.read(text) for text in ("yes", "TRUE", "1")] == [True] * 3
    assert [shared.read(text) for text in ("no", "False", "0")] == [False] * 3
    for wrong in ("maybe", "2"):
        with pytest.raises(CamdemoError, match="neither yes nor no"):
            shared.read(wrong)


def test_a_label_is_an_index_where_it_is_a_number():
    target = options.find(Question, "target")
    assert target.read("291") == 291
    assert target.read(" lion ") == "lion"
    assert target.read("-5") == -5  # which the explainer refuses


def test_a_record_is_read_whole():
    texts = {"view": "split", "opacity": "0.35", "colormap": "viridis", "strongest": "20", "x": "y"}
    assert options.read(Look, texts) == Look("split", "viridis", 0.35, strongest=20)
    assert options.read(Look, {"opacity": 0.35}) == Look(opacity=0.35)
    assert options.read(Look, {}) == options.check(Look) == Look()
    assert Look() == Look(colormap="jet", opacity=0.5, look="notebook")  # the notebook's


def test_a_wrong_value_is_refused_whole():
    texts = {"view": "split", "colormap": "viridis"}
    with pytest.raises(ChoiceError, match="'Jet'"):
        options.read(Look, texts | {"colormap": "Jet"})


def test_an_option_from_outside_is_one_everywhere():
    @dataclass(frozen=True)
    class Wider(Look):
        mood: str = option("calm", "Mood", "how it feels", values=(Value("calm", "Calm"),))

    assert options.read(Wider, {"mood": "calm", "opacity": "1"}) == Wider(opacity=1)
    assert "| `mood` | how it feels | `calm` | calm |" in options.table(Wider)
    parser = argparse.ArgumentParser()
    options.add_flags(parser, Wider)
    assert parser.parse_args(["--mood", "calm"]).mood == "calm"


@pytest.mark.parametrize(
    ("text", "meant"), [("291", 291), ("-1", -1), ("lion", "lion"), ("1.5", "1.5")]
)
def test_what_a_text_means(text: str, meant: str | int) -> None:
    assert options.label_or_index(text) == meant


@pytest.mark.parametrize("wrong", [0, 257, 1.5, 2.0, True, "32", [32]])
def test_a_whole_number_is_whole(wrong: object):
    assert STEPS.check(1) == STEPS.read("1") == 1
    with pytest.raises(RangeError, match=r"steps .* is not a whole number from 1 to 256\."):
        STEPS.check(wrong)


def test_options_without_a_record():
    own = (STEPS, Option("Blurred", "whether it is", False, kind="switch", name="blurred"))
    assert options.values(own, {"steps": "16", "x": "y"}) == {"steps": 16, "blurred": False}
    assert options.values(own, {"blurred": True}) == {"steps": 32, "blurred": True}
    assert options.find(own, "steps") is STEPS
    assert "| `steps` | how fine | 1 to 256 | 32 |" in options.table(own)
    assert options.plain(STEPS)["high"] == 256
    parser = argparse.ArgumentParser()
    options.add_flags(parser, own)
    assert options.values(own, vars(parser.parse_args(["--steps", "8"])))["steps"] == 8
