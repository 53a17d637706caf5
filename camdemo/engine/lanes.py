"""The threads on which all networks run, what matters most first.

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

import heapq
import itertools
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Abandoned

Result = TypeVar("Result")
_Job = tuple["Rank", int, Future, Callable[[], Any]]  # of one rank, who came first is first

_NICE = 10  # with all cores busy, those who answer browsers go before those who compute

# Set when whoever asked has gone, by who serves the request; see `Worker.run`.
gone: ContextVar[threading.Event | None] = ContextVar("gone", default=None)


def cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many cores this process may use: a container's share can be less than the machine has."""
    has_affinity = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    try:
        microseconds, period = quota.read_text().split()
        return max(1, min(count, round(int(microseconds) / int(period))))
    except (OSError, ValueError):  # there is no such file, or it says "max"
        return count


class Rank(IntEnum):
    """What goes first when several wait."""

    FIRST_MAP = 0  # somebody sees nothing yet
    ANSWER = 1  # somebody has asked for this very thing
    SWEEP = 2  # the other maps, which may never be looked at
    YARDSTICK = 3


class Worker:
    """Runs functions on threads of its own, as many at a time as there are lanes."""

    def __init__(self, lanes: int = 1) -> None:
        self._lanes = lanes
        self._jobs: list[_Job] = []  # a heap
        self._arrivals = itertools.count()
        self._changed = threading.Condition()
        self._started = False

    def run(self, rank: Rank, function: Callable[[], Result]) -> Result:
        """Wait for the function's turn, and return what it returns, or raise what it raises.

        Of one rank, who came first is first.

        Raises:
            Abandoned: whoever asked had `gone` before the turn came.
        """
        left = gone.get()

        def unless_gone() -> Result:
            if left is not None and left.is_set():
                raise Abandoned
            return function()

        future: Future[Result] = Future()
        with self._changed:
            self._start()
            heapq.heappush(self._jobs, (rank, next(self._arrivals), future, unless_gone))
            self._changed.notify()
        return future.result()

    def give_way(self, rank: Rank) -> None:
        """Within a long function of that rank: run what waits and is more urgent, then go on.

        So that nobody who sees nothing yet waits for the whole of a sweep.
        """
        while True:
            with self._changed:
                if not self._jobs or self._jobs[0][0] >= rank:
                    return
                job = heapq.heappop(self._jobs)
            _do(job)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            for lane in range(self._lanes):
                threading.Thread(target=self._work, name=f"lane {lane}", daemon=True).start()

    def _work(self) -> None:
        if self._lanes > 1:
            import torch

            torch.set_num_threads(1)
            if sys.platform == "linux":  # where a thread has a priority of its own
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs)
                job = heapq.heappop(self._jobs)
            _do(job)
            del job  # not kept until the next one comes


def _do(job: _Job) -> None:
    _, _, future, function = job
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
