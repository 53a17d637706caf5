"""The disk that uploads take: the oldest go first, and nothing outside of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest
from gradio.route_utils import delete_files_created_by_app

from camdemo import Explainer, Settings
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options
from camdemo.ui.server.uploads import BoundedUploads, tidy

from .served import run


def put(folder: Path, name: str, size: int, age: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (10**9 - age, 10**9 - age))
    return path


def test_the_oldest_go_until_the_rest_fits(tmp_path: Path) -> None:
    old, middle, new = (put(tmp_path, f"{n}/photo.jpg", 100, age=9 - n) for n in range(3))
    tidy(tmp_path, 300)
    assert old.exists()
    tidy(tmp_path, 250)
    assert not old.exists()
    assert not old.parent.exists()  # an empty folder goes, too
    assert middle.exists()
    tidy(tmp_path, 0)
    assert not new.exists()
    assert tmp_path.exists()


def test_nothing_behind_a_link_is_touched(tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/photo.jpg", 500, age=5)
    folder = tmp_path / "uploads"
    folder.mkdir()
    (folder / "file").symlink_to(outside)
    (folder / "folder").symlink_to(outside.parent)
    tidy(folder, 0)
    assert outside.exists()


def test_a_folder_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    tidy(tmp_path / "none", 5)


def test_room_is_made_by_uploads_and_by_nothing_else(tmp_path: Path) -> None:
    served: list[str] = []

    async def app(scope: dict, _receive: object, _send: object) -> None:
        served.append(scope["path"])

    def ask(path: str, length: int) -> None:
        scope = {"type": "http", "path": path, "headers": [(b"content-length", b"%d" % length)]}
        run(bounded(scope, None, None))

    bounded = BoundedUploads(app, tmp_path, most=1000)
    first = put(tmp_path, "a", 2000, age=1)
    ask("/config", 5)
    assert first.exists()
    ask("/gradio_api/upload", 5)  # also what an earlier process left
    assert not first.exists()
    second = put(tmp_path, "b", 2000, age=1)
    ask("/gradio_api/upload", 49)  # not each time: the folder can be large
    assert second.exists()
    ask("/gradio_api/upload", 1)
    assert not second.exists()
    assert served == ["/config"] + ["/gradio_api/upload"] * 3


def test_gradio_deletes_what_is_older_than_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    demo = build_demo(explainer)
    assert demo.delete_cache == (600, 3600)  # each ten minutes, what is older than an hour
    options = launch_options(explainer) | {"server_name": "127.0.0.1"}
    _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        files = {"files": ("photo.jpg", b"a photo", "image/jpeg")}
        answer = httpx.post(f"{address.rstrip('/')}/gradio_api/upload", files=files)
        sent = Path(answer.json()[0])
        delete_files_created_by_app(demo, age=3600)
        assert sent.exists()
        delete_files_created_by_app(demo, age=0)  # as if an hour had gone by
        assert not sent.exists()
    finally:
        demo.close()
