"""The page over a Ray of its own, from its start to a clean end."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest
from gradio.media import get_image
from gradio_client import Client, handle_file

from .served import ROOT, served

LION = get_image("lion.jpg")


def test_the_page_answers_over_ray_and_leaves_nothing_behind(tmp_path: Path) -> None:
    own = "tests.tiny_models:Small?name=small"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PYTHONPATH", str(ROOT))
        flags = ("--engine", "ray", "--lanes", "1", "--add", own)
        with served(tmp_path, *flags, seconds=200) as page:
            started = psutil.Process(page.process.pid).children(recursive=True)
            assert [each for each in started if "raylet" in each.name()]
            client = Client(page.address, verbose=False, download_files=str(tmp_path))
            assert "lion" in str(client.predict(handle_file(LION), api_name="/explain"))
            assert "This machine answers" not in (tmp_path / "log").read_text()
            page.process.send_signal(signal.SIGTERM)
            assert page.process.wait(60) == 0
            _, alive = psutil.wait_procs(started, timeout=20)
            assert [each.name() for each in alive] == []
