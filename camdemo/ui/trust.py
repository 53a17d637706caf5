"""Trust: what a viewer may put a map to; each trial is a question that ends with its visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..options import find
from ..question import Hiding
from ..viewer.scene import base64_of, packets
from .server.journal import answers

if TYPE_CHECKING:
    from .. import Curve
    from ..finding import Finding
    from .answers import Answers

STEPS, DRAWS = 5, 3  # of networks with random weights: fewer draws than in Python, to answer sooner


class Trust:
    """Answers viewers about the map that they show.

    Every question comes from outside: {"id": token, "layer", "method", "target", "versus",
    "strength"}, and more where a method says so.
    """

    def __init__(self, asked: Answers) -> None:
        self.asked = asked

    @answers("scores")
    def scores(self, question: Any) -> dict[str, Any]:
        """How well every map orders the photo's patches: {"text", "scores", "chance", "agreement"}.

        The scores are a list of {"method", "layer", "value", "low", "high"}, best first.
        """
        found = self._shown(question).scores()
        scores = [
            {"method": method, "layer": layer, "value": one.value, "low": one.low, "high": one.high}
            for (method, layer), one in found.values.items()
        ]
        return {
            "text": found.text,
            "scores": scores,
            "chance": found.chance,
            "agreement": found.agreement,
        }

    @answers("curves")
    def curves(self, question: Any) -> dict[str, Any]:
        """Taking away and bringing in: {"deletion", "insertion"}.

        Each has "text", "area", "shares" and "probabilities", and "low" and "high" of random orders
        where "band" is asked for: they take most of the time. The question also has "fill".
        """
        finding = self._shown(question)
        fill = find(Hiding, "fill").check(question.get("fill"))
        if question.get("band") is True:
            deletion = finding.deletion(fill)
            insertion = finding.insertion(fill, band=deletion)
        else:
            deletion, insertion = (
                draw(fill, orders=0) for draw in (finding.deletion, finding.insertion)
            )
        return {"deletion": _curve(deletion), "insertion": _curve(insertion)}

    @answers("randomised")
    def randomised(self, question: Any) -> dict[str, Any]:
        """The map from networks with random weights: {"text", "steps"}.

        The steps are a list of {"behind": a stage, or empty for all weights, "likeness": the mean
        rank correlation with the map, "map": see `scene.packets`}.
        """
        finding = self._shown(question)
        found = finding.randomised(steps=STEPS, draws=DRAWS)
        likeness = found.signed.mean(axis=0)
        steps = []
        for at, behind in enumerate(found.behind):
            key = (finding.layer.name, finding.target.index)
            (packet,) = packets({key: found.maps[0, at]}, finding.method)
            steps.append({"behind": behind, "likeness": float(likeness[at]), "map": packet})
        return {"text": found.text, "steps": steps}

    @answers("completeness")
    def completeness(self, question: Any) -> dict[str, Any]:
        """Whether the map adds up to the logit, in words: {"text"}; empty where it need not."""
        found = self._shown(question).completeness()
        return {"text": found.text if found else ""}

    def _shown(self, question: Any) -> Finding:
        return self.asked.shown(question)


def _curve(found: Curve) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "text": found.text,
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
