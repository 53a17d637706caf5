"""What can go wrong, in words for the person who ran into it.

    CamdemoError
    ├── ImageError      the photo can't be read, or is larger than is allowed
    ├── ChoiceError     a model, layer, label, colour map ... that does not exist
    ├── RangeError      a number outside its limits
    ├── RegionError     a part of the photo that can't be framed or hidden
    ├── WeightsError    a model's weights can't be had
    ├── SettingError    an environment variable that can't be understood
    ├── Busy            too many ask at the moment
    ├── Unreachable     the machines that run networks can't be reached
    └── Abandoned       the work was dropped, since nobody waits for it any more

Every message says what was given, what is allowed and what to do next. The page, the API and
the command line print it as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

_SHOWN = 6  # as many names as a person reads in an error message


class CamdemoError(Exception):
    """The root of the tree above: catch this to catch them all."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it is: some of these are made of other things than their text."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[CamdemoError], texts: tuple[Any, ...], facts: dict[str, Any]) -> CamdemoError:
    error = kind.__new__(kind, *texts)
    error.__dict__.update(facts)
    return error


class ImageError(CamdemoError):
    """The photo can't be read, or is larger than is allowed."""


class WeightsError(CamdemoError):
    """The weights of a model can't be had.

    Its text is for who runs the process: it may name an address or a path.

    Attributes:
        spec: the model's `ModelSpec`, from which strangers are told in other words; None where the
            text has nothing that they should not read.
    """

    def __init__(self, text: str, spec: Any = None) -> None:
        super().__init__(text)
        self.spec = spec


class SettingError(CamdemoError):
    """An environment variable that can't be understood."""


class Busy(CamdemoError):
    """Too many ask at the moment."""

    def __init__(self) -> None:
        super().__init__("Many are asking at the moment. Try again in a minute.")


class Unreachable(CamdemoError):
    """The machines that run networks can't be reached, or none of them answers."""


class Abandoned(CamdemoError):
    """The work was dropped, since nobody waits for it any more."""


class RangeError(CamdemoError):
    """A number outside its limits."""

    def __init__(
        self, kind: str, given: object, low: float, high: float, what: str = "number"
    ) -> None:
        super().__init__(f"{kind} {shorten(given)} is not a {what} from {low:g} to {high:g}.")


class RegionError(CamdemoError):
    """A part of the photo that can't be framed or hidden: outside the photo, or without area."""


class ChoiceError(CamdemoError):
    """A name that is not among the allowed ones; the message has the nearest of them."""

    def __init__(self, kind: str, given: object, allowed: Sequence[str]) -> None:
        near = nearest(str(given), allowed)
        if len(allowed) <= _SHOWN:
            hint = f"Allowed: {', '.join(allowed)}."
        elif near:
            hint = f"Nearest of the {len(allowed)} allowed: {', '.join(near)}."
        else:
            hint = f"There are {len(allowed)}, such as {', '.join(allowed[:_SHOWN])}."
        super().__init__(f"There is no {kind} {shorten(given)}. {hint}")


def nearest(given: str, allowed: Sequence[str], count: int = _SHOWN) -> list[str]:
    """Up to `count` of the allowed names, those most like the given one first."""
    folded = given[:80].lower()
    containing = [name for name in allowed if folded and folded in name.lower()]
    by_folded = {name.lower(): name for name in reversed(allowed)}
    similar = difflib.get_close_matches(folded, by_folded, n=count, cutoff=0.4)
    ordered = containing + [by_folded[name] for name in similar]
    return list(dict.fromkeys(ordered))[:count]


def shorten(given: object) -> str:
    """What was given, as an error message can repeat it: on one line, at most 60 characters."""
    try:
        text = repr(given)
    except Exception:  # Python does not print integers of more than 4,300 digits, for example
        text = f"of type {type(given).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
