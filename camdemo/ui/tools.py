"""What agents can ask: the viewer's questions as functions that say all that may be asked.

Options, values and refusals are the API's. A photo comes as its bytes, never as a path or an
address, and nothing that an agent names is fetched.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import inspect
import io
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from .. import options
from ..errors import CamdemoError, ImageError
from ..options import Option
from ..question import Hiding, Look, Question
from ..records import Box
from . import examples
from .server import journal

if TYPE_CHECKING:
    from PIL import Image

    from .. import Explanation
    from ..explainer import Explainer

_KEPT = 50_000_000  # bytes of photos that a later question may name
_CELLS = 28  # of a map's text, a side: a map of pixels would fill an agent's memory
_TYPES = {
    "number": float | None,
    "switch": bool | None,
    "label": int | str | None,
    "labels": int | str | list[int | str] | None,
}
_PHOTO = (
    "the photo: base64 of its file's bytes (JPEG, PNG, WebP and others), as it is or as a data: "
    "address; or the name of one of the examples ({examples}); or what `photo` was in an earlier "
    "answer, so that a photo is sent once. Not a path and not a link"
)
_REGIONS = (
    "the rectangles to hide, together: a list of {left, top, right, bottom} in whole pixels of the "
    "photo as it is seen upright; `box` of an explanation is what the model saw of it"
)


class _Photos:
    """The bytes of the latest photos by their names, up to `_KEPT` in all."""

    def __init__(self) -> None:
        self._photos: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, given: str) -> tuple[str, bytes]:
        """A photo, and the name under which later questions find it.

        Raises:
            ImageError: it is none of the things that a photo may be.
        """
        if given in examples.photos():
            return given, Path(examples.photos()[given]).read_bytes()
        with self._lock:
            if given in self._photos:
                self._photos.move_to_end(given)
                return given, self._photos[given]
        content = _decoded(given)
        # Nobody can guess it who does not have the photo.
        name = "photo-" + hashlib.sha256(content).hexdigest()[:32]
        with self._lock:
            self._photos[name] = content
            while sum(map(len, self._photos.values())) > _KEPT and len(self._photos) > 1:
                self._photos.popitem(last=False)
        return name, content


def _decoded(given: str) -> bytes:
    text = given.partition(",")[2] if given.startswith("data:") else given
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        known = ", ".join(examples.photos())
        raise ImageError(
            f"There is no such photo. Give base64 of a photo's file, the name of an example "
            f"({known}), or `photo` of an earlier answer, which may be forgotten by now."
        )
    return content


class Tools:
    """What agents can ask. Each answer is texts and pictures, as MCP has them."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer
        self._photos = _Photos()

    def explain(self, photo: str, **given: Any) -> list[Any]:
        """Explain what an image classifier says of a photo: its five most probable labels, and the
        heat map of the evidence for one of them over the photo.

        Returns a JSON text and a picture. In the text: `predictions` (probabilities from 0 to 1),
        `target` (the explained label), `box` (the pixels that the model saw), `map` (rows of signed
        numbers, which cover the box evenly; of a finer map the means of 28 x 28 areas), `range` of
        the whole map, `note` (what must be known before the picture is read), and `photo` (its name
        for later questions).
        """
        name, explanation = self._explained(photo, given)
        look = options.read(Look, given)
        numbers = explanation.summary(look.evidence, _CELLS)
        return [_text(name, numbers), _picture(explanation.painted(look))]

    def duel(self, photo: str, versus: int | str | list[int | str], **given: Any) -> list[Any]:
        """Set a label against others: the map of its logit less the mean of theirs.

        Above 0 speaks for `target` (the most probable label if none is named), below 0 for
        `versus`. Returns what `explain` returns.
        """
        return self.explain(photo, versus=versus, **given)

    def hide(self, photo: str, regions: list[dict[str, Any]], **given: Any) -> list[Any]:
        """Hide a part of a photo, and ask the model again: what is left of the label?

        Returns a JSON text and a picture of what the model was given. In the text: `text` (what
        happened, in words), `before` and `after` (the explained label), `elsewhere` (the same on
        average with patches of that size at random places: only what a region does beyond that is
        due to where it lies), `elsewhere_error` (its standard error), `predictions` (the five most
        probable labels now), and `photo`.
        """
        boxes = [_box(region) for region in regions]
        how = options.read(Hiding, given)
        name, explanation = self._explained(photo, given)
        found = explanation.hide(boxes, how.fill, how.keep)
        numbers = asdict(found) | {"text": found.text}
        return [_text(name, numbers), _picture(explanation.hidden(boxes, how.fill, how.keep))]

    def models(self) -> str:
        """List the models: name, title, size in MB, and whether each is ready or has to be
        downloaded first, on its first question."""
        kept = ("name", "title", "megabytes", "ready")
        found = [asdict(spec) for spec in self.explainer.models()]
        return json.dumps([{name: one[name] for name in kept} for one in found])

    def layers(self, model: str) -> str:
        """List the layers of a model that can be explained, in the order of execution: name,
        channels, height, width, and whether each is a stage, which is the end of a block. The
        last stage is the default."""
        kept = ("name", "channels", "height", "width", "stage")
        found = [asdict(layer) for layer in self.explainer.layers(model)]
        return json.dumps([{name: one[name] for name in kept} for one in found])

    def _explained(self, photo: str, given: Mapping[str, Any]) -> tuple[str, Explanation]:
        asked = options.read(Question, given)
        name, content = self._photos.read(photo)
        explanation = self.explainer.explain(content, **asdict(asked))
        journal.note(**journal.facts_of(explanation))
        return name, explanation


