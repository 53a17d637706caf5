"""The error output: lines of JSON, whoever writes, and of strangers' words none."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from .served import ROOT

WORDS = "holiday-with-my-secret-name"
BEGIN = f"""
import logging, sys, threading, traceback, warnings
from camdemo.ui.server import lines
lines.log_to_stderr()
name = "{WORDS}"
def fail():
    raise ValueError(name + "\\n" + name)
"""


def written(code: str) -> list[dict[str, Any]]:
    """What a process with such a log writes to its error output."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert WORDS not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


ERRORS = """
def caught(tell):
    try:
        fail()
    except ValueError:
        tell()
class Broken:
    def __del__(self):
        fail()
caught(traceback.print_exc)
caught(lambda: logging.getLogger("x.y").exception(f"{name} failed"))
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Broken()
"""


def test_an_error_is_one_line_with_its_way_and_without_its_text() -> None:
    found = written(ERRORS)
    assert [line["log"] for line in found] == ["gradio", "x.y", "thread", "python"]
    for line in found:
        assert line["error"] == "ValueError"
        assert line["trace"].splitlines()[-1].endswith(" fail")


def test_of_a_message_that_is_not_ours_only_the_place_is_told() -> None:
    code = "logging.getLogger('x').warning(f'{name}\\n{name}'); warnings.warn(name)\n"
    code += "logging.getLogger('camdemo').warning('in\\nours')\n"
    code += "logging.getLogger('uvicorn.error').warning('Invalid HTTP request received.')"
    other, warned, ours, known = written(code)
    assert (other["log"], other["level"], other["text"]) == ("x", "warning", "")
    assert other["at"].startswith("<string>:")
    assert warned["text"] == "UserWarning"
    assert ours["text"] == "in\nours"
    assert known["text"] == "Invalid HTTP request received."


def test_what_is_not_ours_can_not_flood_the_log() -> None:
    code = "for _ in range(1000): logging.getLogger('x').error('again')\n"
    code += "for _ in range(3): logging.getLogger('camdemo').info('again')"
    assert 4 <= len(written(code)) < 20


def test_loggers_with_handlers_of_their_own_are_taken_over() -> None:
    code = "other = logging.getLogger('uvicorn'); other.propagate = False\n"
    code += "other.addHandler(logging.StreamHandler()); lines.take_over('uvicorn')\n"
    code += "logging.getLogger('uvicorn.error').error('once')"
    (line,) = written(code)
    assert (line["log"], line["text"]) == ("uvicorn.error", "once")
