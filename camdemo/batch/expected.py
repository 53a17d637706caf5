"""What photos should have been called: a file of names and labels."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ..errors import CamdemoError
from ..models import labels
from ..options import label_or_index
from .listing import Listed


def read(file: Path, photos: Sequence[Listed], names: Sequence[str]) -> dict[str, int]:
    """The label that each photo should have: {its name in the table: index of the label}.

    The file has a photo a line, as CSV: its name, and a label or its index. The name is that of the
    table, or the last part of it where no other photo has the same. A first line "file,label" is
    none. Photos that it does not name are left out, and so are names of no photo.

    Args:
        names: all labels of the model.

    Raises:
        CamdemoError: the file can't be read, a line has no label or one that the model does not
            know, or no photo is named.
    """
    ends = Counter(PurePosixPath(photo.name).name for photo in photos)
    known = {PurePosixPath(one.name).name: one.name for one in photos}
    known = {end: name for end, name in known.items() if ends[end] == 1}
    known |= {photo.name: photo.name for photo in photos}
    found: dict[str, int] = {}
    for number, (name, label) in enumerate(_pairs(file), 1):
        if number == 1 and (name.lower(), label.lower()) == ("file", "label"):
            continue
        try:
            index = labels.find(names, label_or_index(label))
        except CamdemoError as error:
            raise CamdemoError(f"{file}, line {number}: {error}") from error
        if name in known and index is not None:
            found[known[name]] = index
    if not found:
        example = f", such as {photos[0].name!r}" if photos else ""
        raise CamdemoError(f"{file} names none of the {len(photos)} photos{example}.")
    return found


def _pairs(file: Path) -> list[tuple[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except (OSError, csv.Error) as error:
        raise CamdemoError(f"The labels {str(file)!r} can't be read: {error}.") from error
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or not row[1].strip():
            raise CamdemoError(
                f"{file}, line {number}: there is no label in {','.join(row)!r}. A line is "
                "file,label."
            )
    return [(row[0].strip(), row[1].strip()) for row in rows]
