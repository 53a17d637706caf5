"""Weights files: where they are looked for, and every way in which a download can end.

All downloads come from a server in this process, on the loopback address.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from camdemo.errors import WeightsError
from camdemo.models import catalogue, sources, weights
from camdemo.records import ModelSpec

from .served import free_port

CONTENT = os.urandom(3 << 20)
SPEC = dataclasses.replace(
    catalogue.find("mobilenet_v2"), weights=f"tiny-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
)


def fetch(url: str, progress: weights.Progress | None = None, spec: ModelSpec = SPEC) -> Path:
    """Fetch the weights of a model of which the file is published at that address."""
    return weights.fetch(spec, progress, published_at(url))


def published_at(url: str) -> catalogue.Catalogue:
    """A catalogue whose downloads all come from there."""

    class Elsewhere(sources.Torchvision):
        def url(self, spec: ModelSpec) -> str:
            return url

    return catalogue.Catalogue((SPEC,), (sources.Bundled(), Elsewhere()))


class Server(http.server.ThreadingHTTPServer):
    """Answers by the first part of the path, and counts who asks."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.patience = threading.Event()  # set at the end, to let hanging answers go

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{kind}/{SPEC.weights}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        self.server.asked.append(kind)
        if kind == "missing":
            self.send_error(404)
            return
        if kind == "silent":
            self.server.patience.wait(30)
            return
        body = CONTENT[::-1] if kind == "other" else CONTENT
        self.send_response(200)
        if kind != "unsized":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "stalling":
            self.wfile.write(body[: 1 << 20])
            self.server.patience.wait(30)
        elif kind == "short":
            self.wfile.write(body[: 1 << 20])
        elif kind == "slow":
            for start in range(0, len(body), 1 << 19):
                self.wfile.write(body[start : start + (1 << 19)])
                time.sleep(0.15)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.patience.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty torch hub folder. Proxies, should there be any, are not asked."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "hub" / "checkpoints"


def leftovers(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()] if folder.is_dir() else []


def check_message(error: WeightsError, folder: Path, reason: str) -> None:
    """It names the file, the folder and what to do."""
    message = str(error)
    for part in (
        "The weights of MobileNetV2 (14 MB) can't be downloaded from http://127.0.0.1:",
        reason,
        f"looked for as {SPEC.weights} in the torch hub folder {folder}.",
        "run 'python -m camdemo fetch mobilenet_v2', or copy the file there",
    ):
        assert part in message, message
    assert "\n" not in message
    assert "<" not in message  # "<urlopen error ...>" would vanish in a page


# ---------------------------------------------------------------- where


@pytest.mark.parametrize(
    "torch_home", [None, "/somewhere/torch", "relative", "~/torch", "~nobody-here/torch", ""]
)
@pytest.mark.parametrize("cache", [None, "/somewhere/cache", "~/cache", ""])
def test_the_folder_is_the_torch_hubs(monkeypatch, torch_home, cache):
    for name, value in (("TORCH_HOME", torch_home), ("XDG_CACHE_HOME", cache)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert sources.hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_nothing_is_ready_in_an_empty_folder(folder):
    assert weights.path_of(SPEC) == folder / SPEC.weights
    assert not weights.is_ready(SPEC)
    folder.mkdir(parents=True)
    (folder / SPEC.weights).mkdir()  # a folder of that name is no file
    assert not weights.is_ready(SPEC)


def test_a_bundled_package_that_is_missing(server):
    gone = dataclasses.replace(catalogue.find("efficientnet_lite0"), name="efficientnet_lite9")
    assert not weights.is_ready(gone)
    with pytest.raises(WeightsError, match=r"efficientnet-lite9-pytorch-model.*requirements\.txt"):
        fetch(server.url("good"), spec=gone)
    assert server.asked == []


def test_a_bundled_package_that_is_installed():
    lite = catalogue.find("efficientnet_lite0")
    assert fetch("http://127.0.0.1:9/never", spec=lite) == weights.path_of(lite)


# ---------------------------------------------------------------- downloads that succeed


@pytest.mark.parametrize("kind", ["good", "unsized"])
def test_a_download(server, folder, kind):
    path = fetch(server.url(kind))
    assert path == folder / SPEC.weights
    assert path.read_bytes() == CONTENT
    assert leftovers(folder) == [SPEC.weights]
    assert path.stat().st_mode & 0o777 == 0o644  # others on the machine can read it
    assert weights.is_ready(SPEC)


def test_what_is_there_is_not_downloaded(server, folder):
    folder.mkdir(parents=True)
    (folder / SPEC.weights).write_bytes(b"mine")
    assert fetch(server.url("good")).read_bytes() == b"mine"
    assert server.asked == []


@pytest.mark.parametrize("askers", [2, 8])
def test_all_who_ask_at_once_share_one_download(server, folder, askers):
    start = threading.Barrier(askers)

    def ask(_number: int) -> bytes:
        start.wait()
        return fetch(server.url("slow")).read_bytes()

    with ThreadPoolExecutor(askers) as pool:
        assert all(content == CONTENT for content in pool.map(ask, range(askers)))
    assert server.asked == ["slow"]
    assert leftovers(folder) == [SPEC.weights]


def test_all_who_ask_at_once_hear_of_the_failure(server, folder):
    start = threading.Barrier(4)

    def ask(_number: int) -> str:
        start.wait()
        with pytest.raises(WeightsError) as refused:
            fetch(server.url("other"))
        return str(refused.value)

    with ThreadPoolExecutor(4) as pool:
        assert all("SHA-256" in message for message in pool.map(ask, range(4)))
    assert leftovers(folder) == []


def test_two_models_are_two_downloads(server, folder):
    digest = hashlib.sha256(CONTENT).hexdigest()
    second = dataclasses.replace(SPEC, weights=f"second-{digest[:8]}.pth")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda spec: fetch(server.url("slow"), spec=spec), (SPEC, second)))
    assert sorted(leftovers(folder)) == sorted([SPEC.weights, second.weights])


