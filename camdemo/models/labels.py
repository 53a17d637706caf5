"""Labels: reading and finding one by name or index, and the most probable ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ChoiceError, RangeError
from ..records import Prediction

_TOP = 5


def find(names: Sequence[str], target: int | str | None) -> int | None:
    """The index of a label given by its name or its index; None for None.

    Case counts only where it must: "Cardigan" is a dog, "cardigan" a garment.

    Raises:
        ChoiceError: no such label; the message has the nearest ones.
        RangeError: an index that no label has.
    """
    if target is None:
        return None
    if isinstance(target, str):
        if target in names:
            return names.index(target)
        folded = [name.casefold() for name in names]
        if folded.count(target.casefold()) == 1:
            return folded.index(target.casefold())
        raise ChoiceError("label", target, names)
    if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < len(names):
        raise RangeError("label index", target, 0, len(names) - 1)
    return target


def label_or_index(text: str) -> str | int:
    """What a text means that a client or a terminal gives: "291" is an index, "lion" a label."""
    is_index = text.isascii() and text.removeprefix("-").isdigit() and len(text) < 9
    return int(text) if is_index else text


def top(names: Sequence[str], probabilities: np.ndarray) -> tuple[Prediction, ...]:
    """The five most probable labels, best first. Args: float32 (labels,)."""
    best = np.argsort(-probabilities, kind="stable")[:_TOP]
    return tuple(prediction(names, probabilities, int(index)) for index in best)


def prediction(names: Sequence[str], probabilities: np.ndarray, index: int) -> Prediction:
    """A label by its index, with its probability among those of all labels."""
    return Prediction(index, names[index], float(probabilities[index]))
