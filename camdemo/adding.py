"""Models that whoever runs a process adds by name: flags, a variable, and an explainer with them.

Only these name models. What a visitor, an address or a program sends is looked up among the names
that there are, and never read as one of these texts.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .errors import CamdemoError, ChoiceError, SettingError
from .explainer import Explainer

if TYPE_CHECKING:
    from .models.specs import Spec

VARIABLE = "CAMDEMO_ADD"
_ADD = (
    "a model of one's own, once or more: timm:NAME, timm:NAME@FILE, torchvision:NAME@FILE, "
    "hf-hub:OWNER/NAME, local-dir:FOLDER or MODULE:FUNCTION, with options behind a question mark "
    f"(timm:resnet18?num_classes=3); also {VARIABLE}, separated by spaces"
)


@dataclass(frozen=True, slots=True)
class _Addition:
    """A model to be added, and the files that were named behind it."""

    spec: str
    labels: str = ""
    transform: str = ""

    def parsed(self) -> Spec:
        """All of it, see `models.specs`: a file that was named behind it goes before its own."""
        from .models import specs

        spec = specs.parse(self.spec)
        files = {"labels": self.labels, "transform": self.transform}
        known = {name: value for name, value in files.items() if value}
        return replace(spec, ours={**spec.ours, **known})


def add_flags(parser: argparse.ArgumentParser) -> None:
    """--add, --labels and --transform; the latter two belong to the --add before them."""
    parser.add_argument(
        "--add", metavar="SPEC", action=_Add, dest="additions", default=[], help=_ADD
    )
    for name, help_ in (
        ("labels", "the labels of the model added before: a name a line, or JSON"),
        ("transform", "its input transform, a JSON file; see README.md"),
    ):
        parser.add_argument(f"--{name}", metavar="FILE", action=_Belonging, help=help_)


class _Add(argparse.Action):
    def __call__(
        self, _parser: Any, namespace: argparse.Namespace, value: Any, _flag: Any = None
    ) -> None:
        namespace.additions = [*namespace.additions, _Addition(value)]


class _Belonging(argparse.Action):
    def __call__(
        self, parser: Any, namespace: argparse.Namespace, value: Any, flag: Any = None
    ) -> None:
        if not namespace.additions:
            parser.error(f"{flag} belongs behind the --add of its model")
        *others, last = namespace.additions
        namespace.additions = [*others, replace(last, **{self.dest: value})]


def add_models(
    explainer: Explainer,
    options: argparse.Namespace | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Explainer:
    """The explainer with the models of the environment, then those of flags (see `add_flags`).

    What was assumed of one is printed to the error output.

    Raises:
        CamdemoError: a text that names no model, or a model that can't be had or explained.
        SettingError: `settings.model` is none of the models that there are now.
    """
    _add_each(explainer, _given(options, environment))
    try:
        explainer.catalogue.find(explainer.settings.model or explainer.catalogue.names[0])
    except ChoiceError as error:
        raise SettingError(f"--model or CAMDEMO_MODEL: {error}") from error
    return explainer


def texts(
    options: argparse.Namespace | None = None, environment: Mapping[str, str] = os.environ
) -> list[str]:
    """The models that `add_models` would add, for `add_texts` in another process.

    Raises:
        CamdemoError: a text that names no model, or that can't be written as one.
    """
    return [str(each.parsed()) for each in _given(options, environment)]


def add_texts(explainer: Explainer, given: Sequence[str]) -> None:
    """Add these models, and none of the environment's.

    Raises:
        CamdemoError: a text that names no model, or a model that can't be had or explained.
    """
    _add_each(explainer, [_Addition(text) for text in given])


def _given(options: argparse.Namespace | None, environment: Mapping[str, str]) -> list[_Addition]:
    given = [_Addition(spec) for spec in environment.get(VARIABLE, "").split()]
    return [*given, *getattr(options, "additions", [])]


def _add_each(explainer: Explainer, additions: Sequence[_Addition]) -> None:
    parsed = [each.parsed() for each in additions]  # all, before the first is built
    for each, spec in zip(additions, parsed, strict=True):
        _add(explainer, spec, each.spec)


def _add(explainer: Explainer, spec: Spec, text: str) -> None:
    from .models import own, specs

    name = spec.ours.get("name") or own.free(spec.called, explainer.catalogue.names)
    try:
        arguments = specs.build(spec)
        note = arguments.pop("note", "")
        explainer.add(arguments.pop("model"), name, **arguments)
    except CamdemoError as error:
        raise CamdemoError(f"{text}: {error}") from error
    told = " ".join(filter(None, (note, explainer.models()[-1].note)))
    if told:
        print(f"{name}: {told}", file=sys.stderr)
