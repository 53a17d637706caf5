"""A message says what was given, what is allowed, and stays short whatever was given."""

from __future__ import annotations

import pytest

from camdemo import errors
from camdemo.errors import ChoiceError, RangeError, nearest

FRUITS = ("apple", "apricot", "banana", "Cherry", "pineapple", "plum", "quince")


def test_one_root_catches_them_all():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, Exception)]
    assert len(kinds) == 10
    assert all(issubclass(kind, errors.CamdemoError) for kind in kinds)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("apple", ["apple", "pineapple"]),  # those that contain it come first
        ("BANANA", ["banana"]),
        ("cherri", ["Cherry"]),
        ("aple", ["apple", "pineapple"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_nearest(given, expected):
    assert nearest(given, FRUITS)[: len(expected) or None] == expected


def test_nearest_gives_each_name_once_and_not_too_many():
    many = [f"layer{number}" for number in range(100)]
    assert nearest("layer", many) == many[:6]
    assert nearest("layer", many, count=2) == many[:2]
    assert len(set(nearest("layer1", many))) == 6
    assert nearest("layer1", many)[0] == "layer1"


def test_names_that_differ_in_case_only_do_not_hide_each_other():
    assert set(nearest("cardigan", ["Cardigan", "cardigan"])) == {"Cardigan", "cardigan"}


def test_choice_error_lists_a_short_list():
    message = str(ChoiceError("framing", "half", ("crop", "whole")))
    assert message == "There is no framing 'half'. Allowed: crop, whole."


def test_choice_error_names_the_nearest_of_a_long_list():
    message = str(ChoiceError("fruit", "aple", FRUITS))
    assert message.startswith("There is no fruit 'aple'. Nearest of the 7 allowed: apple")


def test_choice_error_gives_examples_where_nothing_is_near():
    message = str(ChoiceError("fruit", "zzz", FRUITS))
    assert message == (
        "There is no fruit 'zzz'. There are 7, such as "
        "apple, apricot, banana, Cherry, pineapple, plum."
    )


def test_range_error():
    assert str(RangeError("opacity", 1.5, 0, 1)) == "opacity 1.5 is not a number from 0 to 1."


class Hostile:
    """Its text is long, and so is every name that looks like it."""

    def __repr__(self) -> str:
        return "<script>" * 10_000

    __str__ = __repr__


@pytest.mark.parametrize(
    "given", ["x" * 10**6, "apple\n" * 10_000, "\x1b[31m\u202e" * 999, b"\0" * 10**6, Hostile()]
)
@pytest.mark.parametrize("kind", [ChoiceError, RangeError])
def test_long_and_hostile_values_are_shortened(kind, given):
    error = kind("fruit", given, FRUITS) if kind is ChoiceError else kind("fruit", given, 0, 1)
    message = str(error)
    assert len(message) < 200
    assert message.isprintable()  # one line, no control characters, nothing that turns the text
    assert "..." in message


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


@pytest.mark.parametrize(
    "given", [10**5000, -(10**5000), Unprintable()], ids=["large", "small", "unprintable"]
)
def test_values_that_can_not_be_printed_are_named_by_their_type(given):
    message = str(RangeError("label index", given, 0, 999))
    kind = type(given).__name__
    assert message == f"label index of type {kind} is not a number from 0 to 999."