def test_progress_grows_up_to_the_end(server):
    seen: list[tuple[int, int]] = []
    caller = threading.get_ident()

    def progress(received: int, total: int) -> None:
        assert threading.get_ident() == caller
        seen.append((received, total))

    fetch(server.url("slow"), progress)
    received = [count for count, _ in seen]
    assert received == sorted(received)
    assert len(set(received)) >= 3
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_progress_without_a_known_size(server):
    seen: list[tuple[int, int]] = []
    fetch(server.url("unsized"), lambda *numbers: seen.append(numbers))
    assert seen[-1] == (len(CONTENT), 0)


# ---------------------------------------------------------------- downloads that are given up


class Enough(Exception):
    """Raised by who doesn't want to wait any longer."""


def give_up(received: int, _total: int) -> None:
    if received:
        raise Enough


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_download_that_nobody_waits_for_stops(server, folder):
    with pytest.raises(Enough):
        fetch(server.url("slow"), give_up)
    wait_until(lambda: leftovers(folder) == [])
    wait_until(lambda: not weights._running)
    assert not weights.is_ready(SPEC)
    assert fetch(server.url("slow")).read_bytes() == CONTENT
    assert server.asked == ["slow", "slow"]
    assert leftovers(folder) == [SPEC.weights]


def test_a_download_goes_on_for_those_who_still_wait(server, folder):
    with ThreadPoolExecutor(2) as pool:
        patient = pool.submit(fetch, server.url("slow"))
        with pytest.raises(Enough):
            fetch(server.url("slow"), give_up)
        assert patient.result().read_bytes() == CONTENT
    assert server.asked == ["slow"]


def test_who_asks_before_it_has_stopped_joins_it(server, folder):
    with pytest.raises(Enough):
        fetch(server.url("stalling"), give_up)  # whose thread hears of it with its next byte
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(fetch, server.url("good"))
        wait_until(lambda: any(one.waiting for one in weights._running.values()))
        server.patience.set()
        with pytest.raises(WeightsError, match="what arrived"):
            second.result()
    assert server.asked == ["stalling"]
    assert leftovers(folder) == []


# ---------------------------------------------------------------- downloads that fail


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "HTTP Error 404: Not Found"),
        ("other", "is not the file: its SHA-256 starts with"),
        ("short", "what arrived (1048576 bytes) is not the file"),
        ("silent", "timed out"),
        ("stalling", "timed out"),
    ],
)
def test_a_failed_download_says_why_and_a_second_try_works(
    server, folder, monkeypatch, kind, reason
):
    monkeypatch.setattr(weights, "SILENCE", 0.5)
    with pytest.raises(WeightsError) as refused:
        fetch(server.url(kind))
    check_message(refused.value, folder, reason)
    assert leftovers(folder) == []
    assert not weights.is_ready(SPEC)
    assert fetch(server.url("good")).read_bytes() == CONTENT
    assert server.asked == [kind, "good"]


