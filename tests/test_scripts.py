"""The viewer's scripts: an ordered list, in which a file uses only what stands before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from camdemo.viewer import bundle

# Comments, texts and regular expressions; of a template only what stands between its words.
_QUIET = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<=[(,=:?!&|])\s*/(?:\\.|[^/\\\n])+/"""
    r"""|`(?P<template>(?:\\.|\$\{(?:[^{}]|\{[^{}]*\})*\}|[^`\\])*)`""",
    re.DOTALL,
)
_HOLE = re.compile(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}")
_TOP = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
# No property of something, and no key of an object: those may have any name.
_WORD = re.compile(r"(?<![\w.$])\w+")
_KEY = re.compile(r"(?<=[{,])(\s*)\w+(?=\s*:)")


def code_of(script: str) -> str:
    """A script without what only people read."""

    def kept(found: re.Match[str]) -> str:
        holes = _HOLE.findall(found["template"] or "")
        return " ".join(f"({code_of(hole)})" for hole in holes) or '""'

    return _QUIET.sub(kept, script)


def defined(script: str) -> list[str]:
    """The names that a script gives to all that come after it."""
    return _TOP.findall(code_of(script))


def used(script: str) -> set[str]:
    """The names in a script that may be another's."""
    code = _KEY.sub(r"\1", code_of(script)).replace("...", " ")
    return set(_WORD.findall(code))


def out_of_order(scripts: dict[str, str]) -> Iterator[str]:
    """What is used before it is there: "a.js uses late of b.js"."""
    later = {word: name for name, script in scripts.items() for word in defined(script)}
    for name, script in scripts.items():
        for word in defined(script):
            del later[word]
        for word in sorted(used(script) & later.keys()):
            yield f"{name} uses {word} of {later[word]}"


def scripts() -> dict[str, str]:
    return {name: bundle.static(name) for name in bundle.SCRIPTS}


def test_a_script_uses_only_what_stands_before_it() -> None:
    assert list(out_of_order(scripts())) == []


@pytest.mark.parametrize("mount", ["page.js", "file.js"])
def test_what_mounts_the_viewer_comes_after_them_all(mount: str) -> None:
    assert mount not in bundle.SCRIPTS
    assert "mountViewer" in used(bundle.static(mount))
    assert bundle.script(mount).endswith(bundle.static(mount))


def test_no_name_is_given_twice() -> None:
    names = [word for script in scripts().values() for word in defined(script)]
    assert len(names) > 80
    assert sorted(names) == sorted(set(names))


def test_every_script_is_in_the_list() -> None:
    folder = bundle.STATIC
    assert {path.name for path in folder.glob("*.js")} == {*bundle.SCRIPTS, "page.js", "file.js"}


def test_the_keys_of_readme_are_those_of_the_viewer() -> None:
    """One list: the dialog, the keyboard, and README's table."""
    script = bundle.static("keys.js")
    keys = re.findall(r'name: "(.+?)",\s+words: "(.+?)"', script)
    assert len(keys) > 12
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| Key | What it does |\n|---|---|\n")[2].partition("\n\n")[0]
    assert table.splitlines() == [f"| {name} | {words} |" for name, words in keys]


def test_what_this_file_sees() -> None:
    # The test of the test: what is used, in every shape, and what only looks like it.
    script = """
// early() in a comment, and /* here */ too
const one = early(1), text = "early2(", other = { early3: 1, ...early5 };
async function two(early6) {
  return one.early7 + early4(0, early8(2)) + `early2 ${early9({ a: "b" })}`;
}
  const inner = x ? early10 : /early11"/.test(early12);
"""
    assert defined(script) == ["one", "two"]
    assert {word for word in used(script) if word.startswith("early")} == {
        *("early", "early4", "early5", "early6", "early8", "early9", "early10", "early12"),
    }
    files = {
        "a.js": "function a() { c(); }",
        "b.js": "function b() { a(); }",
        "c.js": "const c = b;",
    }
    assert list(out_of_order(files)) == ["a.js uses c of c.js"]
