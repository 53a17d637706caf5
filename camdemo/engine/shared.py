"""Nothing twice: an engine before another one, which keeps what was answered by its content.

What everybody in a hall clicks is computed once, and who asks while it is computed waits for the
same computation. A sweep is kept label by label: the first question is answered when its label is
there, the next one with what came meanwhile.

Maps are kept as they are, float32 at the full grid: averaged or rounded ones would no longer be
what the network said. A photo on EfficientNet-Lite0 takes about 0.2 MB for a label and a method.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ..errors import Abandoned
from ..models import Catalogue
from .protocol import (
    NOBODY,
    Answer,
    Asker,
    Engine,
    FirstMap,
    Job,
    LabelMaps,
    MapAndLogits,
    PixelAnswer,
    PixelMap,
    Progress,
    Sweep,
    asker,
    offer,
    together,
    width,
)

_MOST = 64 * 2**20  # bytes of all that is kept
_PATIENCE = 5.0  # seconds for which a computation goes on when nobody waits: who looks asks again


class _Crowd:
    """Those who wait for one computation. It is their `gone`: set when nobody is left."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: list[Asker] = []
        self._left = clock()  # when the last one had what he wanted

    def is_set(self) -> bool:
        waiting = tuple(self._waiting)
        if waiting:
            return all(one.gone.is_set() for one in waiting)
        return self._clock() - self._left > _PATIENCE

    def join(self, one: Asker) -> None:
        self._waiting.append(one)

    def leave(self, one: Asker) -> None:
        self._left = self._clock()
        self._waiting.remove(one)


@dataclass(eq=False)
class _Kept:
    """An answer, or one that is being computed."""

    future: Future[Any]
    crowd: _Crowd
    size: int = 0  # bytes; 0 until it is there


