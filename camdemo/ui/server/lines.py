"""The error output of a server: lines of JSON, and nothing else.

What Gradio, uvicorn, asyncio, other libraries and Python itself have to say becomes lines, too.
Their words may have in them what a stranger sent: so of a message that is not ours only the place
is told where it was written, and of an error its kind and the way there, but not its text.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from typing import Any

_OURS = "camdemo"
_CONSTANT = ("uvicorn", "asyncio")  # the first line of what these say is always the same
_FAILURES = ("thread", "python", "gradio")  # of these, each is told


def log_to_stderr() -> None:
    """Write the log to the error output, one line of JSON for each entry; see journal.py."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    handler.addFilter(_Seldom())
    logging.root.handlers[:] = [handler]
    logging.getLogger(_OURS).setLevel(logging.INFO)
    logging.raiseExceptions = False  # a log that can't be written must not write about it
    warnings.showwarning = _warned  # type: ignore[assignment]
    threading.excepthook = lambda failed: _failed("thread", failed.exc_value)
    sys.unraisablehook = lambda failed: _failed("python", failed.exc_value)
    # Gradio prints what went wrong in an event, and asks no log.
    traceback.print_exc = lambda *_, **__: _failed("gradio", sys.exc_info()[1])


def take_over(*names: str) -> None:
    """What these loggers write by handlers of their own goes the way of all others."""
    for name in names:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


def where(error: BaseException) -> dict[str, str]:
    """The kind of an error, the place, and the way there: not its text, which can have anything."""
    frames = traceback.extract_tb(error.__traceback__)
    way = [f"{each.filename}:{each.lineno} {each.name}" for each in frames]
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "at": place, "trace": "\n".join(way)}


class Lines(logging.Formatter):
    """An entry of a log as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        if getattr(record, "is_line", False):  # the journal's
            return record.getMessage()
        facts = {"log": record.name, "level": record.levelname.lower(), "text": _text(record)}
        facts["at"] = f"{record.pathname}:{record.lineno}"
        if record.exc_info and record.exc_info[1]:
            facts |= where(record.exc_info[1])
        return json.dumps(facts)


class _Seldom(logging.Filter):
    """Lets what is not ours say the same once a second: asyncio tells of each try to accept."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, int], float] = {}  # as many as there are places that log

    def filter(self, record: logging.LogRecord) -> bool:
        place = record.pathname, record.lineno
        if record.name.partition(".")[0] == _OURS or record.name in _FAILURES:
            return True
        is_due = record.created >= self._last.get(place, 0) + 1
        if is_due:
            self._last[place] = record.created
        return is_due


def _text(record: logging.LogRecord) -> str:
    kind = record.name.partition(".")[0]
    if kind == _OURS:
        return record.getMessage()
    return str(record.msg).partition("\n")[0] if kind in _CONSTANT else ""


def _failed(name: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit):
        logging.getLogger(name).error("failed", exc_info=error)


def _warned(_message: Any, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    facts = {"log": "python", "level": "warning", "text": category.__name__}
    facts["at"] = f"{filename}:{lineno}"
    logging.getLogger(_OURS).warning(json.dumps(facts), extra={"is_line": True})
