"""The page: layout and wiring. Nothing is computed here; the explainer is handed in."""

from __future__ import annotations

import asyncio
import filecmp
import html
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import gradio as gr

from ..question import FRAMINGS, Question, find
from ..records import ModelSpec
from ..viewer.scene import Scene
from . import decks, examples, links
from .answers import Scenes
from .api import add_endpoints
from .errors import errors_for_page
from .seams import AS_SENT, Page, icon, path_of, upload_folder
from .server import journal
from .server.photos import Photos
from .server.uploads import Disk
from .viewer import as_value, cam_viewer

if TYPE_CHECKING:
    from ..explainer import Explainer

TITLE = "What did it see, and where did it look?"

_GETTING_READY = "Getting ready: the first model is being loaded. You can choose a photo already."
_PATIENCE = 60.0  # seconds after which the page no longer says so
_GLANCE = 0.2  # seconds between two looks whether it is there
_LINKS = ("Awaited", "Link")
_NOT_SHOWN = "The link asks for what can't be shown. "
# Events of the page that run at the same time: while one is computed, another is read or encoded.
_EVENTS_A_LANE = 2

_ASKED = ("layer", "method", "target", "versus")  # of a link, beside model and framing
_OWN = "own"  # in the page's control: a frame that was moved on the photo
_OWN_FRAME = ("A frame of my own", _OWN)
# What the viewer shows by itself (a moved frame, the next photo of a deck) the page's other
# controls must know: its element says it.
_SHOWN = f"""() => {{
  const {{ example, framing }} = document.getElementById("viewer").dataset;
  return [example, {json.dumps(FRAMINGS)}.includes(framing) ? framing : "own", framing];
}}"""


