"""The page: layout and wiring. Nothing is computed here; the explainer is handed in."""

from __future__ import annotations

import filecmp
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gradio as gr

from ..errors import CamdemoError
from ..records import FRAMINGS, ModelSpec
from . import examples, links
from .answers import Scenes
from .api import add_endpoints
from .errors import errors_for_page
from .photo import AS_SENT, path_of
from .server import journal
from .viewer import as_value, cam_viewer

if TYPE_CHECKING:
    from ..explainer import Explainer

TITLE = "What did it see, and where did it look?"

_GETTING_READY = "Getting ready: the first model is being loaded. You can choose a photo already."
_PATIENCE = 60.0  # seconds after which the page no longer says so

_OWN = "own"  # in the page's control: a frame that was moved on the photo
_FRAMING_TITLES = {
    "crop": "Centre crop, as validated",
    "whole": "Whole photo, squeezed",
    _OWN: "A frame of my own",
}
# What the viewer shows by itself (a moved frame, the next photo of a deck) the page's other
# controls must know: its element says it.
_SHOWN = """() => {
  const { example, framing } = document.getElementById("viewer").dataset;
  return [example, ["crop", "whole"].includes(framing) ? framing : "own", framing];
}"""


def build_demo(explainer: Explainer, deck: Mapping[str, str] | None = None) -> gr.Blocks:
    """The page over an explainer, or over anything with its methods.

    Args:
        deck: paths of photos by their names, to show instead of the examples. They must have
            been explained before (see `prepare_deck`) to be stepped through without a wait.
    """
    scenes = Scenes(explainer)
    offered = examples.photos() if deck is None else dict(deck)
    if deck:
        scenes.prepare(offered)

    def explained(photo: str, name: str, model: str | None, framing: str, **more: Any) -> dict:
        """The scene of one photo; `name` is that of an example, or empty for an upload."""
        question = {"framing": framing, **more}
        facts = {"original": "gradio_api/file=" + quote(photo)}
        with journal.request("explain"):
            return scenes.answer(
                photo, model, question, **(examples.facts(name, deck) if name else facts)
            )

    with gr.Blocks(title="camdemo", analytics_enabled=False, delete_cache=(600, 3600)) as demo:
        # Shown after a second; a server that is ready answers long before.
        headline = gr.HTML(_headline(_GETTING_READY, late=True), elem_id="headline")
        # The name of the example on the page, empty for an upload; and the text of the framing.
        example = gr.Textbox("", visible=False, label="Example")
        frame = gr.Textbox("", visible=False, label="Frame")
        last_model = gr.State(None)  # the model of the picture on the page

        with gr.Row(elem_id="stage"):
            with gr.Column(scale=1, min_width=290, elem_id="question"):
                photo = gr.Image(
                    label="Photo", sources=["upload", "webcam", "clipboard"], height=240
                )
                with gr.Row(elem_id="examples"):
                    samples = {
                        name: gr.Button(name, icon=path, size="sm", min_width=120)
                        for name, path in offered.items()
                    }
                model = gr.Dropdown(_model_choices(explainer.models()), label="Model", value=None)
                framing = gr.Radio(
                    [(_FRAMING_TITLES[name], name) for name in (*FRAMINGS, _OWN)],
                    value="crop",
                    label="Framing",
                )
            with gr.Column(scale=4, min_width=340, elem_id="answer"):
                viewer = cam_viewer(scenes)

        def open_page(request: gr.Request) -> dict[Any, Any]:
            wanted = links.read(request.query_params, list(offered))
            name = explainer.default_model()
            note = (
                _GETTING_READY if explainer.state.name == "starting" else explainer.opening_note()
            )
            updates: dict[Any, Any] = {headline: _headline(note)}
            if wanted.example:
                path, link = offered[wanted.example], wanted.question
                more = {"layer": link.layer, "target": link.target, "versus": link.versus}
                asked = link.model or name
                try:
                    content = explained(path, wanted.example, asked, link.framing, **more)
                    updates[viewer] = as_value(content | {"wanted": dict(wanted.view)})
                    updates[photo], updates[example] = path, wanted.example
                    own = link.framing not in FRAMINGS
                    updates[framing] = _OWN if own else link.framing
                    updates[frame] = link.framing
                    name = asked
                except CamdemoError as error:
                    gr.Warning(html.escape(f"The link asks for what can't be shown. {error}"))
            choices = _model_choices(explainer.models())
            return updates | {model: gr.Dropdown(choices=choices, value=name), last_model: name}

        def settle() -> str:
            explainer.wait_until_ready(_PATIENCE)
            return _headline(explainer.opening_note())

        def answer(upload: Any, name: Any, model: str | None, framing: str, frame: Any) -> Any:
            name = name if isinstance(name, str) and name in offered else ""
            path = offered[name] if name else path_of(upload)
            if path is None:
                return "", model  # no scene: the viewer empties itself
            own = framing == _OWN
            with errors_for_page():
                content = explained(path, name, model, (frame or "crop") if own else framing)
            if own:  # whoever chooses it gets the tool to move it
                content = content | {"wanted": {"tool": "frame"}}
            return as_value(content), content["model"]["name"]

        def answer_new(upload: Any, name: str, model: str | None, framing: str) -> Any:
            # A frame of one's own belongs to the photo on which it was drawn.
            framing = "crop" if framing == _OWN else framing
            return *answer(upload, name, model, framing, ""), name, framing, ""

        def answer_photo(upload: Any, name: Any, model: str | None, framing: str) -> Any:
            path, shown = path_of(upload), offered.get(str(name))
            if path and shown and filecmp.cmp(path, shown, shallow=False):
                return gr.skip()  # the example itself, which has been answered
            return answer_new(upload, "", model, framing)

        def fetch(model: str, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
            def show(received: int, total: int) -> None:
                megabytes = f"{received / 2**20:.0f} of {total / 2**20:.0f} MB"
                progress(received / total if total else None, desc=f"Weights: {megabytes}")

            with errors_for_page():
                explainer.fetch(model, show)
            return gr.Dropdown(choices=_model_choices(explainer.models()))

        computing: dict[str, Any] = {
            "show_progress": "minimal",
            "show_progress_on": viewer,
            "concurrency_id": "explain",
            "concurrency_limit": 4,
            "trigger_mode": "always_last",
            "api_visibility": "private",
            **AS_SENT,
        }
        again: dict[str, Any] = {
            "fn": answer,
            "inputs": [photo, example, model, framing, frame],
            "outputs": [viewer, last_model],
            **computing,
        }
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        opened = [model, framing, frame, last_model, headline, viewer, photo, example]
        loaded = demo.load(open_page, outputs=opened, **quiet)
        loaded.then(settle, None, headline, queue=False, **quiet)
        # `input` and `clear` fire while the component still has its old value; `change` after it.
        photo.change(
            answer_photo,
            [photo, example, model, framing],
            [viewer, last_model, example, framing, frame],
            **computing,
        )
        for name, sample in samples.items():
            answered = sample.click(
                lambda model, framing, name=name: answer_new(None, name, model, framing),
                [model, framing],
                [viewer, last_model, example, framing, frame],
                **computing,
            )
            # The small copy beside the controls comes after the heat, which is waited for.
            answered.success(lambda name=name: offered[name], None, photo, queue=False, **quiet)
        # Of a dropdown, `input` fires twice for one choice, and `select` once.
        fetched = model.select(
            fetch,
            model,
            model,
            show_progress_on=viewer,
            concurrency_limit=16,
            api_visibility="private",
            **AS_SENT,
        )
        fetched.success(**again)
        # The page keeps what it shows, so the dropdown must say what that is.
        fetched.failure(lambda name: name, last_model, model, **quiet)
        framing.input(**again)
        viewer.select(None, None, [example, framing, frame], js=_SHOWN, **quiet)
        add_endpoints(explainer)
    return demo


def _headline(note: str, late: bool = False) -> str:
    """The page's question, and one line under it; a late one appears after a second."""
    kind = ' class="late"' if late else ""
    return f"<h1>{TITLE}</h1><p{kind}>{html.escape(note)}</p>"


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
