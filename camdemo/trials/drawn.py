"""Curves: the label's probability as pixels go or come in, beside random orders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import picture
from ..errors import CamdemoError
from ..models import labels as naming
from ..records import Fill
from ..trust import curves, orders
from ..trust.curves import Curve
from ..trust.orders import ORDERS, Orders
from .asked import Asked, whole


class CurveTrials(Asked):
    """Deletion, insertion, and the random orders that they are compared with."""

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
        steps = whole("number of steps", steps, 1, 200)
        count = whole("number of orders", count, 0, 100)
        down, across = (
            picture.shares(cells, pixels, "positive")
            for cells, pixels in zip(self.cam.shape, self.inputs.shape[-2:], strict=True)
        )
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
            steps=whole("number of steps", steps, 1, 200),
            orders=whole("number of orders", count, 0, 100),
            seed=whole("seed", seed, 0, 2**32),
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
