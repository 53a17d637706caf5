"""What an image classifier saw, and where it looked.

    from camdemo import Explainer

    explanation = Explainer().explain("photo.jpg")
    explanation.overlay().save("overlay.png")

Importing this package loads no torch; the first explanation does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .batch import BatchRow, explain_many
from .comparison import Comparison, compare
from .errors import (
    CamdemoError,
    ChoiceError,
    ImageError,
    RangeError,
    RegionError,
    SettingError,
    WeightsError,
)
from .explainer import Explainer
from .explanation import Explanation
from .records import Box, LayerInfo, ModelSpec, Occlusion, Prediction
from .settings import Settings
from .trust.completeness import Completeness
from .trust.curves import Curve
from .trust.orders import Orders
from .trust.patches import Patches
from .trust.randomisation import Randomisation
from .trust.scores import Scores

if TYPE_CHECKING:
    from .launch import serve

__version__ = "0.1.0"

__all__ = [
    "BatchRow",
    "Box",
    "CamdemoError",
    "ChoiceError",
    "Comparison",
    "Completeness",
    "Curve",
    "Explainer",
    "Explanation",
    "ImageError",
    "LayerInfo",
    "ModelSpec",
    "Occlusion",
    "Orders",
    "Patches",
    "Prediction",
    "Randomisation",
    "RangeError",
    "RegionError",
    "Scores",
    "SettingError",
    "Settings",
    "WeightsError",
    "compare",
    "explain_many",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name != "serve":  # which brings all of the page
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(".launch", __name__).serve
