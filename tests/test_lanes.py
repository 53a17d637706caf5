"""Lanes for all networks: turns by rank and arrival, results and errors to whoever asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
import torch

from camdemo.engine.lanes import Lanes, cores
from camdemo.engine.protocol import Asker, Rank, asker
from camdemo.errors import Abandoned


def test_everything_runs_on_one_thread_and_not_on_the_callers():
    lanes = Lanes()
    with ThreadPoolExecutor(8) as pool:
        threads = list(
            pool.map(lambda _: lanes.run(Rank.SWEEP, threading.current_thread), range(40))
        )
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert threads[0].daemon  # it ends with the process


def test_nobody_gets_anothers_result():
    lanes = Lanes()

    def ask(number: int) -> int:
        return lanes.run(Rank(number % 4), lambda: time.sleep(0.0005) or number)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(300))) == list(range(300))


def test_first_maps_overtake_what_waits_and_equals_keep_their_order():
    lanes = Lanes()
    begun, go = threading.Event(), threading.Event()
    order: list[str] = []

    def hold() -> None:
        begun.set()
        assert go.wait(10)

    with ThreadPoolExecutor(8) as pool:
        pool.submit(lanes.run, Rank.YARDSTICK, hold)
        assert begun.wait(10)
        for rank, name in [
            (Rank.YARDSTICK, "yardstick"),
            (Rank.SWEEP, "sweep"),
            (Rank.SWEEP, "second sweep"),
            (Rank.ANSWER, "answer"),
            (Rank.FIRST_MAP, "first map"),
        ]:
            ask_and_wait_in_line(pool, lanes, rank, lambda name=name: order.append(name))
        go.set()
    assert order == ["first map", "answer", "sweep", "second sweep", "yardstick"]


def ask_and_wait_in_line(
    pool: ThreadPoolExecutor, lanes: Lanes, rank: Rank, job: Callable[[], object]
) -> None:
    waiting = len(lanes._waiting)
    pool.submit(lanes.run, rank, job)
    while len(lanes._waiting) == waiting:
        time.sleep(0.001)


def test_a_long_job_gives_way_to_what_is_more_urgent_and_to_nothing_else():
    lanes = Lanes()
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def sweep() -> None:
        order.append("begun")
        begun.set()
        assert go.wait(10)
        lanes.give_way()
        order.append("done")

    with ThreadPoolExecutor(8) as pool:
        pool.submit(lanes.run, Rank.SWEEP, sweep)
        assert begun.wait(10)
        for rank in (Rank.YARDSTICK, Rank.SWEEP, Rank.ANSWER, Rank.FIRST_MAP):
            job = partial(order.append, rank.name)
            ask_and_wait_in_line(pool, lanes, rank, job)
        go.set()
    assert order == ["begun", "FIRST_MAP", "ANSWER", "done", "SWEEP", "YARDSTICK"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_run_at_once_as_there_are_lanes(count):
    lanes = Lanes(count)
    together = threading.Barrier(count)

    def meet() -> int:
        together.wait(10)  # breaks unless all lanes come
        return threading.get_ident()

    with ThreadPoolExecutor(count) as pool:
        threads = list(pool.map(lambda _: lanes.run(Rank.ANSWER, meet), range(count)))
    assert len(set(threads)) == count


def test_several_lanes_have_a_core_each_and_a_single_one_has_all():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert Lanes().run(Rank.ANSWER, torch.get_num_threads) == 3
        assert Lanes(2).run(Rank.ANSWER, torch.get_num_threads) == 1
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
    lanes, done = Lanes(), []
    left = threading.Event()
    token = asker.set(Asker("visitor", left))
    try:
        lanes.run(Rank.ANSWER, lambda: done.append("here"))
        left.set()
        with pytest.raises(Abandoned):
            lanes.run(Rank.ANSWER, lambda: done.append("gone"))
    finally:
        asker.reset(token)
    lanes.run(Rank.ANSWER, lambda: done.append("somebody else"))
    assert done == ["here", "somebody else"]


def test_a_long_job_is_dropped_in_the_middle_when_who_asked_goes():
    lanes, done = Lanes(), []
    left = threading.Event()

    def sweep() -> None:
        done.append("first label")
        lanes.give_way()
        done.append("second label")
        left.set()
        lanes.give_way()
        done.append("third label")

    with as_asker("visitor", left), pytest.raises(Abandoned):
        lanes.run(Rank.SWEEP, sweep)
    assert done == ["first label", "second label"]
    lanes.run(Rank.SWEEP, lanes.give_way)  # nobody else is dropped for it


@contextmanager
def as_asker(name: str, left: threading.Event | None = None) -> Iterator[None]:
    """Somebody, such as "visitor" or "visitor@address"."""
    token = asker.set(Asker(name, left or threading.Event(), name.partition("@")[2]))
    try:
        yield
    finally:
        asker.reset(token)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Crowd:
    """Askers by name in one lane that is held until all of them wait."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.lanes = Lanes(clock=self.clock)
        self.order: list[str] = []

    def use(self, name: str, seconds: float, rank: Rank = Rank.ANSWER) -> None:
        """Somebody has a lane for that long."""
        with as_asker(name):
            self.lanes.run(rank, lambda: self._pass(seconds))

    def _pass(self, seconds: float) -> None:
        self.clock.now += seconds

    def ask(self, job: Callable[[str], None], *those: tuple[str, Rank]) -> list[Future]:
        """Each of them asks for a job."""
        futures = []
        for name, rank in those:
            with as_asker(name):
                futures.append(self.lanes.submit(rank, partial(job, name)))
        return futures

    def serve(self, *waiting: tuple[str, Rank], seconds: float = 1) -> list[str]:
        """In which order those are served who all wait, each for so long."""
        self.order.clear()
        begun, go = threading.Event(), threading.Event()

        def hold() -> None:
            begun.set()
            assert go.wait(10)

        def job(name: str) -> None:
            self.order.append(name)
            self._pass(seconds)

        futures = [self.lanes.submit(Rank.FIRST_MAP, hold)]
        assert begun.wait(10)
        futures += self.ask(job, *waiting)
        go.set()
        for future in futures:
            future.result(10)
        return self.order


