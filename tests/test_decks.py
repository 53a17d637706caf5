"""A deck: which photos of a folder it has, and what they are called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from gradio.media import get_image

from camdemo import CamdemoError
from camdemo.photo import read
from camdemo.ui import examples
from camdemo.ui.decks import photos_in, prepare
from camdemo.ui.offers import Offers


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


@pytest.mark.skipif(sys.platform == "win32", reason="needs links and pipes")
def test_what_can_not_be_read_is_left_out_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lion.jpg").write_bytes(Path(get_image("lion.jpg")).read_bytes())
    (tmp_path / "._lion.jpg").write_bytes(b"\0\5\x16\7 of a Mac")
    (tmp_path / "album.jpg").mkdir()
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")  # whoever opens it waits for ever
    deck = photos_in(tmp_path)
    offers, added = Offers(None, deck), []  # type: ignore[arg-type]

    def add(name: str) -> None:
        read(offers.paths[name])
        added.append(name)

    prepare(SimpleNamespace(offers=offers, add_to_deck=add), deck)  # type: ignore[arg-type]
    assert added == ["lion"]
    assert capsys.readouterr().err == ""  # a bar is for terminals; a log has lines of JSON only
    assert offers.skipped() == (
        "Left out, since it can't be read as a photo: "
        "._lion.jpg, album.jpg, circle.jpg, gone.jpg, pipe.jpg."
    )
