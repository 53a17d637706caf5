"""Trust: what a viewer may put a map to. The answers grow while their visitors watch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import CamdemoError
from ..question import Hiding, find
from ..viewer.scene import base64_of, packets
from . import questions
from .errors import told
from .growing import Growing, Tell
from .server.journal import SORRY, failed

if TYPE_CHECKING:
    from .. import Curve, Patches, Scores
    from ..finding import Finding
    from ..records import Fill
    from .answers import Answers

STEPS, DRAWS = 5, 4  # of networks with random weights: fewer draws than in Python, to answer sooner
KINDS = ("scores", "curves", "randomised", "completeness")
_FILLS: tuple[Fill, ...] = ("blur", "mean")  # those of scores; the first one is shown alone first
GRID = 7  # patches of a side
_FIRST = 24  # patches that give a first idea: every second one
_KEPT = 48  # what holds for a whole photo, of so many: 0.2 to 0.6 MB each
_NONE = "This map promises no such thing: more than averaging follows on its layer."

Found = TypeVar("Found")


class _Told(Protocol):
    """A record of `trust` that says what follows, and from what."""

    @property
    def verdict(self) -> str: ...
    @property
    def numbers(self) -> str: ...
    @property
    def caveat(self) -> str: ...


class Trust:
    """Answers viewers about the map that they show.

    Every question comes from outside: {"id": token, "layer", "method", "target", "versus",
    "strength", "settings"}, "fill" for the curves, and "after": the version of the answer that is
    there already. The answer has its "version", "state": "running" or "ready", and as far as it is
    "verdict": what follows, "numbers": from what, "caveat": what it is and is not, "done" and
    "total" where forwards are counted, and more where a method says so.
    """

    def __init__(self, asked: Answers) -> None:
        self.asked = asked
        self._growing = Growing(asked.admission)
        self._photos: WeakKeyDictionary[Finding, object] = WeakKeyDictionary()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()  # what holds for a whole photo

    def scores(self, question: Any) -> dict[str, Any]:
        """How well every map orders the photo's patches: {"scores", "chance", "agreement"}.

        The scores are a list of {"method", "layer", "value", "low", "high"}, best first: by every
        second patch as soon as those are there, by all, and then by two ways to hide.
        """
        return self._watch("scores", question, self._scores)

    def curves(self, question: Any) -> dict[str, Any]:
        """Taking away and bringing in: {"deletion", "insertion"}, as far as they are.

        Each has "verdict", "numbers", "area", "shares" and "probabilities", and "low" and "high"
        of the random orders as soon as there are some.
        """
        return self._watch("curves", question, self._curves)

    def randomised(self, question: Any) -> dict[str, Any]:
        """The map from networks with random weights: {"steps"}.

        A list of {"behind": a stage, or empty for all weights, "likeness": the mean rank
        correlation with the map, "map": see `scene.packets`}.
        """
        return self._watch("randomised", question, self._randomised)

    def completeness(self, question: Any) -> dict[str, Any]:
        """Whether the map adds up to the logit, in words."""
        return self._watch("completeness", question, self._completeness)

    def page(self, question: Any) -> dict[str, Any]:
        """The page to take away, see `Answers.page`; with what was found of its map."""
        tested: dict[str, Any] = {}
        with suppress(CamdemoError):  # what is wrong with the question is told there
            finding, asked = self.asked.finding(question), self.asked.asked(question)
            keys = {kind: self._key(kind, finding, asked, question) for kind in KINDS}
            found = {kind: self._growing.ended(key) for kind, key in keys.items()}
            tested = {kind: answer for kind, answer in found.items() if answer is not None}
        return self.asked.page(question, tested)

    def _watch(
        self,
        kind: str,
        question: Any,
        compute: Callable[[Finding, dict[str, Any], Tell], dict[str, Any]],
    ) -> dict[str, Any]:
        """It is asked again and again, and so only what computes it is in the log."""
        try:
            base, asked = self.asked.finding(question), self.asked.asked(question)
            key = self._key(kind, base, asked, question)
            more = {"base": base, "fill": question.get("fill")}

            def whole(tell: Tell) -> dict[str, Any]:
                return compute(base.seen(**asked), more, tell)

            return self._growing.watch(kind, key, whole, questions.after(question))
        except CamdemoError as error:
            return {"error": told(error)}
        except Exception as error:
            failed(kind, error)
            return {"error": SORRY}

    def _key(
        self, kind: str, finding: Finding, asked: Mapping[str, Any], question: Mapping[str, Any]
    ) -> Hashable:
        """The same for the same test of the same map: scores are of all maps of a label."""
        photo = self._photos.setdefault(finding, object())
        fill = find(Hiding, "fill").check(question.get("fill")) if kind == "curves" else None
        return photo, kind, repr(sorted(asked.items())), fill

    def _of_photo(self, finding: Finding, what: Hashable, make: Callable[[], Found]) -> Found:
        """What holds for all labels and maps of a photo: made once."""
        key = self._photos.setdefault(finding, object()), what
        if key not in self._kept:
            self._kept[key] = make()
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        found: Found = self._kept[key]
        return found

    def _scores(self, finding: Finding, more: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        so_far: dict[str, Any] = {}
        hidden: Patches | None = None
        before = 0  # patches of the fills that are through

        def grown(patches: Patches) -> None:
            nonlocal so_far
            if not so_far and patches.hidden >= _FIRST:
                so_far = _scored(finding.scores(patches))
            tell(so_far | {"done": before + patches.hidden, "total": GRID**2 * len(_FILLS)})

        for fill in _FILLS:
            hide = partial(finding.hide_each, fill, GRID, grown)
            patches = self._of_photo(more["base"], ("patches", fill), hide)
            hidden = hidden.plus(patches) if hidden else patches
            so_far = _scored(finding.scores(hidden))
            grown(patches)
            before += GRID**2
        return so_far

    def _curves(self, finding: Finding, more: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
        fill = find(Hiding, "fill").check(more["fill"])
        drawn: dict[str, Curve] = {}

        def grown(curve: Curve) -> None:
            drawn[curve.kind] = curve
            tell(_drawn(drawn))

        finding.deletion(fill, orders=0, progress=grown)
        finding.insertion(fill, orders=0, progress=grown)
        own = tuple(drawn.values())

        def beside(orders: Any) -> None:
            drawn.update({curve.kind: finding.beside(curve, orders) for curve in own})
            tell(_drawn(drawn))

        def make() -> Any:
            return finding.random_orders(fill, progress=beside)

        beside(self._of_photo(more["base"], ("orders", fill), make))
        return _drawn(drawn)

    def _randomised(self, finding: Finding, _more: Any, _tell: Tell) -> dict[str, Any]:
        found = finding.randomised(steps=STEPS, draws=DRAWS)
        likeness = found.signed.mean(axis=0)
        steps = []
        for at, behind in enumerate(found.behind):
            key = (finding.layer.name, finding.target.index)
            (packet,) = packets({key: found.maps[0, at]}, finding.method)
            steps.append({"behind": behind, "likeness": float(likeness[at]), "map": packet})
        return _said(found) | {"steps": steps}

    def _completeness(self, finding: Finding, _more: Any, _tell: Tell) -> dict[str, Any]:
        found = finding.completeness()
        return {"verdict": found.text if found else _NONE, "numbers": "", "caveat": ""}


def _said(found: _Told) -> dict[str, Any]:
    return {name: getattr(found, name) for name in ("verdict", "numbers", "caveat")}


def _scored(found: Scores) -> dict[str, Any]:
    scores = [
        {"method": method, "layer": layer, "value": one.value, "low": one.low, "high": one.high}
        for (method, layer), one in found.values.items()
    ]
    return _said(found) | {
        "scores": scores,
        "chance": found.chance,
        "agreement": found.agreement,
    }


def _drawn(curves: Mapping[str, Curve]) -> dict[str, Any]:
    """Two curves as far as they are: what they say together, and each by itself."""
    return {
        "verdict": " ".join(one.verdict for one in curves.values()).strip(),
        "numbers": " ".join(one.numbers for one in curves.values()),
        "caveat": next(iter(curves.values())).caveat,
        **{kind: _curve(curve) for kind, curve in curves.items()},
    }


def _curve(found: Curve) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "verdict": found.verdict,
        "numbers": found.numbers,
        "area": found.area,
        "shares": _floats(found.shares),
        "probabilities": _floats(found.probabilities),
    }
    if len(found.random) > 1:
        mean, spread = found.random.mean(axis=0), 2 * found.random.std(axis=0, ddof=1)
        answer |= {"low": _floats(mean - spread), "high": _floats(mean + spread)}
    return answer


def _floats(values: np.ndarray) -> str:
    return base64_of(values.astype("<f4"))
