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

A long function gives way to what is more urgent. Between two forwards that runs on the same thread.
Amid one it does not: PyTorch keeps with the thread what is recorded, and how, and how far a
backward has come. What is more urgent then runs on another thread, while this one sleeps.
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
from contextvars import copy_context
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
_MUCH = 0.5  # seconds of use by which more than double is much more
_DEEPEST = 2  # functions that wait in a lane for others, each with what it holds in memory


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
    depth: int = 0  # how many in this lane have given way to it


_Key = tuple[str, str]


def _keys(who: Asker) -> tuple[_Key, _Key]:
    """By what it is counted how much somebody has used: a name is what a client calls itself, so
    that where they come from counts first."""
    return ("address", who.address), ("name", who.name)


class Lanes:
    """Runs functions on threads of its own, as many at a time as there are lanes.

    What is more urgent goes first (see `Rank`); of one rank, the address and then the visitor that
    has had a lane for the shortest time of late; of those, who came first. Who has had one for a
    much longer time gives way within one rank, too: nobody's giant is waited for by who asks for
    little.

    Args:
        count: how many lanes there are.
        clock: seconds, for tests.
    """

    def __init__(self, count: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = count
        self._clock = clock
        self._waiting: list[_Turn] = []
        self._used: dict[_Key, tuple[float, float]] = {}  # seconds, and when that was
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
        self._give_way(self._serve)

    def pause(self) -> None:
        """The same amid a forward or a backward, whose state this thread holds.

        On a thread that is no lane's, such as one that a network starts, it does nothing.
        """
        if getattr(self._here, "turn", None):
            self._give_way(self._serve_apart)

    def _give_way(self, serve: Callable[[_Turn], None]) -> None:
        turn: _Turn = self._here.turn
        if self._waiting:  # else it costs nothing: networks pause often
            with self._changed:
                self._charge(turn)
                urgent = self._before(turn)
            if urgent:
                serve(turn)
                self._here.turn, turn.charged = turn, self._clock()
        if turn.who.gone.is_set() or self._ending:
            raise Abandoned

    def _before(self, turn: _Turn) -> list[_Turn]:
        """Those who wait and go before one that has a lane already."""
        if turn.depth == _DEEPEST:
            return []
        now = self._clock()

        def has_used_much_more(other: Asker) -> bool:
            for mine, theirs in zip(_keys(turn.who), _keys(other), strict=True):
                if mine != theirs:
                    return self._use(mine, now) > 2 * self._use(theirs, now) + _MUCH
            return False

        return [
            each
            for each in self._waiting
            if each.rank < turn.rank or (each.rank == turn.rank and has_used_much_more(each.who))
        ]

    def _serve(self, turn: _Turn) -> None:
        """Run what goes before a turn, until there is nothing more of it."""
        while True:
            with self._changed:
                urgent = self._before(turn)
                if not urgent:
                    return
                other = self._take(urgent)
                other.depth = turn.depth + 1
            self._do(other)

    def _serve_apart(self, turn: _Turn) -> None:
        """The same on another thread, which then ends: kept, its pool would be one too many."""

        def work() -> None:
            self._settle()
            self._serve(turn)

        name = threading.current_thread().name
        context = copy_context()  # of the locks that are this lane's
        thread = threading.Thread(target=context.run, args=(work,), name=name, daemon=True)
        thread.start()
        thread.join()

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

        def order(one: _Turn) -> tuple[float, ...]:
            used = (self._use(key, now) for key in _keys(one.who))
            return (one.rank, *used, one.arrival)

        first = min(waiting, key=order)
        self._waiting.remove(first)
        return first

    def _use(self, key: _Key, now: float) -> float:
        """Seconds for which a name or an address has had a lane; the longer ago, the less."""
        seconds, when = self._used.get(key, (0.0, now))
        return seconds * 0.5 ** ((now - when) / _HALF)

    def _charge(self, turn: _Turn) -> None:
        now = self._clock()
        for key in _keys(turn.who):
            self._used[key] = (self._use(key, now) + now - turn.charged, now)
        turn.charged = now

    def _start(self) -> None:
        if not self._started:
            self._started = True
            atexit.register(self._end)
            for lane in range(self.count):
                threading.Thread(target=self._work, name=f"lane {lane}", daemon=True).start()

    def _settle(self) -> None:
        """What a lane's thread is before it runs anything."""
        if self.count > 1:
            import torch

            torch.set_num_threads(1)
            if sys.platform == "linux":  # where a thread has a priority of its own
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

    def _work(self) -> None:
        self._settle()
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
            for key in [key for key in self._used if self._use(key, now) < _FORGOTTEN]:
                del self._used[key]
        if failure is None:
            turn.future.set_result(result)
        else:
            turn.future.set_exception(failure)
        self._here.turn = None
