"""What the server remembers of the explanations that are open in browsers.

A browser that wants more maps of its photo names it by a token that nobody can guess, so that
the photo is neither sent nor read again, and nobody gets another's.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.protocol import asker, width
from ..errors import CamdemoError
from ..options import check
from ..question import Question
from ..records import Rivals
from ..viewer import bundle
from ..viewer.scene import Scene, base64_of, labels, packets
from . import questions, saved
from .downloads import lacks
from .offers import Offers, content_of, digest_of
from .server.admission import DOWNLOAD, PHOTO, Admission
from .server.journal import answers, facts_of, note

if TYPE_CHECKING:
    from ..explainer import Explainer
    from ..finding import Finding

_KEPT = 192  # findings, about 0.8 MB each
_TOKENS = 4096  # a hall that clicks the same photo shares one finding
EXPIRED = "This explanation is no longer on the server. Choose the photo again."


@dataclass(frozen=True)
class _Open:
    """A scene that is open in a browser, and what its model can be asked further."""

    finding: Finding
    scene: Scene


_Kept = OrderedDict[str, _Open]
_Key = tuple[bytes, Question]  # the hash of a photo's bytes, and what is asked
_Answer = tuple["Finding", Scene]


class Answers:
    """The latest scenes, each under a token. Safe to share between threads."""

    def __init__(
        self, explainer: Explainer, offers: Offers, admission: Admission | None = None
    ) -> None:
        self.explainer = explainer
        self.offers = offers
        self._kept: _Kept = OrderedDict()
        self._deck: dict[str, _Open] = {}  # by the paths of its photos; never forgotten
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._lock = threading.Lock()
        self.admission = admission or Admission(explainer.settings, width=width(explainer.engine))

    def add_to_deck(self, name: str) -> None:
        """Compute a photo of the deck, a complete scene, and offer it.

        Raises:
            ImageError: the photo can't be read.
        """
        path, facts = self.offers.photo({"example": name})
        explanation = self.explainer.explain(path)
        opened = _opened(explanation.finding, replace(explanation.scene(), **facts))
        self._deck[path] = opened
        self.offers.show(name, opened.scene.photo)

    @answers("open")
    def open(self, question: Any) -> dict[str, Any]:
        """The scene of a photo: what the viewer paints from, or {"error": a sentence}.

        The question comes from outside: {"source": see `Offers.photo`, and "model", "layer",
        "method", "settings", "target", "versus", "strength", "framing", each a text, an index of a
        label, or absent; "versus" may be a list of these}. Of a method of pixels the settings are
        checked, and the scene is that of the default method: a viewer shows it at once, and then
        asks `Pixels`.
        """
        asked = self.explainer.opening(questions.explain(question))
        path, facts = self.offers.photo(question.get("source"))
        scene = self._from_deck(path, asked)
        if scene is None:
            scene = self.answer(path, asked.pop("model", None), asked, **facts)
        return scene.as_json()

    def _from_deck(self, path: str, asked: Mapping[str, Any]) -> Scene | None:
        """The complete scene of a photo of the deck, if it has all that is asked for."""
        if path not in self._deck:
            return None
        finding, scene = self._deck[path].finding, self._deck[path].scene
        there = {"model": scene.model.name, "method": scene.method, "framing": scene.framing}
        same = all(asked.get(name, value) == value for name, value in there.items())
        offered = finding.offered()
        layers = {one.name: one for one in offered if one.stage or one.parts or one == scene.layer}
        name = asked.get("layer", scene.layer.name)
        if not same or asked.keys() & {"target", "versus"} or name not in layers:
            return None
        return replace(scene, layer=layers[name])

    def waiting(self, _question: Any) -> dict[str, Any]:
        """How many are answered before the visitor who asks: {"before": a number}.

        It is asked once a second, and so not logged.
        """
        return {"before": self.admission.before(asker.get())}

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
        digest, size = digest_of(path)  # it is read when its turn has come: many may wait
        model = self.explainer.default_model() if model is None else model
        key = (digest, check(Question, model=model, **question))
        note(bytes=size, remembered=True)
        found = self._remembered(key)
        if found is None:
            if lacks(self.explainer, model):  # whoever waits for a download has no other's place
                with self.admission.place(DOWNLOAD):
                    self.explainer.fetch(model)
            with self.admission.place(PHOTO, self.admission.size_of(path)):
                found = self._remembered(key) or self._explained(content_of(path), key)
        finding, scene = found
        opened = _opened(finding, replace(scene, **facts))
        with self._lock:
            self._kept[opened.scene.id] = opened
            _forget(self._kept)
        return opened.scene

    def _remembered(self, key: _Key) -> _Answer | None:
        """What was answered to the same question, maybe while this one waited for its turn."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def _explained(self, content: bytes, key: _Key) -> _Answer:
        """A new answer, which is remembered."""
        explanation = self.explainer.explain(content, **asdict(key[1]))
        note(remembered=False, **facts_of(explanation))
        found = explanation.finding, explanation.scene(complete=False)
        with self._lock:
            self._answers[key] = found
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return found

    @answers("labels")
    def labels(self, question: Any) -> dict[str, Any]:
        """The names of all labels of a model, in the order of their indices: {"labels": [...]}.

        The question: {"model": its name}.
        """
        model = question.get("model") if isinstance(question, dict) else None
        if not isinstance(model, str):
            raise CamdemoError("The model must be a name.")
        return {"labels": list(self.explainer.labels(model))}

    @answers("maps")
    def maps(self, question: Any) -> dict[str, Any]:
        """Maps for a browser: {"maps": [...], "labels": [...]}, or {"error": a sentence}.

        The question comes from outside: {"id": token, "layers": names or None for every stage,
        "targets": indices or names, None for those on the page, "method": its name or None for
        the scene's, "versus": a list of indices of labels the mean of whose logits is
        subtracted, or None, "strength": how much of it, "exact": whether whole}.
        """
        finding = self._find(question).finding
        asked = questions.maps(question)
        found = finding.maps(**asked)
        targets, method = asked["targets"], asked["method"] or finding.method
        named = map(finding.prediction, (target for _layer, target in found))
        shown = finding.labels_shown() if targets is None else named
        exact = question.get("exact") is True and len(found) == 1
        rivals = asked["versus"] and Rivals(tuple(asked["versus"]), asked["strength"])
        sent = packets(found, method, rivals, exact)
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
        mask = questions.mask(question, finding.inputs.shape[-2:])
        return finding, mask, (question.get("fill"), question.get("keep") is True)

    @answers("look")
    def look(self, question: Any) -> dict[str, Any]:
        """A glance through another frame, while it is dragged: {"labels", "maps", "target"}.

        It comes from the display copy, and nothing of it is kept. The question: {"id": token,
        "framing": a frame in pixels of that copy, "layer", "method", "target" (None for the most
        probable), "versus", "strength"}.
        """
        scene = self._find(question).scene
        asked = self.explainer.opening(questions.explain(question)) | {"model": scene.model.name}
        explanation = self.explainer.explain(scene.photo, passing=True, **asked)
        return {
            "labels": labels(explanation.labels_shown()),
            "maps": explanation.packets(complete=False),
            "target": explanation.target.index,
        }

    @answers("page")
    def page(self, question: Any, tested: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The page to take away: {"html": text}, or {"error": a sentence}.

        It opens as it is seen, has the maps of its method, and its own map whole; and so for B, if
        two are compared. The question: {"id": token, "layer", "method", "target", "versus",
        "strength", "beside": the same of B, or None, and more, see `questions.view`}.

        Args:
            tested: what was found of this map, see `Scene.tested`.
        """
        a, other = self._seen(question), question.get("beside")
        wanted = questions.view(question, a[1].labels)
        shown = saved.whole(*a) if other is None else saved.both(a, self._seen(other))
        wanted = {**wanted, **shown.wanted}
        return {"html": bundle.page(replace(shown, wanted=wanted, tested=tested or {}))}

    def _seen(self, question: Any) -> saved.Seen:
        """A scene that is open in a browser, and what the viewer shows of it now."""
        return self._find(question).scene, self.shown(question)

    def shown(self, question: Any) -> Finding:
        """What a viewer shows: {"id": token, "layer", "method", "target", "versus", "strength"}.

        Raises:
            CamdemoError: the token is unknown, or something else does not exist.
        """
        return self.finding(question).seen(**self.asked(question))

    def asked(self, question: Any) -> dict[str, Any]:
        """What a viewer shows of the scene that it names, as arguments for `Finding.seen`.

        Raises:
            CamdemoError: the token is unknown, or something that can't be shown.
        """
        return questions.shown(question, self._find(question).scene)

    def finding(self, question: Any) -> Finding:
        """Whom a viewer asks: {"id": token}.

        Raises:
            CamdemoError: the token is unknown.
        """
        return self._find(question).finding

    def _find(self, question: Any) -> _Open:
        token = question.get("id") if isinstance(question, dict) else None
        with self._lock:
            for opened in self._deck.values():
                if opened.scene.id == token:
                    return opened
            if not isinstance(token, str) or token not in self._kept:
                raise CamdemoError(EXPIRED)
            self._kept.move_to_end(token)
            kept = self._kept[token]
        note(model=kept.scene.model.name)
        return kept


def _opened(finding: Finding, scene: Scene) -> _Open:
    """The scene under a token of its own."""
    return _Open(finding, replace(scene, id=secrets.token_urlsafe(16)))


def _forget(kept: _Kept) -> None:
    """Drop the least recently used until their findings are not too many."""
    findings = Counter(id(one.finding) for one in kept.values())
    while len(findings) > _KEPT or len(kept) > _TOKENS:
        _token, dropped = kept.popitem(last=False)
        findings[id(dropped.finding)] -= 1
        if not findings[id(dropped.finding)]:
            del findings[id(dropped.finding)]
