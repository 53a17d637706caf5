"""An Explanation: what the model saw, where it looked, and the pictures of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from PIL import Image

from . import photo, picture
from .records import (
    Box,
    Evidence,
    Fill,
    Framing,
    LayerInfo,
    ModelSpec,
    Occlusion,
    Prediction,
    Timings,
)
from .trust import hiding
from .viewer import bundle, scene


class Explains(Protocol):
    """What an explanation needs of the Explainer that made it."""

    def layers(self, model: str) -> tuple[LayerInfo, ...]: ...

    def maps(
        self, explanation: Explanation, layers: Sequence[str] | None, targets: Sequence[int]
    ) -> dict[scene.MapKey, np.ndarray]: ...

    def hide(
        self, explanation: Explanation, mask: np.ndarray, fill: Fill, keep: bool
    ) -> np.ndarray: ...

    def hide_elsewhere(
        self, explanation: Explanation, mask: np.ndarray, fill: Fill, keep: bool
    ) -> hiding.Yardstick: ...

    def top(self, probabilities: np.ndarray) -> tuple[Prediction, ...]: ...


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer to one question: where did this model look for this label?

    Attributes:
        predictions: the five most probable labels, best first.
        target: the label that the map explains.
        versus: the label that it is compared with, or None.
        cam: float32 (h, w), the signed map as Captum returns it, before any display step.
            Positive cells speak for the label's logit, negative ones against it, or, where two
            labels are compared, for the other one.
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
    versus: Prediction | None = None

    def overlay(
        self, colormap: str = "jet", opacity: float = 0.5, evidence: Evidence | None = None
    ) -> Image.Image:
        """The heat map over the photo: RGB, of the photo's size.

        Args:
            colormap: one of `records.COLORMAPS`; signed evidence has its own diverging map.
            opacity: 0 (photo alone) to 1 (heat alone).
            evidence: what is drawn, see `picture.scale`; None for "signed" where two labels are
                compared, else "positive".

        Raises:
            ChoiceError, RangeError: an option that can't be drawn.
        """
        evidence = evidence or self.natural_evidence
        picture.check_options(colormap, opacity, evidence)
        photo = np.asarray(self.image)
        return Image.fromarray(
            picture.overlay(photo, self.cam, self.box, colormap, opacity, evidence)
        )

    @property
    def natural_evidence(self) -> Evidence:
        """What is drawn unless something else is asked for."""
        return "positive" if self.versus is None else "signed"

    def hide(
        self, regions: Box | Sequence[Box] | np.ndarray, fill: Fill = "blur", keep: bool = False
    ) -> Occlusion:
        """Ask back: what is left of the explained label when a part of the photo is hidden?

        Args:
            regions: a box or several in pixels of `image`, which add up; or a mask of the
                network's input, bool (side, side).
            fill: what takes their place: "blur", "mean" (the mean colour of the photos that the
                network was trained on) or "noise". It matters: see `hiding.filling`.
            keep: whether the regions are kept, and the rest of what the model saw is hidden.

        Raises:
            ChoiceError: another fill.
            RegionError: a region without area, or nothing within what the model saw.
        """
        side = self.inputs.shape[-1]
        if isinstance(regions, np.ndarray):
            mask = regions
        else:
            boxes = [regions] if isinstance(regions, Box) else regions
            mask = hiding.mask_of(boxes, self.box, side)
        now = self.explainer.hide(self, mask, fill, keep)
        elsewhere = self.explainer.hide_elsewhere(self, mask, fill, keep)
        index = self.target.index
        return Occlusion(
            predictions=self.explainer.top(now),
            before=self.target,
            after=replace(self.target, probability=float(now[index])),
            elsewhere=replace(self.target, probability=float(elsewhere.mean[index])),
            elsewhere_error=float(elsewhere.error[index]),
            overlap=elsewhere.overlap,
            share=float(mask.mean() if not keep else 1 - mask.mean()),
            keep=keep,
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
        box = photo.to_box((left * across, top * down, right * across, bottom * down))
        return replace(self, image=image, box=box)

    def maps(self) -> dict[scene.MapKey, np.ndarray]:
        """The signed maps of every stage for every label on the page, from one forward pass.

        Those of `layer` are among them, too, where it is a finer one.

        Returns:
            {(name of the layer, index of the label): float32 (h, w)}.
        """
        layers = self.explainer.layers(self.model.name)
        names = [one.name for one in layers if one.stage or one.name == self.layer.name]
        targets = dict.fromkeys(one.index for one in self.labels_shown())
        return self.explainer.maps(self, names, list(targets))

    def labels_shown(self) -> list[Prediction]:
        """The labels on the page: the five best, and those that are explained."""
        return [*self.predictions, self.target, *([self.versus] if self.versus else [])]

    def maps_shown(self) -> dict[scene.MapKey, np.ndarray]:
        """The maps from which the viewer paints this one: two where labels are compared."""
        if self.versus is None:
            return {(self.layer.name, self.target.index): self.cam}
        pair = [self.target.index, self.versus.index]
        return self.explainer.maps(self, [self.layer.name], pair)

    def scene(self, complete: bool = True) -> dict[str, Any]:
        """What the viewer paints from, as plain values for JSON.

        Complete with the maps of every stage and label, or with the one map alone.
        """
        small = self.at_most(scene.DISPLAY_SIDE)
        first = self.maps_shown()
        layers = self.explainer.layers(self.model.name)
        return scene.scene(
            predictions=self.labels_shown(),
            target=self.target,
            versus=self.versus,
            photo=np.asarray(small.image),
            natural_size=self.image.size,
            box=small.box,
            natural_box=self.box,
            model=self.model,
            layer=self.layer,
            layers=layers,
            side=self.inputs.shape[-1],
            framing=self.framing_text,
            maps=(self.maps() | first) if complete else first,
            shown=first,
            complete=complete,
            facts=f"{self.model.title} · {self.layer.text} · {self.timings.total:.0f} ms",
        )

    def to_html(self) -> str:
        """One self-contained HTML file: the viewer with all maps, which asks nobody anything."""
        return bundle.page(self.scene())

    def _repr_html_(self) -> str:
        return bundle.frame(self.scene())

    @property
    def framing_text(self) -> str:
        """The framing as the API, the command line and links write it."""
        return self.framing.text if isinstance(self.framing, Box) else self.framing

    def caveat(self, evidence: Evidence | None = None) -> str:
        """What a person must know before reading the overlay; empty if nothing."""
        evidence = evidence or self.natural_evidence
        if picture.scale(self.cam, evidence) is not None:
            return ""
        if evidence == "positive":
            return f"No positive evidence for {self.target.label} at this layer."
        return f"The map of {self.target.label} is the same everywhere at this layer."

    def summary(self) -> dict[str, Any]:
        """Everything but the pictures, as plain values for JSON."""
        return {
            "model": self.model.name,
            "layer": self.layer.name,
            "framing": self.framing_text,
            "target": _as_dict(self.target),
            "versus": _as_dict(self.versus) if self.versus else None,
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
