"""Weights files: where they lie, and how they come there.

A download is shared by everyone who asks for the same file, shows how far it is, gives up
when the network is silent, and is only put in place when its SHA-256 agrees with its name.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ..errors import Abandoned, WeightsError
from ..records import ModelSpec
from .catalogue import CATALOGUE, Catalogue

SILENCE = 10.0  # seconds without a byte after which a download counts as failed
_GRACE = 1.0  # more seconds for the download to say itself that it failed, and to clean up
_BLOCK = 1 << 18

Progress = Callable[[int, int], None]  # bytes that have arrived, bytes in all (0: unknown)


def path_of(spec: ModelSpec, catalogue: Catalogue = CATALOGUE) -> Path | None:
    """Where this model's weights lie, or would lie once they are downloaded; see `Source.path`."""
    return catalogue.source_of(spec).path(spec)


def is_ready(spec: ModelSpec, catalogue: Catalogue = CATALOGUE) -> bool:
    """Whether this model's weights are on this machine now."""
    path = path_of(spec, catalogue)
    return path is None or os.path.isfile(path)  # `is_file` raises where a folder is locked


def fetch(
    spec: ModelSpec, progress: Progress | None = None, catalogue: Catalogue = CATALOGUE
) -> Path | None:
    """Download the weights unless they are there, and return their path; see `Source.path`.

    Callers that ask for the same file at the same time share one download. `progress` is
    called about ten times a second, in the caller's thread; what it raises ends the wait, and
    the download when nobody else waits for it.

    Raises:
        WeightsError: no byte for `SILENCE` seconds, a refused connection, a full disk, or a
            file whose SHA-256 does not start as its name says.
    """
    source = catalogue.source_of(spec)
    path = source.path(spec)
    if path is None or os.path.isfile(path):
        return path
    url = source.url(spec)
    if url is None:
        text = f"The weights of {spec.title} are missing. {source.advice(spec)}"
        raise WeightsError(text, spec)
    with _waiting_for(url, path) as download:
        while not download.finished.wait(0.1):
            if progress:
                progress(download.received, download.total)
            if time.monotonic() - download.last_byte > SILENCE + _GRACE:
                # The thread may hang in a name look-up, which has no time-out of its own:
                # leave it, so that the next one who asks starts afresh.
                _forget(path, download)
                download.error = TimeoutError(f"no answer for {SILENCE:g} seconds")
                break
    if download.error is not None:
        raise WeightsError(
            f"The weights of {spec.title} ({spec.megabytes:.0f} MB) can't be downloaded from "
            f"{url}: {download.error}. {source.advice(spec)}",
            spec,
        ) from download.error
    if progress:
        progress(download.received, download.total)
    return path


def set_aside(spec: ModelSpec, catalogue: Catalogue = CATALOGUE) -> Path | None:
    """Move a downloaded file out of the way if its SHA-256 does not start as its name says.

    Returns:
        Where it is kept now; None if it is what it says, is not there, is no download, or can't be
        read or moved.
    """
    source = catalogue.source_of(spec)
    path = source.path(spec)
    if path is None or source.url(spec) is None:
        return None
    kept = path.with_name(path.name + ".damaged")
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest.startswith(path.stem.rpartition("-")[2]):
            return None
        os.replace(path, kept)
    except OSError:
        return None
    return kept


class _Download:
    """One running download; `finished` is set when it ended, well or not."""

    def __init__(self) -> None:
        self.received = 0
        self.total = 0
        self.last_byte = time.monotonic()
        self.error: Exception | None = None
        self.waiting = 0
        self.finished = threading.Event()


_running: dict[Path, _Download] = {}
_running_lock = threading.Lock()


@contextmanager
def _waiting_for(url: str, path: Path) -> Iterator[_Download]:
    """The download of this file, which goes on as long as somebody waits for it."""
    with _running_lock:
        if path not in _running:
            _running[path] = _Download()
            arguments = (url, path, _running[path])
            threading.Thread(target=_download, args=arguments, daemon=True).start()
        download = _running[path]
        download.waiting += 1
    try:
        yield download
    finally:
        with _running_lock:
            download.waiting -= 1


def _check_wanted(path: Path, download: _Download) -> None:
    """Stop where nobody waits any more; until then, whoever asks again joins it.

    Raises:
        Abandoned: nobody waits. From now on, who asks starts afresh.
    """
    with _running_lock:
        if download.waiting:
            return
        if _running.get(path) is download:
            del _running[path]
    raise Abandoned("Nobody waits for this download any more.")


def _forget(path: Path, download: _Download) -> None:
    with _running_lock:
        if _running.get(path) is download:
            del _running[path]


def _download(url: str, path: Path, download: _Download) -> None:
    try:
        if not path.is_file():  # it may have been put there while this thread started
            _receive(url, path, download)
    except urllib.error.URLError as error:
        download.error = error.reason if isinstance(error.reason, Exception) else error
    except Exception as error:  # whatever it was, those who wait must hear of it
        download.error = error
    finally:
        _forget(path, download)
        download.finished.set()


@cache  # to read them takes a tenth of a second, in which no other thread of Python goes on
def _certificates() -> ssl.SSLContext:
    """Whom a download trusts: the system's certificates."""
    return ssl.create_default_context()


def _receive(url: str, path: Path, download: _Download) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=SILENCE, context=_certificates()) as answer:
        download.total = int(answer.headers.get("Content-Length") or 0)
        handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        # Also at the interpreter's exit, which ends this thread wherever it is.
        discard = weakref.finalize(download, Path(partial).unlink, missing_ok=True)
        try:
            with os.fdopen(handle, "wb") as file:
                while block := answer.read1(_BLOCK):
                    _check_wanted(path, download)
                    file.write(block)
                    digest.update(block)
                    download.received += len(block)
                    download.last_byte = time.monotonic()
            expected = path.stem.rpartition("-")[2]
            if not digest.hexdigest().startswith(expected):
                raise ValueError(
                    f"what arrived ({download.received} bytes) is not the file: its SHA-256 "
                    f"starts with {digest.hexdigest()[:8]}, not with {expected}"
                )
            os.chmod(partial, 0o644)  # mkstemp's 0600 would lock out others who share the folder
            os.replace(partial, path)
        finally:
            discard()
