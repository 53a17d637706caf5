"""What a viewer may ask: values from a browser, checked before anything is done with them.

Types and sizes are checked here; names, indices and frames by the explainer, as for everybody.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import CamdemoError, RangeError
from ..question import label_or_index
from ..viewer.scene import Scene

_MOST = 8  # layers or targets in one question; None asks for every stage at once


def maps(question: Mapping[str, Any]) -> dict[str, Any]:
    """Layers, targets, method and versus as arguments for `Finding.maps`.

    The layers are a short list of names or None for every stage, the targets one of indices or
    None for those on the page; method and versus may be None, too.

    Raises:
        CamdemoError, RangeError: something else.
    """
    layers, targets = question.get("layers"), question.get("targets")
    if not _is_list_of(layers, str):
        raise CamdemoError("The layers must be a list of names.")
    if not _is_list_of(targets, int):
        raise CamdemoError("The targets must be a list of label indices.")
    for kind, values in (("layers", layers), ("targets", targets)):
        if values is not None and not 1 <= len(values) <= _MOST:
            raise RangeError(f"number of {kind}", len(values), 1, _MOST)
    versus = question.get("versus")
    if versus is not None and type(versus) is not int:
        raise CamdemoError("Versus must be the index of a label.")
    if versus is not None and versus in (targets or ()):
        raise CamdemoError("A label can't be compared with itself. Choose another.")
    return {"layers": layers, "targets": targets, "method": method(question), "versus": versus}


def method(question: Mapping[str, Any]) -> str | None:
    """The name of a method; None where none is named.

    Raises:
        CamdemoError: something else.
    """
    name = question.get("method")
    if name is not None and not (isinstance(name, str) and name):
        raise CamdemoError("The method must be a name.")
    return name


def explain(question: Any) -> dict[str, Any]:
    """Model, layer, method, target, versus and framing as arguments for `Explainer.explain`.

    What is absent or None is left out.

    Raises:
        CamdemoError: another type than that of a name or an index.
    """
    if not isinstance(question, dict):
        raise CamdemoError("The question must be an object with names and values.")
    texts, labels = ("model", "layer", "method", "framing"), ("target", "versus")
    asked = {name: question[name] for name in (*texts, *labels) if question.get(name) is not None}
    if any(not isinstance(asked.get(name, ""), str) for name in texts):
        raise CamdemoError("Model, layer, method and framing must be texts.")
    if any(type(asked.get(name, "")) not in (str, int) for name in labels):
        raise CamdemoError("Target and versus must be labels or their indices.")
    # A link has an index as a text.
    read = {name: label_or_index(asked[name]) for name in labels if type(asked.get(name)) is str}
    return asked | read


def shown(question: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    """Layer, method and labels that a viewer shows, as arguments for `Finding.seen`.

    Without a layer those of its first scene; without a method that of it.

    Raises:
        CamdemoError: another type than that of a name or an index, or a label against itself.
    """
    layer, target, versus = (question.get(name) for name in ("layer", "target", "versus"))
    if layer is None:
        versus = scene.versus.index if scene.versus else None
        layer, target = scene.layer.name, scene.target.index
    if (
        not isinstance(layer, str)
        or type(target) is not int
        or type(versus) not in (int, type(None))
    ):
        raise CamdemoError("The layer must be a name, target and versus label indices.")
    if target == versus:
        raise CamdemoError("A label can't be compared with itself. Choose another.")
    named = method(question) or scene.method
    return {"layer": layer, "method": named, "target": target, "versus": versus}


def mask(question: Mapping[str, Any], side: int) -> np.ndarray:
    """A mask from the base64 of its bits, row by row: bool (side, side).

    Raises:
        CamdemoError: something else.
    """
    text, length = question.get("mask"), (side * side + 7) // 8
    if isinstance(text, str) and len(text) == 4 * ((length + 2) // 3):
        try:
            packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        except ValueError:
            packed = np.empty(0, np.uint8)
        if packed.size == length:
            return np.unpackbits(packed, count=side * side).astype(bool).reshape(side, side)
    raise CamdemoError(f"The mask must be base64 of {side} x {side} bits.")


def _is_list_of(values: Any, kind: type) -> bool:
    return values is None or (
        isinstance(values, list) and all(type(value) is kind for value in values)
    )
