"""The page: layout and wiring. Nothing is computed here; the explainer is handed in."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from ..records import COLORMAPS, EVIDENCE, FRAMINGS, ModelSpec
from . import examples
from .api import add_endpoints
from .errors import errors_for_page
from .photo import photo_input

if TYPE_CHECKING:
    from ..explainer import Explainer
    from ..explanation import Explanation

STATIC = Path(__file__).parent / "static"
TITLE = "What did it see, and where did it look?"

_FRAMING_TITLES = {"crop": "Centre crop, as validated", "whole": "Whole photo, squeezed"}
_EVIDENCE_TITLES = {"positive": "For the label", "signed": "For and against", "minmax": "Min-max"}
_EVIDENCE_HELP = (
    "For the label: the Grad-CAM paper. For and against: blue speaks against it. "
    "Min-max: the notebook's, which paints the least negative spot hot too."
)
_EMPTY = "<h2>Choose a photo</h2><p>Upload one, take one, or click an example.</p>"
_DISPLAY_SIDE = 1600  # pixels; larger photos are shown smaller


def theme() -> gr.themes.Base:
    """Gradio's own, in a calmer colour; the fonts are those of the visitor's system."""
    system = ["system-ui", "sans-serif"]
    mono = ["ui-monospace", "monospace"]
    return gr.themes.Default(primary_hue="teal", neutral_hue="slate", font=system, font_mono=mono)


def launch_options() -> dict[str, Any]:
    """What `demo.launch` needs for this page to look as it should."""
    return {"theme": theme(), "css_paths": [STATIC / "page.css"], "footer_links": ["api"]}


def build_demo(explainer: Explainer) -> gr.Blocks:
    """The page over an explainer, or over anything with its methods."""
    with gr.Blocks(title="camdemo", analytics_enabled=False, delete_cache=(600, 3600)) as demo:
        headline = gr.HTML(_headline(""), elem_id="headline")
        target = gr.State(None)  # the label that was clicked; None: the most probable one
        last_model = gr.State(None)  # the model of the picture on the page

        with gr.Row(elem_id="stage"):
            with gr.Column(scale=3, min_width=280):
                photo = photo_input(
                    label="Photo", sources=["upload", "webcam", "clipboard"], height=240
                )
                with gr.Row(elem_id="examples"):
                    for name, path in examples.photos().items():
                        sample = gr.Button(name, icon=path, size="sm", min_width=100)
                        sample.click(
                            lambda path=path: path,
                            outputs=photo,
                            queue=False,
                            show_progress="hidden",
                            api_visibility="private",
                        )
                model = gr.Dropdown(_model_choices(explainer.models()), label="Model", value=None)
                layer = gr.Dropdown([], label="Layer", info="Type to search")
                every_layer = gr.Checkbox(label="List every layer, not only the stages")
                framing = gr.Radio(
                    [(_FRAMING_TITLES[name], name) for name in FRAMINGS],
                    value="crop",
                    label="Framing",
                )
            with gr.Column(scale=6, min_width=340, elem_classes="answer"):
                title = gr.HTML(_EMPTY, elem_id="title")
                picture = gr.Image(
                    label="Where the model looked",
                    show_label=False,
                    interactive=False,
                    format="jpeg",
                    elem_id="picture",
                    height="min(60vh, 680px)",
                    buttons=["download", "fullscreen"],
                )
                with gr.Row():
                    opacity = gr.Slider(0, 1, 0.5, step=0.05, label="Opacity", min_width=140)
                    colormap = gr.Dropdown(
                        list(COLORMAPS), value="jet", label="Colour map", min_width=120
                    )
                evidence = gr.Radio(
                    [(_EVIDENCE_TITLES[name], name) for name in EVIDENCE],
                    value="positive",
                    label="Evidence",
                    info=_EVIDENCE_HELP,
                )
            with gr.Column(scale=3, min_width=260, elem_classes="labels"):
                top = gr.Label(label="Top 5 · click one to see its evidence", show_heading=False)
                facts = gr.HTML(elem_id="facts")

        def open_page() -> dict[Any, Any]:
            name = explainer.default_model()
            return {
                model: gr.Dropdown(choices=_model_choices(explainer.models()), value=name),
                layer: _layer_dropdown(explainer, name, False, None),
                last_model: name,
                headline: _headline(explainer.opening_note()),
            }

        def fetch(model: str, every: bool, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
            def show(received: int, total: int) -> None:
                megabytes = f"{received / 2**20:.0f} of {total / 2**20:.0f} MB"
                progress(received / total if total else None, desc=f"Weights: {megabytes}")

            with errors_for_page():
                explainer.fetch(model, show)
                return (
                    gr.Dropdown(choices=_model_choices(explainer.models())),
                    _layer_dropdown(explainer, model, every, None),
                )

        def answer(
            photo: str | None,
            model: str | None,
            layer: str | None,
            label: str | None,
            framing: str,
            colormap: str,
            opacity: float,
            evidence: str,
        ) -> Any:
            if photo is None:
                return _EMPTY, None, None, "", model
            with errors_for_page():
                explanation = explainer.explain(photo, model, layer, label, framing)  # type: ignore[arg-type]
                small = explanation.at_most(_DISPLAY_SIDE)
                image = small.overlay(colormap, opacity, evidence)  # type: ignore[arg-type]
            scores = {shown.label: shown.probability for shown in explanation.predictions}
            heading, facts = _title(explanation, evidence), _facts(explanation)
            return heading, image, scores, facts, explanation.model.name

        asked = [photo, model, layer, target, framing, colormap, opacity, evidence]
        shown = [title, picture, top, facts, last_model]
        run: dict[str, Any] = {
            "fn": answer,
            "inputs": asked,
            "outputs": shown,
            "show_progress": "hidden",
            "concurrency_id": "explain",
            "concurrency_limit": 4,
            "api_visibility": "private",
        }
        demo.load(
            open_page,
            outputs=[model, layer, last_model, headline],
            show_progress="hidden",
            api_visibility="private",
        )
        photo.change(lambda: None, outputs=target, api_visibility="private", queue=False).then(
            **run
        )
        fetched = model.select(
            fetch,
            [model, every_layer],
            [model, layer],
            show_progress="full",
            show_progress_on=picture,
            concurrency_limit=16,
            api_visibility="private",
        )
        fetched.success(**run)
        # The page keeps what it shows, so the dropdown must say what that is.
        fetched.failure(lambda name: name, last_model, model, api_visibility="private")
        every_layer.input(
            lambda name, every, value: _layer_dropdown(explainer, name, every, value),
            [model, every_layer, layer],
            layer,
            show_progress="hidden",
            api_visibility="private",
        )
        # Of a dropdown, `input` fires twice for one choice, and `select` once.
        for changed in (
            layer.select,
            colormap.select,
            framing.input,
            evidence.input,
            opacity.input,
        ):
            changed(**run, trigger_mode="always_last")
        top.select(_clicked_label, outputs=target, api_visibility="private", queue=False).then(
            **run
        )
        add_endpoints(explainer)
    return demo


def _headline(note: str) -> str:
    """The page's question, and one line under it where there is something to say."""
    return f"<h1>{TITLE}</h1><p>{html.escape(note)}</p>"


