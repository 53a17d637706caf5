"""Live: a camera's frames, each answered by itself while the next ones come. Nothing is kept."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..errors import CamdemoError, ImageError, RangeError
from ..viewer import scene
from ..viewer.bundle import LONGEST_FRAME
from . import questions
from .server.journal import answers, facts_of, note

if TYPE_CHECKING:
    from ..explainer import Explainer

LONGEST = 200_000  # characters of a frame; one of 455 x 256 has 40,000


class Live:
    """Answers frames. It remembers none of them, and writes none to the disk."""

    def __init__(self, explainer: Explainer) -> None:
        self.explainer = explainer

    @answers("live")
    def frame(self, question: Any) -> dict[str, Any]:
        """What the model says of a frame: what of a `Scene` changes from one to the next.

        The question comes from outside: {"frame": base64 of a JPEG of at most 512 pixels a side,
        "model", "layer", "method", "target", "framing", each as for `Answers.open`}. The answer
        has {"box": in pixels of the frame, "labels", "maps", "target", "model", "input_size",
        "part", "layer", "method", "framing"}, and where no layer was named all "layers", too.
        """
        asked = self.explainer.opening(questions.explain(question))
        asked = {name: asked[name] for name in asked if name not in ("versus", "strength")}
        found = self.explainer.explain(_frame(question.get("frame")), passing=True, **asked)
        note(**facts_of(found))
        return {
            "model": scene.model(found.model),
            "input_size": found.inputs.shape[:1:-1],
            "framing": found.framing_text,
            "box": scene.edges(found.box),
            "part": scene.edges(found.part),
            "labels": scene.labels(found.labels_shown()),
            "layer": found.layer.name,
            "method": found.method,
            "target": found.target.index,
            "maps": found.packets(complete=False),
        } | ({} if "layer" in asked else {"layers": scene.layers(found.layers)})


def _frame(text: Any) -> bytes:
    """A frame's bytes, which `Explainer.explain` decodes like any photo's.

    Raises:
        CamdemoError, RangeError: no base64, or too much of it.
        ImageError: not a JPEG, or one of too many pixels, which are counted before any is decoded.
    """
    if not isinstance(text, str):
        raise CamdemoError("The frame must be a JPEG as base64.")
    if len(text) > LONGEST:
        raise RangeError("number of characters of the frame", len(text), 1, LONGEST)
    try:
        content = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            width, height = image.size
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise ImageError("The frame is not a JPEG as base64.") from error
    if max(width, height) > LONGEST_FRAME:
        raise ImageError(
            f"The frame has {width} x {height} pixels, more than {LONGEST_FRAME} a side. "
            "Send a smaller one."
        )
    return content
