"""A deck: the photos of a folder instead of the examples, explained before anybody asks."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..errors import CamdemoError, ImageError
from ..records import PHOTO_ENDINGS

if TYPE_CHECKING:
    from .answers import Answers

log = logging.getLogger("camdemo")


def photos_in(folder: Path) -> dict[str, str]:
    """The photos of a folder by the names that are shown, in the order of the names.

    The ending is left out where no other photo could be meant.

    Raises:
        CamdemoError: there is no such folder, no photo in it, or it can't be read.
    """
    if not folder.is_dir():
        raise CamdemoError(f"There is no folder {str(folder)!r} to make a deck of.")
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTO_ENDINGS)
    except OSError as error:
        raise CamdemoError(f"The folder {str(folder)!r} can't be read.") from error
    if not files:
        raise CamdemoError(f"There is no photo in {str(folder)!r}.")
    # "a.jpg.png" without its ending is another photo's whole name.
    taken = Counter(path.stem for path in files) + Counter(path.name for path in files)
    # Not `resolve`, which a link to itself ends with an error.
    return {
        path.stem if taken[path.stem] == 1 else path.name: os.path.abspath(path) for path in files
    }


def prepare(answers: Answers, photos: Iterable[str]) -> None:
    """Explain the photos of a deck completely, by their names.

    There is a progress bar if the error output is a terminal; else it has lines of JSON only.

    What can't be read as a photo is left out; the log and the page say so.

    Raises:
        CamdemoError: none of them can be read.
    """
    offers = answers.offers
    for name in tqdm(list(photos), "Deck", unit=" photos", disable=None):
        try:
            if not os.path.isfile(offers.paths[name]):  # to open a pipe would never end
                raise ImageError("This is no file.")
            answers.add_to_deck(name)
        except ImageError:
            offers.skip(name)
    if not offers.paths:
        raise CamdemoError(f"There is no photo for the deck. {offers.skipped()}")
    if offers.skipped():
        log.warning(offers.skipped())
