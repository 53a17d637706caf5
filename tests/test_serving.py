"""The server from outside: probes, headers, limits, and what it must not give away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio.media import get_image

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen]]:
    """app.py as it is started for good, by its flags, in a folder of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("served")
    environment = os.environ | {
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "SECRET_OF_THE_HOST": "sesame",
    }
    flags = ["--host", "127.0.0.1", "--port", str(port), "--model", "efficientnet_lite0"]
    log = (folder / "log").open("w")
    started = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), *flags, "--max-upload", "1"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        seen = set()
        for _ in range(600):
            try:
                seen.add(httpx.get(f"{address}/health", timeout=5).status_code)
            except httpx.TransportError:
                assert started.poll() is None, (folder / "log").read_text()
            if 200 in seen:
                break
            time.sleep(0.1)
        assert 200 in seen
        assert seen <= {200, 503}
        yield address, started
    finally:
        started.kill()
        log.close()


@pytest.fixture
def server(process: tuple[str, subprocess.Popen]) -> str:
    return process[0]


def test_health_is_plain(server: str) -> None:
    assert httpx.get(f"{server}/health").json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/", "/config", "/health", "/nothing", "/gradio_api/info"])
def test_every_answer_has_the_headers(server: str, path: str) -> None:
    headers = httpx.get(server + path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy  # no other host is allowed
    assert "frame-ancestors" not in policy  # a Space shows the page in a frame


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/proc/self/environ",
        str(ROOT / "app.py"),
        str(ROOT / "README.md"),
        "app.py",
        "../app.py",
        "..%2Fapp.py",
        "%2e%2e/%2e%2e/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data",
    ],
)
@pytest.mark.parametrize("way", ["/gradio_api/file=", "/file=", "/gradio_api/proxy=", "/static/"])
def test_no_file_of_the_host_is_served(server: str, way: str, path: str) -> None:
    answer = httpx.get(server + way + path)
    assert 400 <= answer.status_code < 500
    assert "root:" not in answer.text
    assert "sesame" not in answer.text
    assert "import" not in answer.text


def test_examples_are_served_and_their_neighbours_are_not(server: str) -> None:
    lion = Path(get_image("lion.jpg"))
    assert httpx.get(f"{server}/gradio_api/file={lion}").content == lion.read_bytes()
    others = [path for path in lion.parent.iterdir() if path.suffix == ".png"]
    assert others
    assert httpx.get(f"{server}/gradio_api/file={others[0]}").status_code == 403


def test_an_upload_over_the_limit_is_refused_before_it_is_kept(server: str) -> None:
    def send(size: int) -> httpx.Response:
        files = {"files": ("photo.jpg", b"\xff\xd8" + bytes(size), "image/jpeg")}
        return httpx.post(f"{server}/gradio_api/upload", files=files)

    assert send(900_000).status_code == 200
    assert send(1_100_000).status_code == 413


def test_the_environment_is_nowhere_on_the_page(server: str) -> None:
    for path in ("/", "/config", "/gradio_api/info"):
        assert "sesame" not in httpx.get(server + path).text


def test_sigterm_ends_it_cleanly_although_a_client_is_connected(
    process: tuple[str, subprocess.Popen],
) -> None:
    """Last of this file, for the server is gone then; one that hangs fails by its wait."""
    address, started = process
    with httpx.stream("GET", f"{address}/gradio_api/heartbeat/somebody"):  # a client is connected
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=30) == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/health")


def test_a_line_of_the_log_is_json(tmp_path: Path) -> None:
    code = "import app; app.log_to_stderr(); from camdemo.ui import journal\n"
    code += "with journal.request('explain'): journal.note(width=5)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stderr.splitlines()[-1])["width"] == 5
