"""The viewer as one HTML file that needs no server, and as a frame in a notebook."""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from .. import question
from . import scene

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = (
    *("options", "maps", "heat", "paint", "words", "duel", "regions", "hiding", "framing"),
    *("panel", "input", "keys", "takeaway", "exchange", "viewer"),
)

# the registry of methods takes its place
_METHODS = (
    {"name": "gradcam", "title": "Grad-CAM", "linear": True},
    {"name": "layercam", "title": "LayerCAM", "linear": False},
)


@cache
def static(name: str) -> str:
    """The text of one of the viewer's files."""
    return (_STATIC / name).read_text(encoding="utf-8")


@cache
def script() -> str:
    """The viewer's JavaScript: plain files, joined in order, and the palettes."""
    parts = [
        f"const OPTIONS = {json.dumps(question.as_json(_METHODS))};",
        *(static(f"{name}.js") for name in _SCRIPTS),
    ]
    return "\n".join([*parts, f"const PALETTES = {json.dumps(scene.palettes())};"])


def page(content: dict[str, Any]) -> str:
    """A self-contained page that shows a complete scene: no request to anywhere."""
    # "</script>" in a label or a file's name must not end the script
    data = json.dumps(content).replace("<", "\\u003c")
    title = html.escape(f"{content['labels'][0]['label']} · camdemo")
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{static("standalone.css")}{static("viewer.css")}</style>
<main><h1>What did it see, and where did it look?</h1>
<div id="viewer">{static("viewer.html")}</div></main>
<script>
{script()}
mountViewer(document.getElementById("viewer"), {{ palettes: PALETTES }}).show({data});
</script>
</html>
"""


def frame(content: dict[str, Any], height: int = 900) -> str:
    """The same as a frame for a notebook, which strips scripts from its own cells."""
    source = html.escape(page(content), quote=True)
    style = f"width: 100%; height: {height}px; border: 0"
    return f'<iframe srcdoc="{source}" style="{style}" title="camdemo"></iframe>'
