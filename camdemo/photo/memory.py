"""Pictures in memory that processes share: what one paints, another sees without a copy."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from typing import IO

from PIL import Image

_BYTES = 4  # of a pixel, as Pillow keeps RGB
_KEPT = 100_000_000  # bytes of files that wait for their next photo


def new_file() -> IO[bytes]:
    """An empty file in memory, which goes with the last that has it open or mapped."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("photo"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def black(file: IO[bytes], size: tuple[int, int]) -> Image.Image:
    """A black picture in RGB; what is painted on it stands in the file.

    Args:
        file: an empty one, or one that had another picture: then nothing is left of that.
    """
    length = _BYTES * size[0] * size[1]
    if length > _size(file):
        file.truncate(0)
        file.truncate(length)
        return _picture(_mapped(file, length), size)
    populate = getattr(mmap, "MAP_POPULATE", 0)  # all pages at once: they are there
    image = _picture(_mapped(file, length, populate), size)
    image.paste("black", (0, 0, *size))
    return image


def _mapped(file: IO[bytes], length: int, more: int = 0) -> mmap.mmap:
    try:
        return mmap.mmap(file.fileno(), length, mmap.MAP_SHARED | more)
    except OSError as error:
        raise MemoryError from error


def _picture(mapped: mmap.mmap, size: tuple[int, int]) -> Image.Image:
    """The picture in RGB in memory that is mapped, which it keeps as long as it lives."""
    image = Image.frombuffer("RGBX", size, mapped, "raw", "RGBX", 0, 1)  # type: ignore[arg-type]
    image.im.setmode("RGB")  # as Pillow itself does; `convert` makes a copy
    return image._new(image.im)


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


class Spares:
    """Files whose pictures are gone, for the next ones. Safe to share between threads.

    A system takes longer to find memory for a large photo, page by page, than to decode into it.
    """

    def __init__(self) -> None:
        self._files: list[IO[bytes]] = []

    def take(self) -> IO[bytes]:
        """One of them, or a new one."""
        try:
            return self._files.pop()
        except IndexError:
            return new_file()

    def picture(self, file: IO[bytes], size: tuple[int, int]) -> Image.Image:
        """The picture in RGB that stands in a file, which is a spare one when the picture is gone.

        What is painted on it stays in this process.

        Raises:
            ValueError: the file has not so many pixels.
        """
        length = _BYTES * size[0] * size[1]
        mapped = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_COPY)
        weakref.finalize(mapped, self._keep, file).atexit = False
        return _picture(mapped, size)

    def _keep(self, file: IO[bytes]) -> None:
        if sum(map(_size, [*self._files, file])) > _KEPT:
            file.close()
        else:
            self._files.append(file)
