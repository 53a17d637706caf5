"""What is left of a photo beside its row: its picture on the sheet, its page, and its overlay.

The page is the viewer, whose scripts all pages share: so a page is little more than a photo of 640
pixels, 40 to 110 kB. It has the maps of the labels on it, at the layer that was asked for.
"""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import methods, picture
from ..explanation import Explanation
from ..question import Look
from ..records import Rivals
from ..viewer import bundle, scene
from ..viewer.scene import Scene

_STATIC = Path(__file__).parent / "static"
_SIDE = 640  # pixels a side of a page's photo, at most ...
_THUMB = 256  # ... and of its picture on the sheet
_A_FOLDER = 1000  # files in one folder


def place(kind: str, number: int, ending: str) -> str:
    """Where a photo's file lies in the folder of results: "pages/000/000123.html"."""
    return f"{kind}/{number // _A_FOLDER:03}/{number:06}.{ending}"


def write_shared(folder: Path) -> None:
    """The viewer's scripts and looks, which every page has in common."""
    own = {name: (_STATIC / name).read_text("utf-8") for name in ("page.css", "page.js")}
    styles = [bundle.static("standalone.css"), bundle.static("viewer.css"), own["page.css"]]
    viewer = bundle.constant("VIEWER", bundle.static("viewer.html"))
    scripts = [bundle.script(), viewer, own["page.js"]]
    (folder / "viewer.css").write_text("\n".join(styles), "utf-8")
    (folder / "viewer.js").write_text("\n".join(scripts), "utf-8")


def write(
    folder: Path, number: int, name: str, one: Explanation, look: Look, expected: int | None
) -> None:
    """A photo's page and its picture on the sheet.

    Args:
        look: the sheet's.
        expected: the label that the photo should have; where the model says another, the page can
            open with the duel of the two.
    """
    small = one.resized(*_fitting(one.image, _SIDE))
    _save(folder, place("thumbs", number, "jpg"), picture.jpeg(_thumb(small, look)))
    can_compare = methods.find(one.method).knows_label
    rival = expected if can_compare and expected != one.predictions[0].index else None
    page = _page(_scene(one, small, name, rival), rival)
    _save(folder, place("pages", number, "html"), page.encode("utf-8", "replace"))


def write_overlay(folder: Path, number: int, one: Explanation, look: Look) -> None:
    """The overlay at the photo's own size."""
    drawn = one.painted(look)
    _save(folder, place("overlays", number, "jpg"), picture.jpeg(np.asarray(drawn)))


def _scene(one: Explanation, small: Explanation, name: str, rival: int | None) -> Scene:
    """What the page shows: its labels, at the layer that was asked for or those it is made of.

    A map of pixels stands beside what the default method finds at the last stage.
    """
    if one.layer.is_input:
        one = one.by_default()
    layers = one.layer.parts or (replace(one.layer, stage=True),)
    labels = {each.index: each for each in one.labels_shown()}
    if rival is not None:
        labels.setdefault(rival, one.prediction(rival))
    names = [layer.name for layer in layers]
    maps = scene.packets(one.maps(names, list(labels)), one.method)
    compared = [(one.predictions[0].index, Rivals((rival,)))] if rival is not None else []
    if one.versus:
        against = tuple(each.index for each in one.versus)
        compared.append((one.target.index, Rivals(against, one.strength)))
    if not methods.find(one.method).linear or one.layer.parts:  # else the viewer subtracts
        for target, versus in compared:
            how: dict[str, Any] = {"versus": versus.labels, "strength": versus.strength}
            maps += scene.packets(one.maps(names, [target], **how), one.method, versus)
    return replace(
        small.scene(complete=False),
        size=one.image.size,
        natural_box=one.box,
        layers=layers,
        predictions=tuple(labels.values()),
        maps=maps,
        complete=True,
        name=name,
    )


def _thumb(one: Explanation, look: Look) -> np.ndarray:
    """The overlay, small: the square in the middle where that has all that the model saw."""
    size, side = one.image.size, min(one.image.size)
    shown = one.resized(*(max(1, round(edge * min(1, _THUMB / side))) for edge in size))
    drawn = shown.painted(look)
    left, top = ((edge - min(drawn.size)) // 2 for edge in drawn.size)
    right, bottom = left + min(drawn.size), top + min(drawn.size)
    box = shown.box
    if left <= box.left and top <= box.top and box.right <= right and box.bottom <= bottom:
        drawn = drawn.crop((left, top, right, bottom))
    return np.asarray(drawn)


def _page(shown: Scene, rival: int | None) -> str:
    title = html.escape(f"{shown.name} · {shown.target.label}")
    facts = bundle.constant("SCENE", shown.as_json())
    said = "null" if rival is None else str(rival)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="../../viewer.css">
<a class="cam-back" href="../../index.html">All photos</a>
<main id="viewer"></main>
<script src="../../viewer.js"></script>
<script>
{facts}
openPage(SCENE, {said});
</script>
</html>
"""


def _fitting(image: Image.Image, side: int) -> tuple[int, int]:
    """The size of the copy whose longer side has at most so many pixels."""
    factor = min(1.0, side / max(image.size))
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def _save(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
