"""What an address may ask for, and what it can't: strangers write addresses."""

from __future__ import annotations

import pytest

from camdemo import question
from camdemo.question import Look, Question
from camdemo.ui.links import Wanted, read

EXAMPLES = ["Lion", "Cheetah + lion"]


def view(**query: str) -> dict:
    return dict(read({"example": "Lion"} | query, EXAMPLES).view)


def test_a_whole_link():
    query = {
        "example": "Cheetah + lion",
        "model": "vit_b_16",
        "framing": "12,0,345,333",
        "layer": "encoder.layers.encoder_layer_11.ln_1",
        "target": "tiger",
        "versus": "lion",
        "method": "hirescam",
        "strongest": "20",
        "shared": "yes",
        "view": "split",
        "evidence": "signed",
        "colormap": "viridis",
        "opacity": "0.35",
        "look": "glow",
    }
    assert read(query, EXAMPLES) == Wanted(
        "Cheetah + lion",
        Question(
            model="vit_b_16",
            layer="encoder.layers.encoder_layer_11.ln_1",
            method="hirescam",
            target="tiger",
            versus="lion",
            framing="12,0,345,333",
        ),
        {
            "view": "split",
            "colormap": "viridis",
            "opacity": 0.35,
            "evidence": "signed",
            "strongest": 20,
            "shared": True,
            "look": "glow",
        },
    )


def test_links_of_earlier_versions_said_label():
    today = read({"example": "Lion", "target": "tiger"}, EXAMPLES)
    assert read({"example": "Lion", "label": "tiger"}, EXAMPLES) == today
    assert today.question.target == "tiger"


def test_an_example_alone_gets_the_defaults():
    assert read({"example": "Lion"}, EXAMPLES) == Wanted(example="Lion")
    assert Wanted("Lion") == Wanted("Lion", Question(), {})


@pytest.mark.parametrize("example", ["", "lion", "Dog", "/etc/passwd", "../Lion", "Lion ", None])
def test_without_a_known_example_nothing_is_asked_for(example):
    query = {"model": "resnet50", "framing": "whole", "view": "heat", "opacity": "0.1"}
    if example is not None:  # None: the parameter is missing
        query["example"] = example
    assert read(query, EXAMPLES) == Wanted()


def test_nothing_at_all():
    assert read({}, EXAMPLES) == read({"__theme": "dark"}, EXAMPLES) == Wanted()
    assert read({"example": "Lion"}, []) == Wanted()


CHOICES = [each for each in question.options(Look) if each.values]


@pytest.mark.parametrize("each", CHOICES, ids=lambda each: each.name)
def test_choices_of_the_view(each):
    for value in each.names:
        assert view(**{each.name: value}) == {each.name: value}
    for wrong in ("", "constructor", "__proto__", each.names[0].upper(), "<b>"):
        assert view(**{each.name: wrong}) == {}


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("1", 1), ("0.05", 0.05), (" 5e-1 ", 0.5)])
def test_opacities(text, value):
    assert view(opacity=text) == {"opacity": value}


@pytest.mark.parametrize(
    "text", ["nan", "NaN", "inf", "-inf", "2", "-1", "1.0001", "", "half", "0,5", "0x1", "9" * 5000]
)
def test_opacities_that_are_none(text):
    assert view(opacity=text) == {}


# What is none is refused by the explainer, with a sentence, like a label that is none.
@pytest.mark.parametrize("framing", ["crop", "whole", "12,0,345,333", "middle", "CROP", "0,0,0,0"])
def test_framings_are_passed_on(framing):
    assert read({"example": "Lion", "framing": framing}, EXAMPLES).question.framing == framing


def test_empty_names_are_no_names():
    names = [each.name for each in question.options(Question)]
    empty = {"example": "Lion"} | dict.fromkeys(names, "")
    assert read(empty, EXAMPLES) == Wanted(example="Lion")


def test_what_is_not_in_a_link_can_not_get_into_the_viewer():
    strange = {"scene": "x", "photo": "x", "maps": "x", "pinned": "1"}
    assert view(**strange) == {}
