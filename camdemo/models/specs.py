"""Models that an operator names in a text: where each comes from, and what is known of it.

    timm:NAME                 timm's network with its published weights
    timm:NAME@FILE            with a checkpoint of one's own
    torchvision:NAME          torchvision's, and
    torchvision:NAME@FILE     with a checkpoint of one's own
    hf-hub:OWNER/NAME         a network in timm's format from the Hugging Face Hub
    local-dir:FOLDER          the same from a folder
    MODULE:FUNCTION           what a Python function returns: a module, or `Explainer.add`'s
                              arguments as a dict

Behind a "?" follow options, joined by "&": `name`, `labels` (a file), `transform` (a JSON file) and
`activation` are `Explainer.add`'s; all others go to what builds the network: `?num_classes=3`.

A text here runs code and reads files. It must come from who runs the process, never from a visitor.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import CamdemoError, ChoiceError, shorten
from . import checkpoints, transforms
from .sources import imagenet_labels

_OURS = ("name", "labels", "transform", "activation")
FORMS = (
    "timm:NAME, timm:NAME@FILE, torchvision:NAME, torchvision:NAME@FILE, hf-hub:OWNER/NAME, "
    "local-dir:FOLDER, or MODULE:FUNCTION, each with options such as ?num_classes=3"
)


@dataclass(frozen=True)
class Spec:
    """A text, taken apart.

    Attributes:
        scheme: "timm", "torchvision", "hf-hub", "local-dir", or the name of a module.
        place: what it has there: a network's name, OWNER/NAME, a folder, a function.
        file: a checkpoint; empty for none.
        options: for what builds the network.
        ours: name, labels, transform and activation, as texts.
    """

    scheme: str
    place: str
    file: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    ours: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """A name for the model, of what may stand in one."""
        last = self.place.rstrip("/").rpartition("/")[2].partition("@")[0]
        return re.sub(r"[^A-Za-z0-9_.-]+", "-", last).strip("-._") or "model"

    def __str__(self) -> str:
        """The text from which this is what `parse` gives.

        Raises:
            CamdemoError: there is none, for a name has a character that parts two of them.
        """
        given = {**self.options, **self.ours}
        options = "&".join(f"{name}={_text(value)}" for name, value in given.items())
        text = f"{self.scheme}:{self.place}" + (options and f"?{options}")
        text += self.file and f"@{self.file}"
        with suppress(CamdemoError):
            if parse(text) == self:
                return text
        raise CamdemoError(
            f"{shorten(text)} can't be told to other processes. "
            "Name its files without the characters ?, & and @."
        )


def parse(text: str) -> Spec:
    """A text taken apart; nothing is built, read or asked yet.

    Raises:
        CamdemoError: it has none of the forms above.
    """
    scheme, colon, rest = text.strip().partition(":")
    rest, _, query = rest.partition("?")
    file = ""
    if scheme in ("timm", "torchvision"):
        rest, _, file = rest.partition("@")
        if not file:
            query, _, file = query.partition("@")
    if not (scheme and colon and rest):
        raise CamdemoError(f"{shorten(text)} names no model. Give {FORMS}.")
    options: dict[str, Any] = {}
    ours: dict[str, str] = {}
    for each in filter(None, query.split("&")):
        name, equals, value = each.partition("=")
        if not (name.isidentifier() and equals):
            raise CamdemoError(f"{shorten(each)} in {shorten(text)} is no option=value.")
        if name in _OURS:
            ours[name] = value
        else:
            options[name] = _value(value)
    return Spec(scheme, rest, file, options, ours)


def _value(text: str) -> Any:
    """Numbers, True, False, None and lists as Python writes them; all else is a text."""
    try:
        return ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        return text


def _text(value: Any) -> str:
    """The text from which `_value` makes this."""
    return value if isinstance(value, str) and _value(value) == value else repr(value)


def build(spec: Spec) -> dict[str, Any]:
    """The arguments of `Explainer.add` for a network: model, labels, transform, activation, note.

    Raises:
        CamdemoError: it can't be built, or its numbers can't be had or don't fit.
    """
    builders: dict[str, Callable[[Spec], dict[str, Any]]] = {
        **{"timm": _of_timm, "hf-hub": _of_timm, "local-dir": _of_timm},
        "torchvision": _of_torchvision,
    }
    known = builders.get(spec.scheme, _of_function)(spec)
    given: dict[str, Any] = dict(spec.ours)
    given.pop("name", None)
    if "transform" in given:
        given["transform"] = transforms.from_file(given["transform"])
    return known | given


@contextmanager
def _told(what: str, advice: str = "") -> Any:
    """Whatever a builder raises becomes one sentence."""
    try:
        yield
    except CamdemoError:
        raise
    except Exception as error:
        text = str(error).strip().partition("\n")[0]
        raise CamdemoError(f"{what}: {text or type(error).__name__}. {advice}".strip()) from error


def _of_timm(spec: Spec) -> dict[str, Any]:
    import timm

    if spec.scheme == "timm":
        name = spec.place
        if not timm.is_model(name.partition(".")[0]):
            raise ChoiceError("model of timm's", name, timm.list_models())
    else:
        name = f"{spec.scheme}:{spec.place}"
    own = bool(spec.file)
    options = {"pretrained": not own, **spec.options}
    advice = "With a checkpoint of your own: timm:NAME@FILE." if not own else ""
    with _told(f"{name} can't be had from timm", advice):
        network = timm.create_model(name, **options)
    note = ""
    if own:
        note = checkpoints.put(network, checkpoints.read(spec.file), Path(spec.file).name, name)
    return {"model": network, "labels": _labels_of_timm(network), "note": note}


def _labels_of_timm(network: nn.Module) -> list[str] | None:
    """What the record of a network says of its labels, or ImageNet's where it has as many."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    config: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    names = config.get("label_names")
    if names:
        told = config.get("label_descriptions") or {}
        return [str(told.get(each, each)).partition(",")[0] for each in names]
    subset = infer_imagenet_subset(network)
    if subset is None:
        return None
    if subset == "imagenet-1k":
        return list(imagenet_labels())
    info = ImageNetInfo(subset)
    return [info.index_to_description(index) for index in range(info.num_classes())]


