"""The table: a row a photo, as CSV, which a run that was stopped goes on with."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CamdemoError
from ..explanation import Explanation
from ..records import Box

TOP = 5  # labels of a row
COLUMNS = (
    *("number", "file", "width", "height"),
    *(f"{what}_{place}" for place in range(1, TOP + 1) for what in ("label", "probability")),
    *("target", "target_probability", "versus", "positive_share", "entropy"),
    *("left", "top", "right", "bottom", "milliseconds"),
    *("expected", "expected_rank", "expected_probability", "error"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """What was found of one photo: a row of the table.

    Attributes:
        number: its place in the table, from 0; its overlay and page have it in their names.
        file: the photo's name.
        width, height: of the photo, upright, in pixels.
        top: the five most probable labels with their probabilities, best first.
        target, target_probability: the label that the map explains.
        versus: the labels that it is compared with, with " | " between them; or empty.
        positive_share: how much of the map's evidence speaks for the label, 0 to 1: the sum of what
            is positive over that of all magnitudes. None where the map is 0 everywhere.
        entropy: of the probabilities of all labels, in bits: 0 where one has them all. None of a
            model whose labels don't exclude each other.
        box: the pixels of the photo that the model saw.
        milliseconds: to decode, prepare and explain it.
        expected: the label that it should have; empty where that is not known.
        expected_rank, expected_probability: the place of that among all labels, from 1, and how
            probable the model finds it.
        error: why there is nothing of the above but the name; else empty.
    """

    number: int
    file: str
    width: int = 0
    height: int = 0
    top: tuple[tuple[str, float], ...] = ()
    target: str = ""
    target_probability: float = 0.0
    versus: str = ""
    positive_share: float | None = None
    entropy: float | None = None
    box: Box | None = None
    milliseconds: float = 0.0
    expected: str = ""
    expected_rank: int = 0
    expected_probability: float = 0.0
    error: str = ""

    @property
    def said(self) -> str:
        """The most probable label; empty where the photo can't be read."""
        return self.top[0][0] if self.top else ""

    @property
    def is_wrong(self) -> bool:
        """Whether the model says something else than was expected."""
        return bool(self.expected and self.top and self.expected != self.said)


def row_of(number: int, file: str, one: Explanation, expected: int | None) -> BatchRow:
    """The row of an explained photo."""
    shares = one.probabilities.astype(np.float64)
    entropy = None
    if one.model.activation == "softmax":
        present = shares[shares > 0]
        entropy = float(-(present * np.log2(present)).sum()) + 0.0  # not -0
    positive, all_of_it = (float(part.sum()) for part in (one.cam.clip(min=0), np.abs(one.cam)))
    known = {}
    if expected is not None:
        known = {
            "expected": one.labels[expected],
            "expected_rank": 1 + int((shares > shares[expected]).sum()),
            "expected_probability": float(shares[expected]),
        }
    return BatchRow(
        number=number,
        file=file,
        width=one.image.width,
        height=one.image.height,
        top=tuple((each.label, each.probability) for each in one.predictions),
        target=one.target.label,
        target_probability=one.target.probability,
        versus=" | ".join(rival.label for rival in one.versus),
        positive_share=positive / all_of_it if all_of_it > 0 else None,
        entropy=entropy,
        box=one.box,
        milliseconds=one.timings.total,
        **known,  # type: ignore[arg-type]
    )


class Table:
    """A table on the disk. What a kill or a full disk left of a row at its end is cut off.

    Raises:
        CamdemoError: there is another table in its place, or it can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[BatchRow] = []
        if not path.exists():
            return
        data = path.read_bytes()
        whole = _whole(data)
        text = data[:whole].decode("utf-8", "surrogateescape")
        lines = csv.DictReader(io.StringIO(text, newline=""))
        if whole and tuple(lines.fieldnames or ()) != COLUMNS:
            raise CamdemoError(f"{path} is another table. Choose another folder, or move it away.")
        self.rows = [_read(cells) for cells in lines]
        if whole < len(data):
            os.truncate(path, whole)

    def append(self, rows: Iterable[BatchRow]) -> None:
        """Write rows behind those that are there, in one piece."""
        added = list(rows)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        if not self.path.exists() or not self.path.stat().st_size:
            writer.writeheader()
        writer.writerows(map(_cells, added))
        with self.path.open("ab", buffering=0) as file:
            file.write(text.getvalue().encode("utf-8", "surrogateescape"))
        self.rows += added


def _whole(data: bytes) -> int:
    """How many bytes of a table are whole rows. A row's end is a line's, but for one in quotes."""
    whole = at = quotes = 0
    for line in data.split(b"\n")[:-1]:
        at += len(line) + 1
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            whole = at
    return whole


def _cells(row: BatchRow) -> dict[str, str]:
    """A row as the table has it; what there is nothing of is empty."""
    cells = {"number": str(row.number), "file": row.file, "error": row.error}
    if not row.top:
        return cells | {"expected": row.expected}
    for place, (label, share) in enumerate(row.top, 1):
        cells |= {f"label_{place}": label, f"probability_{place}": _text(share)}
    if row.box is not None:
        cells |= {edge: str(getattr(row.box, edge)) for edge in row.box.__slots__}
    if row.expected:
        known = str(row.expected_rank), _text(row.expected_probability)
        cells |= dict(zip(("expected_rank", "expected_probability"), known, strict=True))
    return cells | {
        "width": str(row.width),
        "height": str(row.height),
        "target": row.target,
        "target_probability": _text(row.target_probability),
        "versus": row.versus,
        "positive_share": "" if row.positive_share is None else _text(row.positive_share),
        "entropy": "" if row.entropy is None else _text(row.entropy),
        "milliseconds": f"{row.milliseconds:.1f}",
        "expected": row.expected,
    }


def _read(cells: Mapping[str, str]) -> BatchRow:
    """The row again."""

    def number(name: str) -> float:
        return float(cells[name] or 0)

    places = [place for place in range(1, TOP + 1) if cells[f"label_{place}"]]
    edges = [cells[edge] for edge in Box.__slots__]
    return BatchRow(
        number=int(cells["number"]),
        file=cells["file"],
        width=int(number("width")),
        height=int(number("height")),
        top=tuple((cells[f"label_{place}"], number(f"probability_{place}")) for place in places),
        target=cells["target"],
        target_probability=number("target_probability"),
        versus=cells["versus"],
        positive_share=number("positive_share") if cells["positive_share"] else None,
        entropy=number("entropy") if cells["entropy"] else None,
        box=Box(*(int(edge) for edge in edges)) if all(edges) else None,
        milliseconds=number("milliseconds"),
        expected=cells["expected"],
        expected_rank=int(number("expected_rank")),
        expected_probability=number("expected_probability"),
        error=cells["error"],
    )


def _text(value: float) -> str:
    return f"{value:.6g}"
