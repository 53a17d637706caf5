"""One thread for all networks: turns by rank and arrival, results and errors to whoever asked."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from camdemo.worker import Rank, Worker


def test_everything_runs_on_one_thread_and_not_on_the_callers():
    worker = Worker()
    with ThreadPoolExecutor(8) as pool:
        threads = list(
            pool.map(lambda _: worker.run(Rank.SWEEP, threading.current_thread), range(40))
        )
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon  # it ends with the process


def test_nobody_gets_anothers_result():
    worker = Worker()

    def ask(number: int) -> int:
        return worker.run(Rank(number % 4), lambda: time.sleep(0.0005) or number)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(300))) == list(range(300))


def test_first_maps_overtake_what_waits_and_equals_keep_their_order():
    worker = Worker()
    begun, go = threading.Event(), threading.Event()
    order: list[str] = []

    def hold() -> None:
        begun.set()
        assert go.wait(10)

    with ThreadPoolExecutor(8) as pool:
        pool.submit(worker.run, Rank.YARDSTICK, hold)
        assert begun.wait(10)
        for rank, name in [
            (Rank.YARDSTICK, "yardstick"),
            (Rank.SWEEP, "sweep"),
            (Rank.SWEEP, "second sweep"),
            (Rank.ANSWER, "answer"),
            (Rank.FIRST_MAP, "first map"),
        ]:
            waiting = worker._jobs.qsize()
            pool.submit(worker.run, rank, lambda name=name: order.append(name))
            while worker._jobs.qsize() == waiting:
                time.sleep(0.001)
        go.set()
    assert order == ["first map", "answer", "sweep", "second sweep", "yardstick"]


def test_what_fails_is_told_to_whoever_asked_and_the_next_one_is_served():
    worker = Worker()
    for error in (ValueError("no"), KeyboardInterrupt(), SystemExit(1)):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            worker.run(Rank.ANSWER, fail)
    assert worker.run(Rank.ANSWER, lambda: 7) == 7


def test_two_workers_are_two_threads():
    assert len({Worker().run(Rank.ANSWER, threading.get_ident) for _ in range(2)}) == 2
