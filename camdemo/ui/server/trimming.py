"""Memory that is free goes back to the system: glibc keeps what many threads have freed."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from anyio import to_thread

_EACH = 10.0  # seconds
_GLANCE = 0.5  # seconds
_GROWN = 64 * 2**20  # bytes by which this process has grown, and which are not waited for


def _found() -> Callable[[int], int] | None:
    """glibc's function for it; other systems' libraries have none."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def _resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def watch() -> None:
    """Give it back again and again, and soon where it becomes much."""
    trim = _found()
    while trim:
        before, end = _resident(), time.monotonic() + _EACH
        while time.monotonic() < end and _resident() < before + _GROWN:
            await asyncio.sleep(min(_GLANCE, _EACH))
        await to_thread.run_sync(trim, 0)
