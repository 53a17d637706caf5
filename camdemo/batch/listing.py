"""Which photos: those of folders, patterns, lists and files, each once and under one name."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CamdemoError
from ..records import PHOTO_ENDINGS

_LISTS = (".txt", ".lst")


@dataclass(frozen=True, slots=True)
class Listed:
    """A photo to explain: its name in the table, and where it lies."""

    name: str
    path: Path


def photos_of(what: Sequence[str | os.PathLike[str]], apart: Path | None = None) -> list[Listed]:
    """The photos that are meant, in the order given; within a folder or a pattern by their names.

    A folder gives the photos in it and in the folders below, by their endings, and their names
    start in it; hidden files and folders are left out. A pattern has `*`, `?` or `[...]`; `**` goes
    through folders. A list is a text file with a path a line, from the list's own folder on. All
    else is a photo. A file is taken once, however often it is named.

    Args:
        apart: a folder whose files are left out: that of the results.

    Raises:
        CamdemoError: there is no such folder, file or match, no photo in it, or a list that is no
            text.
    """
    found: dict[Path, Listed] = {}
    for each in what:
        before = len(found)
        text = os.fspath(each)
        for one in _photos_of(text, alone=len(what) == 1):
            path = Path(os.path.abspath(one.path))
            if apart is None or not path.is_relative_to(os.path.abspath(apart)):
                found.setdefault(path, one)
        if len(found) == before and len(what) == 1:
            endings = ", ".join(sorted(PHOTO_ENDINGS))
            raise CamdemoError(f"There is no photo in {text!r}. The endings are {endings}.")
    return list(found.values())


def _photos_of(text: str, alone: bool) -> Iterator[Listed]:
    path = Path(text)
    if path.is_dir():
        for file in _below(path):
            name = file.relative_to(path) if alone else file
            yield Listed(name.as_posix(), file)
    elif path.suffix.lower() in _LISTS and path.is_file():
        for line in _lines(path):
            yield Listed(line, path.parent / line)
    elif not path.exists() and glob.has_magic(text):
        matches = [Path(match) for match in sorted(glob.glob(text, recursive=True))]
        for file in matches:
            if file.suffix.lower() in PHOTO_ENDINGS and file.is_file():
                yield Listed(file.as_posix(), file)
    elif path.exists():
        yield Listed(text, path)
    else:
        raise CamdemoError(
            f"There is no folder, file or list {text!r}. Give a folder of photos, a pattern such "
            "as 'photos/*.jpg' in quotes, or a text file with a path a line."
        )


def _below(folder: Path) -> Iterator[Path]:
    """The photos in a folder and below, those of a folder before those of the folders in it."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(parent, name)
            if file.suffix.lower() in PHOTO_ENDINGS and not name.startswith("."):
                yield file


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise CamdemoError(f"The list {str(file)!r} can't be read: {error.strerror}.") from error
    if "\0" in text:
        raise CamdemoError(f"{str(file)!r} is no list of photos: it is no text.")
    return [line.strip() for line in text.split("\n") if line.strip()]