def _of_torchvision(spec: Spec) -> dict[str, Any]:
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    if spec.place not in names:
        raise ChoiceError("model of torchvision's", spec.place, names)
    weights = torchvision.models.get_model_weights(spec.place)
    chosen = next(iter(weights)) if spec.file else weights.DEFAULT
    options: dict[str, Any] = dict(spec.options)
    if spec.file and spec.place in ("googlenet", "inception_v3"):
        options = {"init_weights": False, "aux_logits": False, "transform_input": True, **options}
    advice = "With a checkpoint of your own: torchvision:NAME@FILE." if not spec.file else ""
    with _told(f"torchvision's {spec.place} can't be had", advice):
        given = None if spec.file else chosen
        network = torchvision.models.get_model(spec.place, weights=given, **options)
    note = ""
    if spec.file:
        title = f"torchvision's {spec.place}"
        file = Path(spec.file).name
        note = checkpoints.put(network, checkpoints.read(spec.file), file, title)
    is_imagenet = options.get("num_classes", 1000) == 1000
    labels = list(imagenet_labels()) if is_imagenet else None
    return {"model": network, "labels": labels, "transform": chosen.transforms(), "note": note}


def _of_function(spec: Spec) -> dict[str, Any]:
    """What a function returns. Modules are looked for where Python does, and in this folder."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    name = f"{spec.scheme}:{spec.place}"
    with _told(f"{name} can't be called"):
        function = getattr(importlib.import_module(spec.scheme), spec.place)
        found = function(**spec.options)
    if isinstance(found, Mapping):
        allowed = ("model", "labels", "transform", "activation")
        wrong = [each for each in found if each not in allowed]
        if wrong or "model" not in found:
            raise CamdemoError(
                f"{name} returns a dict with {', '.join(map(str, found))}. It must have the model, "
                f"and may have {', '.join(allowed[1:])}."
            )
        return dict(found)
    return {"model": found}
