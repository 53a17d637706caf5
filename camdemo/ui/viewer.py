"""The viewer in the page: a gr.HTML that asks the server for all that it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ..errors import CamdemoError
from ..viewer import bundle
from .answers import Answers
from .downloads import Downloads
from .errors import told
from .live import Live
from .offers import Offers
from .pixels import Pixels
from .seams import server_function
from .server import journal
from .server.admission import ANSWER, FRAME, MAPS, Admission, Kind
from .trust import Trust


def cam_viewer(answers: Answers, offers: Offers) -> gr.HTML:
    """The viewer, which is the whole page.

    (A function, not a subclass of gr.HTML, because Gradio writes a .pyi file beside every
    module that defines a subclass of a component.)
    """
    downloads, trust, pixels = Downloads(answers.explainer), Trust(answers), Pixels(answers)
    # These pass the admission by themselves: `open` where nothing is remembered, the answers that
    # grow when they begin. The others take no time.
    functions: dict[str, Callable[[Any], Any]] = {
        "page_start": offers.start,
        "page_waiting": answers.waiting,
        "scene_open": answers.open,
        "scene_scores": trust.scores,
        "scene_curves": trust.curves,
        "scene_randomised": trust.randomised,
        "scene_completeness": trust.completeness,
        "scene_pixel": pixels.start,
        "scene_pixel_state": pixels.state,
        "scene_pixel_cancel": pixels.cancel,
        "scene_labels": answers.labels,
        "model_download": downloads.start,
        "model_download_state": downloads.state,
        "model_download_cancel": downloads.cancel,
    }
    computing: dict[str, tuple[Callable[[Any], Any], Kind]] = {
        "scene_maps": (answers.maps, MAPS),
        "scene_hide": (answers.hide, ANSWER),
        "scene_hide_elsewhere": (answers.hide_elsewhere, ANSWER),
        "scene_look": (answers.look, ANSWER),
        "scene_page": (trust.page, ANSWER),
        "scene_live": (Live(answers.explainer).frame, FRAME),
    }
    for name, (answer, kind) in computing.items():
        functions[name] = _admitted(answers.admission, name, answer, kind)
    return gr.HTML(
        html_template=bundle.static("viewer.html"),
        css_template=bundle.static("viewer.css"),
        js_on_load=bundle.script("page.js"),
        server_functions=[server_function(*function) for function in functions.items()],
        elem_id="viewer",
        apply_default_css=False,
        padding=False,
    )


def _admitted(
    admission: Admission, name: str, answer: Callable[[Any], Any], kind: Kind
) -> Callable[[Any], Any]:
    """A question that waits for its place, without a thread."""

    async def asked(question: Any) -> Any:
        try:
            return await admission.run(kind, 0, answer, question)
        except CamdemoError as error:  # there was no place; whatever else is wrong is an answer
            journal.refused(name.removeprefix("scene_").replace("_", " "), error)
            return {"error": told(error)}

    return asked
