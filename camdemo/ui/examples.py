"""The example photos: those that ship inside the gradio package, and two of them as one."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from gradio.media import get_image
from PIL import Image, ImageOps

from .server.folders import own_folder

_SIDE = 400  # pixels of each half of the composed picture
STRONGEST = "Lion"  # one sharp subject, and nine tenths for its label: the page opens with it
# How it is asked best, where that is not as any other photo.
ASKS = {"Cheetah + lion": {"framing": "whole", "target": "lion", "versus": "cheetah"}}
# What to hide first.
PARTS = {"Lion": "the head", "Cheetah": "the head", "Tower": "its top"}


@cache
def photos() -> dict[str, str]:
    """The path of each example by its name.

    Nothing is written but one temporary file, which goes when the process ends.
    """
    cheetah, lion, tower = (get_image(f"{name}.jpg") for name in ("cheetah", "lion", "tower"))
    both = str(_side_by_side(cheetah, lion))
    return {"Cheetah": cheetah, "Lion": lion, "Tower": tower, "Cheetah + lion": both}


def _side_by_side(left: str, right: str) -> Path:
    """Two photos in one: the question "where?" then has an answer that anyone can check."""
    pair = Image.new("RGB", (2 * _SIDE, _SIDE))
    for position, path in enumerate((left, right)):
        with Image.open(path) as photo:
            pair.paste(ImageOps.fit(photo.convert("RGB"), (_SIDE, _SIDE)), (position * _SIDE, 0))
    target = _folder() / "cheetah-and-lion.jpg"
    pair.save(target, quality=92)
    return target


@cache
def _folder() -> Path:
    """A folder that goes with the process."""
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    return until_the_end.enter_context(own_folder())


def facts(name: str, deck: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the viewer says of an example: its name, and the Python that brings its photo.

    Of a deck's photo that is the name of its file: where that lies here is nobody's business.
    """
    if deck is not None:
        photo = repr(Path(deck[name]).name)
        return {"name": name, "example": name, "code": {"imports": [], "photo": photo}}
    code = {
        "imports": ["from camdemo.ui.examples import photos"],
        "photo": f"photos()[{name!r}]",
    }
    return {"name": name, "example": name, "code": code}
