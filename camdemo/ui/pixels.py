"""Maps of pixels on their way: they take seconds to minutes, so viewers watch and may cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..engine.protocol import NOBODY, Asker, asker
from ..errors import Abandoned, CamdemoError
from ..records import INPUT
from . import questions
from .errors import told
from .server.admission import PIXELS
from .server.journal import SORRY, answers, note, request
from .server.presence import visitor

if TYPE_CHECKING:
    from ..finding import Finding
    from .answers import Answers

_EACH = 2  # at once for one visitor: the two halves of a comparison
_SILENT = 8.0  # seconds; whoever waits asks three times a second, once in the background
_KEPT = 256  # answers that nobody has come for yet, or won't

_Key = tuple[Any, ...]  # who asks for what


@dataclass(eq=False)
class _Run:
    """A map that is computed for a visitor. It is its asker's `gone`, too."""

    visitor: str
    address: str = ""
    state: str = "running"
    done: int = 0
    total: int = 0
    error: str = ""
    answer: Mapping[str, Any] = field(default_factory=dict)
    asked: float = field(default_factory=time.monotonic)  # when the visitor asked last

    def is_set(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.state == "stopped" or time.monotonic() - self.asked > _SILENT

    def as_json(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in ("state", "done", "total", "error")}
        return facts | dict(self.answer)


class Pixels:
    """Answers {"id": token, "method", "target", "versus": indices, "strength",
    "settings": {name: value}} by

        {"state": "running", "ready", "failed" or "stopped",
         "done": forwards, "total": forwards (0: it has not begun), "error": a sentence or ""}

    and, once it is ready, what `Finding.pixel_answer` says. "stopped" means that nothing of the
    kind is on its way for this visitor: whoever still wants it starts it again, and what is
    computed already is there at once. A question that can't be answered gets {"error": a sentence}.
    Safe to share between threads.
    """

    def __init__(self, asked: Answers) -> None:
        self._asked = asked
        self._runs: dict[_Key, _Run] = {}
        self._lock = threading.Lock()

    @answers("pixels")
    def start(self, question: Any) -> dict[str, Any]:
        """Start it, or hear how far it is. A visitor has two at once; the oldest then ends."""
        finding, what = self._read(question)
        finding.pixel_job(**what)  # which refuses what can't be
        key = _key(question, what)
        with self._lock:
            run = self._runs.get(key)
            if run is None or run.is_set() or run.state == "failed":
                own = [
                    each
                    for each in self._runs.values()
                    if each.visitor == visitor() and each.state == "running"
                ]
                for each in own[: max(0, len(own) + 1 - _EACH)]:
                    each.state = "stopped"
                run = self._runs[key] = _Run(visitor(), (asker.get() or NOBODY).address)
                threading.Thread(
                    target=self._compute, args=(run, finding, what), daemon=True
                ).start()
        return self._seen(key, run)

    def state(self, question: Any) -> dict[str, Any]:
        """How far it is. It is asked again and again, and so not in the log."""
        try:
            _finding, what = self._read(question)
        except CamdemoError as error:
            return {"error": str(error)}
        key = _key(question, what)
        return self._seen(key, self._runs.get(key))

    @answers("cancel pixels")
    def cancel(self, question: Any) -> dict[str, Any]:
        """Wait no longer: it ends, unless others wait for the very same."""
        _finding, what = self._read(question)
        key = _key(question, what)
        with self._lock:
            run = self._runs.pop(key, None)
            if run:
                run.state = "stopped"
        return self._seen(key, None)

    def _read(self, question: Any) -> tuple[Finding, dict[str, Any]]:
        """Whom to ask, and for what."""
        finding = self._asked.finding(question)
        return finding, questions.pixels(question)

    def _seen(self, key: _Key, run: _Run | None) -> dict[str, Any]:
        """What its visitor is told, who takes a finished one away."""
        with self._lock:
            if run is None or run.is_set():
                return _Run("", state="stopped").as_json()
            run.asked = time.monotonic()
            if run.state != "running":
                self._runs.pop(key, None)
            for other, each in list(self._runs.items()):
                if each.is_set() and each.state != "running":
                    del self._runs[other]
            ended = [key for key, each in self._runs.items() if each.state != "running"]
            for forgotten in ended[: max(0, len(ended) - _KEPT)]:
                del self._runs[forgotten]
            return run.as_json()

    def _compute(self, run: _Run, finding: Finding, what: dict[str, Any]) -> None:
        """Compute it, until it is there or nobody waits. A thread does nothing else."""
        asker.set(Asker(run.visitor, run, run.address))

        def watch(done: int, total: int) -> None:
            run.done, run.total = done, total

        state, error = "failed", SORRY
        answer: dict[str, Any] = {}
        with suppress(Exception), request("pixel map"):  # which writes it into the log
            note(model=finding.model.name, method=what["method"])
            try:
                with self._asked.admission.place(PIXELS):
                    started = time.perf_counter()
                    found = finding.seen(INPUT, **what, watch=watch)
                    milliseconds = 1000 * (time.perf_counter() - started)
                answer, state, error = found.pixel_answer(milliseconds), "ready", ""
            except Abandoned:
                state, error = "stopped", ""
            except CamdemoError as failed:
                error = told(failed)
                raise
        with self._lock:
            if run.state == "running":
                run.state, run.error, run.answer = state, error, answer


def _key(question: Any, what: Mapping[str, Any]) -> _Key:
    settings = tuple(sorted(what["settings"].items()))
    return (
        visitor(),
        question["id"],
        what["method"],
        what["target"],
        tuple(what["versus"] or ()),
        what["strength"],
        settings,
    )
