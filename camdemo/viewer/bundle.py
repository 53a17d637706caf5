"""The viewer as one HTML file that needs no server, and as a frame in a notebook."""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from .. import methods, question
from ..options import plain
from . import scene
from .scene import Scene

_SHAPE = 224, 224  # of most networks' inputs, for what methods cost
STATIC = Path(__file__).parent / "static"
# What a server takes, and so what a viewer asks for.
MOST = 8  # layers or labels in one question
LONGEST_FRAME = 512  # pixels a side of a camera's frame: networks are given 224 to 260
# In their order: a script uses only what stands before it. After them comes what mounts the viewer,
# in the page (page.js) or in a file (file.js).
SCRIPTS = (
    "basics.js",
    "options.js",
    "settings.js",
    "combobox.js",
    "maps.js",
    "smooth.js",
    "fused.js",
    "heat.js",
    "paint.js",
    "words.js",
    "alike.js",
    "duel.js",
    "regions.js",
    "menus.js",
    "hiding.js",
    "panel.js",
    "exchange.js",
    "asking.js",
    "pixels.js",
    "framing.js",
    "photos.js",
    "live.js",
    "halves.js",
    "difference.js",
    "compare.js",
    "trust.js",
    "address.js",
    "input.js",
    "stage.js",
    "keys.js",
    "python.js",
    "figure.js",
    "takeaway.js",
    "viewer.js",
)


@cache
def static(name: str) -> str:
    """The text of one of the viewer's files."""
    return (STATIC / name).read_text(encoding="utf-8")


def constant(name: str, value: Any) -> str:
    """A value as a constant of the script."""
    # "</script>" in a label or a file's name must not end the script
    return f"const {name} = {json.dumps(value)};".replace("<", "\\u003c")


def script(mount: str | None = None, **constants: Any) -> str:
    """The viewer's JavaScript: what it knows of the house, plain files in order, and the mounting.

    Args:
        mount: the file that mounts the viewer; None where something else does.
        constants: what that file finds beside the scripts.
    """
    limits = {"MOST": MOST, "LONGEST_FRAME": LONGEST_FRAME}
    known = {"OPTIONS": options(), "PALETTES": scene.palettes(), **limits, **constants}
    lines = [constant(name, value) for name, value in known.items()]
    return "\n".join([*lines, *(static(name) for name in (*SCRIPTS, *([mount] if mount else ())))])


def options() -> dict[str, Any]:
    """What a person can choose, as the viewer knows it."""
    facts = ("name", "title", "kind", "paper", "formula", "linear", "knows_label", "note", "reason")
    return question.as_json(
        {name: getattr(method, name) for name in facts}
        | {
            "settings": [plain(each) for each in method.settings],
            "forwards": method.forwards(method.set({}), _SHAPE),
        }
        for method in methods.all()
    )


def page(shown: Scene) -> str:
    """A self-contained page that shows a complete scene: no request to anywhere."""
    title = html.escape(f"{shown.target.label} · camdemo")
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{static("standalone.css")}{static("viewer.css")}</style>
<main id="viewer">{static("viewer.html")}</main>
<script>
{script("file.js", SCENE=shown.as_json())}
</script>
</html>
"""


def frame(shown: Scene, height: int = 900) -> str:
    """The same as a frame for a notebook, which strips scripts from its own cells."""
    source = html.escape(page(shown), quote=True)
    style = f"width: 100%; height: {height}px; border: 0"
    return f'<iframe srcdoc="{source}" style="{style}" title="camdemo"></iframe>'
