"""An option, and what is made of it: how it is checked, read, listed and told to the viewer.

An `Option` has title, values, default, one line of help, and how a value is read from text. It
stands in a field of a record (`option`), or in a tuple with its name. The command line's flags,
the arguments of the API, the address of the page, the controls and keys of the viewer, and
README's tables are all made from it. Which options there are: `question.py`, `settings.py`.

Which models, layers, methods and labels there are is known only where they are kept. Their
options take any name here, and the `Explainer` checks it, like all else, before it begins.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from .errors import CamdemoError, ChoiceError, RangeError, shorten

Kind = Literal["choice", "name", "label", "labels", "frame", "number", "whole", "switch", "pairs"]
Chosen = TypeVar("Chosen")
Offered = type | Iterable["Option"]  # a record whose fields are options, or the options themselves


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values of an option: what code calls it, and what people do.

    `brings` has what it sets of other options, where they are not given.
    """

    name: str
    title: str
    brings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be chosen.

    Attributes:
        title: what people call it.
        help: one line, which follows a colon or stands in a table.
        default: what holds unless something is chosen; None where it depends.
        otherwise: what happens by default, where the default alone does not say it.
        values: those that there are, or that have a name; none where they are found elsewhere,
            as models are.
        low, high, step: of a number.
        on_canvas: whether the viewer alone has it, and no picture that Python paints.
        short: another name of its flag.
        name: that of the flag, the API's argument and the address; a field's own, where it is one.
    """

    title: str
    help: str
    default: Any
    kind: Kind = "choice"
    otherwise: str = ""
    values: tuple[Value, ...] = ()
    low: float = 0
    high: float = 1
    step: float = 1
    on_canvas: bool = False
    short: str = ""
    name: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values."""
        return tuple(value.name for value in self.values)

    @property
    def flag(self) -> str:
        """The flag of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_number(self) -> bool:
        """Whether it is a number, whole or not."""
        return self.kind in ("number", "whole")

    @property
    def allowed(self) -> str:
        """What can be given, in words: "crop, whole, fit", "0 to 1", "yes or no"."""
        if self.values:
            return ", ".join(self.names)
        if self.is_number:
            return f"{self.low:g} to {self.high:g}"
        return "yes, no" if self.kind == "switch" else ""

    @property
    def default_text(self) -> str:
        """The default in words."""
        if self.otherwise:
            return self.otherwise
        if self.kind == "switch":
            return "yes" if self.default else "no"
        return "none" if self.default is None else f"{self.default}"

    def check(self, given: Any) -> Any:
        """The value, if it is one that can be chosen; the default for None.

        Raises:
            ChoiceError: not one of the values.
            RangeError: not a number from `low` to `high`.
            CamdemoError: neither yes nor no, no name, or no pairs of names and values.
        """
        if given is None:
            return self.default
        if self.is_number:
            kinds = int if self.kind == "whole" else int | float
            is_number = isinstance(given, kinds) and not isinstance(given, bool)
            if not (is_number and self.low <= given <= self.high):  # NaN is refused too
                what = "whole number" if self.kind == "whole" else "number"
                raise RangeError(self.title.lower(), given, self.low, self.high, what)
        elif self.kind == "switch":
            if not isinstance(given, bool):
                raise CamdemoError(f"{self.title} {shorten(given)} is neither yes nor no.")
        elif self.kind == "choice":
            if not isinstance(given, str) or given not in self.names:
                raise ChoiceError(self.title.lower(), given, self.names)
        elif self.kind == "labels" and isinstance(given, list):
            return tuple(given)  # which can be a key
        elif self.kind == "name" and not isinstance(given, str):
            raise CamdemoError(f"{self.title} {shorten(given)} is not a name.")
        elif self.kind == "pairs":
            pairs(given)
        return given

    def read(self, text: str) -> Any:
        """The value that a text means: of a flag, an address or a program elsewhere.

        An empty text is the default.

        Raises:
            as `check`.
        """
        text = text.strip()
        if not text:
            return self.default
        if self.is_number:
            return self.check(_whole(text) if self.kind == "whole" else _number(text))
        if self.kind == "switch":
            known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
            return self.check(known.get(text.lower(), text))
        if self.kind == "labels" and ";" in text:
            return tuple(label_or_index(one.strip()) for one in text.split(";") if one.strip())
        return label_or_index(text) if self.kind in ("label", "labels") else self.check(text)


def option(default: Any, title: str, help: str, **facts: Any) -> Any:
    """A field of a record that is an option; see `Option`."""
    return field(default=default, metadata={"option": Option(title, help, default, **facts)})


def of(offered: Offered) -> tuple[Option, ...]:
    """The options of a record, in the order of its fields; a tuple of options as it is."""
    if not isinstance(offered, type):
        return tuple(offered)
    return tuple(
        replace(each.metadata["option"], name=each.name)
        for each in fields(offered)
        if "option" in each.metadata
    )


def find(offered: Offered, name: str) -> Option:
    """The option of that name."""
    return next(each for each in of(offered) if each.name == name)


def check(chosen: type[Chosen], **given: Any) -> Chosen:
    """A record of checked values; what is not given, or None, is the default.

    Raises:
        ChoiceError, RangeError, CamdemoError: see `Option.check`.
    """
    return chosen(**{each.name: each.check(given.get(each.name)) for each in of(chosen)})


def read(chosen: type[Chosen], texts: Mapping[str, Any]) -> Chosen:
    """The same from texts, such as those of an address; what is no text is only checked.

    Raises:
        ChoiceError, RangeError, CamdemoError: see `Option.check`.
    """
    return chosen(**values(chosen, texts))


def values(offered: Offered, texts: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each option, by its name: what `read` makes a record of.

    Raises:
        ChoiceError, RangeError, CamdemoError: see `Option.check`.
    """
    found = {}
    for each in of(offered):
        given = texts.get(each.name)
        found[each.name] = each.read(given) if isinstance(given, str) else each.check(given)
    return found


