"""The viewer in the page: a gr.HTML that asks the server for all that it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ..viewer import bundle
from .answers import Answers
from .downloads import Downloads
from .live import Live
from .offers import Offers
from .pixels import Pixels
from .seams import server_function
from .trust import Trust


def cam_viewer(answers: Answers, offers: Offers) -> gr.HTML:
    """The viewer, which is the whole page.

    (A function, not a subclass of gr.HTML, because Gradio writes a .pyi file beside every
    module that defines a subclass of a component.)
    """
    downloads, trust, pixels = Downloads(answers.explainer), Trust(answers), Pixels(answers)
    functions: dict[str, Callable[[Any], Any]] = {
        "page_start": offers.start,
        "page_waiting": answers.waiting,
        "scene_open": answers.open,
        "scene_maps": answers.maps,
        "scene_hide": answers.hide,
        "scene_hide_elsewhere": answers.hide_elsewhere,
        "scene_look": answers.look,
        "scene_page": trust.page,
        "scene_live": Live(answers.explainer).frame,
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
    return gr.HTML(
        html_template=bundle.static("viewer.html"),
        css_template=bundle.static("viewer.css"),
        js_on_load=bundle.script("page.js"),
        server_functions=[server_function(*function) for function in functions.items()],
        elem_id="viewer",
        apply_default_css=False,
        padding=False,
    )
