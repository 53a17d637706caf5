"""What a viewer may ask: values from a browser, checked before anything is done with them.

Types and sizes are checked here; names, indices and frames by the explainer, as for everybody.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import options
from ..errors import CamdemoError, RangeError
from ..question import Hiding, Look, Question
from ..viewer.bundle import MOST
from ..viewer.scene import Scene

_LARGE = 1e9  # no photo has as many pixels
_MOST_RIVALS = 64  # labels that one is compared with; they cost nothing more


def maps(question: Mapping[str, Any]) -> dict[str, Any]:
    """Layers, targets, method, versus and strength as arguments for `Finding.maps`.

    The layers are a short list of names or None for every stage, the targets one of indices and
    names or None for those on the page; method and versus may be None, too.

    Raises:
        CamdemoError, RangeError: something else.
    """
    layers, targets = question.get("layers"), question.get("targets")
    if not _is_list_of(layers, str):
        raise CamdemoError("The layers must be a list of names.")
    if not _is_list_of(targets, int, str):
        raise CamdemoError("The targets must be a list of label indices or names.")
    for kind, values in (("layers", layers), ("targets", targets)):
        if values is not None and not 1 <= len(values) <= MOST:
            raise RangeError(f"number of {kind}", len(values), 1, MOST)
    compared = _compared(question, targets or ())
    return {"layers": layers, "targets": targets, "method": method(question), **compared}


def _compared(question: Mapping[str, Any], targets: Sequence[Any]) -> dict[str, Any]:
    """Versus, a list of indices or None, and strength, a number."""
    versus = question.get("versus")
    if not _is_list_of(versus, int):
        raise CamdemoError("Versus must be a list of label indices.")
    if versus and len(versus) > _MOST_RIVALS:
        raise RangeError("number of labels to compare with", len(versus), 1, _MOST_RIVALS)
    if versus and set(versus) & set(targets):
        raise CamdemoError("A label can't be compared with itself. Choose another.")
    strength = options.find(Question, "strength").check(question.get("strength"))
    return {"versus": versus or None, "strength": float(strength)}


def method(question: Mapping[str, Any]) -> str | None:
    """The name of a method; None where none is named.

    Raises:
        CamdemoError: something else.
    """
    name = question.get("method")
    if name is not None and not (isinstance(name, str) and name):
        raise CamdemoError("The method must be a name.")
    return name


def pixels(question: Mapping[str, Any]) -> dict[str, Any]:
    """Method, labels and settings as arguments for `Finding.seen`.

    Raises:
        CamdemoError: another type than that of a name, an index or settings.
    """
    target, named = question.get("target"), method(question)
    if named is None or type(target) is not int:
        raise CamdemoError("The method must be a name, the target the index of a label.")
    compared = _compared(question, [target])
    chosen = settings(question) or {}
    return {"method": named, "target": target, **compared, "settings": chosen}


def settings(question: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of a method, {name: a text, a number, or whether}; None where there are none.

    Raises:
        CamdemoError: something else.
    """
    given = question.get("settings")
    if given is None:
        return None
    plain = str | int | float | bool
    if not isinstance(given, dict) or not all(isinstance(one, plain) for one in given.values()):
        raise CamdemoError("The settings must be an object with names and values.")
    return given


def explain(question: Any) -> dict[str, Any]:
    """What is asked of a photo as arguments for `Explainer.explain`: the options of `Question`.

    What is absent or None is left out.

    Raises:
        CamdemoError: another type than that of a name or an index.
    """
    if not isinstance(question, dict):
        raise CamdemoError("The question must be an object with names and values.")
    texts, labels = ("model", "layer", "method", "settings", "framing"), ("target", "versus")
    names = (*texts, *labels, "strength")
    asked = {name: question[name] for name in names if question.get(name) is not None}
    if any(not isinstance(asked.get(name, ""), str) for name in texts):
        raise CamdemoError("Model, layer, method, settings and framing must be texts.")
    rivals = asked.get("versus", "")
    several = rivals if isinstance(rivals, list) and rivals else [rivals]
    if len(several) > _MOST_RIVALS:
        raise RangeError("number of labels to compare with", len(several), 1, _MOST_RIVALS)
    if any(type(one) not in (str, int) for one in (asked.get("target", ""), *several)):
        raise CamdemoError("Target and versus must be labels or their indices.")
    # A link has an index and a number as texts.
    known = {option.name: option for option in options.of(Question)}
    read = {
        name: known[name].read(given)
        if type(given) is str and given.strip()
        else known[name].check(given)
        for name, given in asked.items()
        if name in (*labels, "strength")
    }
    return asked | read


def shown(question: Mapping[str, Any], scene: Scene) -> dict[str, Any]:
    """Layer, method, labels and settings that a viewer shows, as arguments for `Finding.seen`.

    Without a layer those of its first scene; without a method that of it. Versus is a list of
    indices or None.

    Raises:
        CamdemoError: another type than that of a name or an index, or a label against itself.
    """
    layer, target = question.get("layer"), question.get("target")
    if layer is None:
        layer, target = scene.layer.name, scene.target.index
        versus = [one.index for one in scene.versus]
        question = {**question, "versus": versus, "strength": scene.strength}
    if not isinstance(layer, str) or type(target) is not int:
        raise CamdemoError("The layer must be a name, the target the index of a label.")
    compared = _compared(question, [target])
    named = method(question) or scene.method
    chosen = {"target": target, "settings": settings(question), **compared}
    return {"layer": layer, "method": named, **chosen}