def describe(each: Option) -> str:
    """An option in one line: what it is, what it may be, and what it is by default."""
    allowed = f" ({each.allowed})" if each.allowed else ""
    return f"{each.help}{allowed}; default: {each.default_text}"


def add_flags(parser: argparse.ArgumentParser, offered: Offered) -> None:
    """A flag for each option that is not the viewer's alone; `read` reads its text."""
    for each in of(offered):
        if not each.on_canvas:
            meaning = describe(each).replace("%", "%%")
            flags = [each.flag, *([f"--{each.short}"] if each.short else [])]
            bare: dict[str, Any] = {"nargs": "?", "const": "yes"} if each.kind == "switch" else {}
            parser.add_argument(*flags, metavar=each.name.upper(), help=meaning, **bare)


def table(offered: Offered) -> str:
    """The options as a Markdown table for README.md."""
    rows = ["| Name | Meaning | Values | Default |", "|---|---|---|---|"]
    for each in of(offered):
        allowed = ", ".join(f"`{name}`" for name in each.names) or each.allowed
        rows.append(f"| `{each.name}` | {each.help} | {allowed} | {each.default_text} |")
    return "\n".join(rows)


def plain(each: Option) -> dict[str, Any]:
    """An option as the viewer knows it: {"name", "title", "help", "default", ...}."""
    known = {"name": each.name, "title": each.title, "help": each.help, "default": each.default}
    if each.values:
        known["values"] = [_named(value) for value in each.values]
    if each.is_number:
        known |= {"low": each.low, "high": each.high, "step": each.step}
    return known


def _named(value: Value) -> dict[str, Any]:
    brings = {"brings": dict(value.brings)} if value.brings else {}
    return {"name": value.name, "title": value.title, **brings}


def _number(text: str) -> str | float:
    """The number that a text is; the text, where it is none."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _whole(text: str) -> str | int:
    """The same of whole numbers; int() itself raises on more than 4300 digits."""
    is_whole = text.isascii() and text.removeprefix("-").isdigit() and len(text) < 9
    return int(text) if is_whole else text


def pairs(text: Any) -> dict[str, str]:
    """Names and values: "steps=32,baseline=blur" is {"steps": "32", "baseline": "blur"}.

    Raises:
        CamdemoError: something else, or a name that comes twice.
    """
    found: dict[str, str] = {}
    for part in text.split(",") if isinstance(text, str) else ("",):
        name, equals, value = part.partition("=")
        if not (name.strip() and equals and value.strip()) or name.strip() in found:
            raise CamdemoError(
                f"Settings {shorten(text)} are not names with their values, each once. Write them "
                "like steps=32,baseline=blur."
            )
        found[name.strip()] = value.strip()
    return found


def label_or_index(text: str) -> str | int:
    """What a text means: "291" is an index, "lion" a label."""
    return _whole(text)
