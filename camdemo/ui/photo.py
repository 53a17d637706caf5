"""The upload: Gradio's image component, but the file reaches us as it was sent."""

from __future__ import annotations

from typing import Any

import gradio as gr


class Photo(gr.Image):
    """An image input whose value in Python is the path of the uploaded file.

    Gradio opens and may rewrite the file before our code sees it, with an error of its own
    for a damaged one. `camdemo.images` does that part, with the checks and the orientation.
    """

    is_template = True  # the browser's side is Gradio's own image component

    def preprocess(self, payload: Any) -> str | None:
        return payload.path if payload is not None else None
