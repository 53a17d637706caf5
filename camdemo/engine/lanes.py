"""The threads on which all networks run: who goes first, and who gives way.

PyTorch's threads belong to the thread that calls it. Called from the many threads of a server,
it keeps a pool for each; together they have more threads than there are cores, and OpenMP then
lets them sleep between any two layers, which takes twice as long as waiting awake. Here a network
runs in a lane. One lane has all cores, which is fastest for one person. Several have a core each,
which is best for a crowd: two threads that share a network wait for each other at every layer, so
that a sweep of EfficientNet-Lite0 takes 0.7 times as long on two cores as on one, and 1.4 times
as much of the processor.

How many threads share a network must not change while a process runs: the kernels differ in the
last bit, and where a ReLU turns on that bit a map changes by up to 2.5 %.
"""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Abandoned
from .protocol import NOBODY, Asker, Rank, asker

Result = TypeVar("Result")

_NICE = 10  # with all cores busy, those who answer browsers go before those who compute
_HALF = 10.0  # seconds after which what somebody has used counts half
_LAST_SECONDS = 2.0  # that the interpreter waits for what runs when it ends
_FORGOTTEN = 1e-3  # seconds of use that no longer count


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many cores this process may use: a container's share can be less than the machine has."""
    has_affinity = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        microseconds, period = quota.read_text().split()
        return max(1, min(count, round(int(microseconds) / int(period))))
    except (OSError, ValueError):  # there is no such file, or it says "max"
        return count


@dataclass(eq=False)
class _Turn:
    """A function that waits for a lane, or has one."""

    rank: Rank
    who: Asker
    arrival: int
    function: Callable[[], Any]
    future: Future[Any]
    charged: float = 0.0  # the clock up to which its time in the lane has been counted


class Lanes:
    """Runs functions on threads of its own, as many at a time as there are lanes.

    What is more urgent goes first (see `Rank`); of one rank, whoever has had a lane for the
    shortest time of late; of those, who came first.

    Args:
        count: how many lanes there are.
        clock: seconds, for tests.
    """

    def __init__(self, count: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = count
        self._clock = clock
        self._waiting: list[_Turn] = []
        self._used: dict[str, tuple[float, float]] = {}  # by name: seconds, and when that was
        self._arrivals = itertools.count()
        self._changed = threading.Condition()
        self._started = False
        self._ending = False
        self._busy = 0  # lanes in which something runs
        self._here = threading.local()  # `turn`: whose turn it is in this lane

    def run(self, rank: Rank, function: Callable[[], Result]) -> Result:
        """Wait for the function's turn, and return what it returns, or raise what it raises.

        Raises:
            Abandoned: whoever asked had gone before the turn came.
        """
        return self.submit(rank, function).result()

    def submit(self, rank: Rank, function: Callable[[], Result]) -> Future[Result]:
        """The same without waiting."""
        future: Future[Result] = Future()
        with self._changed:
            self._start()
            turn = _Turn(rank, asker.get() or NOBODY, next(self._arrivals), function, future)
            self._waiting.append(turn)
            self._changed.notify()
        return future

    def give_way(self) -> None:
        """Within a long function: run what waits and is more urgent, then go on.

        So that nobody who sees nothing yet waits for the whole of a sweep.

        Raises:
            Abandoned: whoever asked for the long function has gone meanwhile.
        """
        turn: _Turn = self._here.turn
        while True:
            with self._changed:
                self._charge(turn)
                urgent = [each for each in self._waiting if each.rank < turn.rank]
                if not urgent:
                    break
                other = self._take(urgent)
            self._do(other)
            self._here.turn, turn.charged = turn, self._clock()
        if turn.who.gone.is_set() or self._ending:
            raise Abandoned

    def _end(self) -> None:
        """At the interpreter's exit: begin nothing more, and see what runs to its next pause.

        A thread that is ended amid PyTorch's work takes the whole process down with it.
        """
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: not self._busy, _LAST_SECONDS)

    def _take(self, waiting: list[_Turn]) -> _Turn:
        """The first of those who wait, who then waits no more."""
        now = self._clock()
        first = min(waiting, key=lambda one: (one.rank, self._use(one.who.name, now), one.arrival))
        self._waiting.remove(first)
        return first

    def _use(self, name: str, now: float) -> float:
        """Seconds for which somebody has had a lane; the longer ago, the less they count."""
        seconds, when = self._used.get(name, (0.0, now))
        return seconds * 0.5 ** ((now - when) / _HALF)

    def _charge(self, turn: _Turn) -> None:
        now, name = self._clock(), turn.who.name
        self._used[name] = (self._use(name, now) + now - turn.charged, now)
        turn.charged = now

    def _start(self) -> None:
        if not self._started:
            self._started = True
            atexit.register(self._end)
            for lane in range(self.count):
                threading.Thread(target=self._work, name=f"lane {lane}", daemon=True).start()

    def _work(self) -> None:
        if self.count > 1:
            import torch

            torch.set_num_threads(1)
            if sys.platform == "linux":  # where a thread has a priority of its own
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting and not self._ending)
                turn = self._take(self._waiting)
                self._busy += 1
            self._do(turn)
            del turn  # not kept until the next one comes
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _do(self, turn: _Turn) -> None:
        self._here.turn, turn.charged = turn, self._clock()
        result, failure = None, None
        try:
            if turn.who.gone.is_set():
                raise Abandoned
            result = turn.function()
        except BaseException as error:
            failure = error
        with self._changed:  # before whoever asked can ask again
            self._charge(turn)
            now = self._clock()
            for name in [name for name in self._used if self._use(name, now) < _FORGOTTEN]:
                del self._used[name]
        if failure is None:
            turn.future.set_result(result)
        else:
            turn.future.set_exception(failure)
        self._here.turn = None