class SharedEngine:
    """An `Engine` that answers maps from memory, and hands on all other jobs.

    Maps that only pass, as those of a camera's frames, are handed on, too: nothing is left of them.

    Args:
        engine: what computes.
        most: bytes of the answers that are kept; the least recently used go first.
        clock: seconds, for tests.
    """

    def __init__(
        self, engine: Engine, most: int = _MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._size = 0
        self._watching: dict[Hashable, list[Progress]] = {}  # who watches a pixel map grow
        self._lock = threading.Lock()

    @property
    def width(self) -> int:
        """See `protocol.width`."""
        return width(self._engine)

    def offer(self, catalogue: Catalogue) -> None:
        """See `protocol.offer`."""
        offer(self._engine, catalogue)

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """See `Engine.fetch`."""
        self._engine.fetch(model, progress)

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """See `Engine.run`. Arrays that are kept can't be written to."""
        answer: Any
        if isinstance(job, FirstMap) and not job.passing:
            answer = self._first_map(job, progress)
        elif isinstance(job, PixelMap):
            answer = self._pixel_map(job, progress)
        elif isinstance(job, Sweep):
            answer = together(self.stream(job))
        else:
            answer = self._engine.run(job, progress)
        return cast(Answer, answer)

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """See `Engine.stream`. To close the iterator leaves the computation to the others."""
        layers = tuple(layer.name for layer in job.layers)
        which = ("sweep", job.model, layers, job.methods, job.versus, _digest(job.inputs))

        def compute(keys: list[Any]) -> Iterator[tuple[Any, LabelMaps]]:
            targets = tuple(target for _, target in keys)
            for target, maps in self._engine.stream(replace(job, targets=targets, more=())):
                yield (which, target), maps

        keys = [(which, target) for target in (*job.targets, *job.more)]
        for target in job.targets:
            yield target, self._get((which, target), keys, compute)

    def _first_map(self, job: FirstMap, progress: Progress | None) -> MapAndLogits:
        which = (job.model, job.layer.name, job.method, job.target, job.versus)
        key = ("first map", *which, _digest(job.inputs))
        if progress:  # each who waits sees how far the download is
            self.fetch(job.model, progress)

        def compute(_keys: list[Any]) -> Iterator[tuple[Any, MapAndLogits]]:
            yield key, self._engine.run(job)

        return cast(MapAndLogits, self._get(key, [key], compute))

    def _pixel_map(self, job: PixelMap, progress: Progress | None) -> PixelAnswer:
        which = (job.model, job.method, job.target, job.versus, job.settings)
        key = ("pixel map", *which, _digest(job.inputs))
        watch = progress or (lambda _done, _total: None)

        def tell(done: int, total: int) -> None:
            with self._lock:
                watching = tuple(self._watching.get(key, ()))
            for each in watching:
                each(done, total)

        def compute(_keys: list[Any]) -> Iterator[tuple[Any, PixelAnswer]]:
            yield key, self._engine.run(job, tell)

        with self._lock:
            self._watching.setdefault(key, []).append(watch)
        try:
            return cast(PixelAnswer, self._get(key, [key], compute))
        finally:
            with self._lock:
                self._watching[key].remove(watch)
                if not self._watching[key]:
                    del self._watching[key]

    def _get(
        self,
        key: Hashable,
        together: list[Any],
        compute: Callable[[list[Any]], Iterator[tuple[Any, Any]]],
    ) -> Any:
        """The answer to one question: kept, under way, or computed now.

        Args:
            together: the keys of what is computed in one go, this one among them, in order.
            compute: from keys to them and their answers.

        Raises:
            Abandoned: whoever asks has gone.
            whatever `compute` raises, to all who wait; nothing of it is kept.
        """
        me = asker.get() or NOBODY
        while True:
            with self._lock:
                if key not in self._kept:
                    self._begin(together, compute, me)
                self._kept.move_to_end(key)
                kept = self._kept[key]
                kept.crowd.join(me)
            try:
                return kept.future.result()
            except Abandoned:
                if me.gone.is_set():
                    raise
                # It was dropped in the moment in which this one came: once more.
            finally:
                kept.crowd.leave(me)

    def _begin(
        self,
        keys: list[Any],
        compute: Callable[[list[Any]], Iterator[tuple[Any, Any]]],
        who: Asker,
    ) -> None:
        """Start to compute what of these is not there and not under way."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._kept]
        crowd = _Crowd(self._clock)
        begun = {key: _Kept(Future(), crowd) for key in missing}
        self._kept |= begun
        arguments = (begun, compute, replace(who, gone=crowd))
        threading.Thread(target=self._compute, args=arguments, daemon=True).start()

    def _compute(
        self,
        begun: dict[Any, _Kept],
        compute: Callable[[list[Any]], Iterator[tuple[Any, Any]]],
        who: Asker,
    ) -> None:
        asker.set(who)  # for this thread alone
        waited = dict(begun)
        failure: BaseException = RuntimeError("The engine has not answered all that was asked.")
        try:
            for key, value in compute(list(begun)):
                kept = waited.pop(key)
                self._keep(kept, value)
                kept.future.set_result(value)
        except BaseException as error:
            failure = error
        with self._lock:
            for key in waited:
                del self._kept[key]
        for kept in waited.values():
            kept.future.set_exception(failure)

    def _keep(self, kept: _Kept, value: Any) -> None:
        """Count it, and forget the least recently used so that what is kept is not too much."""
        size = 0
        for array in _arrays(value):
            array.flags.writeable = False  # it is everybody's
            size += array.nbytes
        with self._lock:
            kept.size = size
            self._size += size
            done = [each for each, other in self._kept.items() if other.size]
            while self._size > self._most:
                self._size -= self._kept.pop(done.pop(0)).size


def _arrays(value: MapAndLogits | LabelMaps) -> Iterable[np.ndarray]:
    return (value.map, value.logits) if isinstance(value, MapAndLogits) else value.values()


def _digest(inputs: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return inputs.shape, hashlib.sha256(np.ascontiguousarray(inputs).data).digest()
