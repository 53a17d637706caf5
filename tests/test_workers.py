"""Photos are decoded by processes that can be killed, as they are decoded here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from camdemo.errors import ImageError
from camdemo.photo import read

from . import hostile

if sys.platform != "linux":
    pytest.skip("limits and shared memory are those of Linux", allow_module_level=True)

from camdemo.engine import lanes
from camdemo.photo import workers
from camdemo.photo.workers import Workers

PHOTO = hostile.encode(hostile.noise(), "JPEG")
BOMBS = dict(hostile.bombs())

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


@pytest.fixture(scope="module")
def pool() -> Workers:
    return Workers(2)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bombs take many seconds: what stops them after three stops them after less."""
    monkeypatch.setattr(workers, "_SECONDS", 0.3)


def outcome(way: Callable[[bytes], Image.Image], content: bytes) -> object:
    """The pixels, or the sentence of the refusal."""
    try:
        photo = way(content)
        return photo.size, photo.mode, photo.tobytes()
    except ImageError as error:
        return str(error)


def processes(pool: Workers) -> list[int]:
    return [one._process.pid for one in pool._idle]


def test_the_corpus_is_read_as_it_is_here(pool: Workers) -> None:
    before = processes(pool)
    for name, content in hostile.corpus().items():
        assert outcome(pool.read, content) == outcome(read, content), name
    assert sorted(processes(pool)) == sorted(before)  # none of them was killed


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_photos_are_turned(pool: Workers, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = hostile.encode(hostile.noise(1500, 700), kind, exif=exif)  # of several strips
    photo = pool.read(content)
    assert photo.size == ((700, 1500) if orientation > 4 else (1500, 700))
    assert (np.asarray(photo) == np.asarray(read(content))).all()


def test_nothing_of_an_earlier_photo_is_left(pool: Workers) -> None:
    """Memory is used again, but not what stood there: this TIFF has two of its rows."""
    pool.read(hostile.encode(Image.new("RGB", (64, 64), "white"), "PNG"))
    rows = hostile.tiff(64, 64, 2, {262: 2, 277: 3, 278: 1}, (273, 279))
    photo = np.asarray(pool.read(rows))
    assert photo[0].max() > 0
    assert photo[2:].max() == 0


def test_what_is_painted_on_a_photo_stays_there(pool: Workers) -> None:
    photo = pool.read(PHOTO)
    photo.paste("red", (0, 0, *photo.size))
    assert photo.getpixel((5, 5)) == (255, 0, 0)
    assert outcome(pool.read, PHOTO) == outcome(read, PHOTO)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(pool: Workers, name: str) -> None:
    with pytest.raises(ImageError, match="takes too much time or memory to read"):
        pool.read(BOMBS[name])
    assert outcome(pool.read, PHOTO) == outcome(read, PHOTO)
    assert len(pool._idle) == 2


@pytest.mark.usefixtures("quick")
def test_others_are_answered_while_a_bomb_goes_off(pool: Workers) -> None:
    done = []

    def explode() -> None:
        done.append(outcome(pool.read, BOMBS["JPEG of 10,000 scans"]))

    bomb = threading.Thread(target=explode)
    bomb.start()
    while len(pool._idle) == 2:
        time.sleep(0.001)
    assert outcome(pool.read, PHOTO) == outcome(read, PHOTO)
    assert not done
    bomb.join()
    assert "too much time" in done[0]


def test_who_does_nothing_is_not_waited_for(pool: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_PATIENCE", 0.2)
    for process in processes(pool):
        os.kill(process, signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(ImageError, match="too much time"):
            pool.read(PHOTO)
    monkeypatch.undo()
    assert outcome(pool.read, PHOTO) == outcome(read, PHOTO)


def test_decoders_do_not_go_before_those_who_compute(pool: Workers) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    pool.read(PHOTO)  # so that at least one is through with its start
    nice = [os.getpriority(os.PRIO_PROCESS, process) for process in processes(pool)]
    assert max(nice) == min(19, own + lanes._NICE)


def test_who_has_died_is_replaced(pool: Workers) -> None:
    for one in pool._idle:
        one._process.kill()
        one._process.wait()
    assert outcome(pool.read, PHOTO) == outcome(read, PHOTO)


def test_where_no_process_can_be_started_the_place_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Workers(1)
    monkeypatch.setattr(workers, "_SECONDS", 0.3)

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("no more processes")

    with monkeypatch.context() as full:
        full.setattr(subprocess, "Popen", refuse)
        with pytest.raises(ImageError):
            pool.read(BOMBS["JPEG of 10,000 scans"])
        with pytest.raises(BlockingIOError):
            pool.read(PHOTO)
    assert pool.read(PHOTO).size == read(PHOTO).size


def test_a_worker_that_can_not_work_is_no_mistake_of_the_photo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "_MAIN", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match="status 3"):
        Workers(1).read(PHOTO)


def test_a_path_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the operator's; limits are for strangers."""
    monkeypatch.setattr(workers, "_MAIN", "raise SystemExit(3)")
    (tmp_path / "photo.jpg").write_bytes(PHOTO)
    pool = Workers(1)
    assert outcome(pool.read, tmp_path / "photo.jpg") == outcome(read, PHOTO)  # type: ignore[arg-type]


def test_huge_ones_take_less_than_600_megabytes_which_are_given_back(pool: Workers) -> None:
    before, seen = shared(), []
    for name, content in hostile.huge():
        assert len(content) < 20e6  # as the page takes them
        try:
            photo = pool.read(content)
        except ImageError as error:
            seen.append(str(error)[:9])
            continue
        seen.append(name)
        assert photo.size == (10_000, 5_000)
        np.asarray(photo)  # looks at all of it
        assert shared() - before > 190
        del photo
        assert shared() - before < 1
    depths = ["", ", transparent", ", 16 bit"]
    assert seen[:3] == [f"50 megapixels{depth}" for depth in depths]
    assert seen[3:] == ["The photo"] * 3 + ["This is n"]


def shared() -> float:
    """MB of memory that this process has mapped and shares."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssShmem:")[2].split()[0]) / 1000


def test_workers_end_with_whoever_asks_them() -> None:
    code = """
import os, signal
from camdemo.photo.workers import Workers
pool = Workers(2)
print(*(one._process.pid for one in pool._idle), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = [Path("/proc", process, "status") for process in done.stdout.split()]
    assert len(left) == 2
    for _ in range(600):
        if not any(map(is_alive, left)):
            return
        time.sleep(0.1)
    raise AssertionError("a worker is still there")


def is_alive(status: Path) -> bool:
    try:
        return "(zombie)" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
