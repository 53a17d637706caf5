"""A process that decodes, and may be killed meanwhile: `workers.py` starts it and asks it.

Its standard input is a socket. A question is a record in JSON with two files in memory, that of the
photo and one for its pixels; the answer is a record in JSON.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from ..errors import ImageError
from . import decoding
from .memory import black

LONGEST = 4096  # bytes of a question or an answer
_NICE = 10  # as those who compute: a bomb's decoder must not go before others' maps


def main() -> None:
    """Answer until whoever asks is gone."""
    os.nice(_NICE)
    with suppress(ImageError):
        decoding.read(b"")  # which loads all formats
    gc.freeze()
    there = _address_space()
    with socket.socket(fileno=0) as line:
        while True:
            text, descriptors, *_ = socket.recv_fds(line, LONGEST, 2)
            if not text:
                return
            content, pixels = (os.fdopen(each, "r+b", buffering=0) for each in descriptors)
            with content, pixels:
                answer = _answer(content, pixels, there, **json.loads(text))
            line.sendall(json.dumps(answer).encode())
            gc.collect()  # what is left of a photo may be large


def _answer(
    content: IO[bytes], pixels: IO[bytes], there: int, most: int, seconds: float, memory: int
) -> dict[str, Any]:
    """Decode a photo from one file to another: its size, or what is wrong with it.

    Args:
        there: bytes of memory that the process has before.
        most: how many pixels a photo may have.
        seconds: how much processor time it may take; then the process ends.
        memory: how many bytes of memory it may take, beside its file.
    """
    if there:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = there + os.fstat(content.fileno()).st_size + memory
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return {"size": decoding.read(content.read(), most, partial(black, pixels)).size}
    except ImageError as error:
        return {"error": str(error)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _address_space() -> int:
    """Bytes that this process has mapped; 0 where the system does not tell, nor limit it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
