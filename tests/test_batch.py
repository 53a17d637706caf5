"""Many photos: which they are, the table, what a stopped run leaves, and what lies beside it."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image

from camdemo import BatchRow, CamdemoError, Explainer, Settings, explain_many
from camdemo.batch import expected, listing, running
from camdemo.batch.table import COLUMNS, Table
from camdemo.cli import main
from camdemo.question import Look
from camdemo.records import Box

MODEL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(Settings(model=MODEL))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two animals, a tower in a folder of its own, a broken file, and what is no photo."""
    folder = tmp_path / "photos"
    (folder / "far" / ".hidden").mkdir(parents=True)
    (folder / "album.jpg").mkdir()
    for name in ("lion.jpg", "cheetah.jpg"):
        shutil.copy(get_image(name), folder)
    shutil.copy(get_image("tower.jpg"), folder / "far" / 'eine, "Reise".JPG')
    shutil.copy(get_image("lion.jpg"), folder / "far" / ".hidden")
    (folder / "broken.png").write_text("no photo")
    (folder / "._lion.jpg").write_bytes(b"\0")
    (folder / "notes.md").write_text("no photo")
    return folder


NAMES = ["broken.png", "cheetah.jpg", "lion.jpg", 'far/eine, "Reise".JPG']


# -- which photos


def test_a_folder_has_its_photos_and_those_below(photos: Path) -> None:
    found = listing.photos_of([photos])
    assert [one.name for one in found] == NAMES
    assert all(one.path == photos / one.name for one in found)
    assert [one.name for one in listing.photos_of([photos], apart=photos / "far")] == NAMES[:3]


def test_patterns_lists_and_files_each_photo_once(photos: Path) -> None:
    names = [str(photos / name) for name in NAMES]
    assert [one.name for one in listing.photos_of([f"{photos}/*.jpg"])] == names[1:3]
    assert [one.name for one in listing.photos_of([f"{photos}/**/*.JPG"])] == names[3:]
    several = [photos / "lion.jpg", f"{photos}/c*.jpg", photos]
    found = [one.name for one in listing.photos_of(several)]
    assert found == [names[2], names[1], names[0], names[3]]
    listed = photos / "list.txt"
    listed.write_bytes("\ufefflion.jpg\r\n\r\nfar/nowhere.jpg\nlion.jpg\n".encode())
    found = listing.photos_of([listed])
    assert [one.name for one in found] == ["lion.jpg", "far/nowhere.jpg"]
    assert found[0].path == photos / "lion.jpg"


def test_a_name_with_brackets_is_a_photo(photos: Path) -> None:
    file = photos / "lion[1].jpg"
    shutil.copy(photos / "lion.jpg", file)
    assert [one.path for one in listing.photos_of([file])] == [file]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nowhere", "no folder, file or list 'nowhere'"),
        ("{0}/far/.hidden/*.png", "no photo in"),
        ("{0}/album.jpg", "no photo in"),
        ("{0}/no.txt", "is no list of photos"),
    ],
)
def test_what_has_no_photo_is_refused(what: str, message: str, photos: Path) -> None:
    (photos / "no.txt").write_bytes(b"\0\1")
    with pytest.raises(CamdemoError, match=message):
        listing.photos_of([what.format(photos)])


