"""What the server remembers of the explanations that are open in browsers.

A browser that wants more maps of its photo names it by a token that nobody can guess, so that
the photo is neither sent nor read again, and nobody gets another's.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from tqdm import tqdm

from .. import scene, standalone
from ..errors import CamdemoError, ImageError, RangeError
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
        self._answers: OrderedDict[tuple, tuple[Explanation, dict[str, Any]]] = OrderedDict()
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

    def answer(
        self, path: str, model: str | None, question: Mapping[str, Any], **facts: Any
    ) -> dict[str, Any]:
        """The scene of a photo, from memory where the same was asked before.

        The same means the same bytes: what everybody in a lecture hall clicks is explained once.

        Args:
            question: layer, target and framing, as for `Explainer.explain`.
            facts: entries of the scene that only the page knows, such as the example's name.

        Raises:
            ImageError: the file is gone.
            CamdemoError: whatever `Explainer.explain` raises.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ImageError("This photo is no longer on the server. Choose it again.") from error
        asked = (model or self.explainer.default_model(), *sorted(question.items()))
        key = (hashlib.sha256(content).digest(), *asked)
        with self._lock:
            found = self._answers.get(key)
        if found is None:
            explanation = self.explainer.explain(content, model, **question)
            found = _without_photo(explanation), explanation.scene(complete=False)
        with self._lock:
            self._answers[key] = found
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        explanation, answer = found
        return self._remember(explanation, answer | facts, self._kept)

    def labels(self) -> list[str]:
        """The names of all labels, in the order of their indices."""
        return list(self.explainer.labels())

    def _remember(
        self, explanation: Explanation, content: dict[str, Any], where: _Kept
    ) -> dict[str, Any]:
        content = content | {"id": secrets.token_urlsafe(16)}
        with self._lock:
            where[content["id"]] = (_without_photo(explanation), content)
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


def _without_photo(explanation: Explanation) -> Explanation:
    """The same, without the photo's millions of pixels: a small copy is in the scene."""
    return replace(explanation, image=Image.new("RGB", (1, 1)))


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
