"""What a burst has taken goes back to the system."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from camdemo.ui.server import trimming

from .served import run


def resident() -> float:
    """MB of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no glibc")
def test_what_many_threads_have_freed_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "_EACH", 0.01)
    trim = trimming._found()
    assert trim
    trim(0)  # what earlier tests have left would be used again
    before = resident()

    def fill(_thread: int) -> list[np.ndarray]:
        return [np.ones(8_000) for _ in range(1_000)]  # 64 kB each: from the heap, not by mmap

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(fill, range(4)))
        last = [each[-1] for each in kept]  # else the heap's free end would go by itself
        kept.clear()
        assert resident() > before + 100

        async def watch() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(30):
                    task = asyncio.create_task(trimming.watch())
                    while resident() > before + 50:
                        await asyncio.sleep(0.01)
                    task.cancel()

        run(watch())
        assert resident() < before + 50
    assert len(last) == 4