def test_expected_labels_go_by_name_by_its_end_and_by_index(photos: Path, tmp_path: Path) -> None:
    names = ("lion", "cheetah", "castle, or so")
    listed = listing.photos_of([photos])
    file = tmp_path / "labels.csv"
    file.write_text('File,Label\nlion.jpg,lion\n"eine, ""Reise"".JPG", 2\nno.jpg,lion\n')
    assert expected.read(file, listed, names) == {"lion.jpg": 0, NAMES[3]: 2}
    file.write_text('cheetah.jpg,"castle, or so"\n')
    assert expected.read(file, listed, names) == {"cheetah.jpg": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lion.jpg,lionn", "line 1: There is no label 'lionn'"),
        ("file,label\nlion.jpg,7", "line 2: label index 7 is not a number from 0 to 1"),
        ("lion.jpg", "line 1: there is no label in 'lion.jpg'"),
        ("other.jpg,lion", "names none of the 4 photos, such as 'broken.png'"),
    ],
)
def test_expected_labels_that_mean_nothing_are_refused(
    text: str, message: str, photos: Path, tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(CamdemoError, match=message):
        expected.read(file, listing.photos_of([photos]), ("lion", "cheetah"))
    with pytest.raises(CamdemoError, match="can't be read"):
        expected.read(tmp_path / "nowhere.csv", [], ("lion",))


# -- the table


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [
        BatchRow(
            number=0,
            file='a "b",\nc.jpg',
            width=4,
            height=3,
            top=(("lion", 0.75), ("a, b", 0.25)),
            target="lion",
            target_probability=0.75,
            versus="a, b",
            positive_share=None,
            entropy=0.5,
            box=Box(-1, 0, 3, 3),
            milliseconds=1.5,
            expected="a, b",
            expected_rank=2,
            expected_probability=0.25,
        ),
        BatchRow(number=1, file="\udcff.jpg", error="no\nphoto"),
    ]
    table = Table(tmp_path / "table.csv")
    table.append(rows[:1])
    table.append(rows[1:])
    assert Table(tmp_path / "table.csv").rows == table.rows == rows
    assert rows[0].is_wrong
    assert not rows[1].is_wrong
    with (tmp_path / "table.csv").open(newline="", errors="surrogateescape") as file:
        assert next(csv.reader(file)) == list(COLUMNS)


def test_half_a_row_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    Table(path).append([BatchRow(number=n, file=f"a\n{n}.jpg", error="x") for n in range(3)])
    whole = path.read_bytes()
    two = whole.rindex(b'2,"a')
    for end in range(two + 1, len(whole)):
        path.write_bytes(whole[:end])
        assert [row.number for row in Table(path).rows] == [0, 1]
        assert path.read_bytes() == whole[:two]
    path.write_bytes(whole[:5])  # of the first line
    table = Table(path)
    table.append([BatchRow(number=0, file="a.jpg", error="x")])
    assert [row.file for row in Table(path).rows] == ["a.jpg"]


def test_another_table_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,price\nlion,3\n")
    with pytest.raises(CamdemoError, match="another table"):
        Table(path)
    assert path.read_text() == "name,price\nlion,3\n"


# -- a run


@pytest.fixture(scope="module")
def run(
    explainer: Explainer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, list[BatchRow]]:
    """A run with all there is: the photos, the results, the rows."""
    photos = tmp_path_factory.mktemp("photos")
    for name in ("lion.jpg", "cheetah.jpg", "tower.jpg"):
        shutil.copy(get_image(name), photos)
    (photos / "broken.jpg").write_bytes(b"no photo")
    labels = photos / "labels.csv"
    labels.write_text("lion.jpg,lion\ncheetah.jpg,jaguar\ntower.jpg,church\n")
    output = photos / "out"
    what = {"overlay": True, "maps": True, "expected": labels}
    return photos, output, explain_many(photos, output, explainer=explainer, **what)


def test_each_photo_has_the_row_of_its_own_explanation(run: tuple, explainer: Explainer) -> None:
    photos, output, rows = run
    assert [row.file for row in rows] == ["broken.jpg", "cheetah.jpg", "lion.jpg", "tower.jpg"]
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert rows[0].error.startswith("This is not a photo that can be read.")
    assert rows[0].top == ()
    maps = dict(zip([1, 2, 3], np.load(output / "maps" / "000000.npz")["maps"], strict=True))
    for row in rows[1:]:
        one = explainer.explain(photos / row.file)
        assert [label for label, _ in row.top] == [each.label for each in one.predictions]
        shares = [share for _, share in row.top]
        assert shares == pytest.approx([each.probability for each in one.predictions], abs=1e-5)
        assert (row.target, row.versus, row.error) == (one.target.label, "", "")
        assert (row.width, row.height, row.box) == (*one.image.size, one.box)
        positive = one.cam.clip(min=0).sum() / np.abs(one.cam).sum()
        assert row.positive_share == pytest.approx(positive, abs=1e-5)
        everything = -(one.probabilities * np.log2(one.probabilities)).sum()
        assert row.entropy == pytest.approx(everything, abs=1e-3)
        assert row.milliseconds > 0
        assert np.abs(maps[row.number] - one.cam).max() <= 1e-5 * np.ptp(one.cam)


def test_the_table_on_the_disk_is_what_is_returned(run: tuple) -> None:
    _, output, rows = run
    kept = Table(output / "table.csv").rows
    for row, other in zip(rows, kept, strict=True):
        assert (row.file, row.box, row.expected, row.error) == (
            other.file,
            other.box,
            other.expected,
            other.error,
        )
        assert (other.entropy is None) == (row.entropy is None) == bool(row.error)
        if row.entropy is not None:
            assert other.entropy == pytest.approx(row.entropy, rel=1e-5)
        assert [share for _, share in other.top] == pytest.approx(
            [share for _, share in row.top], rel=1e-5
        )


def test_what_was_expected_stands_beside_what_was_said(run: tuple) -> None:
    _, _, (broken, cheetah, lion, tower) = run
    assert broken.expected == ""
    assert (cheetah.expected, cheetah.expected_rank) == ("jaguar", 3)
    assert cheetah.expected_probability == pytest.approx(dict(cheetah.top)["jaguar"])
    assert (lion.expected, lion.expected_rank, lion.is_wrong) == ("lion", 1, False)
    assert cheetah.is_wrong
    assert tower.is_wrong
    assert "church" not in dict(tower.top)


def test_maps_say_whose_they_are(run: tuple) -> None:
    _, output, rows = run
    (shard,) = (output / "maps").iterdir()
    kept = np.load(shard)
    assert kept["numbers"].tolist() == [1, 2, 3]
    assert kept["files"].tolist() == [row.file for row in rows[1:]]
    assert kept["targets"].tolist() == [row.target for row in rows[1:]]
    assert kept["boxes"].tolist()[0] == [101, 21, 401, 322]
    assert kept["maps"].dtype == np.float32


def test_overlays_are_those_of_an_explanation(run: tuple, explainer: Explainer) -> None:
    photos, output, rows = run
    for row in rows[1:]:
        drawn = np.asarray(Image.open(output / f"overlays/000/{row.number:06}.jpg"), np.int16)
        plain = np.asarray(explainer.explain(photos / row.file).overlay(), np.int16)
        assert drawn.shape == plain.shape
        assert np.abs(drawn - plain).mean() < 3  # what a JPEG does
    assert not (output / "overlays/000/000000.jpg").exists()


def test_pages_and_sheet_ask_nobody_and_name_what_is_there(run: tuple) -> None:
    _, output, _ = run
    for path in [output / "index.html", *output.glob("pages/*/*.html")]:
        text = path.read_text("utf-8")
        assert not re.search(r"https?://", text)
        for linked in re.findall(r'(?:href|src)="([^"#]+)"', text):
            assert (path.parent / linked).exists(), linked
    assert len(list(output.glob("pages/*/*.html"))) == 3
    assert len(list(output.glob("thumbs/*/*.jpg"))) == 3


def test_what_is_there_is_not_computed_again(
    run: tuple, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, output, rows = run
    monkeypatch.setattr(running.Job, "one", None)
    what = {"overlay": True, "maps": True, "expected": photos / "labels.csv"}
    again = explain_many(photos, output, explainer=explainer, **what)
    assert [row.file for row in again] == [row.file for row in rows]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layer": "blocks.6"}, "layer None, and not layer 'blocks.6'"),
        ({"maps": False}, "maps True, and not maps False"),
        ({"expected": None}, "another question"),
        ({"look": Look(opacity=0.2)}, "another question"),
    ],
)
def test_another_question_needs_another_folder(
    changed: dict, message: str, run: tuple, explainer: Explainer
) -> None:
    photos, output, _ = run
    what = {"overlay": True, "maps": True, "expected": photos / "labels.csv"} | changed
    with pytest.raises(CamdemoError, match=re.escape(message)):
        explain_many(photos, output, explainer=explainer, **what)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layer": "nowhere"}, "no layer 'nowhere'"),
        ({"target": "lionn"}, "no label 'lionn'"),
        ({"model": "nothing"}, "no model 'nothing'"),
        ({"method": "magic"}, "no method 'magic'"),
        ({"target": "lion", "versus": "lion"}, "compared with itself"),
    ],
)
def test_what_no_photo_can_be_asked_is_refused_at_once(
    asked: dict, message: str, photos: Path, tmp_path: Path, explainer: Explainer
) -> None:
    with pytest.raises(CamdemoError, match=message):
        explain_many(photos, tmp_path / "out", explainer=explainer, **asked)
    assert not (tmp_path / "out").exists()


