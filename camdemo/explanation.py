"""An Explanation: what the model saw, where it looked, and the pictures of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from PIL import Image

from . import methods, options, photo, picture
from .finding import Finding
from .question import Look
from .records import Box, Evidence, Fill, LookName, Prediction, percent
from .trust import hiding
from .viewer import bundle
from .viewer.scene import Scene, display_size

WORTH_SAYING = 0.1  # of the evidence, in the bars
_AT_ONCE = 4_000_000  # pixels that are painted: of 50 megapixels each copy has 150 MB


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanation(Finding):
    """A finding with its photo: what the model answered, and the pictures of it.

    Attributes:
        image: the photo, upright, RGB; `box` is in its pixels, and may reach beyond them.
        the others: see `Finding`.
    """

    image: Image.Image

    def overlay(
        self,
        colormap: str | None = None,
        opacity: float | None = None,
        evidence: Evidence | None = None,
        look: LookName = "notebook",
        smooth: float | None = None,
    ) -> Image.Image:
        """The heat map over the photo: RGB, of the photo's size.

        Args:
            colormap: one of `question.COLORMAPS`, None for the look's; signed evidence has its own
                diverging map.
            opacity: 0 (photo alone) to 1 (heat alone), in "glow" where the heat is strongest; None
                for the look's.
            evidence: what is drawn, see `picture.scale`; None for "signed" where two labels are
                compared, else "positive".
            look: "glow" leaves the photo as it is where there is no evidence (see
                `picture.covers`); "notebook" covers all of it evenly, with jet at 0.5.
            smooth: of a map of pixels, see `picture.smoothed`, in pixels of the input; 0 for none,
                None for 4: of single pixels little is seen.

        Raises:
            ChoiceError, RangeError: an option that can't be drawn.
        """
        given = {"colormap": colormap, "opacity": opacity, "evidence": evidence, "look": look}
        drawn = options.check(Look, **given, smooth=smooth)
        shown = drawn.evidence or self.natural_evidence
        how = (drawn.colormap, drawn.opacity, shown, drawn.look)
        cam = picture.smoothed(self.cam, drawn.smooth) if self.layer.is_input else self.cam
        width, height = self.image.size
        painted = Image.new("RGB", self.image.size)
        step = max(1, _AT_ONCE // width)
        for top in range(0, height, step):
            rows = np.asarray(self.image.crop((0, top, width, min(top + step, height))))
            part = picture.overlay(rows, cam, self.box, *how, top, height)
            painted.paste(Image.fromarray(part), (0, top))
        return painted

    def painted(self, look: Look) -> Image.Image:
        """The overlay in a look that is checked already; see `overlay`."""
        return self.overlay(look.colormap, look.opacity, look.evidence, look.look, look.smooth)

    def hidden(
        self, regions: Box | Sequence[Box], fill: Fill = "blur", keep: bool = False
    ) -> Image.Image:
        """What the model is given when a part of the photo is hidden: RGB, of its input's size.

        Arguments and errors are those of `hide`.
        """
        boxes = [regions] if isinstance(regions, Box) else regions
        mask = self._on_photo(hiding.mask_of(boxes, self.box, self.inputs.shape[-2:]))
        masks = hiding.on_photo((~mask if keep else mask)[np.newaxis], self.part)
        given = hiding.occlude(self.inputs, masks, self._filled(fill))
        return photo.picture(given, self.model.transform)

    @property
    def finding(self) -> Finding:
        """The same without the photo's millions of pixels."""
        return Finding(**{one.name: getattr(self, one.name) for one in fields(Finding)})

    def resized(self, width: int, height: int) -> Explanation:
        """The same with another copy of the photo, of this size."""
        if (width, height) == self.image.size:
            return self
        across, down = width / self.image.width, height / self.image.height
        larger = across * down > 1
        resample = Image.Resampling.BICUBIC if larger else Image.Resampling.BILINEAR
        # (The gap lets whole pixels be averaged first: less than half the time, and no worse.)
        image = self.image.resize((width, height), resample, reducing_gap=1.0)
        left, top, right, bottom = self.box.left, self.box.top, self.box.right, self.box.bottom
        # of a very long photo so little can be left that only `to_box` keeps a pixel of it
        box = photo.to_box((left * across, top * down, right * across, bottom * down))
        return replace(self, image=image, box=box)

    def scene(self, complete: bool = True) -> Scene:
        """What the viewer paints from.

        Complete with the maps of every stage and label, or with those of this picture alone. A map
        of pixels stands beside what the default method finds at the last stage.
        """
        if self.layer.is_input:
            pixels = self.pixel_answer(self.timings.explain)
            return replace(self.by_default().scene(complete), pixels=pixels)
        small = self.resized(*display_size(*self.image.size))
        labels = {one.index: one for one in self.labels_shown()}  # each once
        took = f"{self.timings.total:.0f} ms"
        return Scene(
            photo=picture.jpeg(np.asarray(small.image)),
            size=self.image.size,
            box=small.box,
            natural_box=self.box,
            part=self.part,
            model=self.model,
            input_size=self.inputs.shape[:1:-1],
            framing=self.framing_text,
            predictions=tuple(labels.values()),
            layers=self.layers,
            layer=self.layer,
            method=self.method,
            target=self.target,
            versus=self.versus,
            strength=self.strength,
            maps=self.packets(complete),
            exact=self.exact_packets() if complete else (),
            lacking=self.lacking(),
            complete=complete,
            facts=" · ".join(filter(None, (self.model.title, self.layer.text, took, self.device))),
        )

    def to_html(self) -> str:
        """One self-contained HTML file: the viewer with all maps, which asks nobody anything."""
        return bundle.page(self.scene())

    def _repr_html_(self) -> str:
        return bundle.frame(self.scene())

    def caveat(self, evidence: Evidence | None = None) -> str:
        """What a person must know before reading the overlay; empty if nothing."""
        evidence = evidence or self.natural_evidence
        if picture.scale(self.cam, evidence) is not None:
            return self._said_of_bars()
        where = "by this method" if self.layer.is_input else "at this layer"
        if evidence == "positive":
            return f"No positive evidence for {self.target.label} {where}."
        return f"The map of {self.target.label} is the same everywhere {where}."

    def _said_of_bars(self) -> str:
        """That much of what speaks for a label lies where the overlay shows nothing; or empty."""
        if not self.versus:
            sides = [(self.cam, f"the evidence for {self.target.label}")]
        else:
            rivals = self.versus[0].label if len(self.versus) == 1 else "the others"
            labels = ((self.cam, self.target.label), (-self.cam, rivals))
            sides = [(cam, f"what speaks for {label}") for cam, label in labels]
        return " ".join(
            f"{percent(share)} of {what} lies in the bars, outside of the photo."
            for cam, what in sides
            if (share := self.in_bars(cam)) > WORTH_SAYING
        )

    def summary(self, evidence: Evidence | None = None, cells: int | None = None) -> dict[str, Any]:
        """Everything but the pictures, as plain values for JSON.

        Args:
            evidence: what is drawn, see `overlay`: `note` is the caveat of that picture.
            cells: of `map` so many a side at most, the means of areas; None for all.
        """
        cam = self.cam if cells is None else methods.averaged(self.cam, cells)
        return {
            "model": self.model.name,
            "layer": self.layer.name,
            "method": self.method,
            **({"settings": dict(self.settings), "gap": self.gap} if self.layer.is_input else {}),
            "framing": self.framing_text,
            "target": _as_dict(self.target),
            "versus": [_as_dict(rival) for rival in self.versus],
            "strength": self.strength,
            "predictions": [_as_dict(prediction) for prediction in self.predictions],
            "image": {"width": self.image.width, "height": self.image.height},
            "box": {name: getattr(self.box, name) for name in self.box.__slots__},
            "map": [[float(value) for value in row] for row in cam],
            "range": {"min": float(self.cam.min()), "max": float(self.cam.max())},
            "note": self.caveat(evidence),
            "milliseconds": {
                name: round(getattr(self.timings, name), 1) for name in self.timings.__slots__
            },
        }


def _as_dict(prediction: Prediction) -> dict[str, Any]:
    return {name: getattr(prediction, name) for name in prediction.__slots__}
