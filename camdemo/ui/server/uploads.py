"""The disk that uploads and results take: bounded, whatever strangers send.

What is older than an hour is deleted on a schedule, and the oldest go earlier when all of them
together take too much, or when the disk is full.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import routes
from . import journal

_SHARE = 20  # looked at again after a twentieth of the limit has arrived
_EACH = 600.0  # seconds between two looks at what is old
_OLD = 3600.0  # seconds
_YOUNG = 60.0  # seconds
_FOLDER = 4096  # bytes that a file's folder takes
FULL = "The server's disk is full. Try again in a minute."
_NOT_KEPT = "The server can't keep a file at the moment. Try again in a minute."
_NO_FILES = "This can't be read as a form with files."
_NAMED = b"filename"  # stands before each file of a form


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one from which it came, says that nothing fits on the disk any more."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__ or error.__context__
    return False


def tidy(folder: Path, most: int, old: float | None = None) -> None:
    """Delete what is old in a folder, and the oldest until the rest has at most so many bytes.

    Bytes are those on the disk: a file of one byte has a block, and a folder of its own.
    Files that somebody else deletes meanwhile, and folders that are empty then, are no errors.

    Args:
        old: the age in seconds from which a file is deleted in any case.
    """
    found = _files(folder)
    total = sum(size for _, size, _ in found)
    now, emptied = time.time(), set()
    for changed, size, path in sorted(found):
        if total <= most and (old is None or changed > now - old):
            break
        with suppress(OSError):
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


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """All files below a folder: when each was changed, what it takes, and where it is."""
    found = []
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                facts = path.lstat()
            except OSError:
                continue
            found.append((facts.st_mtime, _bytes_of(facts), path))
    return found


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

    async def make_room(self) -> None:
        """The disk is full, whatever fills it: the older half of what lies here goes."""
        await to_thread.run_sync(self._halve)

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

    def _halve(self) -> None:
        with self._lock:
            tidy(self.folder, sum(size for _, size, _ in _files(self.folder)) // 2)

    def _room(self) -> int:
        return self._most - self._most // _SHARE


class BoundedUploads:
    """Counts what an upload brings, byte by byte: what it says of its length may be wrong.

    What Gradio can make nothing of is refused, and a full disk is told and tidied.

    Args:
        disk: finds that of the page that a request is for.
    """

    def __init__(self, app: ASGIApp, disk: Callable[[Scope], Disk]) -> None:
        self.app = app
        self._disk = disk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not routes.is_upload(routes.route_of(scope)):
            await self.app(scope, receive, send)
            return
        disk, end = self._disk(scope), b""

        async def counted() -> Message:
            nonlocal end
            message = await receive()
            new = end + message.get("body", b"")
            # Each file has a folder, and a last block that is not full.
            files, end = new.count(_NAMED), new[1 - len(_NAMED) :]
            await disk.arrived(len(message.get("body", b"")) + files * 2 * _FOLDER)
            return message

        await disk.arrived(0)
        try:
            await self.app(scope, counted, send)
        except ClientDisconnect:
            pass
        except Exception as error:
            await (await _refusal(error, disk))(scope, receive, send)
        await disk.arrived(0)


async def _refusal(error: Exception, disk: Disk) -> Response:
    if is_full(error):
        await disk.make_room()
        return PlainTextResponse(FULL, 507)
    if isinstance(error, OSError):
        journal.failed("upload", error)
        return PlainTextResponse(_NOT_KEPT, 507)
    # The form parser's errors are ValueErrors, and so are those of letters and of names; what
    # should have been a file and is a text is a TypeError of Gradio's.
    if isinstance(error, ValueError | TypeError):
        return PlainTextResponse(_NO_FILES, 400)
    journal.failed("upload", error)
    return PlainTextResponse(journal.SORRY, 500)
