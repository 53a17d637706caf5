"""What an address may ask for, and what it can't: strangers write addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import camdemo.viewer
from camdemo.records import COLORMAPS, EVIDENCE, FRAMINGS
from camdemo.ui.links import Wanted, read

EXAMPLES = ["Lion", "Cheetah + lion"]
STATIC = Path(camdemo.viewer.__file__).parent / "static"


def view(**query: str) -> dict:
    return read({"example": "Lion"} | query, EXAMPLES).view


def test_a_whole_link():
    query = {
        "example": "Cheetah + lion",
        "model": "vit_b_16",
        "framing": "12,0,345,333",
        "layer": "encoder.layers.encoder_layer_11.ln_1",
        "label": "tiger",
        "versus": "lion",
        "view": "split",
        "evidence": "signed",
        "colormap": "viridis",
        "opacity": "0.35",
    }
    assert read(query, EXAMPLES) == Wanted(
        example="Cheetah + lion",
        model="vit_b_16",
        framing="12,0,345,333",
        layer="encoder.layers.encoder_layer_11.ln_1",
        label="tiger",
        versus="lion",
        view={"view": "split", "evidence": "signed", "colormap": "viridis", "opacity": 0.35},
    )


def test_an_example_alone_gets_the_defaults():
    assert read({"example": "Lion"}, EXAMPLES) == Wanted(example="Lion")
    assert Wanted("Lion") == Wanted("Lion", None, "crop", None, None, None, {})


@pytest.mark.parametrize("example", ["", "lion", "Dog", "/etc/passwd", "../Lion", "Lion ", None])
def test_without_a_known_example_nothing_is_asked_for(example):
    query = {"model": "resnet50", "framing": "whole", "view": "heat", "opacity": "0.1"}
    if example is not None:  # None: the parameter is missing
        query["example"] = example
    assert read(query, EXAMPLES) == Wanted()


def test_nothing_at_all():
    assert read({}, EXAMPLES) == read({"__theme": "dark"}, EXAMPLES) == Wanted()
    assert read({"example": "Lion"}, []) == Wanted()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("view", ["overlay", "heat", "photo", "split"]),
        ("evidence", EVIDENCE),
        ("colormap", COLORMAPS),
    ],
)
def test_choices_of_the_view(name, allowed):
    for value in allowed:
        assert view(**{name: value}) == {name: value}
    for wrong in ("", "constructor", "__proto__", allowed[0].upper(), allowed[0] + " ", "<b>"):
        assert view(**{name: wrong}) == {}


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("1", 1), ("0.05", 0.05), (" 5e-1 ", 0.5)])
def test_opacities(text, value):
    assert view(opacity=text) == {"opacity": value}


@pytest.mark.parametrize(
    "text", ["nan", "NaN", "inf", "-inf", "2", "-1", "1.0001", "", "half", "0,5", "0x1", "9" * 5000]
)
def test_opacities_that_are_none(text):
    assert view(opacity=text) == {}


# What is none is refused by the explainer, with a sentence, like a label that is none.
@pytest.mark.parametrize("framing", [*FRAMINGS, "12,0,345,333", "middle", "CROP", "0,0,0,0"])
def test_framings_are_passed_on(framing):
    assert read({"example": "Lion", "framing": framing}, EXAMPLES).framing == framing


def test_empty_names_are_no_names():
    names = ("model", "layer", "label", "versus", "framing")
    empty = {"example": "Lion"} | dict.fromkeys(names, "")
    assert read(empty, EXAMPLES) == Wanted(example="Lion")


def test_what_is_not_in_a_link_can_not_get_into_the_viewer():
    strange = {"scene": "x", "photo": "x", "maps": "x", "strongest": "1", "pinned": "1"}
    assert view(**strange) == {}


def test_the_viewer_writes_what_is_read_here():
    """The parameters of takeaway.js, one by one, reach the page."""
    text = (STATIC / "takeaway.js").read_text(encoding="utf-8")
    body = re.search(r"function linkOf.*?URLSearchParams\(\{(.*?)\}\)", text, re.S)
    assert body
    written = re.findall(r"^\s+(\w+):", body[1], re.M)
    allowed = {
        "example": "Lion",
        "model": "resnet50",
        "framing": "whole",
        "layer": "layer4",
        "label": "lion",
        "versus": "tiger",
        "view": "heat",
        "evidence": "minmax",
        "colormap": "turbo",
        "opacity": "0.25",
    }
    assert set(written) == set(allowed)
    whole = read(allowed, EXAMPLES)
    for name in written[1:]:
        rest = {other: value for other, value in allowed.items() if other != name}
        assert read(rest, EXAMPLES) != whole, f"{name} is written and not read"
