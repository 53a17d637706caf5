"""The disk that uploads and results take: bounded, whatever strangers send.

What is older than an hour is deleted on a schedule, and the oldest go earlier when all of them
together take too much. What a process that was killed has left goes, too.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from anyio import to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SHARE = 20  # looked at again after a twentieth of the limit has arrived
_EACH = 600.0  # seconds between two looks at what is old
_OLD = 3600.0  # seconds
_YOUNG = 60.0  # seconds
_FOLDER = 4096  # bytes that a file's folder takes


def tidy(folder: Path, most: int, old: float | None = None) -> None:
    """Delete what is old in a folder, and the oldest until the rest has at most so many bytes.

    Bytes are those on the disk: a file of one byte has a block, and a folder of its own.
    Files that somebody else deletes meanwhile, and folders that are empty then, are no errors.

    Args:
        old: the age in seconds from which a file is deleted in any case.
    """
    found = []
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue
            found.append((facts.st_mtime, _bytes_of(facts), path))
    total = sum(size for _, size, _ in found)
    now, emptied = time.time(), set()
    for changed, size, path in sorted(found):
        if total <= most and (old is None or changed > now - old):
            break
        path.unlink(missing_ok=True)
        emptied.add(path.parent)
        total -= size
    for parent, _folders, _names in os.walk(folder, topdown=False):
        if Path(parent) == folder:
            continue
        try:
            # A young one that is empty waits for its file.
            if Path(parent) in emptied or os.lstat(parent).st_mtime < now - _YOUNG:
                os.rmdir(parent)  # fails unless it is empty
        except OSError:
            continue


def _bytes_of(facts: os.stat_result) -> int:
    """What a file takes on the disk, as far as the system says it."""
    return max(facts.st_size, 512 * getattr(facts, "st_blocks", 0)) + _FOLDER


class Disk:
    """A folder that never takes more than so many bytes. Safe to share between threads.

    What arrives is counted; the folder itself is looked at when a share of the limit has, and
    is then left with that share free.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self._most = most
        self._arrived = most  # bytes since the last look; the first one is due
        self._lock = threading.Lock()

    async def arrived(self, count: int) -> None:
        """So many bytes more may lie there now."""
        self._arrived += count
        if self._is_due():
            await to_thread.run_sync(self._look)

    async def written(self, paths: Iterable[str]) -> None:
        """These files may have been written."""
        count = 0
        for path in paths:
            try:
                count += _bytes_of(os.lstat(path))
            except (OSError, ValueError):
                continue
        await self.arrived(count)

    async def watch(self) -> None:
        """Look at it again and again, and delete what is old."""
        while True:
            await asyncio.sleep(_EACH)
            await to_thread.run_sync(tidy, self.folder, self._room(), _OLD)

    def _is_due(self) -> bool:
        return self._arrived * _SHARE >= self._most

    def _look(self) -> None:
        with self._lock:
            if self._is_due():  # nobody has looked meanwhile
                self._arrived = 0
                tidy(self.folder, self._room())

    def _room(self) -> int:
        return self._most - self._most // _SHARE


class BoundedUploads:
    """Counts what an upload brings, byte by byte: what it says of its length may be wrong.

    Args:
        disk: finds that of the page that a request is for.
    """

    def __init__(self, app: ASGIApp, disk: Callable[[Scope], Disk]) -> None:
        self.app = app
        self._disk = disk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].endswith("/upload"):
            await self.app(scope, receive, send)
            return
        disk = self._disk(scope)

        async def counted() -> Message:
            message = await receive()
            await disk.arrived(len(message.get("body", b"")))
            return message

        await disk.arrived(0)
        await self.app(scope, counted, send)
        await disk.arrived(2 * _FOLDER)  # the folder, and the last block, which is not full
