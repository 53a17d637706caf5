"""Jobs of methods of pixels: whether a model can be asked by one, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import CamdemoError
from ..methods import Method
from ..records import ModelSpec, Rivals
from .protocol import Engine, Examine, PixelMap, Rank

_FEW = 12  # forwards, as many as two sweeps take


def check_there(engine: Engine, model: ModelSpec, method: Method) -> None:
    """Refuse a method of pixels that is not there for a model.

    Raises:
        CamdemoError: with the reason.
    """
    if reason := method.lacks(engine.run(Examine(model.name))):
        raise CamdemoError(f"{method.title} can't explain {model.title}: {reason}.")


def job_of(
    model: ModelSpec,
    method: Method,
    inputs: np.ndarray,
    target: int | None,
    rivals: Rivals | None,
    settings: Mapping[str, Any],
) -> PixelMap:
    """The job that asks for a map of pixels, of values that are checked already."""
    rank = rank_of(method.forwards(settings, inputs.shape[2:]))
    return PixelMap(model.name, method.name, inputs, target, rivals, tuple(settings.items()), rank)


def rank_of(forwards: int) -> Rank:
    """The rank of a map of pixels: all others go before one that takes long."""
    return Rank.ANSWER if forwards <= _FEW else Rank.YARDSTICK