def build_demo(explainer: Explainer, deck: Mapping[str, str] | None = None) -> Page:
    """The page over an explainer, or over anything with its methods.

    Args:
        deck: paths of photos by their names, to show instead of the examples. They are explained
            now, so that one can step through them without a wait.
    """
    scenes = Scenes(explainer)
    offered = examples.photos() if deck is None else dict(deck)
    photos = Photos(list(offered.values()))

    def facts(name: str) -> dict[str, Any]:
        """What the page says of an example, or of a photo of the deck."""
        return examples.facts(name, deck) | {"original": photos.address(offered[name])}

    if deck:
        decks.prepare(scenes, offered, facts)

    def explained(photo: str, name: str, model: str | None, framing: str, **more: Any) -> Scene:
        """The scene of one photo; `name` is that of an example, or empty for an upload."""
        # What a client sends instead of a text is refused in words once it is one.
        question = {"framing": str(framing), **more}
        about = facts(name) if name else {"original": photos.address(photo)}
        with journal.request("explain"):
            return scenes.answer(photo, model, question, **about)

    settings = explainer.settings
    with Page("camdemo", Disk(upload_folder(), settings.max_disk * 10**6), photos) as demo:
        # Shown after a second; a server that is ready answers long before.
        headline = gr.HTML(_headline(_GETTING_READY, late=True), elem_id="headline")
        # The name of the example on the page, empty for an upload; and the text of the framing.
        example = gr.Textbox("", visible=False, label="Example")
        frame = gr.Textbox("", visible=False, label="Frame")
        last_model = gr.State(None)  # the model of the picture on the page
        # What a link asks for, as the text of its query: while its model is fetched, and then.
        # A component that is not on the page at all would not tell that it has changed.
        awaited, link = (gr.Textbox("", visible="hidden", label=name) for name in _LINKS)

        with gr.Row(elem_id="stage"):
            with gr.Column(scale=1, min_width=290, elem_id="question"):
                photo = gr.Image(
                    label="Photo", sources=["upload", "webcam", "clipboard"], height=240
                )
                with gr.Row(elem_id="examples"):
                    samples = {
                        name: gr.Button(
                            name, icon=icon(photos.small(path)), size="sm", min_width=120
                        )
                        for name, path in offered.items()
                    }
                model = gr.Dropdown(_model_choices(explainer.models()), label="Model", value=None)
                asked = find(Question, "framing")
                framing = gr.Radio(
                    [*((value.title, value.name) for value in asked.values), _OWN_FRAME],
                    value=asked.default,
                    label=asked.title,
                )
            with gr.Column(scale=4, min_width=340, elem_id="answer"):
                viewer = cam_viewer(scenes)

        def open_page(request: gr.Request) -> dict[Any, Any]:
            """The controls. What a link asks for follows: see `answer_link`."""
            name = explainer.default_model()
            starting = explainer.state.name == "starting"
            note = _GETTING_READY if starting else explainer.opening_note()
            specs = explainer.models()
            updates: dict[Any, Any] = {
                headline: _headline(note),
                model: gr.Dropdown(choices=_model_choices(specs), value=name),
                last_model: name,
            }
            wanted = links.read(request.query_params, list(offered))
            if wanted.example:
                missing = {spec.name for spec in specs if not spec.ready}
                updates[awaited if wanted.question.model in missing else link] = str(
                    request.query_params
                )
            return updates

        async def settle() -> str:
            """Wait, on no thread of the server's, until the first model is there."""
            until = time.monotonic() + _PATIENCE
            while explainer.state.name == "starting" and time.monotonic() < until:
                await asyncio.sleep(_GLANCE)
            return _headline(explainer.opening_note())

        def read_link(asked: Any) -> links.Wanted:
            return links.read(dict(parse_qsl(str(asked))), list(offered))

        def fetch_link(asked: Any, progress: gr.Progress = gr.Progress()) -> Any:  # noqa: B008
            with errors_for_page(_NOT_SHOWN):
                model = read_link(asked).question.model or explainer.default_model()
                explainer.fetch(model, _shown_on(progress))
            return asked

        def answer_link(asked: Any, upload: Any, name: Any) -> Any:
            wanted = read_link(asked)
            if upload or name or not wanted.example:
                return gr.skip()  # the visitor has chosen something meanwhile
            path, own = offered[wanted.example], wanted.question.framing not in FRAMINGS
            more = {name: getattr(wanted.question, name) for name in _ASKED}
            chosen, frame = wanted.question.model, wanted.question.framing
            with errors_for_page(_NOT_SHOWN):
                content = explained(path, wanted.example, chosen, frame, **more)
            name = content.model.name
            return (
                as_value(replace(content, wanted=dict(wanted.view))),
                name,
                gr.Dropdown(choices=_model_choices(explainer.models()), value=name),
                wanted.example,
                _OWN if own else frame,
                frame,
            )

        def answer(upload: Any, name: Any, model: str | None, framing: str, frame: Any) -> Any:
            name = name if isinstance(name, str) and name in offered else ""
            path = offered[name] if name else path_of(upload)
            if path is None:
                return "", model  # no scene: the viewer empties itself
            own = framing == _OWN
            with errors_for_page():
                content = explained(path, name, model, (frame or "crop") if own else framing)
            if own:  # whoever chooses it gets the tool to move it
                content = replace(content, wanted={"tool": "frame"})
            return as_value(content), content.model.name

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
            with errors_for_page():
                explainer.fetch(model, _shown_on(progress))
            return gr.Dropdown(choices=_model_choices(explainer.models()))

        computing: dict[str, Any] = {
            "show_progress": "minimal",
            "show_progress_on": viewer,
            "concurrency_id": "explain",
            "concurrency_limit": _EVENTS_A_LANE * (settings.lanes or 1),
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
        fetching: dict[str, Any] = {
            "show_progress_on": viewer,
            "concurrency_id": "fetch",
            "concurrency_limit": 16,
            "api_visibility": "private",
            **AS_SENT,
        }
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        opened = [model, last_model, headline, awaited, link]
        loaded = demo.load(open_page, outputs=opened, queue=False, **quiet)
        loaded.then(settle, None, headline, queue=False, **quiet)
        awaited.change(fetch_link, awaited, link, **fetching)
        linked = link.change(
            answer_link,
            [link, photo, example],
            [viewer, last_model, model, example, framing, frame],
            **computing,
        )
        linked.success(offered.get, example, photo, queue=False, **quiet)
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
        fetched = model.select(fetch, model, model, **fetching)
        fetched.success(**again)
        # The page keeps what it shows, so the dropdown must say what that is.
        fetched.failure(lambda name: name, last_model, model, **quiet)
        framing.input(**again)
        viewer.select(None, None, [example, framing, frame], js=_SHOWN, **quiet)
        add_endpoints(explainer)
    return demo


def _shown_on(progress: gr.Progress) -> Callable[[int, int], None]:
    """Where a download stands, in the words of the page."""

    def show(received: int, total: int) -> None:
        megabytes = f"{received / 2**20:.0f} of {total / 2**20:.0f} MB"
        progress(received / total if total else None, desc=f"Weights: {megabytes}")

    return show


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
