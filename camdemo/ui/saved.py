"""What a page to take away has: all that a viewer shows, so that nobody need be asked any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..viewer.scene import Scene

if TYPE_CHECKING:
    from ..finding import Finding

Seen = tuple[Scene, "Finding"]  # a scene that is open in a browser, and what is shown of it now


def whole(scene: Scene, finding: Finding, labels: Iterable[str] = ()) -> Scene:
    """A complete scene of what is shown.

    Args:
        labels: names of labels that are on it, too, if the model knows them.
    """
    names = [one for one in labels if one in finding.labels]
    more = map(finding.prediction, map(finding.labels.index, names))
    there = {one.index: one for one in (*scene.predictions, *finding.labels_shown(), *more)}
    pixels = None
    if finding.layer.is_input:  # what lies below it is the default method at the last stage
        pixels = finding.pixel_answer(finding.timings.explain)
        finding = finding.by_default()
    return replace(
        scene,
        pixels=pixels,
        layer=finding.layer,
        method=finding.method,
        target=finding.target,
        versus=finding.versus,
        strength=finding.strength,
        predictions=tuple(there.values()),
        maps=finding.packets(targets=list(there)),
        exact=finding.exact_packets(),
        complete=True,
        id="",
        original="",
    )


def both(seen: Seen, beside: Seen) -> Scene:
    """What is shown, and what it is compared with: B beside A, both with all labels of the page.

    `wanted` has "other", which tells a viewer in what B differs: see `stateOfB` in compare.js.
    """
    a = whole(*seen, labels=[beside[0].predictions[0].label])
    b = whole(*beside, labels=[one.label for one in a.predictions])
    is_other_photo = a.photo != b.photo
    differs = {
        "source": {"beside": True} if is_other_photo else None,
        "model": b.model.name if b.model != a.model else None,
        "layer": b.layer.name if b.layer != a.layer else None,
        "method": b.method if b.method != a.method else None,
    }
    chosen = {name: value for name, value in differs.items() if value is not None}
    wanted = {"other": {"differs": chosen, "opened": None}}
    if is_other_photo or a.model != b.model or a.framing != b.framing:
        return replace(a, beside=b, wanted=wanted)
    # One answer, by another method or at another layer: B's maps stand among A's.
    keys = ("method", "layer", "target", "versus", "strength")
    maps = {str([one[key] for key in keys]): one for one in (*b.maps, *a.maps)}
    return replace(a, maps=tuple(maps.values()), exact=(*a.exact, *b.exact), wanted=wanted)