def view(question: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """How a viewer shows it: what `Scene.wanted` tells the viewer of a file.

    The question has "look" (the options of `Look`, by their names), "split" (where the divider is)
    and "hidden": None, or {"regions": as `regions.js` has them, "fill", "keep", "answer": None or
    what the model said, see `_answer`}. What is absent is the viewer's default.

    Args:
        labels: the names of all labels, in the order of their indices.

    Raises:
        CamdemoError, ChoiceError, RangeError: something else.
    """
    look, hidden, split = (question.get(name) for name in ("look", "hidden", "split"))
    known = {option.name: option for option in options.of(Look)}
    if not isinstance(look, dict | None) or not known.keys() >= (look or {}).keys():
        raise CamdemoError(f"The look must have the names of options: {', '.join(known)}.")
    given = {name: value for name, value in (look or {}).items() if value is not None}
    wanted = {name: known[name].check(value) for name, value in given.items()}
    if split is not None:
        wanted["split"] = _share(split, "The place of the divider")
    if hidden is None:
        return wanted
    if not isinstance(hidden, dict):
        raise CamdemoError("What is hidden must be an object with regions.")
    how = options.check(Hiding, fill=hidden.get("fill"), keep=hidden.get("keep"))
    wanted |= {"hidden": _regions(hidden.get("regions")), "fill": how.fill, "keep": how.keep}
    if hidden.get("answer") is not None:
        wanted["answer"] = {**_answer(hidden["answer"], labels), "keep": how.keep}
    return wanted


def _regions(given: Any) -> list[dict[str, Any]]:
    """Regions of a photo's copy: {"rects": of four numbers each}, or {"points", "radius"}."""
    wrong = CamdemoError("Regions must be rectangles of four numbers, or points and their radius.")

    def numbers(places: Any, count: int) -> list[list[float]]:
        if not isinstance(places, list) or not places:
            raise wrong
        for place in places:
            if not (isinstance(place, list) and len(place) == count and all(map(_is_real, place))):
                raise wrong
        return places

    if not isinstance(given, list) or not all(isinstance(region, dict) for region in given):
        raise wrong
    found: list[dict[str, Any]] = []
    for region in given:
        if "points" in region:
            if not _is_real(region.get("radius")) or region["radius"] <= 0:
                raise wrong
            found.append({"points": numbers(region["points"], 2), "radius": region["radius"]})
        else:
            found.append({"rects": numbers(region.get("rects"), 4)})
    return found


def _answer(given: Any, names: Sequence[str]) -> dict[str, Any]:
    """What the model said to what is hidden, as the viewer keeps it.

    From {"labels": indices, "now", "elsewhere", "errors": shares in their order, the last two
    None before they are known, "overlap": a share, "first": {"index", "probability"}}.
    """

    def index(value: Any) -> int:
        if type(value) is not int or not 0 <= value < len(names):
            raise CamdemoError("The answer must name labels by their indices.")
        return value

    wrong = CamdemoError("The answer must be an object with labels and a share for each.")
    if not isinstance(given, dict):
        raise wrong
    first, labels = given.get("first"), given.get("labels")
    if not isinstance(first, dict) or not isinstance(labels, list):
        raise wrong
    found: dict[str, Any] = {
        "first": {
            "index": index(first.get("index")),
            "label": names[index(first.get("index"))],
            "probability": _share(first.get("probability")),
        }
    }
    for name in ("now", "elsewhere", "errors"):
        shares = given.get(name)
        if shares is None and name != "now":
            continue
        if not isinstance(shares, list) or len(shares) != len(labels):
            raise wrong
        found[name] = {index(label): _share(one) for label, one in zip(labels, shares, strict=True)}
    if given.get("overlap") is not None:
        found["overlap"] = _share(given["overlap"])
    return found


def _share(value: Any, what: str = "A share") -> float:
    """The value, if it is a number from 0 to 1."""
    if not _is_real(value) or not 0 <= value <= 1:
        raise RangeError(what, value, 0, 1)
    return value


def _is_real(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < _LARGE  # which NaN and infinity are not


def after(question: Mapping[str, Any]) -> int:
    """Which version of a growing answer a viewer has, 0 for none.

    Raises:
        CamdemoError: something else than a whole number.
    """
    version = question.get("after", 0)
    if type(version) is not int or not 0 <= version < _LARGE:
        raise CamdemoError("After must be the version of an answer, a whole number.")
    return version


def mask(question: Mapping[str, Any], shape: tuple[int, int]) -> np.ndarray:
    """A mask from the base64 of its bits, row by row: bool of that height and width.

    Raises:
        CamdemoError: something else.
    """
    height, width = shape
    text, length = question.get("mask"), (height * width + 7) // 8
    if isinstance(text, str) and len(text) == 4 * ((length + 2) // 3):
        try:
            packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
        except ValueError:
            packed = np.empty(0, np.uint8)
        if packed.size == length:
            return np.unpackbits(packed, count=height * width).astype(bool).reshape(shape)
    raise CamdemoError(f"The mask must be base64 of {width} x {height} bits.")


def _is_list_of(values: Any, *kinds: type) -> bool:
    return values is None or (
        isinstance(values, list) and all(type(value) in kinds for value in values)
    )