def test_a_light_visitor_does_not_wait_for_all_of_a_heavy_one():
    crowd = Crowd()
    crowd.use("heavy", 5)
    asked = [("heavy", Rank.FIRST_MAP)] * 32 + [("light", Rank.FIRST_MAP)]
    assert crowd.serve(*asked) == ["light"] + 32 * ["heavy"]


def test_of_thirty_two_who_have_all_used_much_each_gets_one_turn_before_a_second():
    crowd = Crowd()
    heavy = [f"heavy {number}" for number in range(32)]
    for name in heavy:
        crowd.use(name, 0.1)
    asked = [(name, Rank.ANSWER) for name in heavy for _ in range(2)]
    order = crowd.serve(*asked, ("light", Rank.ANSWER))
    assert order[0] == "light"
    assert sorted(order[1:33]) == sorted(heavy)
    assert sorted(order[33:]) == sorted(heavy)


def test_who_has_used_least_goes_first_among_equal_ranks_only():
    crowd = Crowd()
    crowd.use("much", 4)
    crowd.use("little", 1)
    order = crowd.serve(
        ("much", Rank.ANSWER),
        ("nobody yet", Rank.SWEEP),
        ("little", Rank.ANSWER),
        ("much", Rank.FIRST_MAP),
    )
    assert order == ["much", "little", "much", "nobody yet"]


def test_who_takes_a_new_name_for_each_question_is_known_by_the_address():
    crowd = Crowd()
    crowd.use("one@there", 9)
    crowd.use("busy@here", 4)
    asked = [(name, Rank.ANSWER) for name in ("two@there", "busy@here", "idle@here")]
    assert crowd.serve(*asked) == ["idle@here", "busy@here", "two@there"]


def test_what_was_long_ago_counts_less():
    crowd = Crowd()
    crowd.use("long ago", 8)
    crowd.clock.now += 60
    crowd.use("just now", 1)
    both = [("just now", Rank.ANSWER), ("long ago", Rank.ANSWER)]
    assert crowd.serve(*both) == ["long ago", "just now"]
    crowd.use("long ago", 1)
    assert crowd.serve(*both) == ["just now", "long ago"]


def test_who_has_used_nothing_of_late_is_forgotten():
    crowd = Crowd()
    for number in range(100):
        crowd.use(f"visitor {number}", 0.5)
    crowd.clock.now += 3600
    crowd.use("the last", 0.5)
    assert crowd.lanes._used.keys() == {("name", "the last"), ("address", "")}


def test_who_gives_way_does_not_pay_for_the_others():
    crowd = Crowd()
    begun, go = threading.Event(), threading.Event()

    def sweep() -> None:
        crowd._pass(1)
        begun.set()
        assert go.wait(10)
        crowd.lanes.give_way()
        crowd._pass(1)

    with as_asker("patient"):
        swept = crowd.lanes.submit(Rank.SWEEP, sweep)
    assert begun.wait(10)
    with as_asker("urgent"):
        mapped = crowd.lanes.submit(Rank.FIRST_MAP, lambda: crowd._pass(6))
    go.set()
    swept.result(10)
    mapped.result(10)
    used = {name: seconds for (_, name), (seconds, _) in crowd.lanes._used.items()}
    assert used["urgent"] == 6
    # A second before the six, of which those have taken a part as time does, and one after.
    assert used["patient"] == pytest.approx(1 * 0.5 ** (7 / 10) + 1)


