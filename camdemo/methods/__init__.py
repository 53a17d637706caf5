"""Methods that map evidence: `find` and `all` list them, `explain` and `sweep` use them.

What needs torch is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .fusing import FUSED, averaged, fuse, fused
from .registry import DEFAULT, Method, add, alike, all, check, find

if TYPE_CHECKING:
    from .folding import prepare
    from .layers import default, discover
    from .layers import find as find_layer
    from .maps import best, explain, sweep
    from .randomising import cascade

_LATE = {
    "best": ("maps", "best"),
    "cascade": ("randomising", "cascade"),
    "default": ("layers", "default"),
    "discover": ("layers", "discover"),
    "explain": ("maps", "explain"),
    "find_layer": ("layers", "find"),
    "prepare": ("folding", "prepare"),
    "sweep": ("maps", "sweep"),
}

__all__ = [
    "DEFAULT",
    "FUSED",
    "Method",
    "add",
    "alike",
    "all",
    "averaged",
    "best",
    "cascade",
    "check",
    "default",
    "discover",
    "explain",
    "find",
    "find_layer",
    "fuse",
    "fused",
    "prepare",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATE[name]
    return getattr(import_module(f".{module}", __name__), attribute)
