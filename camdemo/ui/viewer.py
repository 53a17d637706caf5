"""The viewer in the page: a gr.HTML that holds a scene and asks the server for more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from ..viewer.bundle import script, static
from .answers import Scenes
from .seams import server_function

_MOUNT = """
const ask = async (name, question) => {
  try {
    return await server[name](question);
  } catch {
    return { error: "The server does not answer. Is it still running?" };
  }
};
const viewer = mountViewer(element, {
  palettes: PALETTES,
  maps: (question) => ask("scene_maps", question),
  hide: (question) => ask("scene_hide", question),
  hideElsewhere: (question) => ask("scene_hide_elsewhere", question),
  look: (question) => ask("scene_look", question),
  reframe: (question) => ask("scene_reframe", question),
  changed: () => trigger("select"),
  page: (question) => ask("scene_page", question),
  labels: () => ask("scene_labels", {}),
  deck: { size: DECK_SIZE, scene: (place) => ask("scene_of_deck", { place }) },
});
const shown = () => viewer.show(props.value ? JSON.parse(props.value) : null);
watch("value", shown);
if (props.value) shown();
"""


def as_value(content: dict[str, Any]) -> str:
    """A scene as the viewer's value.

    It travels as one text: of an object Gradio's page would copy every entry several times,
    which takes longer than painting it.
    """
    return json.dumps(content)


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
    deck = f"const DECK_SIZE = {json.dumps(len(scenes.deck))};"
    return gr.HTML(
        html_template=static("viewer.html"),
        css_template=static("viewer.css"),
        js_on_load="\n".join([script(), deck, _MOUNT]),
        server_functions=[server_function(*answer) for answer in answers.items()],
        elem_id="viewer",
        apply_default_css=False,
    )
