"""The HTTP API: /explain, /models and /layers, over Gradio's own protocol."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import gradio as gr

from ..models.labels import label_or_index
from ..records import COLORMAPS, EVIDENCE, FRAMINGS
from .errors import errors_for_client
from .seams import AS_SENT, path_of
from .server import journal

if TYPE_CHECKING:
    from ..explainer import Explainer


def add_endpoints(explainer: Explainer) -> None:
    """Add the endpoints to the page that is being built; nothing of them is visible.

    The choices are plain text fields: a dropdown would refuse, with a message of its own,
    what it did not offer when the page was built.
    """

    def explain(
        image: Any,
        model: Any,
        layer: Any,
        target: Any,
        framing: Any,
        colormap: Any,
        opacity: Any,
        evidence: Any,
        versus: Any,
    ) -> Any:
        """Explain a photo: the overlay, the five most probable labels, and all the numbers."""
        path = path_of(image)
        if path is None:
            raise gr.Error("There is no image. Send one as the first argument.")
        with errors_for_client(), journal.request("api explain"):
            explanation = explainer.explain(
                path,
                model=model or None,
                layer=layer or None,
                target=_label_or_index(target),
                framing=framing,
                versus=_label_or_index(versus),
            )
            journal.note(**journal.facts_of(explanation))
            picture = explanation.overlay(colormap, opacity, evidence or None)
        scores = {shown.label: shown.probability for shown in explanation.predictions}
        return picture, scores, explanation.summary(evidence or None)

    def models() -> list[dict]:
        """The models: name, title, source, size, input transform, and whether they are ready."""
        return [asdict(spec) for spec in explainer.models()]

    def layers(model: str) -> list[dict]:
        """The layers of a model that can be explained, in the order of execution."""
        with errors_for_client():
            return [asdict(layer) for layer in explainer.layers(model)]

    with gr.Column(visible=False):
        inputs = [
            gr.Image(label="image", type="filepath"),
            gr.Textbox("", label="model", info="a name of /models; empty: the default"),
            gr.Textbox("", label="layer", info="a name of /layers; empty: the last stage"),
            gr.Textbox("", label="target", info="a label or its index; empty: the most probable"),
            gr.Textbox(
                "crop",
                label="framing",
                info=" or ".join([*FRAMINGS, "left,top,right,bottom in pixels of the photo"]),
            ),
            gr.Textbox("jet", label="colormap", info=", ".join(COLORMAPS)),
            gr.Number(0.5, label="opacity", info="0 to 1"),
            gr.Textbox(
                "",
                label="evidence",
                info=", ".join(EVIDENCE) + "; empty: signed for a comparison, else positive",
            ),
            gr.Textbox("", label="versus", info="a label to compare with, or its index"),
        ]
        outputs = [
            gr.Image(label="overlay", format="png"),
            gr.JSON(label="predictions"),
            gr.JSON(label="explanation"),
        ]
        gr.Button().click(
            explain,
            inputs,
            outputs,
            api_name="explain",
            concurrency_id="api",  # programs that ask much don't take the places of visitors
            concurrency_limit=2,
            **AS_SENT,
        )
    gr.api(models, api_name="models", queue=False)
    gr.api(layers, api_name="layers", queue=False)


def _label_or_index(target: Any) -> Any:
    """What a client means by "lion", "291", 291 or ""; the explainer checks it."""
    if not isinstance(target, str):
        return target
    return label_or_index(target.strip()) if target.strip() else None
