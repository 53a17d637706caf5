"""Links to a view: what the page's address may ask for. Only an example can be in a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..records import COLORMAPS, EVIDENCE

_VIEWS = ("overlay", "heat", "photo", "split")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a link asks for. Model, layer, labels and framing are checked by the explainer."""

    example: str = ""
    model: str | None = None
    framing: str = "crop"
    layer: str | None = None
    label: str | None = None
    versus: str | None = None
    view: dict[str, Any] = field(default_factory=dict)


def read(query: Mapping[str, str], examples: Sequence[str]) -> Wanted:
    """What the query of an address asks for; what it can't ask for is left out."""
    if query.get("example") not in examples:
        return Wanted()
    view: dict[str, Any] = {}
    for name, allowed in (("view", _VIEWS), ("evidence", EVIDENCE), ("colormap", COLORMAPS)):
        if query.get(name) in allowed:
            view[name] = query[name]
    try:
        opacity = float(query.get("opacity", ""))
    except ValueError:
        opacity = -1.0
    if 0 <= opacity <= 1:
        view["opacity"] = opacity
    return Wanted(
        example=query["example"],
        model=query.get("model") or None,
        framing=query.get("framing") or "crop",
        layer=query.get("layer") or None,
        label=query.get("label") or None,
        versus=query.get("versus") or None,
        view=view,
    )
