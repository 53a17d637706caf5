"""Photos of strangers are decoded by other processes, which end when one takes too much.

In every format a small file can keep a decoder busy for minutes, or have it fill the memory: a JPEG
by its scans, a GIF by its comments, a TIFF by its strips. What holds for all of them is to count
time and memory, and to kill. The pixels lie in memory that is shared: nothing is copied, and what
is large goes back to the system with its picture.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from PIL import Image

from ..errors import ImageError
from . import decoding
from .decoding import MAX_PIXELS, TOO_MUCH, Photo
from .memory import Spares, new_file
from .worker import LONGEST

# What a photo of MAX_PIXELS may take; where the operator allows larger ones, so much more.
_SECONDS = 2.2  # of the processor: with all else, an answer within three
_PATIENCE = 15.0  # seconds on the clock: others may have the processor
_MEMORY = 540_000_000  # beside the file, and what a worker has before: 600 MB in all

# Of the package a worker has this room alone: its own __init__ would load all the others.
_MAIN = f"""
import sys, types
package = sys.modules["camdemo"] = types.ModuleType("camdemo")
package.__path__ = [{str(Path(__file__).parent.parent)!r}]
from camdemo.photo import worker
worker.main()
"""
# One heap, which gives back what is large at once, and no threads of NumPy's.
_FRUGAL = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "8000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class Workers:
    """Processes that decode photos. Safe to share between threads.

    They end with this process, however it ends: they notice that nobody is there to ask them.

    Args:
        count: how many there are: so many photos are decoded at the same time.
    """

    def __init__(self, count: int) -> None:
        self._idle = [_Worker() for _ in range(count)]
        self._places = threading.BoundedSemaphore(count)
        self._spares = Spares()
        weakref.finalize(self, _end, self._idle)

    def read(self, photo: Photo, max_pixels: int = MAX_PIXELS) -> Image.Image:
        """What `photo.read` returns; but what comes as bytes is decoded by a worker.

        A path names a photo of whoever runs this process. What strangers send must come as bytes.

        Raises:
            ImageError: as `photo.read`; or it takes too much time or memory.
        """
        if not isinstance(photo, bytes):
            return decoding.read(photo, max_pixels)
        pixels = self._spares.take()
        with self._places:
            one = self._idle.pop()
            try:
                one = one if one.is_there else _Worker()
                size = one.read(photo, pixels, max_pixels)
            finally:
                self._idle.append(_replaced(one))
        return self._spares.picture(pixels, size)


def _replaced(one: _Worker) -> _Worker:
    """A worker, or another in its place if it is dead: the next photo does not wait for its start.

    Where the system starts no process now, the dead one keeps the place, and is replaced by who
    has it next.
    """
    if not one.is_there:
        with suppress(OSError):
            return _Worker()
    return one


def _end(workers: list[_Worker]) -> None:
    for one in workers:
        one.end()


class _Worker:
    """One process, asked by one thread at a time."""

    def __init__(self) -> None:
        self._line, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _MAIN],
                stdin=other.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # decoders write there what they like
                env=os.environ | _FRUGAL,
                start_new_session=True,  # Ctrl-C is for who asks
            )

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def read(self, photo: bytes, pixels: IO[bytes], max_pixels: int) -> tuple[int, int]:
        """Decode a photo from the bytes of its file into another file, and tell its size.

        Raises:
            ImageError: see `Workers.read`.
        """
        share = max(1.0, max_pixels / MAX_PIXELS)
        asked = {"most": max_pixels, "seconds": share * _SECONDS, "memory": int(share * _MEMORY)}
        self._line.settimeout(share * _PATIENCE)
        answer = b""
        try:
            with new_file() as file:
                file.write(photo)
                file.seek(0)
                files = [file.fileno(), pixels.fileno()]
                socket.send_fds(self._line, [json.dumps(asked).encode()], files)
            answer = self._line.recv(LONGEST)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            if not answer:  # it is dead, or still at it, and nobody waits any more
                self.end()
        if not answer and self._process.returncode > 0:  # not killed, but a mistake of ours
            raise RuntimeError(f"A worker ended with status {self._process.returncode}.")
        found: dict[str, Any] = json.loads(answer) if answer else {"error": TOO_MUCH}
        if "error" in found:
            raise ImageError(found["error"])
        width, height = found["size"]
        return width, height

    def end(self) -> None:
        self._line.close()
        self._process.kill()
        self._process.wait()
