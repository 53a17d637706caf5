"""The photos themselves, as the browser gets them: under addresses that say nothing."""

from __future__ import annotations

import io
import mimetypes
import os
import secrets
import stat
import threading
from collections import OrderedDict
from pathlib import Path

from PIL import Image, ImageOps
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

_KEPT = 4096  # addresses of uploads that are remembered
_SIDE = 96  # pixels of a small copy: a button shows it in 48, a good screen in twice as many
# What a browser shows and never runs. Whatever else a stranger uploads is only kept.
_SHOWN = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/avif"}
_CACHED = {"cache-control": "private, max-age=3600"}


class Photos:
    """Addresses of photos, each with a token that nobody can guess. Safe to share between threads.

    Args:
        offered: paths of the examples, or of a deck, which are never forgotten.
    """

    def __init__(self, offered: list[str]) -> None:
        self._lock = threading.Lock()
        self._lasting: dict[str, Path | bytes] = {}  # by token
        self._passing: OrderedDict[str, Path] = OrderedDict()
        self._tokens: dict[str, str] = {}  # by path
        for path in offered:
            self._tokens[path] = self._keep(Path(path))

    def address(self, path: str) -> str:
        """Where a browser finds the photo, below the page's own address."""
        with self._lock:
            token = self._tokens.setdefault(path, secrets.token_urlsafe(16))
            if token not in self._lasting:
                self._passing[token] = Path(path)
                self._passing.move_to_end(token)
            while len(self._passing) > _KEPT:
                _, forgotten = self._passing.popitem(last=False)
                del self._tokens[str(forgotten)]
        return f"photo/{token}"

    def small(self, photo: str | bytes) -> str:
        """The same for a small copy, a JPEG that is made now; it is never forgotten.

        Args:
            photo: a path, or the bytes of a file, of a photo that can be read.
        """
        with Image.open(io.BytesIO(photo) if isinstance(photo, bytes) else photo) as image:
            image.draft("RGB", (2 * _SIDE, 2 * _SIDE))
            copy = ImageOps.exif_transpose(image).convert("RGB")
        file = io.BytesIO()
        ImageOps.fit(copy, (_SIDE, _SIDE)).save(file, "JPEG", quality=85)
        return f"photo/{self._keep(file.getvalue())}"

    async def answer(self, request: Request) -> Response:
        """The route /photo/{token}."""
        token = request.path_params["token"]
        with self._lock:
            found = self._lasting.get(token) or self._passing.get(token)
        if isinstance(found, bytes):
            return Response(found, media_type="image/jpeg", headers=_CACHED)
        gone = JSONResponse({"detail": "There is no such photo here."}, 404)
        return (found and shown(found)) or gone

    def _keep(self, photo: Path | bytes) -> str:
        token = secrets.token_urlsafe(16)
        self._lasting[token] = photo
        return token


def shown(path: Path) -> Response | None:
    """A file for a browser, which is to show a photo and to run nothing; None if there is none."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    kind = mimetypes.guess_type(path.name)[0]
    kind = kind if kind in _SHOWN else "application/octet-stream"
    return FileResponse(path, media_type=kind, headers=_CACHED, stat_result=facts)
