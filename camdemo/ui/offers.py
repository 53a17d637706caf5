"""What the page offers to a visitor: photos, models, and what it says before the first answer."""

from __future__ import annotations

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
        self._examples = [
            {
                "name": name,
                "icon": self.photos.small(path),
                "part": "" if deck else examples.PARTS.get(name, ""),
                "asks": {} if deck else examples.ASKS.get(name, {}),
            }
            for name, path in self.paths.items()
        ]

    @answers("start")
    def start(self, _question: Any) -> dict[str, Any]:
        """What a page must know that opens.

        {"models": name, title, megabytes, ready and vocabulary of each, "examples": name, small
        copy's address, what to hide first and what else to ask, "opening": the one to begin with,
        "state": "starting", "ready" or "failed", "note": why this model answers, or empty}.
        """
        told = ("name", "title", "megabytes", "ready", "vocabulary")
        models = [{name: getattr(spec, name) for name in told} for spec in self.explainer.models()]
        opening = next(iter(self.paths)) if self.deck else examples.STRONGEST
        state = self.explainer.state.name
        state = "starting" if state == "cold" else state
        # Which model answers is not decided before.
        note = "" if state == "starting" else self.explainer.opening_note()
        return {
            "models": models,
            "examples": self._examples,
            "opening": opening,
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
