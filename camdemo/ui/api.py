"""The HTTP API: /explain, /models and /layers, over Gradio's own protocol."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.data_classes import ImageData

from .. import options
from ..options import Option
from ..question import Look, Question
from .downloads import fetched
from .errors import errors_for_client
from .offers import content_of
from .seams import AS_SENT, path_of
from .server import journal
from .server.admission import ANSWER, PROGRAM, Admission

if TYPE_CHECKING:
    from ..explainer import Explainer


# Programs may give them by place: what is new comes last.
_BY_PLACE = (
    *("model", "layer", "target", "framing", "colormap", "opacity", "evidence", "versus", "method"),
    *("look", "strength", "settings", "smooth"),
)


def arguments(look: type = Look) -> tuple[Option, ...]:
    """The options of `/explain`, in the order of its arguments after the image."""
    offered = [*options.of(Question), *options.of(look)]
    places = {name: place for place, name in enumerate(_BY_PLACE)}
    painted = [each for each in offered if not each.on_canvas]
    return tuple(sorted(painted, key=lambda each: places.get(each.name, len(places))))


def add_endpoints(explainer: Explainer, admission: Admission) -> None:
    """Add the endpoints to the page that is being built; nothing of them is visible.

    The choices are plain text fields: a dropdown would refuse, with a message of its own,
    what it did not offer when the page was built, and a field of numbers can't be left empty.
    """
    offered = arguments()

    async def explain(image: Any, *given: Any) -> Any:
        """Explain a photo: the overlay, the five most probable labels, and all the numbers."""
        path = path_of(image)
        if path is None:
            raise gr.Error("There is no image. Send one as the first argument.")
        values = {each.name: value for each, value in zip(offered, given, strict=True)}
        with errors_for_client(), journal.request("api explain"):
            asked = options.read(Question, values)
            look = options.read(Look, values)
            await fetched(explainer, admission, asked.model)
            return await admission.run(PROGRAM, admission.size_of(path), answer, path, asked, look)

    def answer(path: str, asked: Question, look: Look) -> tuple[Any, ...]:
        explanation = explainer.explain(content_of(path), **asdict(asked))
        journal.note(**journal.facts_of(explanation))
        scores = {shown.label: shown.probability for shown in explanation.predictions}
        painted, summary = explanation.painted(look), explanation.summary(look.evidence)
        del explanation  # and its photo: a large one has 200 MB
        # Made a file here, so that no more wait for that than are admitted.
        kept = overlay.postprocess(painted)
        assert isinstance(kept, ImageData)
        return kept.path, scores, summary

    # Gradio names the arguments after the function's own.
    names = ["image", *(each.name for each in offered)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    explain.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in names]
    )

    def models() -> list[dict]:
        """The models: name, title, source, size, input transform, and whether they are ready."""
        return [asdict(spec) for spec in explainer.models()]

    async def layers(model: str) -> list[dict]:
        """The layers of a model that can be explained, in the order of execution."""
        with errors_for_client():
            found = await admission.run(ANSWER, 0, explainer.layers, model)
        return [asdict(layer) for layer in found]

    with gr.Column(visible=False):
        inputs = [gr.Image(label="image", type="filepath"), *map(_field, offered)]
        overlay = gr.Image(label="overlay", format="png")
        outputs = [
            overlay,
            gr.JSON(label="predictions"),
            gr.JSON(label="explanation"),
        ]
        gr.Button().click(
            explain,
            inputs,
            outputs,
            api_name="explain",
            concurrency_limit=None,  # the admission is the queue
            **AS_SENT,
        )
    gr.api(models, api_name="models", queue=False)
    gr.api(layers, api_name="layers", queue=False)


def _field(each: Option) -> gr.components.Component:
    """Where a program gives the value of an option, which stands there by default."""
    default = "" if each.default is None else each.default
    return gr.Textbox(default, label=each.name, info=options.describe(each))
