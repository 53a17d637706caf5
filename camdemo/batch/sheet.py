"""The contact sheet: one page of all photos, which asks nobody anything.

It has the rows as numbers, and puts some dozens of pictures on the screen at a time, which are read
when they are seen: so ten thousand photos are no more to a browser than a hundred.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..viewer.bundle import constant
from .table import BatchRow

_STATIC = Path(__file__).parent / "static"


def page(rows: Sequence[BatchRow], facts: Sequence[str]) -> str:
    """The sheet as one HTML file beside the pictures and pages.

    Args:
        facts: what answered, in words: model, layer, method.
    """
    title = html.escape(f"{len(rows):,} photos · {facts[0]}")
    script = "\n".join([constant("SHEET", plain(rows, facts)), _static("sheet.js")])
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_static("sheet.css")}</style>
{_static("sheet.html")}
<script>
{script}
</script>
</html>
"""


def plain(rows: Sequence[BatchRow], facts: Sequence[str]) -> dict[str, Any]:
    """What the sheet's script knows.

    {"facts", "labels": the names of all labels that occur, "rows": a list for each photo (number,
    file, error, [[place of a label in `labels`, its probability], ...] best first, place of the
    expected label or -1, its probability)}. Their files lie at `pages.place`.
    """
    places: dict[str, int] = {}

    def at(label: str) -> int:
        return places.setdefault(label, len(places))

    table = [
        [
            row.number,
            row.file,
            row.error,
            [[at(label), round(share, 4)] for label, share in row.top],
            at(row.expected) if row.expected else -1,
            round(row.expected_probability, 4),
        ]
        for row in rows
    ]
    return {"facts": list(facts), "labels": list(places), "rows": table}


@cache
def _static(name: str) -> str:
    return (_STATIC / name).read_text("utf-8")
