"""Downloads of weights that viewers watch: one for each model, however many wait for it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import Abandoned, CamdemoError, WeightsError
from ..records import ModelSpec
from .errors import weights_told
from .server.admission import DOWNLOAD, Admission
from .server.journal import SORRY, answers, note, request
from .server.presence import visitor

if TYPE_CHECKING:
    from ..explainer import Explainer

_MOST = 16  # downloads at once
_SILENT = 90.0  # seconds; a page asks three times a second, and once a minute in the background
_MOST_WAITING = 4096  # visitors for one of them


@dataclass(eq=False)
class _Download:
    """A download, and the visitors who wait for it or have heard how it ended."""

    spec: ModelSpec
    waiting: dict[str, float] = field(default_factory=dict)  # when each of them asked last
    state: str = "running"
    received: int = 0
    total: int = 0
    error: str = ""

    def forget_the_silent(self) -> None:
        """Whoever closed the page asks no more, and does not wait."""
        now = time.monotonic()
        self.waiting = {who: at for who, at in self.waiting.items() if now - at < _SILENT}


class Downloads:
    """Answers {"model": a name} by how far its download is, for whoever asks (see `asker`):

        {"state": "running", "ready", "failed" or "stopped",
         "received": bytes, "total": bytes (0: unknown), "error": a sentence or ""}

    "stopped" means that the weights are not here, and this visitor does not wait for them. A
    question that can't be answered gets {"error": a sentence}. Safe to share between threads.
    """

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._downloads: dict[str, _Download] = {}  # running, and how the last of a model ended
        self._lock = threading.Lock()

    @answers("download")
    def start(self, question: Any) -> dict[str, Any]:
        """Wait for a model's weights; the first who does starts their download."""
        spec = self._find(question)
        with self._lock:
            download = self._downloads.get(spec.name)
            if download is None or download.state != "running":
                if spec.ready:
                    return _seen(spec, None)
                running = sum(one.state == "running" for one in self._downloads.values())
                if running >= _MOST:
                    raise CamdemoError(
                        f"{running} models are being downloaded. Wait for one of them, or choose "
                        "a model that is ready."
                    )
                download = self._downloads[spec.name] = _Download(spec)
                threading.Thread(target=self._run, args=(download,), daemon=True).start()
            if len(download.waiting) >= _MOST_WAITING:
                raise CamdemoError("Too many people wait for this model. Try again in a minute.")
            download.waiting[visitor()] = time.monotonic()
            return _seen(spec, download)

    def state(self, question: Any) -> dict[str, Any]:
        """How far it is. It is asked again and again, and so not in the log."""
        try:
            spec = self._find(question)
        except CamdemoError as error:
            return {"error": str(error)}
        with self._lock:
            download = self._downloads.get(spec.name)
            if download and visitor() in download.waiting:
                download.waiting[visitor()] = time.monotonic()
            return _seen(spec, download)

    @answers("cancel download")
    def cancel(self, question: Any) -> dict[str, Any]:
        """Wait no longer. When nobody does, the download stops and leaves nothing behind."""
        spec = self._find(question)
        with self._lock:
            download = self._downloads.get(spec.name)
            if download:
                download.waiting.pop(visitor(), None)
            return _seen(spec, download)

    def _find(self, question: Any) -> ModelSpec:
        name = question.get("model") if isinstance(question, dict) else None
        if not isinstance(name, str):
            raise CamdemoError("The model must be a name.")
        return self._explainer.model(name)

    def _run(self, download: _Download) -> None:
        """Fetch the weights, until they are here or nobody waits. A thread does nothing else."""
        name = download.spec.name

        def progress(received: int, total: int) -> None:
            with self._lock:
                download.forget_the_silent()
                if not download.waiting:
                    del self._downloads[name]  # who asks now starts another one
                    raise Abandoned("Nobody waits for this download any more.")
                download.received, download.total = received, total

        state, error = "failed", SORRY
        with suppress(Exception), request("fetch"):  # which writes it into the log
            note(model=name)
            try:
                self._explainer.fetch(name, progress)
                state, error = "ready", ""
            except WeightsError as failed:
                error = weights_told(download.spec, failed.__cause__)
                raise
        with self._lock:
            download.state, download.error = state, error


def lacks(explainer: Explainer, model: str) -> bool:
    """Whether a model's weights must be downloaded first.

    Raises:
        ChoiceError: no such model.
    """
    return not explainer.model(model).ready


async def fetched(explainer: Explainer, admission: Admission, model: str | None) -> None:
    """Wait until a model's weights are here, for a program, which may ask at once.

    Raises:
        ChoiceError: no such model.
        Busy: too many wait for downloads.
        WeightsError: they can't be had.
    """
    if model is not None and lacks(explainer, model):
        await admission.run(DOWNLOAD, 0, explainer.fetch, model)


def _seen(spec: ModelSpec, download: _Download | None) -> dict[str, Any]:
    """What whoever asks is told of a download, which may be another's."""
    if download is None or visitor() not in download.waiting:
        download = _Download(spec, state="ready" if spec.ready else "stopped")
    return {name: getattr(download, name) for name in ("state", "received", "total", "error")}
