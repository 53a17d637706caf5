"""Answers that are watched while they grow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest

from camdemo import Settings
from camdemo.engine.protocol import Asker, asker
from camdemo.errors import Abandoned, CamdemoError
from camdemo.ui import growing
from camdemo.ui.growing import Growing, Tell
from camdemo.ui.server.admission import Admission


@contextmanager
def asking(name: str = "visitor") -> Any:
    gone = threading.Event()
    token = asker.set(Asker(name, gone))
    try:
        yield gone
    finally:
        asker.reset(token)


def steps(go: threading.Semaphore, runs: list[str]) -> Callable[[Tell], dict[str, Any]]:
    """Tells of 1 and 2 and answers 3, each when it may go on."""

    def compute(tell: Tell) -> dict[str, Any]:
        one = asker.get()
        runs.append(one.name if one else "")
        for number in (1, 2):
            assert go.acquire(timeout=30)
            tell({"number": number})
        assert go.acquire(timeout=30)
        return {"number": 3}

    return compute


def test_it_grows_and_is_kept() -> None:
    go, runs = threading.Semaphore(0), []
    watched, compute = Growing(Admission(Settings())), steps(go, runs)
    versions = []
    with asking():
        for number in (1, 2, 3):
            assert watched.ended("key") is None
            go.release()
            answer = watched.watch("test", "key", compute, after=number - 1)
            assert answer["number"] == answer["version"] == number
            versions.append(answer["state"])
        assert versions[:2] == ["running", "running"]
        last = watched.watch("test", "key", compute, after=3)
        assert last == {"number": 3, "version": 3, "state": "ready"}
    with asking("another"):
        assert watched.watch("test", "key", compute, after=0) == last
    assert watched.ended("key") == {"number": 3}
    assert runs == ["visitor"]


def test_two_who_watch_share_one_computation() -> None:
    go, runs = threading.Semaphore(1), []
    watched, compute = Growing(Admission(Settings())), steps(go, runs)
    found: list[Any] = []

    def watch() -> None:
        with asking():
            found.append(watched.watch("test", "key", compute, 0)["number"])

    threads = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [1, 1]
    assert len(runs) == 1
    go.release(2)


def test_what_nobody_watches_ends_and_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "_PATIENCE", 0.0)
    go, runs, ended = threading.Semaphore(0), [], threading.Event()
    watched, inner = Growing(Admission(Settings())), steps(go, runs)

    def compute(tell: Tell) -> dict[str, Any]:
        try:
            return inner(tell)
        except Abandoned:
            ended.set()
            raise

    with asking() as gone:
        gone.set()
        monkeypatch.setattr(growing, "_HELD", 0.01)
        watched.watch("test", "key", compute, 0)
        go.release()
        assert ended.wait(30)
    monkeypatch.undo()
    with asking():
        go.release(3)
        while watched.watch("test", "key", compute, 0)["state"] == "running":
            pass
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("error", "says"), [(CamdemoError("It rains."), "It rains"), (ZeroDivisionError(), "Something")]
)
def test_what_fails_is_told_to_all_and_tried_again(error: Exception, says: str) -> None:
    watched, tries = Growing(Admission(Settings())), []

    def compute(tell: Tell) -> dict[str, Any]:
        tries.append(1)
        if len(tries) == 1:
            raise error
        return {"number": 7}

    with asking():
        with pytest.raises(CamdemoError, match=says):
            watched.watch("test", "key", compute, 0)
        assert watched.watch("test", "key", compute, 0)["number"] == 7


def test_too_many_at_once_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are computed, a third waits, and begins when one has ended."""
    monkeypatch.setattr(growing, "_HELD", 0.2)
    go, runs = threading.Semaphore(0), []
    watched = Growing(Admission(Settings(lanes=2, max_queue=4)))

    def watch(name: str) -> str:
        with asking(name):
            return watched.watch("test", name, steps(go, runs), 0)["state"]

    assert [watch(name) for name in ("ann", "ben", "cat")] == ["running"] * 3
    assert sorted(runs) == ["ann", "ben"]
    with pytest.raises(CamdemoError, match="Many are asking"):
        watch("dan")
    go.release(9)
    for _ in range(100):
        if watch("cat") == "ready":
            break
    assert runs[2:] == ["cat"]


def test_who_watches_has_a_thread_and_only_so_many_have_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are told at once what there is."""
    monkeypatch.setattr(growing, "_WATCHING", 1)
    monkeypatch.setattr(growing, "_HELD", 60.0)
    go, runs = threading.Semaphore(0), []
    watched = Growing(Admission(Settings()))

    def watch() -> dict[str, Any]:
        with asking():
            return watched.watch("test", "key", steps(go, runs), 0)

    held = threading.Thread(target=watch)
    held.start()
    while not runs:
        held.join(0.01)
    assert watch() == {"version": 0, "state": "running"}
    assert held.is_alive()
    go.release(3)
    held.join(30)
    assert not held.is_alive()
