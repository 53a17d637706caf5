"""Downloads that viewers watch: shared, cancelled, and told in words. From the loopback address."""

from __future__ import annotations

import errno
import json
import logging
import socket
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from camdemo import Explainer
from camdemo.engine.protocol import Asker, asker
from camdemo.errors import Abandoned
from camdemo.models import CATALOGUE, weights
from camdemo.records import ModelSpec
from camdemo.ui import downloads
from camdemo.ui.downloads import Downloads
from camdemo.ui.errors import weights_told
from camdemo.ui.server.journal import SORRY

from .test_weights import CONTENT, SPEC, Server, leftovers, published_at, wait_until
from .test_wrong_values import VALUES

QUESTION = {"model": SPEC.name}
STOPPED = {"state": "stopped", "received": 0, "total": 0, "error": ""}
READY = STOPPED | {"state": "ready"}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.patience.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub folder. Proxies, should there be any, are not asked."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


class Waiting:
    """Stands in for the explainer: its downloads last until they are let go, or fail."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.done = threading.Event()
        self.fails = fails
        self.fetched: list[str] = []

    def model(self, name: str) -> ModelSpec:
        return replace(CATALOGUE.specs[0], name=name, ready=False)

    def fetch(self, model: str, progress: Callable[[int, int], None]) -> None:
        self.fetched.append(model)
        while not self.done.wait(0.01):
            progress(1, 2)
        if self.fails:
            raise self.fails


def downloads_from(url: str) -> Downloads:
    return Downloads(Explainer(catalogue=published_at(url)))


def ask(answer: Callable[[Any], dict], visitor: str = "Ada", question: Any = QUESTION) -> dict:
    """What a visitor is answered."""
    token = asker.set(Asker(visitor, threading.Event()))
    try:
        return answer(question)
    finally:
        asker.reset(token)


def watch(all_of_them: Downloads, visitor: str = "Ada") -> list[dict]:
    """What a visitor sees until it has ended."""
    seen: list[dict] = []
    until = time.monotonic() + 20
    while not seen or seen[-1]["state"] == "running":
        assert time.monotonic() < until
        seen.append(ask(all_of_them.state, visitor))
        time.sleep(0.02)
    return seen


def lines(caplog: pytest.LogCaptureFixture, kind: str) -> list[dict]:
    logged = [json.loads(record.message) for record in caplog.records]
    return [line for line in logged if line["request"] == kind]


# ---------------------------------------------------------------- to the end


def test_a_download_is_watched_to_its_end(
    server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "camdemo")
    some = downloads_from(server.url("slow"))
    assert ask(some.state) == STOPPED
    assert ask(some.start) == STOPPED | {"state": "running"}
    *running, last = watch(some)
    received = [one["received"] for one in running]
    assert received == sorted(received)
    assert len(set(received)) >= 3
    assert {one["total"] for one in running} <= {0, len(CONTENT)}
    size = len(CONTENT)
    assert last == {"state": "ready", "received": size, "total": size, "error": ""}
    assert (folder / SPEC.weights).read_bytes() == CONTENT
    assert leftovers(folder) == [SPEC.weights]
    assert ask(some.state, "Bob") == READY  # who did not wait for it
    assert ask(some.start, "Bob") == READY
    assert server.asked == ["slow"]
    (line,) = lines(caplog, "fetch")
    assert line["model"] == SPEC.name
    assert line["outcome"] == "done"


def test_one_download_however_many_wait(server: Server) -> None:
    some = downloads_from(server.url("slow"))
    names = [f"visitor {number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        assert all(
            one["state"] == "running" for one in pool.map(lambda name: ask(some.start, name), names)
        )
    watch(some, names[0])
    assert {ask(some.state, name)["state"] for name in names} == {"ready"}
    assert server.asked == ["slow"]


def test_what_is_here_is_not_downloaded(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / SPEC.weights).write_bytes(b"mine")
    some = downloads_from(server.url("good"))
    for answer in (some.start, some.state, some.cancel):
        assert ask(answer) == READY
    assert server.asked == []


def test_a_file_that_was_deleted_is_downloaded_again(server: Server, folder: Path) -> None:
    some = downloads_from(server.url("good"))
    for _ in range(2):
        ask(some.start)
        assert watch(some)[-1]["state"] == "ready"
        (folder / SPEC.weights).unlink()
    assert server.asked == ["good", "good"]


# ---------------------------------------------------------------- cancelled


def test_the_last_who_cancels_stops_it(
    server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "camdemo")
    some = downloads_from(server.url("slow"))
    ask(some.start, "Ada")
    ask(some.start, "Bob")
    wait_until(lambda: ask(some.state, "Ada")["received"] > 0)
    assert ask(some.cancel, "Ada") == STOPPED
    assert ask(some.cancel, "Ada") == STOPPED  # twice is once
    assert ask(some.cancel, "Eve") == STOPPED  # who never waited stops nothing
    time.sleep(0.3)
    assert ask(some.state, "Ada") == STOPPED
    assert ask(some.state, "Bob")["state"] == "running"
    assert ask(some.cancel, "Bob") == STOPPED
    wait_until(lambda: not weights._running)
    assert leftovers(folder) == []
    assert ask(some.state, "Bob") == STOPPED
    (line,) = lines(caplog, "fetch")
    assert line["outcome"] == "Abandoned"
    # and it can be had again
    ask(some.start, "Ada")
    assert watch(some, "Ada")[-1]["state"] == "ready"
    assert server.asked == ["slow", "slow"]


def test_who_cancels_does_not_take_it_from_others(server: Server) -> None:
    some = downloads_from(server.url("slow"))
    ask(some.start, "Ada")
    ask(some.start, "Bob")
    ask(some.cancel, "Ada")
    assert watch(some, "Bob")[-1]["state"] == "ready"
    assert ask(some.state, "Ada") == READY
    assert server.asked == ["slow"]


def test_a_change_of_mind(server: Server, folder: Path) -> None:
    some = downloads_from(server.url("slow"))
    ask(some.start)
    for _ in range(30):
        ask(some.cancel)
        ask(some.start)
        time.sleep(0.01)
    assert watch(some)[-1]["state"] == "ready"
    assert leftovers(folder) == [SPEC.weights]


def test_who_asks_while_it_stops_gets_another() -> None:
    class Lingering(Waiting):
        """Takes its time to stop."""

        def fetch(self, model: str, progress: Callable[[int, int], None]) -> None:
            try:
                super().fetch(model, progress)
            except Abandoned:
                stopping.set()
                self.done.wait(10)
                raise

    stopping, explainer, question = threading.Event(), Lingering(), {"model": "model 1"}
    some = Downloads(explainer)  # type: ignore[arg-type]
    ask(some.start, question=question)
    ask(some.cancel, question=question)
    assert stopping.wait(10)
    assert ask(some.start, question=question)["state"] == "running"
    wait_until(lambda: len(explainer.fetched) == 2)
    explainer.done.set()
    wait_until(lambda: ask(some.state, question=question)["state"] == "ready")


# ---------------------------------------------------------------- in words


def check_words(text: str, folder: Path) -> None:
    """For a person, and nothing of the machine."""
    assert text.startswith("The weights of MobileNetV2 (14 MB) can't be downloaded: ")
    assert text.endswith("Try again later, or choose a model that is ready.")
    for part in ("rrno", "http", "127.0.0.1", str(folder), str(folder.parent), SPEC.weights, "/"):
        assert part not in text, text


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "their host does not give them"),
        ("other", "what arrived is not the file that was published"),
        ("short", "what arrived is not the file that was published"),
        ("silent", "their host does not answer"),
        ("stalling", "their host does not answer"),
    ],
)
def test_a_failed_download_says_why(
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    reason: str,
) -> None:
    caplog.set_level(logging.INFO, "camdemo")
    monkeypatch.setattr(weights, "SILENCE", 0.5)
    some = downloads_from(server.url(kind))
    ask(some.start)
    last = watch(some)[-1]
    assert last["state"] == "failed"
    assert reason in last["error"]
    check_words(last["error"], folder)
    assert leftovers(folder) == []
    (line,) = lines(caplog, "fetch")
    assert line["outcome"] == "WeightsError"
    assert line["reason"]
    assert ask(some.start)["state"] == "running"  # a second try
    watch(some)
    assert server.asked == [kind, kind]


def test_a_folder_that_can_not_be_written(
    server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "camdemo")
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    some = downloads_from(server.url("good"))
    ask(some.start)
    last = watch(some)[-1]
    assert "the server can't store them" in last["error"]
    check_words(last["error"], folder)
    (line,) = lines(caplog, "fetch")
    assert str(folder) in line["reason"]  # that's for who runs the server


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the server's disk is full"),
        (OSError(errno.ENOSPC, "No space left", "/srv/x.part"), "the server's disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv"), "the server can't store them"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "their host can't be reached"),
        (socket.gaierror(-2, "Name or service not known"), "their host can't be reached"),
        (urllib.error.URLError("no host given"), "their host can't be reached"),
        (
            urllib.error.HTTPError("http://x/y", 503, "Busy", Message(), None),
            "their host does not give them",
        ),
        (TimeoutError("timed out"), "their host does not answer"),
        (None, "they are missing on the server"),
        (RuntimeError("/srv/x.pth has no key y"), "their file is damaged"),
    ],
)
def test_every_cause_has_its_words(cause: BaseException | None, reason: str, folder: Path) -> None:
    text = weights_told(SPEC, cause)
    assert f": {reason}. " in text
    check_words(text, folder)


@pytest.mark.parametrize("value", VALUES)
def test_wrong_values_are_refused_in_words(value: Any) -> None:
    some = downloads_from("http://127.0.0.1:9/never")
    for answer in (some.start, some.state, some.cancel):
        for question in (value, {"model": value}, {"model": [SPEC.name]}, {"name": SPEC.name}):
            (text,) = ask(answer, question=question).values()
            assert text == "The model must be a name." or text.startswith("There is no model ")
            assert len(text) < 200
    assert some._downloads == {}


# ---------------------------------------------------------------- limits


def test_at_most_sixteen_at_once() -> None:
    explainer = Waiting()
    some = Downloads(explainer)  # type: ignore[arg-type]
    questions = [{"model": f"model {number}"} for number in range(17)]
    for question in questions[:16]:
        assert ask(some.start, question=question)["state"] == "running"
    assert ask(some.start, "Bob", questions[0])["state"] == "running"  # that is no other one
    refused = ask(some.start, question=questions[16])
    assert refused["error"].startswith("16 models are being downloaded. Wait for one of them")
    ask(some.cancel, question=questions[3])
    wait_until(lambda: "state" in ask(some.start, question=questions[16]))
    explainer.done.set()
    wait_until(lambda: ask(some.state, question=questions[16])["state"] == "ready")
    assert explainer.fetched == [f"model {number}" for number in range(17)]


def test_visitors_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_MOST_WAITING", 3)
    explainer = Waiting()
    some = Downloads(explainer)  # type: ignore[arg-type]
    question = {"model": "model 1"}
    for number in range(3):
        assert ask(some.start, f"{number}" * 100_000, question)["state"] == "running"
    assert ask(some.start, "one more", question)["error"].startswith("Too many people")
    assert {len(name) for name in some._downloads["model 1"].waiting} == {64}
    explainer.done.set()
    wait_until(lambda: some._downloads["model 1"].state == "ready")  # and has written its line


def test_a_mistake_of_ours_is_told_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "camdemo")
    explainer = Waiting(RuntimeError("[Errno 5] /srv/secret"))
    explainer.done.set()
    some = Downloads(explainer)  # type: ignore[arg-type]
    ask(some.start, question={"model": "model 1"})
    wait_until(lambda: ask(some.state, question={"model": "model 1"})["state"] != "running")
    assert ask(some.state, question={"model": "model 1"})["error"] == SORRY
    assert "secret" not in caplog.text
    assert lines(caplog, "fetch")[0]["error"] == "RuntimeError"