def test_what_fails_is_told_to_whoever_asked_and_the_next_one_is_served():
    lanes = Lanes()
    for error in (ValueError("no"), KeyboardInterrupt(), SystemExit(1)):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            lanes.run(Rank.ANSWER, fail)
    assert lanes.run(Rank.ANSWER, lambda: 7) == 7


def test_two_of_them_are_two_threads():
    assert len({Lanes().run(Rank.ANSWER, threading.get_ident) for _ in range(2)}) == 2


# -- amid a forward


def test_amid_a_forward_others_run_on_a_thread_of_their_own_in_the_same_lane():
    lanes = Lanes(1)
    threads: list[threading.Thread] = []

    def note() -> None:
        threads.append(threading.current_thread())

    def sweep() -> None:
        note()
        for _ in range(2):
            lanes.submit(Rank.FIRST_MAP, note)
        lanes.pause()
        note()

    lanes.run(Rank.SWEEP, sweep)
    outer, first, second, again = threads
    assert outer is again
    assert first is second is not outer
    assert not first.is_alive()
    assert lanes.run(Rank.SWEEP, threading.current_thread) is outer


def test_the_thread_amid_a_forward_has_a_core_as_its_lane_has():
    lanes = Lanes(2)
    found: list[int] = []

    def sweep() -> None:
        lanes.submit(Rank.FIRST_MAP, lambda: found.append(torch.get_num_threads()))
        lanes.pause()

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        lanes.run(Rank.SWEEP, sweep)
        # The other lane may have taken it, which has one core as well.
        while not found:
            time.sleep(0.001)
    finally:
        torch.set_num_threads(before)
    assert found == [1]


def test_on_a_thread_that_is_no_lanes_there_is_no_pause():
    lanes = Lanes()
    lanes.pause()
    lanes.run(Rank.SWEEP, lambda: None)
    lanes.pause()


def order_amid(crowd: Crowd, who: str, *waiting: tuple[str, Rank], rank: Rank) -> list[str]:
    """In which order those end who wait when somebody pauses amid a forward."""

    def job(name: str) -> None:
        crowd.lanes.pause()
        crowd.order.append(name)

    futures = []

    def long() -> None:
        futures.extend(crowd.ask(job, *waiting))
        job(who)

    with as_asker(who):
        crowd.lanes.submit(rank, long).result(10)
    for future in futures:
        future.result(10)
    return crowd.order


def test_who_has_used_much_more_gives_way_within_a_rank():
    crowd = Crowd()
    crowd.use("heavy", 5)
    crowd.use("light", 0.1)
    asked = ("light", Rank.FIRST_MAP)
    assert order_amid(crowd, "heavy", asked, rank=Rank.FIRST_MAP) == ["light", "heavy"]


def test_a_new_name_does_not_hide_that_an_address_has_used_much():
    crowd = Crowd()
    crowd.use("one@there", 5)
    asked = ("light@here", Rank.FIRST_MAP)
    assert order_amid(crowd, "two@there", asked, rank=Rank.FIRST_MAP) == ["light@here", "two@there"]


@pytest.mark.parametrize(("mine", "theirs"), [(5, 4), (5, 2.4), (0.4, 0), (0, 5)])
def test_who_has_used_a_little_more_does_not(mine, theirs):
    crowd = Crowd()
    crowd.use("one", mine)
    crowd.use("other", theirs)
    asked = ("other", Rank.FIRST_MAP)
    assert order_amid(crowd, "one", asked, rank=Rank.FIRST_MAP) == ["one", "other"]


def test_so_many_wait_in_a_lane_for_others_and_no_more():
    running = most = 0

    def visitor(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if number:  # somebody comes who has used nothing, when this one has used much
            clock.now += 5
            with as_asker(f"visitor {number}"):
                futures.append(lanes.submit(Rank.ANSWER, partial(visitor, number - 1)))
            lanes.pause()
        running -= 1

    clock = Clock()
    lanes = Lanes(clock=clock)
    futures: list = []
    with as_asker("the first"):
        futures.append(lanes.submit(Rank.ANSWER, partial(visitor, 20)))
    for future in futures:  # which grow meanwhile
        future.result(10)
    assert len(futures) == 21
    assert most == 3  # the one that runs, and two
