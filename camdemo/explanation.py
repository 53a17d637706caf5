"""An Explanation: what the model saw, where it looked, and the pictures of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from PIL import Image

from . import images, render, scene, standalone
from .records import Box, Evidence, Framing, LayerInfo, ModelSpec, Prediction, Timings


class Explains(Protocol):
    """What an explanation needs of the Explainer that made it."""

    def layers(self, model: str) -> tuple[LayerInfo, ...]: ...

    def maps(
        self, explanation: Explanation, layers: Sequence[str] | None, targets: Sequence[int]
    ) -> dict[scene.MapKey, np.ndarray]: ...


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer to one question: where did this model look for this label?

    Attributes:
        predictions: the five most probable labels, best first.
        target: the label that the map explains.
        cam: float32 (h, w), the signed map as Captum returns it, before any display step.
            Positive cells speak for the label's logit, negative ones against it.
        box: the pixels of `image` that the model saw; the map lies exactly there.
        image: the photo, upright, RGB.
        model, layer, framing: what was asked.
        timings: where the milliseconds went.
        inputs: float32 (1, 3, side, side), what the network was given.
        probabilities: float32 (labels,), of all labels.
        explainer: who explained it, and can tell more: see `maps`.
    """

    predictions: tuple[Prediction, ...]
    target: Prediction
    cam: np.ndarray
    box: Box
    image: Image.Image
    model: ModelSpec
    layer: LayerInfo
    framing: Framing
    timings: Timings
    inputs: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)
    explainer: Explains = field(repr=False)

    def overlay(
        self, colormap: str = "jet", opacity: float = 0.5, evidence: Evidence = "positive"
    ) -> Image.Image:
        """The heat map over the photo: RGB, of the photo's size.

        Args:
            colormap: one of `records.COLORMAPS`; signed evidence has its own diverging map.
            opacity: 0 (photo alone) to 1 (heat alone).
            evidence: what is drawn, see `render.scale`.

        Raises:
            ChoiceError, RangeError: an option that can't be drawn.
        """
        render.check_options(colormap, opacity, evidence)
        photo = np.asarray(self.image)
        return Image.fromarray(
            render.overlay(photo, self.cam, self.box, colormap, opacity, evidence)
        )

    def at_most(self, longest: int) -> Explanation:
        """The same with a smaller copy of the photo, at most `longest` pixels on a side."""
        width, height = self.image.size
        factor = longest / max(width, height)
        if factor >= 1:
            return self
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        # (The gap lets whole pixels be averaged first: less than half the time, and no worse.)
        image = self.image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)
        across, down = size[0] / width, size[1] / height
        left, top, right, bottom = self.box.left, self.box.top, self.box.right, self.box.bottom
        # of a very long photo so little can be left that only `to_box` keeps a pixel of it
        box = images.to_box((left * across, top * down, right * across, bottom * down))
        return replace(self, image=image, box=box)

    def maps(self) -> dict[scene.MapKey, np.ndarray]:
        """The signed maps of every stage for every label on the page, from one forward pass.

        Those of `layer` are among them, too, where it is a finer one.

        Returns:
            {(name of the layer, index of the label): float32 (h, w)}.
        """
        layers = self.explainer.layers(self.model.name)
        names = [one.name for one in layers if one.stage or one.name == self.layer.name]
        targets = dict.fromkeys(one.index for one in [*self.predictions, self.target])
        return self.explainer.maps(self, names, list(targets))

    def scene(self, complete: bool = True) -> dict[str, Any]:
        """What the viewer paints from, as plain values for JSON.

        Complete with the maps of every stage and label, or with the one map alone.
        """
        small = self.at_most(scene.DISPLAY_SIDE)
        one = {(self.layer.name, self.target.index): self.cam}
        layers = self.explainer.layers(self.model.name)
        return scene.scene(
            predictions=self.predictions,
            target=self.target,
            photo=np.asarray(small.image),
            natural_size=self.image.size,
            box=small.box,
            model=self.model,
            layer=self.layer,
            layers=layers,
            framing=self.framing,
            maps=(self.maps() | one) if complete else one,
            complete=complete,
            facts=f"{self.model.title} · {self.layer.text} · {self.timings.total:.0f} ms",
        )

    def to_html(self) -> str:
        """One self-contained HTML file: the viewer with all maps, which asks nobody anything."""
        return standalone.page(self.scene())

    def _repr_html_(self) -> str:
        return standalone.frame(self.scene())

    def caveat(self, evidence: Evidence = "positive") -> str:
        """What a person must know before reading the overlay; empty if nothing."""
        if render.scale(self.cam, evidence) is not None:
            return ""
        if evidence == "positive":
            return f"No positive evidence for {self.target.label} at this layer."
        return f"The map of {self.target.label} is the same everywhere at this layer."

    def summary(self) -> dict[str, Any]:
        """Everything but the pictures, as plain values for JSON."""
        return {
            "model": self.model.name,
            "layer": self.layer.name,
            "framing": self.framing,
            "target": _as_dict(self.target),
            "predictions": [_as_dict(prediction) for prediction in self.predictions],
            "image": {"width": self.image.width, "height": self.image.height},
            "box": {name: getattr(self.box, name) for name in self.box.__slots__},
            "map": [[float(value) for value in row] for row in self.cam],
            "range": {"min": float(self.cam.min()), "max": float(self.cam.max())},
            "note": self.caveat(),
            "milliseconds": {
                name: round(getattr(self.timings, name), 1) for name in self.timings.__slots__
            },
        }


def _as_dict(prediction: Prediction) -> dict[str, Any]:
    return {name: getattr(prediction, name) for name in prediction.__slots__}
