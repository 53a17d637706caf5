"""What the server remembers of the explanations that are open in browsers.

A browser that wants more maps of its photo names it by a token that nobody can guess, so that
the photo is neither sent nor read again, and nobody gets another's.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CamdemoError, ImageError
from ..question import Question, check
from ..viewer import bundle
from ..viewer.scene import Scene, base64_of, labels, packets
from . import questions
from .server.journal import answers, facts_of, note

if TYPE_CHECKING:
    from ..explainer import Explainer
    from ..finding import Finding

_KEPT = 192  # findings, about 0.8 MB each
_TOKENS = 4096  # a hall that clicks the same photo shares one finding
EXPIRED = "This explanation is no longer on the server. Choose the photo again."


_ASKED_AGAIN = ("original", "name", "example", "code")  # what stays when a photo is asked again


@dataclass(frozen=True)
class _Open:
    """A scene that is open in a browser, and what its model can be asked further."""

    finding: Finding
    scene: Scene
    path: str  # of the photo


_Kept = OrderedDict[str, _Open]


class Scenes:
    """The latest scenes, each under a token. Safe to share between threads."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self._kept: _Kept = OrderedDict()
        self._deck: _Kept = OrderedDict()
        self._answers: OrderedDict[tuple[bytes, Question], tuple[Finding, Scene]] = OrderedDict()
        self._lock = threading.Lock()
        self.deck: list[Scene] = []  # complete ones, never forgotten

    def add_to_deck(self, path: str, **facts: Any) -> None:
        """Compute a photo of the deck: a complete scene; `facts` as in `answer`.

        Raises:
            ImageError: the photo can't be read.
        """
        explanation = self.explainer.explain(path)
        opened = _opened(explanation.finding, replace(explanation.scene(), **facts), path)
        self._deck[opened.scene.id] = opened
        self.deck.append(opened.scene)

    def deck_scene(self, question: Any) -> dict[str, Any]:
        """One scene of the deck by its place: {"place": 0 ...}, or {"error": a sentence}."""
        place = question.get("place") if isinstance(question, dict) else None
        if type(place) is not int or not 0 <= place < len(self.deck):
            return {"error": f"The deck has {len(self.deck)} photos."}
        return self.deck[place].as_json()

    def answer(
        self, path: str, model: str | None, question: Mapping[str, Any], **facts: Any
    ) -> Scene:
        """The scene of a photo, from memory where the same was asked before.

        The same means the same bytes: what everybody in a lecture hall clicks is explained once.

        Args:
            question: layer, method, target and framing, as for `Explainer.explain`.
            facts: what of the scene only the page knows, such as the example's name.

        Raises:
            ImageError: the file is gone.
            CamdemoError: whatever `Explainer.explain` raises.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ImageError("This photo is no longer on the server. Choose it again.") from error
        model = model or self.explainer.default_model()
        key = (hashlib.sha256(content).digest(), check(Question, model=model, **question))
        with self._lock:
            found = self._answers.get(key)
        note(bytes=len(content), remembered=found is not None)
        if found is None:
            explanation = self.explainer.explain(content, model, **question)
            note(**facts_of(explanation))
            found = explanation.finding, explanation.scene(complete=False)
        finding, scene = found
        opened = _opened(finding, replace(scene, **facts), path)
        with self._lock:
            self._answers[key] = found
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
            self._kept[opened.scene.id] = opened
            _forget(self._kept)
        return opened.scene

    def labels(self) -> list[str]:
        """The names of all labels, in the order of their indices."""
        return list(self.explainer.labels())

    @answers("maps")
    def maps(self, question: Any) -> dict[str, Any]:
        """Maps for a browser: {"maps": [...], "labels": [...]}, or {"error": a sentence}.

        The question comes from outside: {"id": token, "layers": names or None for every stage,
        "targets": indices or None for those on the page, "method": its name or None for the
        scene's, "versus": index of the label whose logit is subtracted, or None, "exact": whether
        whole}.
        """
        finding = self._find(question).finding
        asked = questions.maps(question)
        found = finding.maps(**asked)
        targets, method = asked["targets"], asked["method"] or finding.method
        shown = finding.labels_shown() if targets is None else map(finding.prediction, targets)
        exact = question.get("exact") is True and len(found) == 1
        sent = packets(found, method, asked["versus"], exact)
        return {"maps": sent, "labels": labels(shown)}

    @answers("hide")
    def hide(self, question: Any) -> dict[str, Any]:
        """What the model answers when a part is hidden: {"probabilities", "first"}, or an error.

        The question: {"id": token, "mask": base64 of the bits of the network's input, row by row,
        "fill": its name, "keep": whether the mask is kept and the rest hidden}.
        """
        finding, mask, how = self._hidden(question)
        now = finding.without(mask, *how)
        (first,) = labels(finding.top(now)[:1])
        return {"probabilities": base64_of(now.astype("<f4")), "first": first}

    @answers("hide elsewhere")
    def hide_elsewhere(self, question: Any) -> dict[str, Any]:
        """The same with the mask at random places: {"probabilities", "errors", "overlap"}.

        On average over the places, the standard errors of these averages, and how much of the
        mask the places cover (0 to 1).
        """
        finding, mask, how = self._hidden(question)
        found = finding.without_elsewhere(mask, *how)
        return {
            "probabilities": base64_of(found.mean.astype("<f4")),
            "errors": base64_of(found.error.astype("<f4")),
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
        "framing": a frame in pixels of that copy, "layer", "method", "target" (None for the most
        probable), "versus"}.
        """
        scene = self._find(question).scene
        asked = questions.explain(question)
        explanation = self.explainer.explain(scene.photo, scene.model.name, **asked)
        return {
            "labels": labels(explanation.labels_shown()),
            "maps": explanation.packets(complete=False),
            "target": explanation.target.index,
        }

    @answers("reframe")
    def reframe(self, question: Any) -> dict[str, Any]:
        """The photo again in another framing: a scene, or {"error": a sentence}.

        The question: {"id": token, "framing": its text, "layer", "method", "target", "versus"}.
        """
        kept = self._find(question)
        asked = questions.explain(question)
        facts = {name: getattr(kept.scene, name) for name in _ASKED_AGAIN}
        return self.answer(kept.path, kept.scene.model.name, asked, **facts).as_json()

    @answers("page")
    def page(self, question: Any) -> dict[str, Any]:
        """The page to take away: {"html": text}, or {"error": a sentence}.

        It opens with what is shown, has the maps of its method, and its own map whole. The
        question: {"id": token, "layer", "method", "target", "versus"}.
        """
        kept = self._find(question)
        finding = kept.finding.seen(**questions.shown(question, kept.scene))
        there = {one.index: one for one in (*kept.scene.predictions, *finding.labels_shown())}
        complete = replace(
            kept.scene,
            layer=finding.layer,
            method=finding.method,
            target=finding.target,
            versus=finding.versus,
            predictions=tuple(there.values()),
            maps=finding.packets(targets=list(there)),
            exact=finding.exact_packets(),
            complete=True,
            id="",
            original="",
        )
        return {"html": bundle.page(complete)}

    def _find(self, question: Any) -> _Open:
        token = question.get("id") if isinstance(question, dict) else None
        with self._lock:
            if isinstance(token, str) and token in self._deck:
                return self._deck[token]
            if not isinstance(token, str) or token not in self._kept:
                raise CamdemoError(EXPIRED)
            self._kept.move_to_end(token)
            kept = self._kept[token]
        note(model=kept.scene.model.name)
        return kept


def _opened(finding: Finding, scene: Scene, path: str) -> _Open:
    """The scene under a token of its own."""
    return _Open(finding, replace(scene, id=secrets.token_urlsafe(16)), path)


def _forget(kept: _Kept) -> None:
    """Drop the least recently used until their findings are not too many."""
    findings = Counter(id(one.finding) for one in kept.values())
    while len(findings) > _KEPT or len(kept) > _TOKENS:
        _token, dropped = kept.popitem(last=False)
        findings[id(dropped.finding)] -= 1
        if not findings[id(dropped.finding)]:
            del findings[id(dropped.finding)]
