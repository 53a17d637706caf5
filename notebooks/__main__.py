"""Run the notebook anew: `python -m notebooks`, or `make notebook`.

Its pictures are kept in the file as JPEGs, its viewer is not: half a megabyte that no preview
shows.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
NOTEBOOK = FOLDER / "hornbill.ipynb"


def executed() -> nbformat.NotebookNode:
    """The notebook with what its cells answer now.

    Raises:
        CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(FOLDER)}}
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources)
    client.execute(env=os.environ | {"PYTHONPATH": str(FOLDER.parent)})
    return notebook


def slim(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without viewers, pictures that stand there twice, warnings and times."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        outputs = [each for each in cell.get("outputs", []) if each.get("name") != "stderr"]
        for output in outputs:
            data = output.get("data", {})
            data.pop("text/html", None)
            if "image/jpeg" in data:
                data.pop("image/png", None)
        if cell.cell_type == "code":
            cell.outputs = outputs
    return notebook


if __name__ == "__main__":
    nbformat.write(slim(executed()), NOTEBOOK)
