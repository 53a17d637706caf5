"""The one thread on which all networks run, what matters most first.

PyTorch's threads belong to the thread that calls it. Called from the many threads of a server,
it keeps a pool for each; together they have more threads than there are cores, and OpenMP then
lets them sleep between any two layers, which takes twice as long as waiting awake (a sweep of
EfficientNet-Lite0 on two cores: 181 ms instead of 107). On one thread there is one pool, no
network runs twice at a time, and what is urgent can overtake what is not.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, TypeVar

Result = TypeVar("Result")


class Rank(IntEnum):
    """What goes first when several wait."""

    FIRST_MAP = 0  # somebody sees nothing yet
    ANSWER = 1  # somebody has asked for this very thing
    SWEEP = 2  # the other maps, which may never be looked at
    YARDSTICK = 3


class Worker:
    """Runs functions one after another on a thread of its own."""

    def __init__(self) -> None:
        self._jobs: queue.PriorityQueue[tuple[Rank, int, Future, Callable[[], Any]]]
        self._jobs = queue.PriorityQueue()
        self._arrivals = itertools.count()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, rank: Rank, function: Callable[[], Result]) -> Result:
        """Wait for the function's turn, and return what it returns, or raise what it raises.

        Of one rank, who came first is first.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="networks", daemon=True)
                self._thread.start()
        future: Future[Result] = Future()
        self._jobs.put((rank, next(self._arrivals), future, function))
        return future.result()

    def _work(self) -> None:
        while True:
            _, _, future, function = self._jobs.get()
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del future, function  # not kept until the next one comes
