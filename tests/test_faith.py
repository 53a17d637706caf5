"""The benchmark in benchmarks/faith.py: its intervals by hand, and its tables on a toy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from benchmarks import faith
from benchmarks.intervals import bootstrap
from benchmarks.ways import CENTRE, DEFAULT, RANDOM, Way, ways
from camdemo import Explainer, Settings

from .tiny_models import install

MODEL = "efficientnet_lite0"  # its place; its mean and deviation are one half
METHODS = ["gradcam", "eigencam", "occlusion"]
HEADER = "|  | insertion − deletion | order of hidden patches | evidence on its own photo |"


class Colours(nn.Module):
    """Labels 0 and 1 are the red and the green in the picture that is lighter than mid-grey."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.AvgPool2d(16)
        self.coarse = nn.AvgPool2d(2)
        self.head = nn.Linear(3, 1000, bias=False)
        self.head.weight.data.zero_()
        self.head.weight.data[0, 0] = self.head.weight.data[1, 1] = 3500
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.coarse(self.fine(x.relu())).mean(dim=(2, 3)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos with a spot off the middle, a red one and a green one, and a broken file."""
    for name, colour in (("red.png", (255, 60, 60)), ("green.png", (60, 255, 60))):
        image = Image.new("RGB", (256, 256), (60, 60, 60))
        image.paste(colour, (60, 60, 72, 72))  # so small that a blur hides it
        image.save(tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "notes.txt").write_text("nor is this")
    return tmp_path


@pytest.fixture
def explainer(monkeypatch: pytest.MonkeyPatch) -> Explainer:
    install(monkeypatch, lambda _spec: Colours())
    return Explainer(Settings(model=MODEL, lanes=1))


def test_an_interval_by_hand() -> None:
    # The photo with the 1 is drawn k times of 4 with the probability binomial(4, 1/4): at most
    # twice in 94.9 % of draws, at most three times in 99.6 %.
    found = bootstrap(np.array([0.0, 0, 0, 1]), np.arange(4)[:, np.newaxis])
    assert (found.mean, found.low, found.high) == (0.25, 0, 0.75)
    assert found.text() == "0.250 [0.000, 0.750]"


def test_what_is_of_one_photo_is_drawn_together() -> None:
    # Both photos are drawn: 1; the first alone: 3/2; the second alone: 0.
    found = bootstrap(np.array([0.0, 3, 0]), np.array([[0], [0], [1]]))
    assert (found.mean, found.low, found.high) == (1, 0, 1.5)


def test_a_pair_comes_as_often_as_both_of_its_photos() -> None:
    # Of three photos two may be drawn, and their pair alone is left; of one there is no pair.
    found = bootstrap(np.array([1.0, 0.4, 0.4]), np.array([[0, 1], [0, 2], [1, 2]]))
    assert (found.mean, found.low, found.high) == (pytest.approx(0.6), 0.4, 1)
    assert found.text("+") == "**+0.600 [+0.400, +1.000]**"
    assert bootstrap(np.array([-1.0, 1]), np.array([[0], [1]])).text("+")[0] != "*"


def test_what_is_compared() -> None:
    found = ways(METHODS, ["blocks.4+blocks.6"])
    places = ["last", "all", "before", "blocks.4+blocks.6"]
    expected = [("gradcam", place) for place in places]
    expected += [("eigencam", "last"), ("eigencam", "all")]
    expected += [("occlusion", "raw"), ("occlusion", "smoothed")]
    assert [(way.method, way.where) for way in found] == expected
    assert found[0] == DEFAULT


def test_the_tables_of_two_photos(
    explainer: Explainer, folder: Path, capsys: pytest.CaptureFixture
) -> None:
    opened, asked = faith.photos(folder), ways(METHODS, ["fine+coarse"])
    names = [name for name, _ in opened]
    assert sorted(names) == ["broken.jpg", "green.png", "red.png"]
    kept = faith.Kept()
    faith.measure(explainer, opened, [MODEL], asked, kept, steps=8)
    assert "broken.jpg is left out: This is not a photo" in capsys.readouterr().err

    (pair,) = (one for of, one in kept.all.items() if len(of) == 3)
    assert pair[DEFAULT.name]["pointing"] == 1
    assert pair["eigencam, last"]["pointing"] == pytest.approx(0.5, abs=0.01)  # knows no label
    assert abs(pair[RANDOM]["pointing"] - 0.5) < 0.15
    for name in ("red.png", "green.png"):
        one = kept.all[MODEL, name]
        default, random = one[DEFAULT.name], one[RANDOM]
        # The spot goes and comes in the first of eight steps: at each end half a step is lost.
        assert default["curves"] == pytest.approx(one["probability"] * 7 / 8, abs=0.01)
        assert default["curves"] > 0.8
        assert random["curves"] < default["curves"]
        assert default["patches"] == pytest.approx(1)
        assert random["patches"] < 0.5
        assert one["occlusion, raw"]["curves"] > 0.5
        assert one[CENTRE]["curves"] < default["curves"]
        assert one["gradcam, fine+coarse"] == one["gradcam, all"]

    said = faith.say(kept, asked, [MODEL], names)
    assert f"Of 2 answers 0 are below 10%, and left out.\n\n|  | {MODEL} |" in said
    assert f"\n\n2 photos, 2 answers, 1 pairs; {MODEL}:\n\n{HEADER}\n" in said
    values, differences = said.split("Less Grad-CAM, last stage, on the same photos:\n\n")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in differences.splitlines()[2:]]
    assert rows == [
        "Grad-CAM, fused",
        "Grad-CAM, stage before",
        "Grad-CAM, fine + coarse",
        "EigenCAM, last stage",
        "EigenCAM, fused",
        "Occlusion, raw",
        "Occlusion, smoothed",
        "a random map",
        "a spot in the middle",
    ]
    assert "| Grad-CAM, last stage | " in values
    assert all(line.count("[") == 3 for line in differences.splitlines()[2:])


def test_a_random_map_is_near_nothing(explainer: Explainer, folder: Path) -> None:
    """On one photo it may come out otherwise; on many it does not."""
    photo = np.asarray(Image.open(folder / "red.png"))
    found = []
    for shift in range(0, 120, 12):
        moved = np.roll(photo, (shift, shift // 2), (0, 1))
        found.append(faith.of_photo(explainer, moved, MODEL, [DEFAULT], 4))
    for measure in ("curves", "patches"):
        values = np.array([one[RANDOM][measure] for one in found])
        interval = bootstrap(values, np.arange(len(values))[:, np.newaxis])
        assert interval.low < 0 < interval.high
        assert interval.high < min(one[DEFAULT.name][measure] for one in found)


def test_it_goes_on_where_it_was_stopped(
    explainer: Explainer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept.jsonl"
    opened = faith.photos(folder)
    faith.measure(explainer, opened, [MODEL], [DEFAULT], faith.Kept(path), steps=2)
    whole = path.read_text()
    path.write_text(whole[:-20])  # in the middle of the last line
    asked: list[list[Way]] = []

    def counted(*arguments: object) -> dict:
        asked.append(list(arguments[3]))  # type: ignore[call-overload]
        return of_pair(*arguments)  # type: ignore[arg-type]

    of_pair = faith.of_pair
    monkeypatch.setattr(faith, "of_pair", counted)
    monkeypatch.setattr(faith, "of_photo", None)
    faith.measure(explainer, opened, [MODEL], [DEFAULT], faith.Kept(path), steps=2)
    faith.measure(explainer, opened, [MODEL], [DEFAULT], faith.Kept(path), steps=2)
    assert asked == [[DEFAULT]]
    pair = [name for name, _ in opened if name != "broken.jpg"]
    assert faith.Kept(path).all[MODEL, *pair][DEFAULT.name] == {"pointing": 1}


def test_an_answer_that_is_hardly_one_is_left_out(
    explainer: Explainer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faith, "LEAST", 1.1)
    kept, opened = faith.Kept(), faith.photos(folder)
    faith.measure(explainer, opened, [MODEL], [DEFAULT], kept)
    assert sorted(kept.all[MODEL, "red.png"]) == ["label", "probability"]
    said = faith.say(kept, [DEFAULT], [MODEL], ["red.png", "green.png"])
    assert "Of 2 answers 2 are below 110%" in said
    assert "0 photos, 0 answers, 0 pairs" in said


def test_few_of_many_are_always_the_same_and_no_photo_says_so(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    every = [name for name, _ in faith.photos(folder)]
    assert [name for name, _ in faith.photos(folder, 2)] == every[:2]
    assert len(faith.photos()) == len(faith.THEIRS) + len(faith.OTHERS)
    with pytest.raises(SystemExit, match="No photo"):
        faith.photos(tmp_path_factory.mktemp("nothing"))
