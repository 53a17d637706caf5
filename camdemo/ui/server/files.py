"""Files of visitors by their paths, as the API tells them: theirs, and the pictures made of them.

Gradio's own route fetches an address that stands for a path, fails over ranges that it does not
know, and sends a client's headers back to it.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .. import seams
from .photos import shown


async def answer(request: Request) -> Response:
    """The route of `file=`: 403 for what is not in the folder of uploads, or not there."""
    named = request.path_params["path_or_url"]
    try:
        path = Path(named).resolve()
        is_ours = not seams.is_address(named) and path.is_relative_to(seams.upload_folder())
    except (OSError, ValueError, RuntimeError):  # such as a path in circles
        is_ours = False
    found = shown(path) if is_ours else None
    return found or JSONResponse({"detail": "There is no such file here."}, 403)