def _box(region: Mapping[str, Any]) -> Box:
    """A rectangle as an agent writes it.

    Raises:
        CamdemoError: it lacks a side, or has something else.
    """
    if region.keys() != set(Box.__slots__):
        raise CamdemoError(f"A region must have {', '.join(Box.__slots__)}, and nothing else.")
    return Box(**region)


def _text(photo: str, numbers: Mapping[str, Any]) -> str:
    return json.dumps({"photo": photo, **numbers})


def _picture(image: Image.Image) -> Any:
    from mcp.server.mcpserver import Image as Picture

    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return Picture(data=file.getvalue(), format="jpeg")


def _argument(name: str, kind: Any, meaning: str, default: Any = None) -> inspect.Parameter:
    annotated = Annotated[kind, Field(description=meaning)]
    return inspect.Parameter(
        name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotated
    )


def _arguments(*chosen: type, leaving_out: tuple[str, ...] = ()) -> list[inspect.Parameter]:
    """Options as arguments, each described as everywhere."""
    offered = [each for one in chosen for each in options.of(one) if not each.on_canvas]
    return [
        _argument(each.name, _kind(each), options.describe(each))
        for each in offered
        if each.name not in leaving_out
    ]


def _kind(each: Option) -> Any:
    return _TYPES.get(each.kind, str | None)


def tools(explainer: Explainer) -> dict[str, tuple[Callable[..., Any], inspect.Signature]]:
    """The tools by their names, each with a signature that says all that may be asked."""
    made, needed = Tools(explainer), inspect.Parameter.empty
    meaning = _PHOTO.format(examples=", ".join(examples.photos()))
    photo = _argument("photo", str, meaning, needed)
    against = options.find(Question, "versus")
    rival = _argument("versus", int | str | list[int | str], options.describe(against), needed)
    regions = _argument("regions", list[dict[str, Any]], _REGIONS, needed)
    model = _argument("model", str, "the name of a model; `models` lists them", needed)
    signatures = {
        "explain": [photo, *_arguments(Question, Look)],
        "hide": [photo, regions, *_arguments(Question, Hiding, leaving_out=("versus",))],
        "duel": [photo, rival, *_arguments(Question, Look, leaving_out=("versus",))],
        "layers": [model],
        "models": [],
    }
    return {
        name: (getattr(made, name), inspect.Signature(arguments))
        for name, arguments in signatures.items()
    }
