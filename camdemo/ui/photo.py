"""The upload: Gradio's image component, but the file reaches us as it was sent."""

from __future__ import annotations

from typing import Any

# For events that take an upload. Gradio would open the file before our code sees it, with an
# error of its own for a damaged one; `camdemo.photo` does that part, with all the checks.
# What every other input then holds is what the client sent, and is validated behind it.
AS_SENT: dict[str, Any] = {"preprocess": False}


def path_of(upload: Any) -> str | None:
    """The path of an upload that Gradio has checked to be one; None for none."""
    return upload["path"] if isinstance(upload, dict) else None
