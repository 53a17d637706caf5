"""What the page offers to a visitor: photos, models, and what it says before the first answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CamdemoError, ImageError
from . import examples
from .seams import upload_folder
from .server.journal import answers
from .server.photos import Photos

if TYPE_CHECKING:
    from ..explainer import Explainer

GONE = "This photo is no longer on the server. Choose it again."


class Offers:
    """The photos and models that can be chosen.

    Args:
        deck: paths of photos by their names, instead of the examples.
    """

    def __init__(self, explainer: Explainer, deck: Mapping[str, str] | None = None) -> None:
        self.explainer = explainer
        self.deck = deck
        self.paths = examples.photos() if deck is None else dict(deck)
        self.photos = Photos(list(self.paths.values()))
        self._examples: dict[str, dict[str, Any]] = {}  # as a page gets them, by their names
        self._skipped: list[str] = []
        if deck is None:
            for name, path in self.paths.items():
                self.show(name, path)

    def show(self, name: str, photo: str | bytes) -> None:
        """Offer a photo from now on.

        Args:
            photo: a path, or the bytes of a copy, that can be read: a deck's are read before.
        """
        self._examples[name] = {
            "name": name,
            "icon": self.photos.small(photo),
            "part": "" if self.deck else examples.PARTS.get(name, ""),
            "asks": {} if self.deck else examples.ASKS.get(name, {}),
        }

    def skip(self, name: str) -> None:
        """Leave out what of a deck is no photo that can be read."""
        self._skipped.append(Path(self.paths.pop(name)).name)

    def skipped(self) -> str:
        """What was left out, in a sentence; empty where nothing was."""
        names = ", ".join(self._skipped)
        return f"Left out, since it can't be read as a photo: {names}." if names else ""

    @answers("start")
    def start(self, _question: Any) -> dict[str, Any]:
        """What a page must know that opens.

        {"models": name, title, megabytes, ready and vocabulary of each, "examples": name, small
        copy's address, what to hide first and what else to ask, "opening": the one to begin with,
        "skipped": what of a deck was left out, in a sentence, or empty, "largest": MB that a photo
        may have, "state": "starting", "ready" or "failed", "note": why this model answers, or
        empty}.
        """
        told = ("name", "title", "megabytes", "ready", "vocabulary")
        models = [{name: getattr(spec, name) for name in told} for spec in self.explainer.models()]
        opening = next(iter(self._examples)) if self.deck else examples.STRONGEST
        state = self.explainer.state.name
        state = "starting" if state == "cold" else state
        # Which model answers is not decided before.
        note = "" if state == "starting" else self.explainer.opening_note()
        return {
            "models": models,
            "examples": list(self._examples.values()),
            "opening": opening,
            "skipped": self.skipped(),
            "largest": self.explainer.settings.max_upload,
            "state": state,
            "note": note,
        }

    def photo(self, source: Any) -> tuple[str, dict[str, Any]]:
        """The path of a photo, and what the page says of it.

        Args:
            source: what a browser names: {"example": its name}, or {"path": of an upload}.

        Raises:
            CamdemoError: something else.
            ImageError: the upload is not there any more.
        """
        name = source.get("example") if isinstance(source, dict) else None
        if isinstance(name, str) and name in self.paths:
            path = self.paths[name]
            facts = examples.facts(name, self.deck)
        elif isinstance(source, dict) and isinstance(source.get("path"), str):
            path, facts = _uploaded(source["path"]), {}
        else:
            raise CamdemoError("There is no such photo here. Choose an example, or upload one.")
        return path, facts | {"original": self.photos.address(path)}


def _uploaded(path: str) -> str:
    """The path of an upload, if it is one.

    Raises:
        ImageError: it is not, or not any more.
    """
    try:
        found = Path(path).resolve()
        if found.is_relative_to(upload_folder()) and found.is_file():
            return str(found)
    except (OSError, ValueError):
        pass
    raise ImageError(GONE)


def digest_of(path: str) -> tuple[bytes, int]:
    """The SHA-256 of a photo's bytes, and how many there are; they are not all read at once.

    Raises:
        ImageError: the file is not there any more.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest(), file.tell()
    except OSError as error:
        raise ImageError(GONE) from error


def content_of(path: str) -> bytes:
    """The bytes of a photo. They, and not its path, are explained: see `Workers.read`.

    Raises:
        ImageError: the file is not there any more.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ImageError(GONE) from error
