"""A folder over Ray Data: the same bytes as without, also where it was stopped or an actor died."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from gradio.media import get_image

from camdemo import CamdemoError, Explainer, Settings, adding, explain_many
from camdemo.batch import running
from camdemo.batch.listing import Listed
from camdemo.batch.table import Table
from camdemo.cli import main
from camdemo.cluster import folder, joining
from camdemo.cluster.folder import OverRay
from camdemo.cluster.joining import Cluster
from camdemo.engine import gathering

from .served import ROOT

LITE = "efficientnet_lite0"
ALL = {"overlay": True, "maps": True}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = joining.way({})()
    yield found
    found.end()


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `Mortal` reads that it must die."""
    return tmp_path_factory.mktemp("mortal") / "mark"


@pytest.fixture(scope="module")
def specs(mark: Path) -> list[str]:
    mortal = f"tests.far_models:Mortal?name=mortal&file={mark}"
    return ["tests.tiny_models:Small?name=small", mortal]


@pytest.fixture(scope="module")
def over_ray(cluster: Cluster, specs: list[str]) -> OverRay:
    return OverRay(specs, lambda: replace(cluster, end=lambda: None))


@pytest.fixture(scope="module")
def explainer(specs: list[str]) -> Explainer:
    found = Explainer(Settings(lanes=2))
    adding.add_texts(found, specs)
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    found = tmp_path / "photos"
    found.mkdir()
    for name in ("lion.jpg", "cheetah.jpg", "tower.jpg"):
        shutil.copy(get_image(name), found)
    (found / "broken.jpg").write_text("no photo")
    (found / "list.txt").write_text("lion.jpg\nnowhere.jpg\nbroken.jpg\ntower.jpg\ncheetah.jpg\n")
    return found


@pytest.fixture(autouse=True)
def without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos of one forward differ by rounding, and time says which go together there and where a
    file of maps ends."""
    monkeypatch.setattr(gathering, "_MOST", 1)
    monkeypatch.setattr(running, "_SECONDS", float("inf"))


def contents(output: Path) -> dict[str, object]:
    """All files by their names: bytes, but for times, and the arrays of maps."""
    found: dict[str, object] = {}
    for path in sorted(path for path in output.rglob("*") if path.is_file()):
        name = path.relative_to(output).as_posix()
        if name == "table.csv":
            with path.open(newline="") as file:
                found[name] = [{**row, "milliseconds": ""} for row in csv.DictReader(file)]
        elif path.suffix == ".npz":
            arrays = np.load(path)
            found[name] = {key: (arrays[key].dtype, arrays[key].tobytes()) for key in arrays}
        elif path.parts[-3] == "pages":
            found[name] = re.sub(rb"\d+ ms", b"", path.read_bytes())
        else:
            found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("model", ["small", LITE])
def test_all_that_is_written_is_the_same(
    model: str, photos: Path, tmp_path: Path, explainer: Explainer, over_ray: OverRay
) -> None:
    what = {"explainer": explainer, "model": model, **ALL}
    explain_many(photos / "list.txt", tmp_path / "here", **what)
    rows = explain_many(photos / "list.txt", tmp_path / "there", by=over_ray, **what)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert [bool(row.error) for row in rows] == [False, True, True, False, False]
    assert rows[1].error.startswith("There is no file")
    assert rows[2].error.startswith("This is not a photo that can be read.")


def test_what_threads_began_it_ends_and_the_other_way_round(
    photos: Path, tmp_path: Path, explainer: Explainer, over_ray: OverRay
) -> None:
    def stopping(by: Callable) -> Callable:
        def some(job: running.Job, listed: list[Listed], first: int) -> Iterator:
            yield from by(job, listed[:2], first)
            raise KeyboardInterrupt

        return some

    what = {"explainer": explainer, "model": "small"}
    explain_many(photos, tmp_path / "whole", **what)
    for name, begins, ends in (
        ("threads", running.in_threads, over_ray),
        ("ray", over_ray, running.in_threads),
    ):
        with pytest.raises(KeyboardInterrupt):
            explain_many(photos, tmp_path / name, by=stopping(begins), **what)
        assert len(Table(tmp_path / name / "table.csv").rows) == 2
        explain_many(photos, tmp_path / name, by=ends, **what)
        assert contents(tmp_path / name) == contents(tmp_path / "whole")


def test_what_an_actor_had_when_it_died_is_done_again(
    photos: Path, tmp_path: Path, explainer: Explainer, over_ray: OverRay, mark: Path
) -> None:
    what = {"explainer": explainer, "model": "mortal", **ALL}
    explain_many(photos, tmp_path / "here", **what)
    mark.write_text(str(os.getpid()))
    explain_many(photos, tmp_path / "there", by=over_ray, **what)
    assert not mark.exists()
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_files_that_a_machine_does_not_see_are_refused(
    photos: Path, tmp_path: Path, explainer: Explainer
) -> None:
    told = folder._Told(Settings(), (), {}, tmp_path / "elsewhere", running.Wanted(), {})
    actor = folder.Explaining(told)
    with pytest.raises(CamdemoError, match=r"does not see .*elsewhere"):
        raise actor._one(0, Listed("lion.jpg", photos / "lion.jpg"), True)
    with pytest.raises(CamdemoError, match=r"does not see .*gone\.jpg"):
        raise actor._one(0, Listed("gone.jpg", photos / "gone.jpg"), True)


def test_without_ray_it_says_what_to_install(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", str(photos), "-o", str(tmp_path / "out"), "--engine", "ray"]) == 1
    assert "pip install 'camdemo[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupt_leaves_no_process_and_what_is_left_is_done_later(
    photos: Path, tmp_path: Path
) -> None:
    for number in range(60):
        shutil.copy(get_image("lion.jpg"), photos / f"z{number}.jpg")
    output, notes = tmp_path / "out", tmp_path / "notes"
    spec = f"tests.far_models:Noting?name=noting&file={notes}"
    ask = [str(photos), "-o", str(output), "--add", spec, "--model", "noting"]
    # What a shell starts in the background is told to pay no heed to an interrupt: not so here.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    runs = "import sys; from camdemo.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", f"{heeds}; {runs}", "batch", *ask]
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with subprocess.Popen(
        [*command, "--engine", "ray"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 120
        while not (output / "pages/000/000008.html").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.rstrip().endswith("Stopped. The same command goes on from here.")
    assert "Traceback" not in told
    assert started
    _, left = psutil.wait_procs(started, timeout=20)
    assert not left
    done = len(Table(output / "table.csv").rows)
    assert done < 64
    assert main(["batch", *ask]) == 0
    assert [row.number for row in Table(output / "table.csv").rows] == list(range(64))
