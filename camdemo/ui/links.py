"""Links to a view: what the page's address may ask for. Only an example can be in a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import question
from ..errors import CamdemoError
from ..question import Look, Question

_ONCE = {"label": "target"}  # what links of earlier versions called it


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a link asks for: an example, a question about it, and how the viewer paints it.

    Names and frames in the question are checked by the explainer, as everybody's are. `view`
    has only what the link gives.
    """

    example: str = ""
    question: Question = field(default_factory=Question)
    view: Mapping[str, Any] = field(default_factory=dict)


def read(query: Mapping[str, str], examples: Sequence[str], look: type = Look) -> Wanted:
    """What the query of an address asks for; what it can't ask for is left out."""
    if query.get("example") not in examples:
        return Wanted()
    given = {_ONCE.get(name, name): text for name, text in query.items()}
    view = {}
    for each in question.options(look):
        text = given.get(each.name, "")
        if text.strip():
            try:
                view[each.name] = each.read(text)
            except CamdemoError:
                continue  # a picture in the usual look says more than an error
    return Wanted(query["example"], question.read(Question, given), view)
