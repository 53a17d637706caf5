"""Photos that many threads ask about, explained together: an engine before another one.

Whoever asks for a first map while others do shares a forward with them. No clock is needed: while
the networks are busy questions gather, and whoever finds a place takes what is there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from .protocol import (
    Answer,
    Engine,
    FirstMap,
    FirstMaps,
    Job,
    LabelMaps,
    MapAndLogits,
    Maps,
    Progress,
    Sweep,
)

_MOST = 4  # photos in a forward: more are no faster on a core, and each thread holds a photo
_REMEMBERED = 64  # photos whose further maps wait to be asked for
_SAME = 1e-4  # of the range of the logits: alone and in a batch they differ by rounding


@dataclass(eq=False)
class _Waiting:
    job: FirstMap
    future: Future[MapAndLogits] = field(default_factory=Future)

    @property
    def kind(self) -> tuple[str, str, str]:
        """What must agree for one forward."""
        return self.job.model, self.job.layer.name, self.job.method


class GatheringEngine:
    """An `Engine` that puts first maps together, and hands on all other jobs.

    A model whose answer to a photo depends on the others of a batch, or that takes no batch, is
    found out at its first one, and asked photo by photo.

    Args:
        engine: what computes.
        places: how many batches may be under way; as many as the engine has lanes.
        top: the maps of so many of a photo's most probable labels are computed with it. They answer
            a `Sweep` of that layer and method soon after.
    """

    def __init__(self, engine: Engine, places: int = 1, top: int = 0) -> None:
        self._engine = engine
        self._top = top
        self._places = threading.Semaphore(places)
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._alone: dict[tuple[str, str, str], bool] = {}  # whether a kind must be asked singly
        # Of inputs, which are kept so that no others get their identity: {(method, layer, label)}.
        self._known: OrderedDict[int, tuple[np.ndarray, Maps]] = OrderedDict()

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """See `Engine.fetch`."""
        self._engine.fetch(model, progress)

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """See `Engine.run`."""
        if isinstance(job, FirstMap):
            return cast(Answer, self._first_map(job))
        if isinstance(job, Sweep) and (maps := self._remembered(job)) is not None:
            return cast(Answer, maps)
        return self._engine.run(job, progress)

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """See `Engine.stream`."""
        return self._engine.stream(job)

    def _first_map(self, job: FirstMap) -> MapAndLogits:
        mine = _Waiting(job)
        with self._lock:
            self._waiting.append(mine)
        with self._places:
            while batch := self._take(mine):
                self._answer(batch)
        found = mine.future.result()
        if found.others:
            self._remember(job, found)
        return found

    def _take(self, mine: _Waiting) -> list[_Waiting]:
        """The next that go together; none where somebody else has taken this one already."""
        with self._lock:
            if mine not in self._waiting:
                return []
            first = self._waiting[0]
            most = 1 if self._alone.get(first.kind) else _MOST
            batch = [each for each in self._waiting if each.kind == first.kind][:most]
            self._waiting = [each for each in self._waiting if each not in batch]
            return batch

    def _answer(self, batch: list[_Waiting]) -> None:
        try:
            for each, answer in zip(batch, self._answers(batch), strict=True):
                each.future.set_result(answer)
        except BaseException as error:
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(error)

    def _answers(self, batch: list[_Waiting]) -> tuple[MapAndLogits, ...]:
        jobs, kind = tuple(each.job for each in batch), batch[0].kind
        if len(jobs) == 1 or kind in self._alone:
            return self._singly(jobs) if self._alone.get(kind) else self._together(jobs)
        singly = self._singly(jobs)
        self._alone[kind] = not self._agrees(jobs, singly)
        return singly

    def _together(self, jobs: tuple[FirstMap, ...]) -> tuple[MapAndLogits, ...]:
        return self._engine.run(FirstMaps(jobs, self._top))

    def _singly(self, jobs: tuple[FirstMap, ...]) -> tuple[MapAndLogits, ...]:
        return tuple(answer for job in jobs for answer in self._together((job,)))

    def _agrees(self, jobs: tuple[FirstMap, ...], singly: tuple[MapAndLogits, ...]) -> bool:
        """Whether a batch of these gives what each of them gives alone."""
        try:
            together = self._together(jobs)
        except (RuntimeError, ValueError, TypeError, IndexError):  # whatever a network raises
            return False
        return all(
            one.logits.shape == other.logits.shape
            and bool(np.abs(one.logits - other.logits).max() <= _SAME * np.ptp(other.logits))
            for one, other in zip(together, singly, strict=True)
        )

    # -- further maps

    def _remember(self, job: FirstMap, found: MapAndLogits) -> None:
        own = {} if job.versus is not None else {found.target: found.map}
        maps = {
            (job.method, job.layer.name, label): cam for label, cam in (found.others | own).items()
        }
        with self._lock:
            self._known[id(job.inputs)] = job.inputs, maps
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _remembered(self, job: Sweep) -> Maps | None:
        """All that is asked, if it is here."""
        if job.versus is not None:
            return None
        with self._lock:
            _, maps = self._known.get(id(job.inputs), (None, cast(Any, {})))
        wanted = [
            (method, layer.name, target)
            for target in job.targets
            for layer in job.layers
            for method in job.methods
        ]
        return {key: maps[key] for key in wanted} if all(key in maps for key in wanted) else None
