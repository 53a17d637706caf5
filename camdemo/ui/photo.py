"""The upload: Gradio's image component, but the file reaches us as it was sent."""

from __future__ import annotations

from typing import Any

import gradio as gr


def photo_input(**options: Any) -> gr.Image:
    """An image input whose value in Python is the path of the uploaded file.

    Gradio opens and may rewrite the file before our code sees it, with an error of its own
    for a damaged one. `camdemo.images` does that part, with the checks and the orientation.
    (The method is replaced on the instance, because Gradio writes a .pyi file beside every
    module that defines a subclass of a component.)
    """
    image = gr.Image(type="filepath", **options)
    image.preprocess = _path_of_upload  # type: ignore[method-assign]
    return image


def _path_of_upload(payload: Any) -> str | None:
    return payload.path if payload is not None else None
