"""What an address may ask for, and what it can't: strangers write addresses."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from camdemo import options
from camdemo.question import Hiding, Look, Question


@pytest.fixture
def asked(alone: Page) -> Any:
    """What `askedBy` makes of the query of an address."""

    def ask(**query: str) -> dict:
        given = f"Object.fromEntries(new URLSearchParams({urlencode(query)!r}))"
        return alone.evaluate(f"askedBy({given})")

    return ask


def view(answer: dict) -> dict:
    """How it wants to be painted."""
    return {name: value for name, value in answer["wanted"].items() if name != "hidden"}


def test_a_whole_link(asked: Any) -> None:
    answer = asked(
        example="Cheetah + lion",
        model="vit_b_16",
        framing="12,0,345,333",
        layer="encoder.layers.encoder_layer_11.ln_1",
        target="tiger",
        versus="lion;cheetah",
        strength="0.5",
        method="hirescam",
        strongest="20",
        shared="yes",
        view="split",
        split="0.25",
        evidence="signed",
        colormap="viridis",
        opacity="0.35",
        look="glow",
        tool="brush",
        hidden="12,30,200,180+1,2,3,4;b9:40,50,60,70",
        fill="mean",
        keep="true",
    )
    assert answer["question"] == {
        "model": "vit_b_16",
        "framing": "12,0,345,333",
        "layer": "encoder.layers.encoder_layer_11.ln_1",
        "target": "tiger",
        "versus": "lion;cheetah",
        "strength": "0.5",
        "method": "hirescam",
    }
    assert answer["wanted"] == {
        **{"view": "split", "split": 0.25, "evidence": "signed", "colormap": "viridis"},
        **{"opacity": 0.35, "strongest": 20, "shared": True, "look": "glow"},
        **{"tool": "brush", "fill": "mean", "keep": True},
        "hidden": [
            {"rects": [[12, 30, 200, 180], [1, 2, 3, 4]]},
            {"radius": 9, "points": [[40, 50], [60, 70]]},
        ],
    }


def test_an_example_alone_gets_the_defaults(asked: Any) -> None:
    nothing = {"question": {}, "wanted": {"hidden": []}}
    assert asked(example="Lion") == asked() == asked(__theme="dark") == nothing


def test_links_of_earlier_versions_said_label(asked: Any) -> None:
    assert asked(label="tiger") == asked(target="tiger")
    assert asked(label="tiger")["question"] == {"target": "tiger"}
    assert asked(label="tiger", target="lion")["question"] == {"target": "lion"}


def test_links_of_earlier_versions_had_heat_alone_and_one_look(asked: Any) -> None:
    assert view(asked(view="heat")) == {"view": "overlay", "look": "notebook", "opacity": 1}
    assert view(asked(colormap="jet")) == {"colormap": "jet", "look": "notebook"}
    assert view(asked(colormap="jet", look="glow")) == {"colormap": "jet", "look": "glow"}


CHOICES = [each for chosen in (Look, Hiding) for each in options.of(chosen) if each.values]
WRONG = ["", " ", "constructor", "__proto__", "toString", "<b>", "null", "undefined", "0"]


@pytest.mark.parametrize("each", CHOICES, ids=lambda each: each.name)
def test_choices_of_the_view(asked: Any, each: options.Option) -> None:
    for name in each.names:
        assert view(asked(**{each.name: name}))[each.name] == name
    for wrong in (*WRONG, each.names[0].upper(), f" {each.names[0]}"):
        assert view(asked(**{each.name: wrong})) == {}


@pytest.mark.parametrize("name", ["shared", "keep"])
def test_switches(asked: Any, name: str) -> None:
    for text, value in {"yes": True, "true": True, "1": True, "no": False, "false": False}.items():
        assert view(asked(**{name: text})) == {name: value}
    for wrong in (*(each for each in WRONG if each != "0"), "2", "YES!"):
        assert view(asked(**{name: wrong})) == {}


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1", 1), ("0.05", 0.05), (" 5e-1 ", 0.5), ("0.50", 0.5)]
)
def test_opacities(asked: Any, text: str, value: float) -> None:
    assert view(asked(opacity=text)) == {"opacity": value}


@pytest.mark.parametrize(
    "text",
    [
        *("nan", "NaN", "Infinity", "-Infinity", "inf", "2", "-1", "1.0001", "", " ", "half"),
        *("0,5", "0x1", "0b1", "9" * 5000, "constructor", "[]", "null", "true"),
    ],
)
@pytest.mark.parametrize("name", ["opacity", "split"])
def test_numbers_that_are_none(asked: Any, name: str, text: str) -> None:
    assert view(asked(**{name: text})) == {}


@pytest.mark.parametrize("text", ["0", "101", "", " ", "20 %", "NaN"])
def test_shares_that_are_none(asked: Any, text: str) -> None:
    assert view(asked(strongest=text)) == {}
    assert view(asked(strongest="1", shared=text)) == {"strongest": 1} | (
        {"shared": False} if text == "0" else {}
    )


@pytest.mark.parametrize("tool", ["read", "box", "brush", "cell", "frame"])
def test_tools(asked: Any, tool: str) -> None:
    assert view(asked(tool=tool)) == {"tool": tool}
    assert view(asked(tool=tool.upper())) == view(asked(tool="pan")) == {}


# What is none is refused by the server, with a sentence, like a label that is none.
@pytest.mark.parametrize("framing", ["crop", "whole", "12,0,345,333", "middle", "CROP", "0,0,0,0"])
def test_framings_are_passed_on(asked: Any, framing: str) -> None:
    assert asked(framing=framing)["question"] == {"framing": framing}


def test_empty_names_are_no_names(asked: Any) -> None:
    names = [each.name for each in options.of(Question)]
    assert asked(**dict.fromkeys(names, ""))["question"] == {}
    assert set(asked(**dict.fromkeys(names, "x"))["question"]) == set(names)


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("", []),
        ("1,2,3,4", [{"rects": [[1, 2, 3, 4]]}]),
        ("-5,0,1.5,1e2", [{"rects": [[-5, 0, 1.5, 100]]}]),
        ("b2.5:1,2", [{"radius": 2.5, "points": [[1, 2]]}]),
        ("b9:1,2,3", [{"radius": 9, "points": [[1, 2]]}]),  # half a point is none
        ("x;1,2,3,4;;b9:x,2;b9:1", [{"rects": [[1, 2, 3, 4]]}]),
    ],
)
def test_regions(asked: Any, text: str, regions: list) -> None:
    assert asked(hidden=text)["wanted"]["hidden"] == regions


@pytest.mark.parametrize(
    "text",
    [
        *("1,2,3", "1,2,3,4,5", "1,2,3,4+1,2", "a,b,c,d", "NaN,0,1,1", "0,0,Infinity,1", "1;2"),
        *("b9", "b9:", "b:1,2", "b1.2.3:1,2", "b.:1,2", "b-1:1,2", "bNaN:1,2", "B9:1,2"),
        *("<script>", "__proto__", "b9:1,Infinity"),
    ],
)
def test_regions_that_are_none(asked: Any, text: str) -> None:
    assert asked(hidden=text)["wanted"]["hidden"] == []


def test_what_is_not_in_a_link_can_not_get_into_the_viewer(asked: Any) -> None:
    known = {each.name for each in (*options.of(Look), *options.of(Hiding))}
    state = ("scene", "photo", "maps", "pinned", "source", "models", "waiting", "id", "draft")
    strange = dict.fromkeys((*state, "__proto__", "constructor", "prototype"), "1")
    assert asked(**strange) == {"question": {}, "wanted": {"hidden": []}}
    wanted = asked(**dict.fromkeys(known | {"tool", "split"}, "1"))["wanted"]
    numbers = {"opacity": 1, "smooth": 1, "strongest": 1, "split": 1}
    switches = {"shared": True, "keep": True}
    assert wanted == {**numbers, **switches, "hidden": []}
