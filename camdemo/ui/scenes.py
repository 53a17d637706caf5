"""What the server remembers of the explanations that are open in browsers.

A browser that wants more maps of its photo names it by a token that nobody can guess, so that
the photo is neither sent nor read again, and nobody gets another's.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PIL import Image
from tqdm import tqdm

from .. import scene, standalone
from ..errors import CamdemoError, RangeError
from . import examples

if TYPE_CHECKING:
    from ..explainer import Explainer
    from ..explanation import Explanation

_KEPT = 128  # about 1 MB each
_MOST = 8  # layers or targets in one question; None asks for every stage at once
EXPIRED = "This explanation is no longer on the server. Choose the photo again."


_Kept = OrderedDict[str, tuple["Explanation", dict[str, Any]]]


class Scenes:
    """The latest scenes, each under a token. Safe to share between threads."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self._kept: _Kept = OrderedDict()
        self._deck: _Kept = OrderedDict()
        self._lock = threading.Lock()
        self.deck: list[dict[str, Any]] = []  # complete scenes, never forgotten

    def prepare(self, photos: Mapping[str, str]) -> None:
        """Compute a deck: complete scenes of the photos, with a progress bar on the terminal.

        Raises:
            ImageError: one of the photos can't be read.
        """
        for name, path in tqdm(photos.items(), "Deck", unit=" photos"):
            explanation = self.explainer.explain(path)
            content = explanation.scene() | examples.facts(name, photos)
            self.deck.append(self._remember(explanation, content, self._deck))

    def deck_scene(self, question: Any) -> dict[str, Any]:
        """One scene of the deck by its place: {"place": 0 ...}, or {"error": a sentence}."""
        place = question.get("place") if isinstance(question, dict) else None
        if type(place) is not int or not 0 <= place < len(self.deck):
            return {"error": f"The deck has {len(self.deck)} photos."}
        return self.deck[place]

    def labels(self) -> list[str]:
        """The names of all labels, in the order of their indices."""
        return list(self.explainer.labels())

    def add(self, explanation: Explanation, **facts: Any) -> dict[str, Any]:
        """The scene of an explanation with its first map, remembered for more.

        `facts` are entries of the scene that only the page knows, such as the example's name.
        """
        return self._remember(explanation, explanation.scene(complete=False) | facts, self._kept)

    def _remember(
        self, explanation: Explanation, content: dict[str, Any], where: _Kept
    ) -> dict[str, Any]:
        content = content | {"id": secrets.token_urlsafe(16)}
        pixel = Image.new("RGB", (1, 1))  # the photo itself is in the scene, small
        with self._lock:
            where[content["id"]] = (replace(explanation, image=pixel), content)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return content

    def maps(self, question: Any) -> dict[str, Any]:
        """Maps for a browser: {"maps": [...], "labels": [...]}, or {"error": a sentence}.

        The question comes from outside: {"id": token, "layers": names or None for every stage,
        "targets": indices or None for those on the page, "exact": whether whole}.
        """
        try:
            explanation, content = self._find(question)
            layers = question.get("layers")
            targets = question.get("targets")
            if targets is None:
                targets = [label["index"] for label in content["labels"]]
            _check(layers, targets)
            found = self.explainer.maps(explanation, layers, targets)
            added = [self.explainer.prediction(explanation, index) for index in targets]
        except CamdemoError as error:
            return {"error": str(error)}
        exact = question.get("exact") is True and len(found) == 1
        return {"maps": scene.packets(found, exact), "labels": scene.labels(added)}

    def page(self, question: Any) -> dict[str, Any]:
        """The page to take away: {"html": text}, or {"error": a sentence}."""
        try:
            explanation, content = self._find(question)
            complete = content | {
                "maps": scene.packets(explanation.maps()),
                "complete": True,
                "id": "",
                "original": "",
            }
        except CamdemoError as error:
            return {"error": str(error)}
        return {"html": standalone.page(complete)}

    def _find(self, question: Any) -> tuple[Explanation, dict[str, Any]]:
        token = question.get("id") if isinstance(question, dict) else None
        with self._lock:
            if isinstance(token, str) and token in self._deck:
                return self._deck[token]
            if not isinstance(token, str) or token not in self._kept:
                raise CamdemoError(EXPIRED)
            self._kept.move_to_end(token)
            return self._kept[token]


def _check(layers: Any, targets: Any) -> None:
    """Refuse what is not a short list of names (or None), and a short list of indices."""
    if layers is not None and not _is_list_of(layers, str):
        raise CamdemoError("The layers must be a list of names.")
    if not _is_list_of(targets, int):
        raise CamdemoError("The targets must be a list of label indices.")
    for kind, values in (("layers", layers), ("targets", targets)):
        if values is not None and not 1 <= len(values) <= _MOST:
            raise RangeError(f"number of {kind}", len(values), 1, _MOST)


def _is_list_of(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)
