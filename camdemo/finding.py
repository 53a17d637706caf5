"""A Finding: what a model answered about a photo, and what it can be asked further.

The photo's pixels are not in it, so that a server can keep many; `Explanation` adds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from . import methods
from .engine.protocol import Engine, Progress, Rank, Sweep
from .models import labels as naming
from .pixelwise import Pixelwise
from .records import (
    INPUT,
    Box,
    Evidence,
    Framing,
    LayerInfo,
    ModelSpec,
    Prediction,
    Rivals,
    Timings,
    common_lengths,
)
from .viewer import scene
from .viewer.scene import MapKey


@dataclass(frozen=True, eq=False, kw_only=True)
class Finding(Pixelwise):
    """The answer to one question: where did this model look for this label?

    Attributes:
        predictions: the five most probable labels, best first.
        target: the label that the map explains.
        versus: the labels that it is compared with; none for a map of its own.
        strength: how much of the mean of their logits is subtracted, 0 to 1.
        cam: float32 (h, w), the signed map, before any display step.
            Positive cells speak for the label's logit, negative ones against it, or, where it is
            compared with others, for those.
        box: the pixels of the photo that the model saw; the map lies exactly there. In the framing
            "fit" that is a square which reaches beyond the photo, over the bars.
        part: the pixels of `inputs` that show the photo: all of them, but for those bars.
        model, layer, method, framing: what was asked. Of a method of pixels `layer` is the
            network's input, named "input".
        settings: those of a method of pixels, all of them, {name: value}.
        gap: what the map's sum lacks of the difference between the scores of the input and of the
            baseline, where such a method promises that; else None.
        device: what ran the network, in words, where there is an accelerator; else empty.
        timings: where the milliseconds went.
        inputs: float32 (1, 3, h, w), what the network was given.
        probabilities: float32 (labels,), of all labels.
        labels: the names of all labels, in the order of their indices.
        layers: all layers of the model that can be explained, in the order of execution.
        engine: what runs the model, should more be asked.
    """

    predictions: tuple[Prediction, ...]
    target: Prediction
    versus: tuple[Prediction, ...] = ()
    strength: float = 1.0
    cam: np.ndarray
    box: Box
    part: Box
    model: ModelSpec
    layer: LayerInfo
    method: str = "gradcam"
    settings: Mapping[str, Any] = field(default_factory=dict)
    gap: float | None = None
    device: str = ""
    framing: Framing
    timings: Timings
    inputs: np.ndarray = field(repr=False)
    probabilities: np.ndarray = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    layers: tuple[LayerInfo, ...] = field(repr=False)
    engine: Engine = field(repr=False)

    @property
    def natural_evidence(self) -> Evidence:
        """What is drawn unless something else is asked for."""
        return "signed" if self.versus else "positive"

    @property
    def framing_text(self) -> str:
        """The framing as the API, the command line and links write it."""
        return self.framing.text if isinstance(self.framing, Box) else self.framing

    def in_bars(self, cam: np.ndarray) -> float:
        """How much of a map's positive evidence lies in the bars of "fit", 0 to 1.

        A cell that lies on the photo in part counts by its area.

        Args:
            cam: float32 (h, w), a map of this photo.
        """
        seen = ((self.part.top, self.part.bottom), (self.part.left, self.part.right))
        rows, columns = (
            common_lengths(np.linspace(0, pixels, cells + 1), np.array(ends))[:, 0] * cells / pixels
            for cells, pixels, ends in zip(cam.shape, self.inputs.shape[-2:], seen, strict=True)
        )
        positive = np.maximum(cam, 0).astype(np.float64)
        total = positive.sum()
        return float(1 - (rows @ positive @ columns) / total) if total > 0 else 0.0

    # -- labels

    def labels_shown(self) -> list[Prediction]:
        """The labels on the page: the five best, and those that are explained."""
        return [*self.predictions, self.target, *self.versus]

    def prediction(self, index: int) -> Prediction:
        """A label by its index, with its probability."""
        return naming.prediction(self.labels, self.probabilities, index)

    def top(self, probabilities: np.ndarray) -> tuple[Prediction, ...]:
        """The five most probable labels of another answer of this model, best first."""
        return naming.top(self.labels, probabilities)

    # -- more maps

    def offered(self) -> tuple[LayerInfo, ...]:
        """What can be chosen as a layer: all of them, and the last stages together."""
        return (*self.layers, methods.fused(self.layers))

    def maps(
        self,
        layers: Sequence[str] | None = None,
        targets: Sequence[int | str] | None = None,
        method: str | None = None,
        versus: int | str | Sequence[int | str] | None = None,
        strength: float = 1.0,
    ) -> dict[MapKey, np.ndarray]:
        """More signed maps, all those of stages from one forward pass.

        Of a method of pixels there is one for each label, of the layer "input". Each costs what
        the first did, with the same settings; those of another method are its defaults.

        Args:
            layers: names of layers; None for every stage at which the method is there, and `layer`
                where it is another.
            targets: labels or their indices, in the order in which they are wanted; None for
                those on the page.
            method: None for this one's.
            versus: a label or its index, several of them, or "others": each map is then that of
                a logit less the mean of theirs. Who the others are is told for `target`.
            strength: how much of that mean is subtracted, 0 to 1.

        Returns:
            {(name of the layer, index of the label): float32 (h, w)}.

        Raises:
            ChoiceError, RangeError: an unknown layer, label, index, method or strength.
            CamdemoError: a method that is not there at a layer, or that can't compare; no label to
                compare with.
            WeightsError: the weights can't be had any more.
            Abandoned: whoever asked has gone.
        """
        known = methods.find(self.method if method is None else method)
        method = known.name
        rivals = self._rivals_of(versus, strength)
        for name in layers or ():
            methods.check(method, self._layer(name, known), rivals, self.layers)
        shown = [self.target, *self.versus, *self.predictions]
        on_page = dict.fromkeys(one.index for one in shown)
        if targets is None:
            asked = list(on_page)
        else:
            found = [naming.find(self.labels, target) for target in targets]
            asked = list(dict.fromkeys(index for index in found if index is not None))

        if known.is_pixel:
            jobs = {index: self.pixel_job(method, index, versus, strength) for index in asked}
            return {(INPUT, index): self.engine.run(job).map for index, job in jobs.items()}

        def sweep(
            wanted: Sequence[LayerInfo], rank: Rank, more: Sequence[int] = ()
        ) -> dict[MapKey, np.ndarray]:
            job = Sweep(
                model=self.model.name,
                layers=tuple(wanted),
                methods=(method,),
                targets=tuple(asked),
                inputs=self.inputs,
                versus=rivals,
                rank=rank,
                more=tuple(more),
            )
            found = self.engine.run(job)
            return {
                (one.name, target): found[method, one.name, target]
                for target in asked
                for one in wanted
            }

        if layers is not None:
            names = {methods.find_layer(self.layers, name).name for name in layers}
            return sweep([one for one in self.offered() if one.name in names], Rank.ANSWER)
        others = [index for index in on_page if index not in asked]
        stages = [one for one in self.layers if one.stage and known.is_at(one)]
        maps = sweep(stages, Rank.SWEEP, others) if stages else {}
        if self.layer.stage or not known.is_at(self.layer):
            return maps
        if self.layer.parts:
            return maps | {(self.layer.name, target): self._fuse(maps, target) for target in asked}
        # On its own, so that whoever looks at other layers of the same photo shares the stages.
        return maps | sweep([self.layer], Rank.SWEEP)

    def _fuse(self, maps: Mapping[MapKey, np.ndarray], target: int) -> np.ndarray:
        """The map of the fused `layer` from those of the stages."""
        parts = [maps[part.name, target] for part in self.layer.parts]
        return methods.fuse(parts, self.layer.height, self.layer.width)

    def maps_shown(self) -> dict[MapKey, np.ndarray]:
        """The maps from which the viewer paints this one.

        It subtracts some where labels are compared and the map is linear: else this is the one.
        """
        if self.layer.is_input or not self.versus or self._whole is not None:
            return {(self.layer.name, self.target.index): self.cam}
        labels = (self.target, *self.versus)
        return self.maps([self.layer.name], [one.index for one in labels])

    def packets(
        self, complete: bool = True, targets: Sequence[int] | None = None
    ) -> tuple[dict[str, Any], ...]:
        """The maps from which the viewer paints this one, as they travel.

        Args:
            complete: also those of every stage for every label.
            targets: those labels; None for those on the page.
        """
        every = self.maps(targets=targets) if complete else {}
        rivals = self._whole
        if rivals is None or rivals.labels is None:
            return scene.packets(every | self.maps_shown(), self.method)
        how: dict[str, Any] = {"versus": rivals.labels, "strength": rivals.strength}
        compared = self.maps(None, [self.target.index], **how) if complete else {}
        own = scene.packets(every, self.method)
        return own + scene.packets(compared | self.maps_shown(), self.method, rivals)

    def exact_packets(self) -> tuple[dict[str, Any], ...]:
        """Those of the picture that is shown which `packets` averages or rounds, as they are."""
        large = {key: cam for key, cam in self.maps_shown().items() if not scene.is_whole(cam)}
        return scene.packets(large, self.method, self._whole, exact=True)

    def by_default(self) -> Self:
        """What the default method finds at the last stage: it is there at once."""
        last = methods.find_layer(self.layers, None).name
        rivals = [one.index for one in self.versus] or None
        return self.seen(last, methods.DEFAULT, self.target.index, rivals, self.strength)

    @property
    def _whole(self) -> Rivals | None:
        """The labels that `cam` is held against where no difference of maps would be the same."""
        linear = methods.find(self.method).linear and not self.layer.parts
        return None if linear else self.rivals

    def seen(
        self,
        layer: str,
        method: str,
        target: int,
        versus: Sequence[int] | None = None,
        strength: float = 1.0,
        settings: Mapping[str, Any] | None = None,
        watch: Progress | None = None,
    ) -> Self:
        """The same photo, looked at in another way.

        Args:
            settings: of a method of pixels; None for this one's, or the defaults of another method.
            watch: called with how far such a method is, see `Explainer.explain`.

        Raises:
            ChoiceError, RangeError, CamdemoError: as `maps`.
        """
        known = methods.find(method)
        where = self._layer(layer, known)
        rivals = self._rivals_of(versus, strength)
        methods.check(method, where, rivals, self.layers)
        chosen = self.settings_of(known, settings)
        gap = None
        if known.is_pixel:
            job = self.pixel_job(method, target, versus, strength, chosen)
            found = self.engine.run(job, watch)
            cam, gap = found.map, found.gap
        else:
            (cam,) = self.maps([layer], [target], method, versus, strength).values()
        return replace(
            self,
            layer=where,
            method=method,
            settings=chosen,
            gap=gap,
            target=self.prediction(target),
            versus=tuple(map(self.prediction, versus or ())),
            strength=strength,
            cam=cam,
        )
