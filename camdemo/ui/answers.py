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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CamdemoError, ImageError
from ..viewer import bundle, scene
from . import questions
from .server.journal import answers, facts_of, note

if TYPE_CHECKING:
    from ..explainer import Explainer
    from ..finding import Finding

_KEPT = 128  # about 1 MB each
EXPIRED = "This explanation is no longer on the server. Choose the photo again."


_ASKED_AGAIN = ("original", "name", "example", "code")  # what stays when a photo is asked again


@dataclass(frozen=True)
class _Scene:
    """What is open in a browser, without the photo's pixels."""

    finding: Finding
    content: dict[str, Any]
    path: str  # of the photo


_Kept = OrderedDict[str, _Scene]


class Scenes:
    """The latest scenes, each under a token. Safe to share between threads."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self._kept: _Kept = OrderedDict()
        self._deck: _Kept = OrderedDict()
        self._answers: OrderedDict[tuple[bytes, str], tuple[Finding, dict[str, Any]]] = (
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
        opened = _opened(explanation.finding, content, path)
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
            found = explanation.finding, explanation.scene(complete=False)
        finding, answer = found
        opened = _opened(finding, answer | facts, path)
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
        finding = kept.finding
        layers, targets = questions.layers_and_targets(question)
        if targets is None:
            targets = list(dict.fromkeys(one.index for one in finding.labels_shown()))
        found = finding.maps(layers, targets)
        added = [finding.prediction(index) for index in targets]
        exact = question.get("exact") is True and len(found) == 1
        return {"maps": scene.packets(found, exact), "labels": scene.labels(added)}

    @answers("hide")
    def hide(self, question: Any) -> dict[str, Any]:
        """What the model answers when a part is hidden: {"probabilities", "first"}, or an error.

        The question: {"id": token, "mask": base64 of the bits of the network's input, row by row,
        "fill": its name, "keep": whether the mask is kept and the rest hidden}.
        """
        finding, mask, how = self._hidden(question)
        now = finding.without(mask, *how)
        first = scene.labels(finding.top(now)[:1])[0]
        return {"probabilities": scene.base64_of(now.astype("<f4")), "first": first}

    @answers("hide elsewhere")
    def hide_elsewhere(self, question: Any) -> dict[str, Any]:
        """The same with the mask at random places: {"probabilities", "errors", "overlap"}.

        On average over the places, the standard errors of these averages, and how much of the
        mask the places cover (0 to 1).
        """
        finding, mask, how = self._hidden(question)
        found = finding.without_elsewhere(mask, *how)
        return {
            "probabilities": scene.base64_of(found.mean.astype("<f4")),
            "errors": scene.base64_of(found.error.astype("<f4")),
            "overlap": found.overlap,
        }

    def _hidden(self, question: Any) -> tuple[Finding, np.ndarray, tuple[Any, bool]]:
        """Whom to ask, the mask, and what becomes of it: fill and keep."""
        finding = self._find(question).finding
        mask = questions.mask(question, finding.inputs.shape[-1])
        return finding, mask, (question.get("fill"), question.get("keep") is True)

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
        explanation = self.explainer.explain(copy, kept.finding.model.name, **asked)
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
        return self.answer(kept.path, kept.finding.model.name, asked, **facts)

    @answers("page")
    def page(self, question: Any) -> dict[str, Any]:
        """The page to take away: {"html": text}, or {"error": a sentence}.

        It opens with what is shown, and has its map whole. The question: {"id": token, "layer",
        "target", "versus"}.
        """
        kept = self._find(question)
        finding, content = kept.finding, kept.content
        layer, target, versus = questions.shown(question, content)
        targets = [target] if versus is None else [target, versus]
        there = {label["index"]: label for label in content["labels"]}
        added = [finding.prediction(one) for one in targets if one not in there]
        labels = [*content["labels"], *scene.labels(added)]
        indices = [label["index"] for label in labels]
        # The layer that is shown may be a finer one.
        maps = finding.maps(None, indices) | finding.maps([layer], indices)
        shown = {(layer, one): maps[layer, one] for one in targets}
        complete = content | {
            "layer": layer,
            "target": target,
            "versus": versus,
            "labels": labels,
            "maps": scene.packets(maps),
            "exact": scene.whole(shown),
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
        note(model=kept.finding.model.name)
        return kept


def _opened(finding: Finding, content: dict[str, Any], path: str) -> _Scene:
    """The scene under a token of its own."""
    return _Scene(finding, content | {"id": secrets.token_urlsafe(16)}, path)


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    """Remember a value as the latest, and forget the least used ones."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _KEPT:
        kept.popitem(last=False)
