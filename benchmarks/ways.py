"""What is compared: every method where it looks, a random map, and a spot in the middle."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from camdemo import Explainer, Explanation, methods
from camdemo.engine.protocol import Examine, Rank, Sweep
from camdemo.methods.fusing import LARGEST_GRID
from camdemo.records import LayerInfo

RANDOM, CENTRE = "random", "centre"
CONTROLS = {RANDOM: "a random map", CENTRE: "a spot in the middle"}
BEFORE = ("gradcam", "hirescam")  # looked at one stage earlier, too, and at other stages together

SMOOTH = 8 / 224  # of the side, the deviation with which a map of pixels is smoothed


@dataclass(frozen=True, slots=True)
class Way:
    """A method and where it looks.

    Attributes:
        where: "last" and "before" of the stages, "all" (the last four together); or names of
            stages with a + between them, which are put together in the same way. Of a method of
            pixels it is "raw", or "smoothed" by a Gaussian.
    """

    method: str
    where: str

    @property
    def name(self) -> str:
        return f"{self.method}, {self.where}"

    @property
    def is_pixel(self) -> bool:
        return methods.find(self.method).is_pixel

    @property
    def title(self) -> str:
        places = {"last": "last stage", "before": "stage before", "all": "fused"}
        where = places.get(self.where, self.where.replace("+", " + "))
        return f"{methods.find(self.method).title}, {where}"

    def layers(self, layers: Sequence[LayerInfo]) -> list[LayerInfo]:
        """The stages it reads, of all layers of a model; a method of pixels none."""
        stages = [layer for layer in layers if layer.stage]
        known = {
            "last": stages[-1:],
            "before": stages[-2:-1],
            "all": list(methods.fused(layers).parts),
        }
        if self.where in known:
            return known[self.where]
        names = self.where.split("+")
        return [one for one in stages if one.name in names]

    def is_offered(self, explainer: Explainer, model: str) -> bool:
        """Whether the method is there, and where it looks, too."""
        known = methods.find(self.method)
        if known.is_pixel:
            return not known.lacks(explainer.engine.run(Examine(model)))
        read = self.layers(explainer.layers(model))
        return bool(read) and all(known.is_at(layer) for layer in read)

    def explain(self, explainer: Explainer, first: Explanation) -> Explanation:
        """The photo and the label of another explanation, through the library's own door."""
        names = [layer.name for layer in self.layers(first.layers)]
        return explainer.explain(
            first.image,
            first.model.name,
            layer="all" if len(names) > 1 else names[0] if names else None,
            target=first.target.index,
            framing=first.framing,
            method=self.method,
        )


DEFAULT = Way("gradcam", "last")


def ways(names: Sequence[str], together: Sequence[str] = ()) -> list[Way]:
    """All that is compared, the default first.

    Args:
        names: of methods.
        together: names of stages with a + between them.
    """
    found = [DEFAULT]
    for method in map(methods.find, names):
        places = ["raw", "smoothed"] if method.is_pixel else ["last", "all"]
        if method.name in BEFORE:
            places += ["before", *together]
        found += [Way(method.name, where) for where in places]
    return list(dict.fromkeys(found))


def explain_all(
    explainer: Explainer, first: Explanation, asked: Sequence[Way]
) -> dict[str, Explanation]:
    """The photo and label of the first in all ways, by name; all layers from one forward."""
    target = first.target.index
    of_layers = [way for way in asked if not way.is_pixel]
    read = {layer.name for way in of_layers for layer in way.layers(first.layers)}
    job = Sweep(
        model=first.model.name,
        layers=tuple(layer for layer in first.layers if layer.name in read),
        methods=tuple(dict.fromkeys(way.method for way in of_layers)),
        targets=(target,),
        inputs=first.inputs,
        versus=None,
        rank=Rank.ANSWER,
    )
    maps = explainer.engine.run(job) if read else {}
    of_pixels: dict[str, np.ndarray] = {}
    found = {}
    for way in asked:
        if way.is_pixel:
            if way.method not in of_pixels:
                of_pixels[way.method] = way.explain(explainer, first).cam
            cam = of_pixels[way.method]
            if way.where == "smoothed":
                cam = cv2.GaussianBlur(cam, (0, 0), SMOOTH * first.inputs.shape[-1])
        else:
            names = [layer.name for layer in way.layers(first.layers)]
            cam = _together([maps[way.method, name, target] for name in names])
        found[way.name] = replace(first, cam=cam)
    digest = hashlib.sha256(first.inputs.tobytes() + target.to_bytes(4, "big")).digest()
    dice = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    found[RANDOM] = replace(first, cam=dice.random(first.cam.shape, np.float32))
    found[CENTRE] = replace(first, cam=_spot(first.cam.shape))
    return found


def _together(cams: list[np.ndarray]) -> np.ndarray:
    if len(cams) == 1:
        return cams[0]
    largest = np.max([cam.shape for cam in cams], axis=0)
    height, width = np.minimum(largest, LARGEST_GRID).tolist()
    return methods.fuse(cams, height, width)


def _spot(shape: tuple[int, ...]) -> np.ndarray:
    """A Gaussian in the middle, its deviation a quarter of the side: float32 (h, w)."""
    down, across = ((np.arange(cells) + 0.5) / cells - 0.5 for cells in shape)
    return np.exp(-8 * (down[:, np.newaxis] ** 2 + across**2)).astype(np.float32)
