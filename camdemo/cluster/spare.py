"""Two engines: the second answers as long as the first can't be reached."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from ..engine.protocol import Answer, Engine, Job, LabelMaps, Progress, Sweep, offer, together
from ..errors import Unreachable
from ..models import Catalogue

log = logging.getLogger("camdemo")


class SpareEngine:
    """An `Engine` that asks `first`, and `second` whatever that can't answer."""

    def __init__(self, first: Engine, second: Engine) -> None:
        self._first = first
        self._second = second
        self._is_told = False  # once, until the first is back

    def offer(self, catalogue: Catalogue) -> None:
        """See `protocol.offer`."""
        try:
            offer(self._first, catalogue)
        except Unreachable as error:
            self._tell(error)
        offer(self._second, catalogue)

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """See `Engine.fetch`."""
        try:
            self._first.fetch(model, progress)
        except Unreachable as error:
            self._tell(error)
            self._second.fetch(model, progress)

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """See `Engine.run`."""
        if isinstance(job, Sweep):
            return together(self.stream(job))  # type: ignore[return-value]
        try:
            answer = self._first.run(job, progress)
        except Unreachable as error:
            self._tell(error)
            return self._second.run(job, progress)
        self._is_told = False
        return answer

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """See `Engine.stream`."""
        left = job.targets
        try:
            for label in self._first.stream(job):
                left = left[1:]
                yield label
        except Unreachable as error:
            self._tell(error)
            yield from self._second.stream(replace(job, targets=left))

    def _tell(self, error: Unreachable) -> None:
        if not self._is_told:
            self._is_told = True
            log.warning("This machine answers: %s", error)