def test_a_refused_connection(folder):
    port = free_port()
    with pytest.raises(WeightsError) as refused:
        fetch(f"http://127.0.0.1:{port}/x.pth")
    check_message(refused.value, folder, "Connection refused")
    assert leftovers(folder) == []


def test_packets_that_are_swallowed(folder, monkeypatch):
    """A name look-up can hang longer than any time-out of ours: it is left behind."""
    monkeypatch.setattr(weights, "SILENCE", 0.3)
    monkeypatch.setattr(weights, "_GRACE", 0.2)
    hanging = threading.Event()
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: hanging.wait(30))
    started = time.monotonic()
    with pytest.raises(WeightsError) as refused:
        fetch("http://127.0.0.1:9/x.pth")
    assert time.monotonic() - started < 5  # not the 30 that the look-up takes
    check_message(refused.value, folder, "no answer for 0.3 seconds")
    assert leftovers(folder) == []
    monkeypatch.setattr(socket, "getaddrinfo", real)
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        assert fetch(server.url("good")).is_file()  # not the one that hangs
        server.shutdown()
    hanging.set()


def test_an_answer_within_fifteen_seconds_is_promised():
    """The last word falls when nothing came for that long, plus a tenth of a second."""
    assert weights.SILENCE + weights._GRACE < 14


def test_a_slow_download_is_not_a_silent_one(server, folder, monkeypatch):
    """It takes longer than the silence that is allowed, but is never silent for so long."""
    monkeypatch.setattr(weights, "SILENCE", 0.5)
    monkeypatch.setattr(weights, "_GRACE", 0.0)
    assert fetch(server.url("slow")).is_file()


def test_a_folder_that_can_not_be_written(server, folder):
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")  # also stops root, unlike a mode
    with pytest.raises(WeightsError) as refused:
        fetch(server.url("good"))
    check_message(refused.value, folder, f"'{folder}'")
    assert server.asked == []


def test_a_folder_that_is_locked_is_a_sentence(folder, monkeypatch):
    """No mode keeps out root, who may run these tests."""

    def locked(real):
        def ask(path, *given, **named):
            if str(path).startswith(str(folder.parent)):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *given, **named)

        return ask

    for name in ("stat", "mkdir", "open"):
        monkeypatch.setattr(os, name, locked(getattr(os, name)))
    assert not weights.is_ready(SPEC)
    assert weights.set_aside(SPEC) is None
    with pytest.raises(WeightsError, match="Permission denied"):
        fetch("http://127.0.0.1:9/good")


def test_an_ended_process_leaves_no_partial_file(server, folder):
    """As after Ctrl-C: the thread that downloads ends wherever it is."""
    code = f"""
import dataclasses, threading, time
from camdemo.models import catalogue, sources, weights
spec = dataclasses.replace(catalogue.find("mobilenet_v2"), weights={SPEC.weights!r})
sources.Torchvision.url = lambda *_: {server.url("stalling")!r}
received = []
arguments = (spec, lambda count, _total: received.append(count))
threading.Thread(target=weights.fetch, args=arguments, daemon=True).start()
while not any(received):
    time.sleep(0.01)
print(sum(file.suffix == ".part" for file in sources.hub_folder().iterdir()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert leftovers(folder) == []


def test_only_a_file_that_is_not_what_its_name_says_is_set_aside(folder):
    content = b"weights"
    spec = dataclasses.replace(SPEC, weights=f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth")
    assert weights.set_aside(spec) is None  # there is none
    folder.mkdir(parents=True, exist_ok=True)
    (folder / spec.weights).write_bytes(content)
    assert weights.set_aside(spec) is None
    (folder / spec.weights).write_bytes(content[:-1])
    kept = weights.set_aside(spec)
    assert kept is not None
    assert kept.read_bytes() == content[:-1]
    assert not (folder / spec.weights).exists()
    bundled = catalogue.find("efficientnet_lite0")
    assert weights.set_aside(bundled) is None
    assert weights.is_ready(bundled)
