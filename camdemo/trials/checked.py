"""Checks: whether a map depends on what was learned, and what it adds up to."""

from __future__ import annotations

import numpy as np

from .. import methods
from ..engine.protocol import FirstMap, MapAndLogits, Randomised, Rank
from ..trust import completeness
from ..trust.completeness import Completeness
from ..trust.randomisation import Randomisation
from .asked import Asked, whole


class CheckTrials(Asked):
    """Random weights, and completeness."""

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
        first = whole("seed", seed, 0, 2**32)
        job = Randomised(
            model=self.model.name,
            layer=self.layer,
            method=self.method,
            inputs=self.inputs,
            target=target,
            versus=rivals,
            stages=tuple(one.name for one in self.layers if one.stage),
            steps=whole("number of steps", steps, 1, 50),
            seeds=tuple(range(first, first + whole("number of draws", draws, 1, 50))),
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
        answers = [(one.map, self._explained_in(one.logits)) for one in found]
        return completeness.add_up(self.explained, answers, float(np.ptp(found[0].logits)))

    def _added_up(self) -> Completeness | None:
        """The same of a method of pixels, which promises it or does not."""
        if self.gap is None:
            return None
        (logits,) = self._logits(self.inputs)
        logit = self._explained_in(logits)
        total = float(self.cam.sum(dtype=np.float64))
        constant = logit - total - self.gap
        return Completeness(self.explained, total, constant, logit, self.baseline)

    def _explained_in(self, logits: np.ndarray) -> float:
        """What the map explains, in logits (labels,): the label's, less what is subtracted."""
        subtracted = self.rivals.subtracted(logits) if self.rivals else 0
        return float(logits[self.target.index] - subtracted)

    @property
    def baseline(self) -> str:
        """What stands for nothing in a method of pixels, in words: "blurred copy"; else empty."""
        chosen = self.settings.get("baseline")
        offered = methods.find(self.method).settings
        values = [one for each in offered if each.name == "baseline" for one in each.values]
        return next((one.title.lower() for one in values if one.name == chosen), "")
