"""A folder of this process alone: it goes with the process, however that ends.

A process that is killed deletes nothing. So each holds a lock beside its folder, which the system
takes away with the process, and whoever starts next deletes the folders that nobody holds.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_PREFIX, _LOCK = "camdemo-", ".lock"


@contextmanager
def own_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder, deleted at the end; those go first whose processes were killed.

    Where the system (Windows) or the folder (some networks') knows no such locks, they stay.

    Args:
        parent: where it lies, which is made if need be; None for the system's temporary folder.

    Raises:
        OSError: nothing can be written there.
    """
    parent = parent or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as folder:
            yield Path(folder)
        return
    for lock in parent.glob(f"{_PREFIX}*{_LOCK}"):
        _delete_abandoned(lock)
    handle, lock = _locked(parent)
    try:
        folder = lock.with_suffix("")
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        _delete(lock)
        os.close(handle)


def _locked(parent: Path) -> tuple[int, Path]:
    """A new file that this process has locked: its handle and its path."""
    while True:
        handle, name = tempfile.mkstemp(_LOCK, _PREFIX, parent)
        with suppress(OSError):  # some network's folders have no locks: then it is held by none
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # nobody took it for abandoned before it was locked
            return handle, Path(name)
        os.close(handle)


def _delete_abandoned(lock: Path) -> None:
    """Delete the folder beside this lock, if it is this user's and nobody holds it."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if os.fstat(handle).st_uid == os.getuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _delete(lock)
    except OSError:  # somebody holds it, or there are no locks here
        pass
    finally:
        os.close(handle)


def _delete(lock: Path) -> None:
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    lock.unlink(missing_ok=True)
