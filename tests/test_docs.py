"""What README.md and CONTRIBUTING.md claim is held to the code."""

from __future__ import annotations

import re
from pathlib import Path

from camdemo import Settings, methods, options, settings
from camdemo.models import catalogue
from camdemo.question import Look, Question

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def models_table() -> str:
    """The table of models as README.md must have it."""
    rows = [
        "| Name | Model | Parameters | Weights | Input | Where from |",
        "|---|---|--:|--:|--:|---|",
    ]
    for spec in catalogue.CATALOGUE:
        side = spec.transform.crop
        where = catalogue.CATALOGUE.source_of(spec).phrase
        rows.append(
            f"| `{spec.name}` | {spec.title} | {spec.parameters / 1e6:.1f} M "
            f"| {spec.megabytes:.0f} MB | {side} x {side} | {where} |"
        )
    return "\n".join(rows)


def test_the_table_of_models_is_the_catalogue() -> None:
    assert f"<!-- models -->\n{models_table()}\n<!-- /models -->" in README


def test_the_front_matter_is_a_space() -> None:
    matter = README.split("---")[1]
    pins = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.M))
    facts = dict(re.findall(r"^(\w+): \"?([^\"\n]+)\"?$", matter, re.M))
    assert facts["sdk"] == "gradio"
    assert facts["sdk_version"] == pins["gradio"]
    assert (ROOT / facts["app_file"]).is_file()
    assert len(facts["short_description"]) <= 60  # the Hub refuses a longer one


def test_the_table_of_settings_is_the_list() -> None:
    assert f"<!-- settings -->\n{settings.table()}\n<!-- /settings -->" in README
    for each in options.of(Settings):
        assert each.help in settings.table()


def test_the_tables_of_options_are_the_options() -> None:
    for name, chosen in (("question", Question), ("look", Look)):
        assert f"<!-- {name} -->\n{options.table(chosen)}\n<!-- /{name} -->" in README


def test_the_tables_of_methods_are_the_registry() -> None:
    for kind in ("layer", "pixel"):
        assert f"<!-- {kind} methods -->\n{methods.table(kind)}\n<!-- /{kind} methods -->" in README
    for method in methods.all():
        assert method.use, method.name


def test_pictures_of_the_readme_exist() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file()


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in (ROOT / "camdemo").rglob("*.py"):
        if not path.name.startswith("__"):
            assert re.search(rf"^\s+{re.escape(path.name)} ", text, re.M), path


def test_every_dependency_says_why() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for file in ("requirements.txt", "requirements-dev.txt"):
        for name in re.findall(r"^([\w-]+)==", (ROOT / file).read_text(), re.M):
            assert re.sub(r"lite\d", "lite{0,1,2}", name) in text, name


def test_promises_name_modules_and_tests_that_there_are() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [row.split("|") for row in text.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 10
    for _, promise, held, shown, _ in rows:
        modules, tests = (re.findall(r"`([\w/]+\.py)`", cell) for cell in (held, shown))
        assert modules, promise
        assert tests, promise
        for path in [ROOT / "camdemo" / name for name in modules]:
            assert path.is_file(), path
        for path in [ROOT / "tests" / name for name in tests]:
            assert path.is_file(), path
