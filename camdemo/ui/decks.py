"""A folder of photos for a talk, shown instead of the examples."""

from __future__ import annotations

from pathlib import Path

from ..errors import CamdemoError

_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}


def photos_in(folder: Path) -> dict[str, str]:
    """The photos of a folder by their names without ending, in the order of the names.

    Raises:
        CamdemoError: there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise CamdemoError(f"There is no folder {str(folder)!r} to make a deck of.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PHOTOS)
    if not files:
        raise CamdemoError(f"There is no photo in {str(folder)!r}.")
    return {path.stem: str(path.resolve()) for path in files}
