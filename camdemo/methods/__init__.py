"""Methods that map evidence: `find` and `all` list them, `explain` and `sweep` use them.

What needs torch is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import perpixel  # noqa: F401, it adds its methods
from .fusing import FUSED, averaged, fuse, fused
from .registry import DEFAULT, Method, add, alike, all, check, find, input_layer, table

if TYPE_CHECKING:
    from .anatomy import examine
    from .folding import prepare
    from .layers import default, discover
    from .layers import find as find_layer
    from .maps import best, explain, explain_each, sweep
    from .pixels import PixelMap, explain_input
    from .randomising import cascade

_LATE = {
    "PixelMap": ("pixels", "PixelMap"),
    "best": ("maps", "best"),
    "cascade": ("randomising", "cascade"),
    "default": ("layers", "default"),
    "discover": ("layers", "discover"),
    "examine": ("anatomy", "examine"),
    "explain": ("maps", "explain"),
    "explain_input": ("pixels", "explain_input"),
    "explain_each": ("maps", "explain_each"),
    "find_layer": ("layers", "find"),
    "prepare": ("folding", "prepare"),
    "sweep": ("maps", "sweep"),
}

__all__ = [
    "DEFAULT",
    "FUSED",
    "Method",
    "PixelMap",
    "add",
    "alike",
    "all",
    "averaged",
    "best",
    "cascade",
    "check",
    "default",
    "discover",
    "examine",
    "explain",
    "explain_each",
    "explain_input",
    "find",
    "find_layer",
    "fuse",
    "fused",
    "input_layer",
    "prepare",
    "sweep",
    "table",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATE[name]
    return getattr(import_module(f".{module}", __name__), attribute)
