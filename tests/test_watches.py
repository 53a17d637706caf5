"""What runs beside the page goes on, whatever fails in it."""

from __future__ import annotations

import json

import pytest

from camdemo.ui.server import launching
from tests.served import run


def test_a_watch_that_fails_is_told_and_begins_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(launching, "_PAUSE", 0.0)
    caplog.set_level("INFO", "camdemo")
    begun = []

    async def watch() -> None:
        begun.append(None)
        if len(begun) < 3:
            raise ValueError("a stranger wrote this")

    run(launching._kept_up(watch))
    assert len(begun) == 3
    assert [json.loads(record.message)["request"] for record in caplog.records] == [
        "watch",
        "watch",
    ]
    assert "stranger" not in caplog.text
