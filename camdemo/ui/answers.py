"""What the server remembers of the explanations that are open in browsers.

A browser that wants more maps of its photo names it by a token that nobody can guess, so that
the photo is neither sent nor read again, and nobody gets another's.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import CamdemoError, ImageError
from ..viewer import bundle, scene
from . import questions
from .server.journal import answers, facts_of, note

if TYPE_CHECKING:
    from ..explainer import Explainer
    from ..explanation import Explanation

_KEPT = 128  # about 1 MB each
EXPIRED = "This explanation is no longer on the server. Choose the photo again."


_ASKED_AGAIN = ("original", "name", "example", "code")  # what stays when a photo is asked again


@dataclass(frozen=True)
class _Scene:
    """An explanation that is open in a browser, without the photo's pixels."""

    explanation: Explanation
    content: dict[str, Any]
    path: str  # of the photo


_Kept = OrderedDict[str, _Scene]


class Scenes:
    """The latest scenes, each under a token. Safe to share between threads."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self._kept: _Kept = OrderedDict()
        self._deck: _Kept = OrderedDict()
        self._answers: OrderedDict[tuple[bytes, str], tuple[Explanation, dict[str, Any]]] = (
            OrderedDict()
        )
        self._lock = threading.Lock()
        self.deck: list[dict[str, Any]] = []  # complete scenes, never forgotten

    def add_to_deck(self, path: str, **facts: Any) -> None:
        """Compute a photo of the deck: a complete scene; `facts` as in `answer`.

        Raises:
            ImageError: the photo can't be read.
        """
        explanation = self.explainer.explain(path)
        content = explanation.scene() | facts
        opened = _opened(_without_photo(explanation), content, path)
        self._deck[opened.content["id"]] = opened
        self.deck.append(opened.content)

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
        asked = json.dumps([model or self.explainer.default_model(), sorted(question.items())])
        key = (hashlib.sha256(content).digest(), asked)
        with self._lock:
            found = self._answers.get(key)
        note(bytes=len(content), remembered=found is not None)
        if found is None:
            explanation = self.explainer.explain(content, model, **question)
            note(**facts_of(explanation))
            found = _without_photo(explanation), explanation.scene(complete=False)
        explanation, answer = found
        opened = _opened(explanation, answer | facts, path)
        with self._lock:
            _keep(self._answers, key, found)
            _keep(self._kept, opened.content["id"], opened)
        return opened.content

    def labels(self) -> list[str]:
        """The names of all labels, in the order of their indices."""
        return list(self.explainer.labels())

    @answers("maps")
    def maps(self, question: Any) -> dict[str, Any]:
        """Maps for a browser: {"maps": [...], "labels": [...]}, or {"error": a sentence}.

        The question comes from outside: {"id": token, "layers": names or None for every stage,
        "targets": indices or None for those on the page, "exact": whether whole}.
        """
        kept = self._find(question)
        explanation, content = kept.explanation, kept.content
        layers, targets = questions.layers_and_targets(question)
        if targets is None:
            targets = [label["index"] for label in content["labels"]]
        found = self.explainer.maps(explanation, layers, targets)
        chances = explanation.probabilities
        added = [self.explainer.prediction(chances, index) for index in targets]
        exact = question.get("exact") is True and len(found) == 1
        return {"maps": scene.packets(found, exact), "labels": scene.labels(added)}

    @answers("hide")
    def hide(self, question: Any) -> dict[str, Any]:
        """What the model answers when a part is hidden: {"probabilities", "first"}, or an error.

        The question: {"id": token, "mask": base64 of the bits of the network's input, row by row,
        "fill": its name, "keep": whether the mask is kept and the rest hidden}.
        """
        return self._ask_back(question, self.explainer.hide)

    @answers("hide elsewhere")
    def hide_elsewhere(self, question: Any) -> dict[str, Any]:
        """The same on average with the mask at random places: the yardstick."""
        return self._ask_back(question, self.explainer.hide_elsewhere)

    def _ask_back(self, question: Any, ask: Callable[..., np.ndarray]) -> dict[str, Any]:
        explanation = self._find(question).explanation
        mask = questions.mask(question, explanation.inputs.shape[-1])
        now = ask(explanation, mask, question.get("fill"), question.get("keep") is True)
        first = scene.labels(self.explainer.top(now)[:1])[0]
        return {"probabilities": scene.base64_of(now.astype("<f4")), "first": first}

    @answers("look")
    def look(self, question: Any) -> dict[str, Any]:
        """A glance through another frame, while it is dragged: {"labels", "maps", "target"}.

        It comes from the display copy, and nothing of it is kept. The question: {"id": token,
        "framing": a frame in pixels of that copy, "layer", "target" (None for the most probable),
        "versus"}.
        """
        kept = self._find(question)
        copy = base64.b64decode(kept.content["photo"].partition(",")[2])
        asked = questions.framing_and_labels(question)
        explanation = self.explainer.explain(copy, kept.explanation.model.name, **asked)
        return {
            "labels": scene.labels(explanation.labels_shown()),
            "maps": scene.packets(explanation.maps_shown()),
            "target": explanation.target.index,
        }

    @answers("reframe")
    def reframe(self, question: Any) -> dict[str, Any]:
        """The photo again in another framing: a scene, or {"error": a sentence}.

        The question: {"id": token, "framing": its text, "layer", "target", "versus"}.
        """
        kept = self._find(question)
        asked = questions.framing_and_labels(question)
        facts = {name: kept.content[name] for name in _ASKED_AGAIN}
        return self.answer(kept.path, kept.explanation.model.name, asked, **facts)

    @answers("page")
    def page(self, question: Any) -> dict[str, Any]:
        """The page to take away: {"html": text}, or {"error": a sentence}."""
        kept = self._find(question)
        complete = kept.content | {
            "maps": scene.packets(kept.explanation.maps()),
            "complete": True,
            "id": "",
            "original": "",
        }
        return {"html": bundle.page(complete)}

    def _find(self, question: Any) -> _Scene:
        token = question.get("id") if isinstance(question, dict) else None
        with self._lock:
            if isinstance(token, str) and token in self._deck:
                return self._deck[token]
            if not isinstance(token, str) or token not in self._kept:
                raise CamdemoError(EXPIRED)
            self._kept.move_to_end(token)
            kept = self._kept[token]
        note(model=kept.explanation.model.name)
        return kept


def _opened(explanation: Explanation, content: dict[str, Any], path: str) -> _Scene:
    """The scene under a token of its own."""
    return _Scene(explanation, content | {"id": secrets.token_urlsafe(16)}, path)


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    """Remember a value as the latest, and forget the least used ones."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _without_photo(explanation: Explanation) -> Explanation:
    """The same, without the photo's millions of pixels: a small copy is in the scene."""
    return replace(explanation, image=Image.new("RGB", (1, 1)))
