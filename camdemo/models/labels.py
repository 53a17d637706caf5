"""Labels: finding one by its name or index, and how probable each is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ChoiceError, RangeError
from ..records import Prediction, as_integer, finite

_TOP = 5


def find(names: Sequence[str], target: int | str | None) -> int | None:
    """The index of a label given by its name or its index; None for None.

    Upper and lower case are told apart only where two labels differ in nothing else:
    "Cardigan" is a dog, "cardigan" a garment. Spaces around a name don't count. Any integer is
    an index, NumPy's too.

    Raises:
        ChoiceError: no such label; the message has the nearest ones.
        RangeError: an index that no label has.
    """
    if target is None:
        return None
    if isinstance(target, str):
        name = target.strip()
        if name in names:
            return names.index(name)
        folded = [each.casefold() for each in names]
        if folded.count(name.casefold()) == 1:
            return folded.index(name.casefold())
        raise ChoiceError("label", target, names)
    index = as_integer(target)
    if index is None or not 0 <= index < len(names):
        raise RangeError("label index", target, 0, len(names) - 1)
    return index


def probabilities(logits: np.ndarray) -> np.ndarray:
    """The softmax of logits over the last axis: float32 (..., labels), 0 to 1.

    Raises:
        CamdemoError: a logit is NaN or infinite.
    """
    shifted = np.exp(finite(logits) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def top(names: Sequence[str], shares: np.ndarray) -> tuple[Prediction, ...]:
    """The five most probable labels, best first.

    Args:
        shares: float32 (labels,), the probabilities of all labels.
    """
    best = np.argsort(-shares, kind="stable")[:_TOP]
    return tuple(prediction(names, shares, int(index)) for index in best)


def prediction(names: Sequence[str], shares: np.ndarray, index: int) -> Prediction:
    """A label by its index, with its probability out of those of all labels."""
    return Prediction(index, names[index], float(shares[index]))
