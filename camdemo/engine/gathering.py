"""Photos that many threads ask about, explained together: an engine before another one.

Whoever asks for a first map while others do shares a forward with them. No clock is needed: while
the networks are busy questions gather, and whoever finds a place takes what is there.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from .batches import Batches
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
    width,
)

_MOST = 4  # photos in a forward: more are no faster on a core, and each thread holds a photo
_REMEMBERED = 64  # photos whose further maps wait to be asked for


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
        self._batches = Batches(max(_MOST, width(engine)))
        self._lock = threading.Lock()
        # Of inputs, which are kept so that no others get their identity: {(method, layer, label)}.
        self._known: OrderedDict[int, tuple[np.ndarray, Maps]] = OrderedDict()

    @property
    def width(self) -> int:
        """See `protocol.width`."""
        return width(self._engine)

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
        mine = self._batches.join(job)
        with self._places:
            if batch := self._batches.take(mine):
                self._batches.answer(batch, self._together)
        found = mine.future.result()
        if found.others:
            self._remember(job, found)
        return found

    def _together(self, jobs: tuple[FirstMap, ...]) -> tuple[MapAndLogits, ...]:
        return self._engine.run(FirstMaps(jobs, self._top))

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
