"""What a person can choose: every option once.

`Question` is what is asked, `Look` how the answer is painted, `Hiding` what becomes of a hidden
part. Each field carries its `Option`: title, values, default, one line of help, and how a value
is read from text. The command line's flags, the arguments of the API, the address of the page,
the controls and keys of the viewer, and README's tables are all made from these fields.

Which models, layers, methods and labels there are is known only where they are kept. Their
options take any name here, and the `Explainer` checks it, like all else, before it begins.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from .errors import CamdemoError, ChoiceError, RangeError, shorten
from .records import Evidence, Fill, LookName

View = Literal["overlay", "photo", "split"]
Kind = Literal["choice", "name", "label", "frame", "number", "switch"]
Chosen = TypeVar("Chosen", "Question", "Look", "Hiding")


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
        name: the field's own, and that of the flag, the API's argument and the address.
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
    name: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values."""
        return tuple(value.name for value in self.values)

    @property
    def allowed(self) -> str:
        """What can be given, in words: "crop, whole, fit", "0 to 1", "yes or no"."""
        if self.values:
            return ", ".join(self.names)
        return {"number": f"{self.low:g} to {self.high:g}", "switch": "yes, no"}.get(self.kind, "")

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
            CamdemoError: neither yes nor no, or no name.
        """
        if given is None:
            return self.default
        if self.kind == "number":
            is_number = isinstance(given, int | float) and not isinstance(given, bool)
            if not (is_number and self.low <= given <= self.high):  # NaN is refused too
                raise RangeError(self.title.lower(), given, self.low, self.high)
        elif self.kind == "switch":
            if not isinstance(given, bool):
                raise CamdemoError(f"{self.title} {shorten(given)} is neither yes nor no.")
        elif self.kind == "choice":
            if not isinstance(given, str) or given not in self.names:
                raise ChoiceError(self.title.lower(), given, self.names)
        elif self.kind == "name" and not isinstance(given, str):
            raise CamdemoError(f"{self.title} {shorten(given)} is not a name.")
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
        if self.kind == "number":
            return self.check(_number(text))
        if self.kind == "switch":
            known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
            return self.check(known.get(text.lower(), text))
        return label_or_index(text) if self.kind == "label" else self.check(text)


def option(default: Any, title: str, help: str, **facts: Any) -> Any:
    """A field of `Question`, `Look` or `Hiding`, or of what one adds to them; see `Option`."""
    return field(default=default, metadata={"option": Option(title, help, default, **facts)})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a photo."""

    model: str | None = option(
        None,
        "Model",
        "the network that answers",
        kind="name",
        otherwise="MobileNetV2 if its weights are here, else EfficientNet-Lite0",
    )
    layer: str | None = option(
        None,
        "Layer",
        "where in the network to look; all: the last four stages together",
        kind="name",
        otherwise="the last stage",
    )
    method: str = option(
        "gradcam", "Method", "how the evidence is computed from the layer", kind="name"
    )
    target: int | str | None = option(
        None,
        "Label",
        "the label to explain, by its name or its index",
        kind="label",
        otherwise="the most probable",
    )
    versus: int | str | None = option(
        None,
        "Against",
        "a label to compare it with, by its name or its index",
        kind="label",
        otherwise="nothing",
    )
    framing: str = option(
        "crop",
        "Framing",
        "what the model sees: the middle, the whole photo, squeezed or with bars beside it, or a "
        "frame of one's own, left,top,right,bottom in pixels of the photo",
        kind="frame",
        values=(
            Value("crop", "Centre crop, as validated"),
            Value("whole", "Whole photo, squeezed"),
            Value("fit", "Whole photo, letterboxed"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """How the answer is painted."""

    view: View = option(
        "overlay",
        "View",
        "what is painted",
        on_canvas=True,
        values=(
            Value("overlay", "Overlay"),
            Value("photo", "Photo"),
            Value("split", "Split"),
        ),
    )
    colormap: str = option(
        None,
        "Colour map",
        "the colours of the heat",
        otherwise="the look's: jet, in glow inferno",
        values=tuple(
            Value(name, name.title()) for name in ("jet", "turbo", "viridis", "inferno", "cividis")
        ),
    )
    opacity: float = option(
        None,
        "Opacity",
        "how much the heat covers the photo, in glow where it is strongest",
        kind="number",
        otherwise="the look's: 0.5, in glow 0.85",
        step=0.05,
    )
    evidence: Evidence | None = option(
        None,
        "Evidence",
        "what of the map is painted: what speaks for the label, what speaks for and against it, "
        "or everything from the smallest value to the largest",
        otherwise="signed for a comparison, else positive",
        values=(
            Value("positive", "For the label"),
            Value("signed", "For and against"),
            Value("minmax", "Min-max"),
        ),
    )
    strongest: int = option(
        100,
        "Strongest",
        "the share of the area that is painted, the strongest first, in percent",
        kind="number",
        low=1,
        high=100,
        on_canvas=True,
    )
    shared: bool = option(
        True,
        "One scale for all labels",
        "whether all labels share one scale",
        kind="switch",
        on_canvas=True,
    )
    look: LookName = option(
        "notebook",
        "Look",
        "whether the photo stays itself where there is no evidence (glow) or is covered evenly, "
        "as in the notebook",
        otherwise="notebook; in the viewer glow",
        values=(
            Value("glow", "Glow", {"colormap": "inferno", "opacity": 0.85}),
            Value("notebook", "Notebook", {"colormap": "jet", "opacity": 0.5}),
        ),
    )

    def __post_init__(self) -> None:
        for name, value in brought_by(self.look).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Hiding:
    """What becomes of a part of the photo that is hidden."""

    fill: Fill = option(
        "blur",
        "Fill with",
        "what takes the place of what is hidden",
        values=(
            Value("blur", "blurred copy"),
            Value("mean", "mean colour"),
            Value("noise", "grey noise"),
        ),
    )
    keep: bool = option(
        False, "Keep only this", "whether the part is kept, and the rest hidden", kind="switch"
    )


def options(chosen: type) -> tuple[Option, ...]:
    """The options of `Question`, `Look`, `Hiding` or of a class made like them, in order."""
    return tuple(
        replace(each.metadata["option"], name=each.name)
        for each in fields(chosen)
        if "option" in each.metadata
    )


def find(chosen: type, name: str) -> Option:
    """The option of that name."""
    return next(each for each in options(chosen) if each.name == name)


def brought_by(look: LookName) -> Mapping[str, Any]:
    """The colour map and the opacity of a look."""
    return next(each.brings for each in find(Look, "look").values if each.name == look)


FRAMINGS = find(Question, "framing").names  # a frame of one's own is one, too
COLORMAPS = find(Look, "colormap").names
EVIDENCE = find(Look, "evidence").names
FILLS = find(Hiding, "fill").names


def check(chosen: type[Chosen], **given: Any) -> Chosen:
    """A record of checked values; what is not given, or None, is the default.

    Raises:
        ChoiceError, RangeError, CamdemoError: see `Option.check`.
    """
    return chosen(**{each.name: each.check(given.get(each.name)) for each in options(chosen)})


def read(chosen: type[Chosen], texts: Mapping[str, Any]) -> Chosen:
    """The same from texts, such as those of an address; what is no text is only checked.

    Raises:
        ChoiceError, RangeError, CamdemoError: see `Option.check`.
    """

    def value(each: Option) -> Any:
        given = texts.get(each.name)
        return each.read(given) if isinstance(given, str) else each.check(given)

    return chosen(**{each.name: value(each) for each in options(chosen)})


def describe(each: Option) -> str:
    """An option in one line: what it is, what it may be, and what it is by default."""
    allowed = f" ({each.allowed})" if each.allowed else ""
    return f"{each.help}{allowed}; default: {each.default_text}"


def add_flags(parser: argparse.ArgumentParser, chosen: type) -> None:
    """A flag for each option that is not the viewer's alone; `read` reads its text."""
    for each in options(chosen):
        if not each.on_canvas:
            meaning = describe(each).replace("%", "%%")
            parser.add_argument(f"--{each.name}", metavar=each.name.upper(), help=meaning)


def table(chosen: type) -> str:
    """The options as a Markdown table for README.md."""
    rows = ["| Name | Meaning | Values | Default |", "|---|---|---|---|"]
    for each in options(chosen):
        allowed = ", ".join(f"`{name}`" for name in each.names) or each.allowed
        rows.append(f"| `{each.name}` | {each.help} | {allowed} | {each.default_text} |")
    return "\n".join(rows)


def as_json(methods: Iterable[Mapping[str, Any]], look: type = Look) -> dict[str, Any]:
    """What the viewer knows of the options: {"question", "look", "fill", "keep"}.

    Args:
        methods: the values of the option `method`, each with its name and title.
    """
    question = {each.name: _plain(each) for each in options(Question)}
    question["method"]["values"] = list(methods)
    painted = {each.name: _plain(each) for each in options(look)}
    # The viewer glows, and knows by itself when two labels are compared.
    opens = {"look": "glow", **brought_by("glow"), "evidence": "positive"}
    for name, value in opens.items():
        painted[name]["default"] = value
    hiding = {each.name: _plain(each) for each in options(Hiding)}
    return {"question": question, "look": painted, **hiding}


def _plain(each: Option) -> dict[str, Any]:
    plain = {"name": each.name, "title": each.title, "help": each.help, "default": each.default}
    if each.values:
        plain["values"] = [_named(value) for value in each.values]
    if each.kind == "number":
        plain |= {"low": each.low, "high": each.high, "step": each.step}
    return plain


def _named(value: Value) -> dict[str, Any]:
    brings = {"brings": dict(value.brings)} if value.brings else {}
    return {"name": value.name, "title": value.title, **brings}


def _number(text: str) -> float:
    """The number that a text is; what is none becomes one that no range has."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return int(number) if number.is_integer() else number


def label_or_index(text: str) -> str | int:
    """What a text means: "291" is an index, "lion" a label."""
    is_index = text.isascii() and text.removeprefix("-").isdigit() and len(text) < 9
    return int(text) if is_index else text
