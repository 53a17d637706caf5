"""The disk that uploads and results take: the oldest go first, nothing outside of the folder."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.media import get_image
from gradio.route_utils import GradioUploadFile
from PIL import Image
from python_multipart.exceptions import MultipartParseError

from benchmarks.visitor import Client
from camdemo import Explainer, Settings
from camdemo.ui.page import build_demo
from camdemo.ui.seams import Page
from camdemo.ui.server import uploads
from camdemo.ui.server.launching import launch_options
from camdemo.ui.server.uploads import BoundedUploads, Disk, tidy

from .served import ROOT, Served, arguments, run, served

SIZE = 1_000_000  # of a file here: what a folder or a last block adds is nothing to it


def put(folder: Path, name: str, size: int, age: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (10**9 - age, 10**9 - age))
    return path


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    old, middle, new = (put(tmp_path, f"{n}/photo.jpg", SIZE, age=9 - n) for n in range(3))
    tidy(tmp_path, int(3.1 * SIZE))
    assert old.exists()
    tidy(tmp_path, int(2.5 * SIZE))
    assert not old.exists()
    assert not old.parent.exists()  # an empty folder goes, too
    assert middle.exists()
    tidy(tmp_path, 0)
    assert not new.exists()
    assert tmp_path.exists()


def test_what_is_old_goes_even_where_there_is_room(tmp_path: Path) -> None:
    old, new = put(tmp_path, "old/a", 5, age=0), put(tmp_path, "new/b", 5, age=0)
    now = time.time()
    os.utime(old, (now - 4000, now - 4000))
    os.utime(new, (now - 3000, now - 3000))
    tidy(tmp_path, SIZE, old=3600)
    assert not old.exists()
    assert new.exists()


def test_a_byte_takes_a_block_and_a_folder(tmp_path: Path) -> None:
    """Else a million uploads of one byte would be a megabyte."""
    sent = [put(tmp_path, f"{n}/photo.jpg", 1, age=999 - n) for n in range(100)]
    tidy(tmp_path, 100_000)
    assert sum(path.exists() for path in sent) <= 25


def test_a_folder_that_waits_for_its_file_stays(tmp_path: Path) -> None:
    waiting, left = tmp_path / "young", tmp_path / "left"
    waiting.mkdir()
    left.mkdir()
    os.utime(left, (10**9, 10**9))
    tidy(tmp_path, 0)
    assert waiting.exists()
    assert not left.exists()


def test_nothing_behind_a_link_is_touched(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/photo.jpg", SIZE, age=5)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "file").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    tidy(folder, 0)
    assert outside.exists()


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    tidy(tmp_path / "none", 5)


def upload(disk: Disk, path: str, *chunks: bytes, length: int | None = None) -> None:
    """A request through the middleware; `length` is what it says of itself."""
    left = list(chunks)

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive()).get("more_body"):
            pass

    async def receive() -> dict:
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    said = [] if length is None else [(b"content-length", b"%d" % length)]
    scope = {"type": "http", "path": path, "headers": said}
    run(BoundedUploads(app, lambda _scope: disk)(scope, receive, None))


@pytest.mark.parametrize(
    ("error", "status", "logged"),
    [
        (MultipartParseError("a boundary"), 400, []),
        (UnicodeError("a charset"), 400, []),
        (KeyError("a mistake"), 500, ["KeyError"]),
        (OSError("a folder"), 507, ["OSError"]),
    ],
)
def test_only_what_is_wrong_with_a_form_is_its_senders_mistake(
    tmp_path: Path, error: Exception, status: int, logged: list[str], caplog: Any
) -> None:
    caplog.set_level("INFO", "camdemo")
    told: list[dict] = []

    async def app(*_: Any) -> None:
        raise error

    async def send(message: dict) -> None:
        told.append(message)

    scope = {"type": "http", "path": "/gradio_api/upload", "headers": []}
    run(BoundedUploads(app, lambda _scope: Disk(tmp_path, SIZE))(scope, None, send))  # type: ignore[arg-type]
    assert told[0]["status"] == status
    assert [json.loads(record.message)["error"] for record in caplog.records] == logged


def test_room_is_made_by_uploads_and_by_nothing_else(tmp_path: Path) -> None:
    disk = Disk(tmp_path, most=SIZE)
    first = put(tmp_path, "a", 2 * SIZE, age=1)
    upload(disk, "/config", b"12345")
    assert first.exists()
    upload(disk, "/gradio_api/upload", b"12345")  # also what an earlier process left
    assert not first.exists()
    second = put(tmp_path, "b", 2 * SIZE, age=1)
    upload(disk, "/gradio_api/upload", b"x" * 30_000)  # not each time: the folder can be large
    assert second.exists()
    upload(disk, "/gradio_api/upload", b"x" * 30_000)
    assert not second.exists()


def test_what_arrives_counts_and_not_what_is_said_of_it(tmp_path: Path) -> None:
    """A chunked upload has no length, and one that has can lie."""
    for length in (None, 5):
        disk = Disk(tmp_path, most=SIZE)
        upload(disk, "/gradio_api/upload")
        lying = put(tmp_path, "a", 2 * SIZE, age=1)
        upload(disk, "/gradio_api/upload", *[b"x" * 20_000] * 3, length=length)
        assert not lying.exists()


def test_files_of_a_byte_count_however_a_form_is_cut(tmp_path: Path) -> None:
    """Each takes a folder and a block, and a thousand of them fit into a small form."""
    disk = Disk(tmp_path, most=SIZE)
    upload(disk, "/gradio_api/upload")
    lying = put(tmp_path, "a", 2 * SIZE, age=1)
    upload(disk, "/gradio_api/upload", *[b'name="files"; filen', b'ame="a"\r\n\r\nx'] * 7)
    assert not lying.exists()


def test_the_folder_has_room_for_what_comes_before_the_next_look(tmp_path: Path) -> None:
    disk = Disk(tmp_path, most=10 * SIZE)
    for number in range(40):
        path = put(tmp_path, f"{number}/photo.jpg", SIZE // 2, age=999 - number)
        run(disk.written([str(path), "/none", "\0"]))
        assert sum(one.stat().st_size for one in tmp_path.rglob("*.jpg")) <= 10 * SIZE
    assert sum(one.stat().st_size for one in tmp_path.rglob("*.jpg")) > 8 * SIZE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), "--max-upload", "1", "--max-disk", "3") as one:
        yield one


def taken(running: Served) -> int:
    return sum(path.stat().st_size for path in running.uploads.rglob("*") if path.is_file())


def test_chunked_uploads_are_bounded(running: Served) -> None:
    def send(number: int) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
            for _ in range(6):
                yield bytes([number]) * 100_000
            yield b"\r\n--x--\r\n"

        async def post() -> int:
            async with httpx.AsyncClient(timeout=60) as http:
                answer = await http.post(
                    f"{running.address}/gradio_api/upload",
                    content=chunks(),
                    headers={"content-type": "multipart/form-data; boundary=x"},
                )
                return answer.status_code

        assert run(post()) == 200

    for number in range(12):  # 7 MB, where 3 may stay
        send(number)
        assert taken(running) <= 3_000_000
    assert taken(running) > 1_500_000


def test_results_are_bounded(running: Served) -> None:
    """Not an upload comes, but pictures are made: of one photo, each with other colours."""
    photo = io.BytesIO()
    with Image.open(get_image("cheetah.jpg")) as small:
        small.resize((1000, 750)).save(photo, "JPEG")

    async def ask() -> list[int]:
        async with httpx.AsyncClient(base_url=running.address, timeout=120) as http:
            client = Client(http, (await http.get("/config")).json())
            file = await client.upload(photo.getvalue())
            event = next(
                one["id"] for one in client.config["dependencies"] if one["api_name"] == "explain"
            )
            sizes = []
            for number in range(12):
                os.utime(file["path"])  # as if it had just been sent, so that it stays
                asked = arguments(client.config, file, opacity=0.3 + number / 20)
                picture, *_ = await client.run(event, asked)
                sizes.append(Path(picture["path"]).stat().st_size)
                assert taken(running) <= 3_000_000
            return sizes

    assert sum(run(ask())) > 3_000_000  # else it would test nothing


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(uploads, "_EACH", 0.05)
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    demo = build_demo(explainer)
    options = launch_options(explainer) | {"server_name": "127.0.0.1"}
    demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    yield demo
    demo.close()


def test_what_is_older_than_an_hour_is_deleted_on_a_schedule(page: Page, tmp_path: Path) -> None:
    files = {"files": ("photo.jpg", b"a photo", "image/jpeg")}
    answer = httpx.post(f"{page.local_url}gradio_api/upload", files=files)
    sent, other = Path(answer.json()[0]), put(tmp_path, "of/another/process", 5, age=0)
    before = time.time() - 3500
    os.utime(sent, (before, before))
    for _ in range(200):
        if not other.exists():
            break
        time.sleep(0.05)
    assert not other.exists()
    assert sent.exists()  # not yet
    before = time.time() - 3700
    os.utime(sent, (before, before))
    for _ in range(200):
        if not sent.exists():
            break
        time.sleep(0.05)
    assert not sent.exists()


def test_a_full_disk_is_told_and_tidied(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(number: int) -> httpx.Response:
        files = {"files": ("photo.jpg", bytes([number]) * SIZE, "image/jpeg")}
        return httpx.post(f"{page.local_url}gradio_api/upload", files=files)

    async def full(*_: Any, **__: Any) -> Any:
        raise ValueError from OSError(errno.ENOSPC, "No space left on device")

    sent = [Path(send(number).json()[0]) for number in range(4)]
    for age, path in enumerate(reversed(sent)):
        os.utime(path, (time.time() - age, time.time() - age))
    with monkeypatch.context() as patch:
        patch.setattr(GradioUploadFile, "write", full)
        answer = send(9)
        assert (answer.status_code, answer.text) == (507, uploads.FULL)
    assert [path.exists() for path in sent[:2]] == [False, False]
    assert sent[3].exists()
    left = sum(path.exists() for path in sent)
    with monkeypatch.context() as patch:  # the picture of an answer does not fit, either
        patch.setattr(gr.Blocks, "process_api", full)
        with pytest.raises(gr.Error, match="disk is full"):
            run(page.process_api())
    assert sum(path.exists() for path in sent) < left
    assert send(9).status_code == 200


def test_the_pictures_of_the_examples_survive_all_of_that(page: Page, tmp_path: Path) -> None:
    tidy(tmp_path, 0)

    async def look() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=page.local_url) as http:
            client = Client(http, (await http.get("/config")).json())
            examples = (await client.ask("page_start", {}))["examples"]
            return [await http.get(one["icon"]) for one in examples]

    answers = run(look())
    assert len(answers) == 4
    for answer in answers:
        assert answer.status_code == 200
        assert answer.content[:3] == b"\xff\xd8\xff"


def test_a_process_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither the examples nor the page: all that was made goes with the process."""
    code = "from camdemo.ui.examples import photos; from pathlib import Path\n"
    code += "print([Path(path).is_file() for path in photos().values()])"
    environment = os.environ | {"TMPDIR": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[True, True, True, True]"
    assert [path for path in tmp_path.iterdir() if "camdemo" in path.name] == []
