"""Labels: reading their names, finding one by its name or index, and how probable each is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CamdemoError, ChoiceError, RangeError, shorten
from ..records import SHOWN, Activation, Prediction, as_integer, finite


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


def probabilities(logits: np.ndarray, activation: Activation = "softmax") -> np.ndarray:
    """How probable each label is, over the last axis: float32 (..., labels), 0 to 1.

    Args:
        activation: "softmax": they add up to 1; "sigmoid": each by itself.

    Raises:
        CamdemoError: a logit is NaN or infinite.
    """
    if activation == "sigmoid":  # (half a tangent's, so that nothing overflows)
        return (0.5 + 0.5 * np.tanh(0.5 * finite(logits))).astype(np.float32)
    shifted = np.exp(finite(logits) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def top(names: Sequence[str], shares: np.ndarray) -> tuple[Prediction, ...]:
    """The five most probable labels, best first.

    Args:
        shares: float32 (labels,), the probabilities of all labels.
    """
    best = np.argsort(-shares, kind="stable")[:SHOWN]
    return tuple(prediction(names, shares, int(index)) for index in best)


def prediction(names: Sequence[str], shares: np.ndarray, index: int) -> Prediction:
    """A label by its index, with its probability out of those of all labels."""
    return Prediction(index, names[index], float(shares[index]))


def read(given: object, count: int) -> tuple[str, ...]:
    """The names of a model's labels.

    Args:
        given: names in the order of the logits; a mapping from indices to names; the path of a
            file, see `from_file`; or None: they are then called "class 0" and so on.
        count: how many logits the model has. One logit may have two labels: that it is not, and
            that it is.

    Raises:
        CamdemoError: not as many as there are logits, or no names.
    """
    if given is None:
        return tuple(f"class {index}" for index in range(count))
    if isinstance(given, str | Path):
        given = from_file(given)
    if isinstance(given, Mapping):
        given = _in_order(given)
    if not isinstance(given, Iterable):
        raise CamdemoError(f"The labels {shorten(given)} are neither a list nor a file.")
    names = tuple(str(each).strip() for each in given)
    if not all(names):
        raise CamdemoError("A label has no name. Give a name for each logit, in their order.")
    if len(names) != count and (count, len(names)) != (1, 2):
        raise CamdemoError(
            f"There are {len(names)} labels, and the model answers with {count} "
            f"number{'s' * (count != 1)}. Give a name for each, in their order."
        )
    return names


def from_file(path: str | Path) -> tuple[str, ...]:
    """The labels of a file: JSON (a list, or an object from indices to names), or a name a line.

    Raises:
        CamdemoError: it can't be read, or is neither.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if not text.lstrip().startswith(("[", "{")):
            return tuple(line.strip() for line in text.splitlines() if line.strip())
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise CamdemoError(f"The labels {path} can't be read: {error}.") from error
    return tuple(str(each) for each in (_in_order(found) if isinstance(found, dict) else found))


def _in_order(names: Mapping[Any, Any]) -> list[Any]:
    """The values of a mapping from 0, 1, ... to names; keys may be texts, as those of JSON are."""
    try:
        by_index = {int(key): value for key, value in names.items()}
    except (TypeError, ValueError):
        by_index = {}
    if sorted(by_index) != list(range(len(names))):
        raise CamdemoError(
            "The labels are a mapping whose keys are not 0, 1, 2 and so on: the place of each name "
            "among the logits is not known."
        )
    return [by_index[index] for index in range(len(names))]
