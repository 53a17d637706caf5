"""Who may import whom: the architecture, as a table that a test holds the code to."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import camdemo

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "camdemo"
WORDS = {"errors", "records", "options", "question"}  # what all rooms speak in
CRAFTS = {"photo", "picture", "models", "methods", "trust"}

# From the bottom up. A room may import what stands beside it here, which lies in a level below
# its own: neighbours in one level know nothing of each other. It need not use it all.
LEVELS: list[dict[str, set[str]]] = [
    {"errors": set()},
    {"records": {"errors"}},
    {"options": {"errors", "records"}},
    {"question": {"errors", "records", "options"}},
    dict.fromkeys(CRAFTS, WORDS),
    {"settings": {"errors", "options", "models"}},
    {
        "engine": WORDS | {"settings", "models", "methods", "trust"},
        "viewer": WORDS | {"picture", "models", "methods"},
    },
    {"trials": WORDS | CRAFTS | {"engine"}},
    {"pixelwise": WORDS | CRAFTS | {"engine", "viewer", "trials"}},
    {
        "finding": WORDS | CRAFTS | {"engine", "viewer", "trials", "pixelwise"},
        "warmup": WORDS | {"models", "engine"},
    },
    {"explanation": WORDS | CRAFTS | {"engine", "viewer", "finding"}},
    {
        "comparison": WORDS | CRAFTS | {"explanation"},
        "explainer": WORDS | CRAFTS | {"settings", "engine", "warmup", "finding", "explanation"},
    },
    {"batch": WORDS | CRAFTS | {"settings", "engine", "viewer", "explanation", "explainer"}},
    {
        "__init__": {"errors", "records", "trust", "settings", "explanation", "comparison"}
        | {"explainer", "batch"}
    },
    {"ui": WORDS | {"settings", "engine", "viewer", "__init__"}},
    {"adding": WORDS | {"models", "explainer"}},
    {"cluster": WORDS | {"settings", "models", "engine", "explainer", "batch", "adding"}},
    {"launch": WORDS | {"photo", "settings", "engine", "explainer", "ui", "cluster"}},
    {
        "cli": WORDS
        | {"settings", "models", "methods", "engine", "explainer", "batch", "ui", "launch"}
        | {"adding", "cluster"}
    },
    {"__main__": {"cli"}, "app": {"cli"}},
]
# What a room may know by name for its type hints, under `if TYPE_CHECKING`.
TYPES = {"ui": {"explainer", "finding", "explanation", "models"}, "__init__": {"launch"}}
# The page knows the engine by its protocol alone.
NARROW = {("ui", "engine"): {"engine.protocol"}}

ALLOWED = {name: allowed for level in LEVELS for name, allowed in level.items()}
FILES = {path.relative_to(ROOT).as_posix(): path for path in PACKAGE.rglob("*.py")}
FILES["app.py"] = ROOT / "app.py"


def module_of(file: str) -> str:
    """The room of a file: "camdemo/picture.py" is picture, "camdemo/ui/viewer.py" is ui."""
    return Path(file).parts[1 if "/" in file else 0].removesuffix(".py")


def imports(tree: ast.AST, file: str, types: bool = False) -> Iterator[tuple[str, bool]]:
    """Modules of ours that are imported anywhere in the tree, and whether for their types."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from imports(ast.Module([child], []), file, types=True)
            for child in node.orelse:
                yield from imports(ast.Module([child], []), file, types)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from ours(alias.name.split("."), types)
        elif isinstance(node, ast.ImportFrom):
            package = list(Path(file).parts[:-1])
            start = package[: len(package) + 1 - node.level] if node.level else []
            source = start + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield from ours([*source, alias.name], types)
        else:
            yield from imports(node, file, types)


def ours(path: list[str], types: bool) -> Iterator[tuple[str, bool]]:
    if path[0] == "camdemo":
        known = len(path) > 1 and path[1] in ALLOWED
        yield (path[1] if known else "__init__"), types


def test_the_table_is_a_chain() -> None:
    below: set[str] = set()
    for level in LEVELS:
        for name, allowed in level.items():
            assert allowed <= below, f"{name} may import {allowed - below}, not below it"
        below |= level.keys()


def test_the_table_has_every_module() -> None:
    assert {module_of(file) for file in FILES} == ALLOWED.keys()


@pytest.mark.parametrize("file", FILES)
def test_imports_are_those_of_the_table(file: str) -> None:
    name = module_of(file)
    for imported, for_types in imports(ast.parse(FILES[file].read_text("utf-8")), file):
        allowed = ALLOWED[name] | {name} | (TYPES.get(name, set()) if for_types else set())
        assert imported in allowed, f"{file} imports {imported}"


def test_what_this_file_sees() -> None:
    # The test of the test: imports in every shape, one of them late, one for its type.
    code = """
import camdemo.picture
from camdemo import Explainer, photo
from . import layers
from ..models import find
if TYPE_CHECKING:
    from ..explainer import Explainer
def late():
    with open(""):
        from .. import trust
import numpy, os.path
"""
    assert list(imports(ast.parse(code), "camdemo/ui/viewer.py")) == [
        ("picture", False),
        ("__init__", False),
        ("photo", False),
        ("ui", False),
        ("models", False),
        ("explainer", True),
        ("trust", False),
    ]


@pytest.mark.parametrize("code", ["import camdemo", "import camdemo; camdemo.Explainer().models()"])
def test_importing_the_package_and_listing_its_models_load_no_torch(code: str) -> None:
    heavy = ["torch", "torchvision", "timm", "captum", "gradio", "ray"]
    check = f"import sys; {code}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_is_public_is_this_and_no_more():
    assert camdemo.__all__ == [
        "BatchRow",
        "Box",
        "CamdemoError",
        "ChoiceError",
        "Comparison",
        "Completeness",
        "Curve",
        "Explainer",
        "Explanation",
        "ImageError",
        "LayerInfo",
        "ModelSpec",
        "Occlusion",
        "Orders",
        "Patches",
        "Prediction",
        "Randomisation",
        "RangeError",
        "RegionError",
        "Scores",
        "SettingError",
        "Settings",
        "WeightsError",
        "compare",
        "explain_many",
        "serve",
    ]
    assert all(hasattr(camdemo, name) for name in camdemo.__all__)
