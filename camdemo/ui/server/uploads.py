"""The disk that uploads and results take: bounded, whatever strangers send.

Gradio deletes what is older than an hour, on a schedule. Here the oldest go earlier when all of
them together take too much, and what a process that was killed has left goes, too.
"""

from __future__ import annotations

import os
from pathlib import Path

from anyio import to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

_SHARE = 20  # looked at again after a twentieth of the limit has arrived


def tidy(folder: Path, most: int) -> None:
    """Delete the oldest files of a folder until the rest has at most so many bytes.

    Files that somebody else deletes meanwhile, and folders that are empty then, are no errors.
    """
    found = []
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue
            found.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            break
        path.unlink(missing_ok=True)
        total -= size
    for parent, _folders, _names in os.walk(folder, topdown=False):
        if Path(parent) != folder:
            try:
                os.rmdir(parent)  # fails unless it is empty
            except OSError:
                continue


class BoundedUploads:
    """Makes room before an upload is taken."""

    def __init__(self, app: ASGIApp, folder: Path, most: int) -> None:
        self.app = app
        self._folder = folder
        self._most = most
        self._arrived = most  # bytes since the last look; the first upload has one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/upload"):
            headers = dict(scope["headers"])
            self._arrived += int(headers.get(b"content-length", b"0"))
            if self._arrived * _SHARE >= self._most:
                self._arrived = 0
                await to_thread.run_sync(tidy, self._folder, self._most)
        await self.app(scope, receive, send)
