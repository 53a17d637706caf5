"""Methods that explain the input itself: what a finding knows of them, and how it asks for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import methods
from .engine.pixels import check_there, job_of
from .engine.protocol import Examine, PixelMap
from .methods import Method
from .models import labels as naming
from .models.rivals import find_rivals
from .records import INPUT, LayerInfo, Rivals
from .trials import Trials
from .trust import completeness
from .viewer import scene


class Pixelwise(Trials):
    """What `Finding` and `Explanation` can be asked about methods of pixels."""

    def lacking(self) -> dict[str, str]:
        """The methods of pixels that are not there for this model, each with the reason."""
        anatomy = self.engine.run(Examine(self.model.name))
        return {one.name: reason for one in methods.all("pixel") if (reason := one.lacks(anatomy))}

    @property
    def gap_text(self) -> str:
        """What the map adds up to, in words, where a method of pixels promises that; else empty."""
        if self.gap is None:
            return ""
        total = float(self.cam.sum(dtype=np.float64))
        return completeness.rise(self.explained, self.baseline, total, self.gap)

    def pixel_job(
        self,
        method: str,
        target: int,
        versus: int | str | Sequence[int | str] | None = None,
        strength: float = 1.0,
        settings: Mapping[str, Any] | None = None,
    ) -> PixelMap:
        """The job that asks for a map of this photo's pixels, checked.

        Args:
            versus, strength: as for `Finding.seen`.
            settings: None for this one's, or the defaults of another method.

        Raises:
            ChoiceError, RangeError: no such method, label or value of a setting.
            CamdemoError: a method that is not there for this model, is none of pixels or can't
                compare; a setting that it does not have.
        """
        known = methods.find(method)
        rivals = self._rivals_of(versus, strength)
        methods.check(method, methods.input_layer(*self.inputs.shape[1:]), rivals)
        naming.find(self.labels, target)
        check_there(self.engine, self.model, known)
        chosen = self.settings_of(known, settings)
        return job_of(self.model, known, self.inputs, target, rivals, chosen)

    def pixel_answer(self, milliseconds: float) -> dict[str, Any]:
        """This map of pixels and what is said of it, as the viewer gets it.

        {"map": see `scene.pixel_packet`, "method", "settings", "target", "versus": indices,
        "strength", "gap": a number or None, "text": what the map adds up to, in words, or empty,
        "ms"}.
        """
        return {
            "map": scene.pixel_packet(self.cam),
            "method": self.method,
            "settings": dict(self.settings),
            "target": self.target.index,
            **scene.compared(self.rivals),
            "gap": self.gap,
            "text": self.gap_text,
            "ms": round(milliseconds, 1),
        }

    def settings_of(self, method: Method, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """All settings of a method: those given; for None this one's, or another's defaults."""
        if given is None:
            given = self.settings if method.name == self.method else {}
        return method.set(given)

    def _rivals_of(
        self, versus: int | str | Sequence[int | str] | None, strength: float
    ) -> Rivals | None:
        """The labels that are meant; the others are those of the explained one."""
        rivals = find_rivals(self.labels, versus, None, strength)
        return rivals and rivals.among(self.probabilities, self.target.index)

    def _layer(self, name: str, method: Method) -> LayerInfo:
        """The layer of that name; for a method of pixels also the input.

        Raises:
            ChoiceError: there is none.
        """
        if method.is_pixel and name == INPUT:
            return methods.input_layer(*self.inputs.shape[1:])
        return methods.find_layer(self.layers, name)
