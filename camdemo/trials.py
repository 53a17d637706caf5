"""Trials: what a finding can be put to. A heat map is a claim, and can be tested.

The arithmetic is in `trust`, the networks are behind the engine; here the two meet. What takes
many forwards waits behind everybody else's questions, and ends when whoever asked has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import methods, picture, question
from .engine.protocol import Engine, FirstMap, MapAndLogits, Randomised, Rank, Score, Sweep
from .errors import CamdemoError, ChoiceError, RangeError
from .models import labels as naming
from .models.rivals import against
from .records import (
    Box,
    Fill,
    LayerInfo,
    ModelSpec,
    Occlusion,
    Prediction,
    Rivals,
    as_integer,
)
from .trust import completeness, curves, hiding, orders, patches, scores
from .trust.completeness import Completeness
from .trust.curves import Curve
from .trust.orders import ORDERS, Orders
from .trust.patches import Patches
from .trust.randomisation import Randomisation
from .trust.scores import Scores


class Trials:
    """What `Finding` and `Explanation` can be asked about themselves; the fields are theirs."""

    target: Prediction
    predictions: tuple[Prediction, ...]
    versus: tuple[Prediction, ...]
    strength: float
    cam: np.ndarray
    box: Box
    part: Box
    model: ModelSpec
    layer: LayerInfo
    method: str
    settings: Mapping[str, Any]
    gap: float | None
    inputs: np.ndarray
    probabilities: np.ndarray
    labels: tuple[str, ...]
    layers: tuple[LayerInfo, ...]
    engine: Engine

    # -- asking back

    def hide(
        self, regions: Box | Sequence[Box] | np.ndarray, fill: Fill = "blur", keep: bool = False
    ) -> Occlusion:
        """Ask back: what is left of the explained label when a part of the photo is hidden?

        Args:
            regions: a box or several in pixels of the photo, like `box`, which add up; or a mask
                of the network's input, bool (side, side). What of it is not on the photo, as the
                bars of "fit", is never hidden, nor does a random patch lie there.
            fill: what takes their place: "blur", "mean" (the mean colour of the photos that the
                network was trained on) or "noise". It matters: see `hiding.filling`.
            keep: whether the regions are kept, and the rest of what the model saw is hidden.

        Raises:
            ChoiceError: another fill.
            RegionError: a region without area, or nothing within what the model saw.
        """
        if isinstance(regions, np.ndarray):
            mask = regions
        else:
            boxes = [regions] if isinstance(regions, Box) else regions
            mask = hiding.mask_of(boxes, self.box, self.inputs.shape[-1])
        mask = self._on_photo(mask)
        hidden = mask[self.part.slices].mean()
        now = self.without(mask, fill, keep)
        elsewhere = self.without_elsewhere(mask, fill, keep)
        index = self.target.index
        return Occlusion(
            predictions=naming.top(self.labels, now),
            before=self.target,
            after=replace(self.target, probability=float(now[index])),
            elsewhere=replace(self.target, probability=float(elsewhere.mean[index])),
            elsewhere_error=float(elsewhere.error[index]),
            overlap=elsewhere.overlap,
            share=float(hidden if not keep else 1 - hidden),
            keep=keep,
        )

    def without(self, mask: np.ndarray, fill: Fill = "blur", keep: bool = False) -> np.ndarray:
        """What the model answers when a part of what it saw is hidden.

        Args:
            mask: bool (side, side), the pixels of the network's input; see `hiding.mask_of`.
            fill: what takes their place, see `hiding.filling`.
            keep: whether these are kept, and the others hidden.

        Returns:
            float32 (labels,), the probabilities.

        Raises:
            ChoiceError: another fill.
            RegionError: a mask of another shape, or one with nothing on the photo.
            WeightsError: the weights can't be had any more.
        """
        mask, filled = self._on_photo(mask), self._filled(fill)
        score = self._score(Rank.ANSWER)
        return hiding.hide(score, self.inputs, mask, filled, keep, self.part)

    def without_elsewhere(
        self, mask: np.ndarray, fill: Fill = "blur", keep: bool = False
    ) -> hiding.Yardstick:
        """The yardstick of `without`: the same mask at 16 random places.

        See `hiding.hide_elsewhere`. Arguments and errors are those of `without`.
        """
        mask, filled = self._on_photo(mask), self._filled(fill)
        score = self._score(Rank.YARDSTICK)
        return hiding.hide_elsewhere(score, self.inputs, mask, filled, keep, self.part)

    # -- the score of every map

    def hide_each(
        self,
        fills: Fill | Sequence[Fill] = ("blur", "mean"),
        grid: int = patches.GRID,
        progress: patches.Progress | None = None,
    ) -> Patches:
        """Hide each patch of a grid by itself: what is left of all labels' logits?

        Args:
            fills: what takes a patch's place; each costs grid * grid forwards.
            grid: patches of a side, 2 to 16.
            progress: called with how many inputs have been answered, and how many there are.

        Raises:
            ChoiceError, RangeError: another fill, or a grid out of range.
            WeightsError: the weights can't be had any more.
            Abandoned: whoever asked has gone.
        """
        names: Sequence[Fill] = (fills,) if isinstance(fills, str) else fills
        if not names:
            raise ChoiceError("fill", "", question.FILLS)
        fillings = {name: self._filled(name) for name in names}
        size = _whole("grid", grid, 2, 16)
        return patches.hide_each(self._logits, self.inputs, fillings, size, progress, self.part)

    def scores(
        self, hidden: Patches | None = None, progress: patches.Progress | None = None
    ) -> Scores:
        """How well every method orders the photo's patches for this label.

        At every stage and at the last stages together: Spearman's correlation between a patch's
        mean in the map and what hiding that patch alone takes from the label's logit (of a
        comparison: from the logit less the mean of the others'). It is a hint, and no verdict: see
        `trust.patches`.

        Args:
            hidden: what `hide_each` gave, which holds for all labels and maps of this photo; None
                for its defaults, a grid of 7 x 7 and two fills.
            progress: as for `hide_each`.

        Raises:
            WeightsError, Abandoned: as `hide_each`.
        """
        if hidden is None:
            hidden = self.hide_each(progress=progress)
        target, rivals = self.target.index, self.rivals
        # (What knows no label can't compare two.)
        offered = [one for one in methods.all("layer") if rivals is None or one.knows_label]
        layers = [*(one for one in self.layers if one.stage), methods.fused(self.layers)]
        job = Sweep(
            model=self.model.name,
            layers=tuple(layers),
            methods=tuple(one.name for one in offered),
            targets=(target,),
            inputs=self.inputs,
            versus=rivals,
            rank=Rank.YARDSTICK,
        )
        maps = {(method, layer): cam for (method, layer, _), cam in self.engine.run(job).items()}
        shown = self.method, self.layer.name
        return scores.rank_maps(
            maps | {shown: self.cam},
            hidden.drops(target, rivals),
            hidden.fills,
            shown,
            self.explained,
            {
                (method.name, layer.name): f"{method.title} at {_called(layer)}"
                for method in methods.all("layer")
                for layer in (*layers, self.layer)
            }
            | ({shown: methods.find(self.method).title} if self.layer.is_input else {}),
            hidden.span,
        )

    # -- curves

    def deletion(
        self,
        fill: Fill = "blur",
        steps: int = curves.STEPS,
        orders: int = ORDERS,
        seed: int = 0,
        progress: Callable[[Curve], None] | None = None,
        band: Curve | Orders | None = None,
    ) -> Curve:
        """The label's probability as the pixels that the map shows most go first.

        Petsiuk et al. 2018; see `trust.curves`. The order is that of the heat as it is painted;
        what speaks against the label goes last.

        Args:
            fill: what takes their place.
            steps: in how many steps all pixels go, 1 to 200: as many forwards.
            orders: how many random orders it is compared with, 0 to 100, see `random_orders`.
            seed: of these.
            progress: called with the curve as far as it is, after each batch of its points and
                after each random order.
            band: what `random_orders` gave; or a curve of this photo and label, whose random
                orders are taken over. They hold for all maps, and, read backwards, for insertion.

        Raises:
            ChoiceError, RangeError: another fill, or a number out of range.
            CamdemoError: a map that is the same everywhere, or a band that does not fit.
            WeightsError, Abandoned: as `hide_each`.
        """
        return self._curve("deletion", fill, steps, orders, seed, progress, band)

    def insertion(
        self,
        fill: Fill = "blur",
        steps: int = curves.STEPS,
        orders: int = ORDERS,
        seed: int = 0,
        progress: Callable[[Curve], None] | None = None,
        band: Curve | Orders | None = None,
    ) -> Curve:
        """The same as those pixels come in first, over a photo of which nothing is left.

        See `deletion`, also for arguments and errors.
        """
        return self._curve("insertion", fill, steps, orders, seed, progress, band)

    def _curve(
        self,
        kind: curves.Kind,
        fill: Fill,
        steps: int,
        count: int,
        seed: int,
        progress: Callable[[Curve], None] | None,
        band: Curve | Orders | None,
    ) -> Curve:
        steps = _whole("number of steps", steps, 1, 200)
        count = _whole("number of orders", count, 0, 100)
        side = self.inputs.shape[-1]
        down, across = (picture.shares(cells, side, "positive") for cells in self.cam.shape)
        growing = curves.draw(
            kind,
            lambda batch: self._probability(self._logits(batch)),
            self.inputs,
            down @ self.cam @ across.T,
            self._filled(fill),
            label=self.explained,
            fill=fill,
            steps=steps,
            part=self.part,
        )
        tell = progress or (lambda _curve: None)
        for curve in growing:
            tell(curve)
        own = curve
        if isinstance(band, Curve):
            reverse = band.kind == "insertion"
            shares = 1 - band.shares[::-1] if reverse else band.shares
            return own.beside(shares, band.random[:, ::-1] if reverse else band.random)
        if band is not None:
            return self.beside(own, band)

        def grown(so_far: Orders) -> None:
            nonlocal curve
            curve = self.beside(own, so_far)
            tell(curve)

        self.random_orders(fill, min(steps, orders.STEPS), count, seed, grown)
        return curve

    def random_orders(
        self,
        fill: Fill = "blur",
        steps: int = orders.STEPS,
        count: int = ORDERS,
        seed: int = 0,
        progress: Callable[[Orders], None] | None = None,
    ) -> Orders | None:
        """What becomes of all labels as the photo's pixels go in random orders: the yardstick.

        For `band` of `deletion` and `insertion`. It holds for all labels and maps of this photo.

        Args:
            fill: what takes the pixels' place.
            steps: in how many steps all pixels go, 1 to 200: as many forwards for each order.
            count: how many orders, 0 to 100.
            seed: of these.
            progress: called with those that are there, after each.

        Returns:
            None of no order.

        Raises:
            ChoiceError, RangeError: another fill, or a number out of range.
            WeightsError, Abandoned: as `hide_each`.
        """
        found = None
        for found in orders.draw(
            self._logits,
            self.inputs,
            self._filled(fill),
            fill=fill,
            steps=_whole("number of steps", steps, 1, 200),
            orders=_whole("number of orders", count, 0, 100),
            seed=_whole("seed", seed, 0, 2**32),
            part=self.part,
        ):
            if progress:
                progress(found)
        return found

    def beside(self, curve: Curve, band: Orders) -> Curve:
        """A curve of this map beside random orders.

        Raises:
            CamdemoError: they are of another photo or filling.
        """
        if band.fill != curve.fill:
            raise CamdemoError(
                f"The random orders are filled by {band.fill}; asked for was {curve.fill}. Leave "
                "them away, or ask for the same."
            )
        flat = self._probability(band.logits.reshape(-1, band.logits.shape[-1]))
        return curve.beside(band.shares, flat.reshape(band.logits.shape[:2]))

    def _probability(self, logits: np.ndarray) -> np.ndarray:
        """What is explained, from logits (n, labels): a probability each, float32 (n,)."""
        target, rivals = self.target.index, self.rivals
        if rivals is not None:  # of what all that are compared have
            return naming.probabilities(logits[:, [target, *(rivals.labels or ())]])[:, 0]
        return naming.probabilities(logits, self.model.activation)[:, target]

    # -- what was learned, and what it adds up to

    def randomised(self, steps: int = 5, draws: int = 5, seed: int = 0) -> Randomisation:
        """The same map from networks of which more and more has random weights.

        Adebayo et al. 2018: a map that stays does not show what the network learned. First the
        weights behind the last stage are random, in the end all of them; they are initialised
        anew (He et al. 2015), see `methods.randomising`.

        Args:
            steps: how far it goes, in how many steps, 1 to 50; one is the wholly random network.
            draws: how many networks for each step, 1 to 50.
            seed: of the weights.

        Raises:
            RangeError: a number out of range.
            WeightsError, Abandoned: as `hide_each`.
        """
        target, rivals = self.target.index, self.rivals
        first = _whole("seed", seed, 0, 2**32)
        job = Randomised(
            model=self.model.name,
            layer=self.layer,
            method=self.method,
            inputs=self.inputs,
            target=target,
            versus=rivals,
            stages=tuple(one.name for one in self.layers if one.stage),
            steps=_whole("number of steps", steps, 1, 50),
            seeds=tuple(range(first, first + _whole("number of draws", draws, 1, 50))),
            rank=Rank.YARDSTICK,
            settings=tuple(self.settings.items()),
        )
        found = self.engine.run(job)
        return Randomisation(self.cam, found.behind, found.maps)

    def completeness(self) -> Completeness | None:
        """What the map's cells add up to, where they and a constant are the logit.

        So it is with HiResCAM, and mostly with Grad-CAM, at a layer on which only averaging and
        a linear layer follow. Whether it is so is tried out on two other inputs.

        Returns:
            None where this map promises no such thing.

        Raises:
            WeightsError, Abandoned: as `hide_each`.
        """
        target, rivals = self.target.index, self.rivals
        if self.layer.is_input:
            return self._added_up()

        def explain(inputs: np.ndarray) -> MapAndLogits:
            # (Passing, so that nobody who asks for this very map waits for so low a rank.)
            what = (self.model.name, self.layer, self.method, inputs, target, rivals)
            return self.engine.run(FirstMap(*what, Rank.YARDSTICK, passing=True))

        others = self.inputs[..., ::-1].copy(), self._filled("noise")[np.newaxis]
        found = [explain(inputs) for inputs in (self.inputs, *others)]
        answers = [
            (one.map, float(one.logits[target] - (rivals.subtracted(one.logits) if rivals else 0)))
            for one in found
        ]
        return completeness.add_up(self.explained, answers, float(np.ptp(found[0].logits)))

    def _added_up(self) -> Completeness | None:
        """The same of a method of pixels, which promises it or does not."""
        if self.gap is None:
            return None
        (logits,) = self._logits(self.inputs)
        rivals = 0 if self.rivals is None else self.rivals.subtracted(logits)
        logit = float(logits[self.target.index] - rivals)
        total = float(self.cam.sum(dtype=np.float64))
        constant = logit - total - self.gap
        return Completeness(self.explained, total, constant, logit, self.baseline)

    @property
    def baseline(self) -> str:
        """What stands for nothing in a method of pixels, in words: "blurred copy"; else empty."""
        chosen = self.settings.get("baseline")
        offered = methods.find(self.method).settings
        values = [one for each in offered if each.name == "baseline" for one in each.values]
        return next((one.title.lower() for one in values if one.name == chosen), "")

    # -- what they share

    @property
    def explained(self) -> str:
        """What the map explains, in words: "lion", or "lion rather than cheetah"."""
        return (
            f"{self.target.label} rather than {self.against}" if self.versus else self.target.label
        )

    @property
    def against(self) -> str:
        """What the label is compared with, in words: "cheetah", "the mean of the other four"."""
        return against(self.versus, (*self.predictions, self.target), self.target, self.strength)

    @property
    def rivals(self) -> Rivals | None:
        """The labels that the explained one is compared with, and how strongly; None for none."""
        if not self.versus:
            return None
        return Rivals(tuple(one.index for one in self.versus), self.strength)

    def _on_photo(self, mask: np.ndarray) -> np.ndarray:
        side = self.inputs.shape[-1]
        return hiding.check(hiding.on_photo(hiding.check(mask, side), self.part), side)

    def _filled(self, fill: Fill) -> np.ndarray:
        return hiding.filling(self.inputs, fill, self.model.transform, self.model.training_mean)

    def _logits(self, batch: np.ndarray) -> np.ndarray:
        """What the model answers a batch when nobody is in a hurry, float32 (n, labels)."""
        return self.engine.run(Score(self.model.name, batch, Rank.YARDSTICK))

    def _score(self, rank: Rank) -> Callable[[np.ndarray], np.ndarray]:
        """The model as a function from a batch to probabilities."""

        def score(batch: np.ndarray) -> np.ndarray:
            logits = self.engine.run(Score(self.model.name, batch, rank))
            return naming.probabilities(logits, self.model.activation)

        return score


def _called(layer: LayerInfo) -> str:
    return "the last stages together" if layer.parts else layer.name


def _whole(kind: str, given: int, low: int, high: int) -> int:
    """A whole number within its limits.

    Raises:
        RangeError: it is none, or outside.
    """
    number = as_integer(given)
    if number is None or not low <= number <= high:
        raise RangeError(kind, given, low, high)
    return number