def _title(explanation: Explanation, evidence: str) -> str:
    """The heading over the picture: "lion · 90 %", and what to know before reading it."""
    caveat = explanation.caveat(evidence)  # type: ignore[arg-type]
    heading = f"<h2>{html.escape(explanation.target.text)}</h2>"
    return f"{heading}<p>{html.escape(caveat)}</p>" if caveat else heading


def _facts(explanation: Explanation) -> str:
    """One quiet line: what was asked, and how long the answer took."""
    timings = explanation.timings
    total = timings.decode + timings.prepare + timings.explain
    parts = (explanation.model.title, explanation.layer.text, f"{total:.0f} ms")
    return f"<p>{'<br>'.join(html.escape(part) for part in parts)}</p>"


def _model_choices(specs: tuple[ModelSpec, ...]) -> list[tuple[str, str]]:
    """What is ready first; the others say how large their download is."""
    ordered = sorted(specs, key=lambda spec: not spec.ready)
    return [
        (
            spec.title if spec.ready else f"{spec.title} (download, {spec.megabytes:.0f} MB)",
            spec.name,
        )
        for spec in ordered
    ]


def _layer_dropdown(
    explainer: Explainer, model: str, every: bool, value: str | None
) -> gr.Dropdown:
    """The layers of a model as choices; keeps the value where it is among them."""
    offered = [layer for layer in explainer.layers(model) if layer.stage or every]
    names = [layer.name for layer in offered]
    chosen = value if value in names else explainer.default_layer(model).name
    return gr.Dropdown([(layer.text, layer.name) for layer in offered], value=chosen)


def _clicked_label(event: gr.SelectData) -> str:
    return event.value
