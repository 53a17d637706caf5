"""Asking back: what is left of a label when a part of the photo is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..engine.protocol import Rank
from ..models import labels as naming
from ..records import Box, Fill, Occlusion
from ..trust import hiding
from .asked import Asked


class HidingTrials(Asked):
    """A part hidden, and the yardstick of random places."""

    def hide(
        self, regions: Box | Sequence[Box] | np.ndarray, fill: Fill = "blur", keep: bool = False
    ) -> Occlusion:
        """Ask back: what is left of the explained label when a part of the photo is hidden?

        Args:
            regions: a box or several in pixels of the photo, like `box`, which add up; or a mask
                of the network's input, bool (h, w). What of it is not on the photo, as the
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
            mask = hiding.mask_of(boxes, self.box, self.inputs.shape[-2:])
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
            mask: bool (h, w), the pixels of the network's input; see `hiding.mask_of`.
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
