"""Lanes for all networks: turns by rank and arrival, results and errors to whoever asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from camdemo.engine.lanes import Rank, Worker, cores, gone
from camdemo.errors import Abandoned


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
            ask_and_wait_in_line(pool, worker, rank, lambda name=name: order.append(name))
        go.set()
    assert order == ["first map", "answer", "sweep", "second sweep", "yardstick"]


def ask_and_wait_in_line(
    pool: ThreadPoolExecutor, worker: Worker, rank: Rank, job: Callable[[], object]
) -> None:
    waiting = len(worker._jobs)
    pool.submit(worker.run, rank, job)
    while len(worker._jobs) == waiting:
        time.sleep(0.001)


def test_a_long_job_gives_way_to_what_is_more_urgent_and_to_nothing_else():
    worker = Worker()
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def sweep() -> None:
        order.append("begun")
        begun.set()
        assert go.wait(10)
        worker.give_way(Rank.SWEEP)
        order.append("done")

    with ThreadPoolExecutor(8) as pool:
        pool.submit(worker.run, Rank.SWEEP, sweep)
        assert begun.wait(10)
        for rank in (Rank.YARDSTICK, Rank.SWEEP, Rank.ANSWER, Rank.FIRST_MAP):
            job = partial(order.append, rank.name)
            ask_and_wait_in_line(pool, worker, rank, job)
        go.set()
    assert order == ["begun", "FIRST_MAP", "ANSWER", "done", "SWEEP", "YARDSTICK"]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_as_many_run_at_once_as_there_are_lanes(lanes):
    worker = Worker(lanes)
    together = threading.Barrier(lanes)

    def meet() -> int:
        together.wait(10)  # breaks unless all lanes come
        return threading.get_ident()

    with ThreadPoolExecutor(lanes) as pool:
        threads = list(pool.map(lambda _: worker.run(Rank.ANSWER, meet), range(lanes)))
    assert len(set(threads)) == lanes


def test_several_lanes_have_a_core_each_and_a_single_one_has_all():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert Worker().run(Rank.ANSWER, torch.get_num_threads) == 3
        assert Worker(2).run(Rank.ANSWER, torch.get_num_threads) == 1
        assert torch.get_num_threads() == 3  # the caller's own are untouched
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("1600000 100000", 8), ("", 8)],
)
def test_a_container_may_have_fewer_cores_than_the_machine(tmp_path, monkeypatch, quota, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    assert cores(file) == expected
    assert cores(tmp_path / "none") == 8


def test_nothing_is_done_for_who_has_gone():
    worker, done = Worker(), []
    left = threading.Event()
    token = gone.set(left)
    try:
        worker.run(Rank.ANSWER, lambda: done.append("here"))
        left.set()
        with pytest.raises(Abandoned):
            worker.run(Rank.ANSWER, lambda: done.append("gone"))
    finally:
        gone.reset(token)
    worker.run(Rank.ANSWER, lambda: done.append("somebody else"))
    assert done == ["here", "somebody else"]


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
