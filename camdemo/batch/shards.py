"""The maps: a file for some rows of the table, which NumPy reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .table import BatchRow


def write(folder: Path, rows: Sequence[BatchRow], maps: Sequence[np.ndarray]) -> Path | None:
    """Write the maps of some rows; the file's name is the first row's number. None without a map.

    Rows of photos that can't be read have none, and are left out.

    It has `maps`, float32 (n, h, w), signed, and of each: `numbers` and `files` of the rows,
    `targets` (the labels) and `boxes`, int64 (n, 4): left, top, right and bottom on the photo.
    Whoever reads it finds all of it or no file.
    """
    if not maps:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path, unfinished = folder / f"{rows[0].number:06}.npz", folder / "unfinished.npz"
    explained = [row for row in rows if not row.error]
    boxes = [[getattr(row.box, edge) for edge in row.box.__slots__] for row in explained if row.box]
    np.savez(
        unfinished,
        maps=np.stack(maps),
        numbers=np.array([row.number for row in explained]),
        files=np.array([row.file for row in explained]),
        targets=np.array([row.target for row in explained]),
        boxes=np.array(boxes),
    )
    os.replace(unfinished, path)
    return path
