"""Memory that is free goes back to the system: glibc keeps what many threads have freed."""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Callable

from anyio import to_thread

_EACH = 10.0  # seconds


def _found() -> Callable[[int], int] | None:
    """glibc's function for it; other systems' libraries have none."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


async def watch() -> None:
    """Give it back again and again."""
    trim = _found()
    while trim:
        await asyncio.sleep(_EACH)
        await to_thread.run_sync(trim, 0)