def test_nothing_of_others_is_written_to(
    photos: Path, tmp_path: Path, explainer: Explainer
) -> None:
    for output in (photos, photos / "lion.jpg"):
        with pytest.raises(CamdemoError, match="no empty folder"):
            explain_many(photos, output, explainer=explainer)


def stopping(monkeypatch: pytest.MonkeyPatch, at: str, error: BaseException) -> Callable[[], None]:
    """Let the run be interrupted at this photo; returns what undoes that."""
    whole = running.Job.one

    def one(self: running.Job, number: int, photo: listing.Listed) -> tuple:
        if photo.name == at:
            raise error
        return whole(self, number, photo)

    monkeypatch.setattr(running.Job, "one", one)
    return lambda: monkeypatch.setattr(running.Job, "one", whole)


def test_a_run_that_was_stopped_goes_on(
    photos: Path, tmp_path: Path, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    undo = stopping(monkeypatch, "lion.jpg", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        explain_many(photos, output, explainer=explainer, maps=True)
    assert [row.file for row in Table(output / "table.csv").rows] == NAMES[:2]
    assert "cheetah.jpg" in (output / "index.html").read_text()
    undo()
    with (output / "table.csv").open("ab") as file:  # and it was killed amid a row
        file.write(b'2,"lion.j')
    rows = explain_many(photos, output, explainer=explainer, maps=True)
    assert [row.file for row in rows] == NAMES
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert sorted(path.name for path in (output / "maps").iterdir()) == ["000000.npz", "000002.npz"]
    assert np.load(output / "maps" / "000002.npz")["files"].tolist() == NAMES[2:]


def test_frames_and_duels_are_questions_too(
    photos: Path, tmp_path: Path, explainer: Explainer
) -> None:
    asked = {"target": "cheetah", "versus": "lion", "framing": "0,0,300,200", "layer": "all"}
    rows = explain_many(photos, tmp_path / "out", explainer=explainer, **asked)
    by_name = {row.file: row for row in rows}
    # Of the lion's photo, 256 x 256, that is no part.
    assert "is not within the photo" in by_name["lion.jpg"].error
    cheetah = by_name["cheetah.jpg"]
    assert (cheetah.target, cheetah.versus) == ("cheetah", "lion")
    assert cheetah.box == Box(0, 0, 300, 200)
    assert (tmp_path / "out/pages/000/000001.html").exists()


def test_maps_of_pixels_have_pages_too(tmp_path: Path, explainer: Explainer) -> None:
    output = tmp_path / "out"
    (row,) = explain_many(get_image("lion.jpg"), output, explainer=explainer, method="saliency")
    assert (row.target, row.error) == ("lion", "")
    page = (output / "pages/000/000000.html").read_text()
    assert '"pixels": {"map"' in page
    assert '["EfficientNet-Lite0", "Saliency"]' in (output / "index.html").read_text()


def test_the_command_writes_and_says_what(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("CAMDEMO_MODEL", MODEL)
    labels = tmp_path / "labels.csv"
    labels.write_text("lion.jpg,tiger\n")
    output = tmp_path / "out"
    command = ["batch", str(photos), "-o", str(output), "--expected", str(labels), "--no-sheet"]
    assert main(command) == 0
    told = capsys.readouterr().out
    expected = f"4 photos, 1 could not be read, 1 not as expected: {output / 'table.csv'}\n"
    assert told == expected
    assert sorted(path.name for path in output.iterdir()) == ["batch.json", "table.csv"]
    assert main(["batch", "nowhere", "-o", str(tmp_path / "other")]) == 1
    assert "no folder, file or list 'nowhere'" in capsys.readouterr().err
    assert main([*command, "--opacity", "2"]) == 1
    undo = stopping(monkeypatch, "lion.jpg", KeyboardInterrupt())
    assert main(["batch", str(photos), "-o", str(tmp_path / "third"), "--no-sheet"]) == 130
    assert "goes on from here" in capsys.readouterr().err
    undo()
