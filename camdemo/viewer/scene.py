"""An explanation as the viewer wants it: plain values that fit into JSON.

Maps are tiny, so they travel together and the browser needs no server to switch between them.
Small maps go as float32, the very values; larger ones are averaged to at most 56 x 56 cells and
go as 16-bit steps of their largest magnitude, which is 250 times finer than a colour.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from .. import methods, options, picture
from ..question import Look
from ..records import Box, LayerInfo, ModelSpec, Prediction, Rivals

MapKey = tuple[str, int]  # name of the layer, index of the label
# Pixels a side of the copy that the browser paints on. A projector's 1920 x 1080 shows the picture
# 1,200 to 1,360 wide, and what is larger costs time at each repaint.
_DISPLAY_SIDE = 1280
_LEAST = 600  # below that a cell's outline or a brush is made of steps
_LONGEST = 4096  # what every browser and its graphics card can draw
_EXACT_GRID = 28  # cells a side up to which float32 costs no more than it is worth


def display_size(width: int, height: int) -> tuple[int, int]:
    """The size of the browser's copy of a photo: width and height.

    At most 1280 pixels a side, and at least 600 on the longer one. Of a long photo the model sees
    a small part, and the viewer brings that nearer: so the shorter side keeps 600 pixels where the
    photo has them, as far as 1280 x 1280 pixels in all allow. Frame and model change nothing:
    what a person hides is in pixels of the copy, and stays where it is.
    """
    short, long = sorted((width, height))
    wanted = max(_DISPLAY_SIDE / long, _LEAST / short)
    factor = min(1, wanted, _DISPLAY_SIDE / (width * height) ** 0.5, _LONGEST / long)
    factor = max(factor, _LEAST / long)
    return max(1, round(width * factor)), max(1, round(height * factor))


@cache
def palettes() -> dict[str, str]:
    """The 256 colours of every map, as base64 of RGB bytes; "signed" is the diverging one."""
    names = options.find(Look, "colormap").names
    colours = {name: picture.palette(name, "positive") for name in names}
    colours["signed"] = picture.palette(names[0], "signed")
    return {name: base64_of(table) for name, table in colours.items()}


def packets(
    maps: Mapping[MapKey, np.ndarray],
    method: str,
    versus: Rivals | None = None,
    exact: bool = False,
) -> tuple[dict[str, Any], ...]:
    """Maps as they travel.

    Args:
        method: how they were computed.
        versus: the labels the mean of whose logits was subtracted, where it was.
        exact: sends large ones whole and as float32 too.
    """
    how = {"method": method, **compared(versus)}
    return tuple(
        {"layer": layer, "target": target, **how, **_packet(cam, exact)}
        for (layer, target), cam in maps.items()
    )


def compared(versus: Rivals | None) -> dict[str, Any]:
    """What a map is compared with, as it travels: {"versus": indices, "strength"}."""
    labels = list((versus and versus.labels) or ())
    return {"versus": labels, "strength": versus.strength if versus else 1.0}


def is_whole(cam: np.ndarray) -> bool:
    """Whether `packets` sends this map as it is."""
    return max(cam.shape) <= _EXACT_GRID


def _packet(cam: np.ndarray, exact: bool) -> dict[str, Any]:
    cam = cam if exact else methods.averaged(cam)
    packet: dict[str, Any] = {"height": cam.shape[0], "width": cam.shape[1]}
    if exact or is_whole(cam):
        return packet | {"type": "f4", "data": base64_of(cam.astype("<f4"))}
    largest = float(np.abs(cam).max())
    steps = np.rint(cam * (32767 / largest)) if largest else cam
    data = base64_of(steps.astype("<i2"))
    return packet | {"type": "i2", "largest": largest, "data": data}


def pixel_packet(cam: np.ndarray) -> dict[str, Any]:
    """A map of pixels as it travels, whole: a byte for each, the signed square root of its share.

    {"height", "width", "type": "q1", "largest": of all absolute values, "data"}; a byte q stands
    for largest * q * |q| / 127**2. Few pixels are large: in even steps of the largest all
    others would be 0.
    """
    largest = float(np.abs(cam).max())
    shares = np.sqrt(np.abs(cam) / largest) if largest else cam
    steps = (np.rint(127 * shares) * np.sign(cam)).astype(np.int8)
    facts = {"height": cam.shape[0], "width": cam.shape[1], "largest": largest}
    return facts | {"type": "q1", "data": base64_of(steps)}


def labels(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    """Labels as they travel, each once, in the given order."""
    unique = {prediction.index: prediction for prediction in predictions}
    return [
        {"index": one.index, "label": one.label, "probability": one.probability}
        for one in unique.values()
    ]


def layers(found: Iterable[LayerInfo]) -> list[dict[str, Any]]:
    """Layers as they travel: in the order of execution, and then the last stages together.

    {"name", "shape", "stage", "parts": the names of those that are fused, "without": the names of
    the methods that are not there}.
    """
    there = tuple(found)
    return [
        {
            "name": one.name,
            "shape": [one.channels, one.height, one.width],
            "stage": one.stage,
            "parts": [part.name for part in one.parts],
            "without": [method.name for method in methods.all("layer") if not method.is_at(one)],
        }
        for one in (*there, methods.fused(there))
    ]


def model(spec: ModelSpec) -> dict[str, str]:
    """A model as it travels."""
    names = ("name", "title", "activation", "vocabulary", "note")
    return {name: getattr(spec, name) for name in names}


def edges(box: Box) -> list[int]:
    """A box as it travels: left, top, right, bottom."""
    return [box.left, box.top, box.right, box.bottom]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """Everything the viewer paints from: in the page, in a file, in a notebook.

    Attributes:
        photo: the display copy, a JPEG, see `display_size`.
        size: width and height of the photo itself.
        box: what the model saw, in pixels of the display copy.
        natural_box: the same in pixels of the photo.
        part: the pixels of the network's input that show the photo; the others are bars.
        predictions: the labels on the page, each once.
        target, versus: the label that is explained, and those that it is compared with.
        strength: how much of the mean of their logits is subtracted, 0 to 1.
        input_size: width and height of the network's input.
        maps: see `packets`.
        exact: those of the picture that is shown which `maps` has averaged or rounded, as they
            are: for a file, whose reader can ask nobody for them.
        lacking: the methods of pixels that are not there for this model, each with the reason.
        pixels: the map of pixels that is shown, see `Pixelwise.pixel_answer`; None where it is that
            of `method` and `layer`.
        complete: whether `maps` has every stage for every label, so that nothing is asked for.
        facts: one quiet line for people.
        id: the token by which a browser asks for more; empty where nobody answers.
        original: the address of the photo, for a picture of its own size.
        name, example: what the page calls the photo; `example` is empty for an upload.
        code: the Python that brings the photo: lines of imports, and an expression.
        wanted: how a file opens, {option of `Look` or `Hiding`: value, "split": where the divider
            is, "hidden": regions, "answer": what the model said to them}; see `questions.view`.
        tested: what was found when the map that is shown was put to the test: the answers of
            `ui.trust`, by their names.
        beside: for a file, what was compared with it; None where its maps are among these.
    """

    photo: bytes
    size: tuple[int, int]
    box: Box
    natural_box: Box
    part: Box
    model: ModelSpec
    input_size: tuple[int, int]
    framing: str
    predictions: tuple[Prediction, ...]
    layers: tuple[LayerInfo, ...]
    layer: LayerInfo
    method: str
    target: Prediction
    versus: tuple[Prediction, ...]
    maps: tuple[dict[str, Any], ...]
    complete: bool
    facts: str
    strength: float = 1.0
    exact: tuple[dict[str, Any], ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
    pixels: Mapping[str, Any] | None = None
    id: str = ""
    original: str = ""
    name: str = ""
    example: str = ""
    code: Mapping[str, Any] = field(default_factory=lambda: {"imports": [], "photo": '"photo.jpg"'})
    wanted: Mapping[str, Any] = field(default_factory=dict)
    tested: Mapping[str, Any] = field(default_factory=dict)
    beside: Scene | None = None

    def as_json(self) -> dict[str, Any]:
        """The scene as the viewer's scripts get it: plain values that fit into JSON."""
        return {
            "id": self.id,
            "photo": "data:image/jpeg;base64," + _base64(self.photo),
            "original": self.original,
            "name": self.name,
            "example": self.example,
            "size": self.size,
            "box": edges(self.box),
            "natural_box": edges(self.natural_box),
            "part": edges(self.part),
            "model": model(self.model),
            "mean": [round(255 * share) for share in self.model.training_mean],
            "input_size": self.input_size,
            "framing": self.framing,
            "labels": labels(self.predictions),
            "layers": layers(self.layers),
            "layer": self.layer.name,
            "method": self.method,
            "target": self.target.index,
            "versus": [one.index for one in self.versus],
            "strength": self.strength,
            "maps": self.maps,
            "exact": self.exact,
            "lacking": self.lacking,
            "pixels": self.pixels,
            "complete": self.complete,
            "facts": self.facts,
            "versions": versions(),
            "code": self.code,
            "wanted": self.wanted,
            "tested": self.tested,
            "beside": self.beside.as_json() if self.beside else None,
        }

    def to_json(self) -> str:
        """The same as one text."""
        return json.dumps(self.as_json())


def versions() -> str:
    """What computed the maps: "torch 2.14.1"."""
    return f"torch {version('torch')}"


def base64_of(array: np.ndarray) -> str:
    """The bytes of an array as a text."""
    return _base64(array.tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
