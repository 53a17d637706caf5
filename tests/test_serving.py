"""The server from outside: probes, headers, limits, and what it must not give away."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from gradio.media import get_image
from PIL import Image

from benchmarks.visitor import Client
from camdemo.ui.server import launching
from camdemo.warmup import State

from .served import ROOT, SECRET, Served, run, served


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), "--max-upload", "1", "--max-disk", "3") as one:
        yield one


@pytest.fixture
def server(running: Served) -> str:
    return running.address


def test_the_tab_has_an_icon_of_its_own(server: str) -> None:
    icon = httpx.get(f"{server}/favicon.ico")
    assert icon.headers["content-type"] == "image/svg+xml"
    assert "Inferno" in icon.text
    assert httpx.get(f"{server}/manifest.json").status_code == 200


def test_health_is_plain(server: str) -> None:
    assert httpx.get(f"{server}/health").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State("cold"), {"status": "starting"}),
        (State("starting"), {"status": "starting"}),
        (State("ready"), {"status": "ready"}),
        (State("failed", "No weights."), {"status": "failed", "reason": "No weights."}),
    ],
)
def test_health_tells_how_the_start_went(state: State, told: dict) -> None:
    assert launching._health(SimpleNamespace(state=state)) == told  # type: ignore[arg-type]


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
    assert SECRET not in answer.text
    assert "import" not in answer.text


def test_photos_are_served_under_addresses_that_say_nothing(server: str) -> None:
    """As they are, and small for the buttons; by their paths, neither they nor their neighbours."""
    lion = Path(get_image("lion.jpg"))
    original = asked(server, lambda client: client.open({"example": "Lion"}))["original"]
    answer = httpx.get(f"{server}/{original}")
    assert answer.content == lion.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    start = asked(server, lambda client: client.ask("page_start", {}))
    icons = [one["icon"] for one in start["examples"]]
    assert len(icons) == 4
    for icon in icons:
        with Image.open(io.BytesIO(httpx.get(f"{server}/{icon}").content)) as small:
            assert small.size == (96, 96)
    assert "lion.jpg" not in json.dumps([original, icons])
    for path in lion.parent.iterdir():
        assert httpx.get(f"{server}/gradio_api/file={path}").status_code == 403
    for token in ("", "x", original.partition("/")[2] + "x", "../lion.jpg", str(lion)):
        answer = httpx.get(f"{server}/photo/{token}")
        assert (answer.status_code, answer.json()["detail"][-1]) == (404, ".")


def test_an_upload_is_served_as_a_photo_or_not_at_all(server: str) -> None:
    """What a browser would run as a page of ours is never one."""

    def original(name: str, content: bytes) -> httpx.Response:
        files = {"files": (name, content, "text/html")}
        sent = httpx.post(f"{server}/gradio_api/upload", files=files).json()[0]
        address = asked(server, lambda client: client.open({"path": sent}))["original"]
        assert name not in address
        assert "/" not in address.removeprefix("photo/")
        return httpx.get(f"{server}/{address}")

    lion = Path(get_image("lion.jpg")).read_bytes() + b"<script>"
    assert original("mine.jpg", lion).headers["content-type"] == "image/jpeg"
    for name in ("page.html", "drawing.svg", "no-ending"):
        answer = original(name, lion)
        assert answer.content == lion
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"


def asked(server: str, what: Callable[[Client], Awaitable[dict]]) -> dict:
    """The answer to a question of a viewer."""

    async def ask() -> dict:
        async with httpx.AsyncClient(base_url=server, timeout=60) as http:
            return await what(Client(http, (await http.get("/config")).json()))

    return run(ask())


def test_an_upload_over_the_limit_is_refused_before_it_is_kept(server: str) -> None:
    def send(size: int) -> httpx.Response:
        files = {"files": ("photo.jpg", b"\xff\xd8" + bytes(size), "image/jpeg")}
        return httpx.post(f"{server}/gradio_api/upload", files=files)

    assert send(900_000).status_code == 200
    assert send(1_100_000).status_code == 413


def test_the_environment_is_nowhere_on_the_page(server: str) -> None:
    for path in ("/", "/config", "/gradio_api/info"):
        assert SECRET not in httpx.get(server + path).text


def test_a_body_of_many_files_is_refused_as_a_whole(server: str) -> None:
    files = [("files", (f"{n}.jpg", bytes(900_000), "image/jpeg")) for n in range(3)]
    assert httpx.post(f"{server}/gradio_api/upload", files=files).status_code == 413
    huge = {"data": "x" * 2_000_000, "fn_index": 0, "session_hash": "a"}
    assert httpx.post(f"{server}/gradio_api/queue/join", json=huge).status_code == 413


def test_the_oldest_uploads_go_when_the_disk_is_full(running: Served) -> None:
    def send(number: int) -> Path:
        files = {"files": (f"{number}.jpg", bytes([number]) * 600_000, "image/jpeg")}
        return Path(httpx.post(f"{running.address}/gradio_api/upload", files=files).json()[0])

    sent = [send(number) for number in range(12)]  # 7 MB, where 3 may stay
    there = [path.exists() for path in sent]
    assert there == sorted(there)  # the oldest are gone, the newest are there
    assert 3 <= sum(there) <= 6  # and the one that came after the last look
    assert sum(path.stat().st_size for path in running.uploads.rglob("*.jpg")) < 4e6


def test_a_line_of_the_log_is_json(tmp_path: Path) -> None:
    code = "from camdemo.ui.server import journal, serving; serving.log_to_stderr()\n"
    code += "with journal.request('explain'): journal.note(width=5)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stderr.splitlines()[-1])["width"] == 5
