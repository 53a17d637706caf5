"""What can be set from outside: one line each, read from environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from . import models
from .errors import SettingError, shorten


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs.

    Attributes:
        model: CAMDEMO_MODEL, the model that the page opens with. Empty: MobileNetV2 when
            its weights are at hand or arrive within seconds, else EfficientNet-Lite0.
        cache_models: CAMDEMO_CACHE_MODELS, how many models stay loaded (at least 1).
    """

    model: str = ""
    cache_models: int = 6

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """The settings of the given environment.

        Raises:
            SettingError: a number that is none, or a model that is not in the catalogue.
        """
        model = environment.get("CAMDEMO_MODEL", "").strip()
        if model and model not in models.NAMES:
            allowed = ", ".join(models.NAMES)
            raise SettingError(f"CAMDEMO_MODEL={shorten(model)}: choose one of {allowed}.")
        text = environment.get("CAMDEMO_CACHE_MODELS", "").strip() or str(cls().cache_models)
        # int() itself raises on more than 4300 digits.
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= 1):
            raise SettingError(
                f"CAMDEMO_CACHE_MODELS={shorten(text)}: give a whole number, 1 or more."
            )
        return cls(model, int(text))
