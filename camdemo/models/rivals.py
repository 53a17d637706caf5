"""Rivals: the labels that one is compared with, given by name, and in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import CamdemoError, RangeError
from ..records import Prediction, Rivals, is_number
from . import labels

OTHERS = "others"  # of the five most probable labels
_NAMED = 3  # labels in a sentence
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}


def find_rivals(
    names: Sequence[str],
    versus: int | str | Sequence[int | str] | None,
    target: int | None,
    strength: float = 1.0,
) -> Rivals | None:
    """The labels that one is compared with, each once; None for None.

    Args:
        versus: a label or its index, several of them, or "others": the rest of the five most
            probable ones.
        target: index of the label that is explained; None where the answer will tell.
        strength: how much of the mean of their logits is subtracted, 0 to 1.

    Raises:
        ChoiceError, RangeError: no such label, or no such strength.
        CamdemoError: no label at all, the target itself, or nothing left to compare with.
    """
    if not (is_number(strength) and 0 <= strength <= 1):
        raise RangeError("strength", strength, 0, 1)
    if versus is None:
        return None
    if isinstance(versus, str) and versus.strip().casefold() == OTHERS:
        if len(names) < 2:
            raise CamdemoError("This model has one label only: there are no others.")
        return Rivals(None, float(strength))
    several = [versus] if isinstance(versus, str) or not isinstance(versus, Iterable) else versus
    found = [index for one in several if (index := labels.find(names, one)) is not None]
    if not found:
        raise CamdemoError(
            f"No label is named to compare with. Name one or more of them, or {OTHERS!r}."
        )
    if target in found:
        raise CamdemoError(
            f"The label {names[target]!r} can't be compared with itself. Choose another."
        )
    rivals = tuple(dict.fromkeys(found))
    if len(rivals) == len(names):
        raise CamdemoError("All labels are to be compared with, so that none is left to explain.")
    return Rivals(rivals, float(strength))


def against(
    versus: Sequence[Prediction], shown: Sequence[Prediction], target: Prediction, strength: float
) -> str:
    """What a label is compared with, in words: "cheetah", or "the mean of the other four".

    Args:
        shown: the labels that are told of the photo.
        strength: how much of it counts: "0.5 of cheetah".
    """
    rivals = {one.index for one in versus}
    if len(versus) == 1:
        named = versus[0].label
    elif rivals == {one.index for one in shown} - {target.index}:
        named = f"the mean of the other {_NUMBERS.get(len(rivals), len(rivals))}"
    elif len(versus) <= _NAMED:
        *first, last = (one.label for one in versus)
        named = f"the mean of {', '.join(first)} and {last}"
    else:
        named = f"the mean of {len(versus)} labels"
    return named if strength == 1 else f"{strength:g} of {named}"


def told(names: Sequence[str], shares: np.ndarray, rivals: Rivals | None) -> tuple[Prediction, ...]:
    """The labels that one is held against, with their probabilities; none for None."""
    known = (rivals and rivals.labels) or ()
    return tuple(labels.prediction(names, shares, index) for index in known)
