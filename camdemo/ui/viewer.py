"""The viewer in the page: a gr.HTML that holds a scene and asks the server for more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from ..viewer import bundle
from ..viewer.scene import Scene
from .answers import Scenes
from .seams import server_function


def as_value(scene: Scene) -> str:
    """A scene as the viewer's value.

    It travels as one text: of an object Gradio's page would copy every entry several times,
    which takes longer than painting it.
    """
    return scene.to_json()


def cam_viewer(scenes: Scenes) -> gr.HTML:
    """The viewer; its value is a scene (see `as_value`), or empty.

    (A function, not a subclass of gr.HTML, because Gradio writes a .pyi file beside every
    module that defines a subclass of a component.)
    """

    answers: dict[str, Callable[[Any], Any]] = {
        "scene_maps": scenes.maps,
        "scene_hide": scenes.hide,
        "scene_hide_elsewhere": scenes.hide_elsewhere,
        "scene_look": scenes.look,
        "scene_reframe": scenes.reframe,
        "scene_page": scenes.page,
        "scene_labels": lambda _question: scenes.labels(),
        "scene_of_deck": scenes.deck_scene,
    }
    return gr.HTML(
        html_template=bundle.static("viewer.html"),
        css_template=bundle.static("viewer.css"),
        js_on_load=bundle.script("page.js", DECK_SIZE=len(scenes.deck)),
        server_functions=[server_function(*answer) for answer in answers.items()],
        elem_id="viewer",
        apply_default_css=False,
    )
