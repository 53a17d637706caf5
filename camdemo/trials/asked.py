"""What every trial needs of a finding: its facts, its words, and the network behind the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..engine.protocol import Engine, Rank, Score
from ..errors import RangeError
from ..models import labels as naming
from ..models.rivals import against
from ..records import Box, Fill, LayerInfo, ModelSpec, Prediction, Rivals, as_integer
from ..trust import hiding


class Asked:
    """What a finding knows of its question and answer; the fields are those of `Finding`."""

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
        shape = self.inputs.shape[-2:]
        return hiding.check(hiding.on_photo(hiding.check(mask, shape), self.part), shape)

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


def whole(kind: str, given: int, low: int, high: int) -> int:
    """A whole number within its limits.

    Raises:
        RangeError: it is none, or outside.
    """
    number = as_integer(given)
    if number is None or not low <= number <= high:
        raise RangeError(kind, given, low, high)
    return number
