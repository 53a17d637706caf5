"""A deck: which photos of a folder it has, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from camdemo import CamdemoError
from camdemo.ui import examples
from camdemo.ui.decks import photos_in


def folder_of(tmp_path: Path, *names: str) -> Path:
    for name in names:
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def names(tmp_path: Path, *files: str) -> dict[str, str]:
    found = photos_in(folder_of(tmp_path, *files))
    return {shown: Path(path).name for shown, path in found.items()}


def test_photos_are_called_without_their_ending(tmp_path: Path) -> None:
    found = names(tmp_path, "lion.jpg", "cat.PNG", "notes.txt")
    assert found == {"cat": "cat.PNG", "lion": "lion.jpg"}
    assert list(found) == ["cat", "lion"]


def test_photos_of_one_name_keep_their_endings_and_none_is_lost(tmp_path: Path) -> None:
    found = names(tmp_path, "a.jpg", "a.png", "b.jpg", "A.jpg")
    assert found == {"A": "A.jpg", "a.jpg": "a.jpg", "a.png": "a.png", "b": "b.jpg"}


def test_a_name_that_is_anothers_whole_name_keeps_its_ending(tmp_path: Path) -> None:
    files = ["a.jpg", "a.png", "a.jpg.png"]
    assert names(tmp_path, *files) == {name: name for name in files}


@pytest.mark.parametrize("name", ["none", "notes.txt"])
def test_no_folder_and_no_photo_are_refused(tmp_path: Path, name: str) -> None:
    folder_of(tmp_path, "notes.txt")
    with pytest.raises(CamdemoError, match="no folder"):
        photos_in(tmp_path / name)
    with pytest.raises(CamdemoError, match="no photo"):
        photos_in(tmp_path)


def test_the_python_of_a_decks_photo_names_its_file_and_not_where_it_lies() -> None:
    facts = examples.facts("a", {"a": "/home/somebody/a's.jpg"})
    assert facts["code"] == {"imports": [], "photo": '"a\'s.jpg"'}
    assert "somebody" not in str(facts)
