"""The notebook runs, and says what it said."""

from __future__ import annotations

import json

import nbformat
import pytest

from notebooks.__main__ import NOTEBOOK, executed, slim


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return executed()


def outputs(notebook: nbformat.NotebookNode) -> list[list[nbformat.NotebookNode]]:
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def test_an_explanation_shows_the_viewer(notebook: nbformat.NotebookNode) -> None:
    (shown,) = [
        output.data["text/html"]
        for cell in outputs(notebook)
        for output in cell
        if "text/html" in output.get("data", {})
    ]
    assert "<iframe" in shown
    assert "hornbill" in shown


def test_its_figures_stand_in_the_file(notebook: nbformat.NotebookNode) -> None:
    kept = nbformat.read(NOTEBOOK, as_version=4)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in notebook.cells]

    def pictures(one: nbformat.NotebookNode) -> list[int]:
        return [
            sum("image/jpeg" in output.get("data", {}) for output in cell) for cell in outputs(one)
        ]

    assert pictures(kept) == pictures(notebook)
    assert sum(pictures(kept)) >= 7
    assert NOTEBOOK.stat().st_size < 400_000
    assert "text/html" not in json.dumps(kept)
    assert slim(notebook) is notebook


def test_it_looks_for_the_bill(notebook: nbformat.NotebookNode) -> None:
    """Hiding the bill takes more from the label than a random patch does."""
    said = json.dumps(notebook)
    assert "no clear difference" not in said.partition("Hiding this: hornbill")[2][:200]
    assert "hornbill" in said
