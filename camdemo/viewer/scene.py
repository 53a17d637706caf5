"""An explanation as the viewer wants it: plain values that fit into JSON.

Maps are tiny, so they travel together and the browser needs no server to switch between them.
Small maps go as float32, the very values; larger ones are averaged to at most 56 x 56 cells and
go as 16-bit steps of their largest magnitude, which is 250 times finer than a colour.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np

from .. import picture
from ..records import COLORMAPS, Box, LayerInfo, ModelSpec, Prediction

MapKey = tuple[str, int]  # name of the layer, index of the label
# Pixels; the browser gets a smaller copy of larger photos. A projector's 1920 x 1080 shows the
# picture 1,200 to 1,360 wide, and what is larger costs time at each repaint.
DISPLAY_SIDE = 1280
_LARGEST_GRID = 56
_EXACT_GRID = 28  # cells a side up to which float32 costs no more than it is worth


def palettes() -> dict[str, str]:
    """The 256 colours of every map, as base64 of RGB bytes; "signed" is the diverging one."""
    colours = {name: picture.palette(name, "positive") for name in COLORMAPS}
    colours["signed"] = picture.palette(COLORMAPS[0], "signed")
    return {name: base64_of(table) for name, table in colours.items()}


def packets(maps: Mapping[MapKey, np.ndarray], exact: bool = False) -> list[dict[str, Any]]:
    """Maps as they travel. `exact` sends large ones whole and as float32 too."""
    return [_packet(layer, target, cam, exact) for (layer, target), cam in maps.items()]


def _packet(layer: str, target: int, cam: np.ndarray, exact: bool) -> dict[str, Any]:
    height, width = cam.shape
    if not exact and max(height, width) > _LARGEST_GRID:
        size = (min(width, _LARGEST_GRID), min(height, _LARGEST_GRID))
        cam = cv2.resize(cam, size, interpolation=cv2.INTER_AREA)
    packet: dict[str, Any] = {
        "layer": layer,
        "target": target,
        "method": "gradcam",
        "versus": None,
        "height": cam.shape[0],
        "width": cam.shape[1],
    }
    if exact or max(cam.shape) <= _EXACT_GRID:
        return packet | {"type": "f4", "data": base64_of(cam.astype("<f4"))}
    largest = float(np.abs(cam).max())
    steps = np.rint(cam * (32767 / largest)) if largest else cam
    data = base64_of(steps.astype("<i2"))
    return packet | {"type": "i2", "largest": largest, "data": data}


def whole(maps: Mapping[MapKey, np.ndarray]) -> list[dict[str, Any]]:
    """Those of the maps that `packets` averages or rounds, as they are: for a file to take away."""
    changed = {key: cam for key, cam in maps.items() if max(cam.shape) > _EXACT_GRID}
    return packets(changed, exact=True)


def labels(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    """Labels as they travel, each once, in the given order."""
    unique = {prediction.index: prediction for prediction in predictions}
    return [
        {"index": one.index, "label": one.label, "probability": one.probability}
        for one in unique.values()
    ]


def scene(
    *,
    predictions: Iterable[Prediction],
    target: Prediction,
    versus: Prediction | None,
    photo: np.ndarray,
    natural_size: tuple[int, int],
    box: Box,
    natural_box: Box,
    model: ModelSpec,
    layer: LayerInfo,
    layers: Iterable[LayerInfo],
    side: int,
    framing: str,
    maps: Mapping[MapKey, np.ndarray],
    shown: Mapping[MapKey, np.ndarray],
    complete: bool,
    facts: str,
) -> dict[str, Any]:
    """Everything the viewer paints from.

    Args:
        photo: the display copy, uint8 (H, W, 3); `box` is in its pixels.
        predictions: the labels on the page.
        target, versus: the label that is explained, and the one that it is compared with.
        natural_size, natural_box: width and height of the photo itself, and the box in its pixels.
        side: pixels of the network's input, each way.
        shown: those of the layer and the label that are shown. Where nobody can be asked for
            them, they go whole besides.
        complete: whether `maps` has every stage for every label, so that nothing is asked for.
        facts: one quiet line for people.
    """
    return {
        "id": "",
        "photo": "data:image/jpeg;base64," + _base64(picture.jpeg(photo)),
        "original": "",
        "name": "",
        "example": "",
        "size": natural_size,
        "box": _edges(box),
        "natural_box": _edges(natural_box),
        "model": {"name": model.name, "title": model.title},
        "side": side,
        "framing": framing,
        "labels": labels(predictions),
        "layers": [
            {"name": one.name, "shape": [one.channels, one.height, one.width], "stage": one.stage}
            for one in layers
        ],
        "layer": layer.name,
        "target": target.index,
        "versus": versus.index if versus else None,
        "maps": packets(maps),
        "exact": whole(shown) if complete else [],
        "complete": complete,
        "facts": facts,
        "versions": versions(),
        "code": {"imports": [], "photo": '"photo.jpg"'},
    }


def versions() -> str:
    """What computed the maps: "captum 0.9.0, torch 2.14.1"."""
    return ", ".join(f"{name} {version(name)}" for name in ("captum", "torch"))


def base64_of(array: np.ndarray) -> str:
    """The bytes of an array as a text."""
    return _base64(array.tobytes())


def _edges(box: Box) -> list[int]:
    return [box.left, box.top, box.right, box.bottom]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
