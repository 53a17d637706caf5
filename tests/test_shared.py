"""Nothing twice: what is kept, who waits for what, and what is dropped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from camdemo.engine import Asker, FirstMap, MapAndLogits, Rank, Score, SharedEngine, Sweep, asker
from camdemo.errors import Abandoned, WeightsError
from camdemo.records import LayerInfo, Rivals

LAYERS = (LayerInfo("first", 4, 8, 8), LayerInfo("second", 8, 4, 4))
CELLS = 8 * 8 + 4 * 4
INPUTS = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)


class Engine:
    """Computes a label when the test says so, and keeps book. Drops what nobody waits for."""

    def __init__(self, steps: int | None = None) -> None:
        self.streams: list[tuple[int, ...]] = []
        self.labels: list[int] = []
        self.askers: list[Asker | None] = []
        self.runs = 0
        self.fails: BaseException | None = None
        self.steps = threading.Semaphore(10**6 if steps is None else steps)
        self.begun = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def stream(self, job: Sweep) -> Iterator[tuple[int, dict]]:
        assert job.more == ()
        self.streams.append(job.targets)
        self.askers.append(asker.get())
        self.begun.release()
        try:
            for target in job.targets:
                assert self.steps.acquire(timeout=20)
                if asker.get().gone.is_set():
                    raise Abandoned
                if self.fails:
                    raise self.fails
                self.labels.append(target)
                yield (
                    target,
                    {
                        (method, layer.name): np.full(
                            (layer.height, layer.width), target, np.float32
                        )
                        for method in job.methods
                        for layer in job.layers
                    },
                )
        finally:
            self.ended.release()

    def run(self, job: FirstMap | Score, progress: object = None) -> object:
        self.runs += 1
        self.askers.append(asker.get())
        self.begun.release()
        assert self.steps.acquire(timeout=20)
        if self.fails:
            raise self.fails
        if isinstance(job, Score):
            return job.batch
        return MapAndLogits(job.inputs[0, 0], job.inputs[0, 0, 0], 1, 2.0)

    def fetch(self, model: str, progress: object = None) -> None:
        self.fetched = model, progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sweep(*targets: int, more: tuple[int, ...] = (), inputs: np.ndarray = INPUTS, **facts) -> Sweep:
    given = {"model": "net", "layers": LAYERS, "methods": ("gradcam",), "versus": None} | facts
    return Sweep(targets=targets, more=more, inputs=inputs, rank=Rank.SWEEP, **given)


def first(target: int | None = None, inputs: np.ndarray = INPUTS, **facts) -> FirstMap:
    given = {"model": "net", "layer": LAYERS[0], "method": "gradcam", "versus": None} | facts
    return FirstMap(inputs=inputs, target=target, rank=Rank.FIRST_MAP, **given)


@contextmanager
def as_asker(name: str, gone: threading.Event | None = None) -> Iterator[None]:
    token = asker.set(Asker(name, gone or threading.Event()))
    try:
        yield
    finally:
        asker.reset(token)


def ask(pool: ThreadPoolExecutor, shared: SharedEngine, job: object, *who: object) -> Future:
    """Ask on a thread of its own."""

    def run() -> object:
        with as_asker(*(who or ("visitor",))):
            return shared.run(job)

    return pool.submit(run)


def wait_for(shared: SharedEngine, count: int, key: int = 0) -> None:
    """Until so many wait for what was asked first."""
    for _ in range(4000):
        kept = list(shared._kept.values())
        if len(kept) > key and len(kept[key].crowd._waiting) == count:
            return
        threading.Event().wait(0.005)
    pytest.fail("they never waited")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


# -- once


def test_what_was_asked_is_not_computed_again() -> None:
    engine = Engine()
    shared = SharedEngine(engine)
    found = shared.run(sweep(5, 6))
    assert {key: cam[0, 0] for key, cam in found.items()} == {
        ("gradcam", layer, target): target for target in (5, 6) for layer in ("first", "second")
    }
    for job in (sweep(5, 6), sweep(6), sweep(6, 5), sweep(5, inputs=INPUTS.copy())):
        again = shared.run(job)
        assert all(again[key] is found[key] for key in again)
        assert {target for *_, target in again} == set(job.targets)
    assert engine.streams == [(5, 6)]
    maps = shared.run(first())
    assert shared.run(first(inputs=INPUTS.copy())) is maps
    assert engine.runs == 1


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": INPUTS + 1},
        {"inputs": INPUTS.reshape(1, 3, 4, 1)},
        {"model": "other"},
        {"layers": LAYERS[:1]},
        {"methods": ("layercam",)},
        {"methods": ("gradcam", "layercam")},
        {"versus": Rivals((9,))},
    ],
    ids=str,
)
def test_another_question_is_another_computation(other: dict) -> None:
    engine = Engine()
    shared = SharedEngine(engine)
    shared.run(sweep(5))
    shared.run(sweep(5, **other))
    assert len(engine.streams) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": INPUTS + 1},
        {"model": "other"},
        {"layer": LAYERS[1]},
        {"method": "layercam"},
        {"versus": Rivals((9,))},
        {"target": 5},
    ],
    ids=str,
)
def test_another_first_map_is_another_computation(other: dict) -> None:
    engine = Engine()
    shared = SharedEngine(engine)
    shared.run(first())
    shared.run(first(**other))
    assert engine.runs == 2


def test_many_who_ask_at_once_wait_for_one_computation(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=0)
    shared = SharedEngine(engine)
    sweeps = [ask(pool, shared, sweep(5, 6, 7)) for _ in range(16)]
    wait_for(shared, 16)
    maps = [ask(pool, shared, first()) for _ in range(16)]
    wait_for(shared, 16, key=3)
    engine.steps.release(4)
    answers = [future.result(20) for future in sweeps]
    assert all(answer[key] is cam for answer in answers for key, cam in answers[0].items())
    assert len({id(future.result(20)) for future in maps}) == 1
    assert engine.streams == [(5, 6, 7)]
    assert engine.runs == 1


def test_other_jobs_are_handed_on() -> None:
    engine = Engine()
    shared = SharedEngine(engine)
    batch = np.ones((2, 3, 2, 2), np.float32)
    for _ in range(2):
        assert shared.run(Score("net", batch, Rank.ANSWER)) is batch
    assert engine.runs == 2
    shared.fetch("net", print)
    assert engine.fetched == ("net", print)


def test_what_is_kept_can_not_be_changed() -> None:
    shared = SharedEngine(Engine())
    for array in (*shared.run(sweep(5)).values(), shared.run(first()).logits):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


# -- label by label


def test_the_label_on_the_page_does_not_wait_for_the_others(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=1)
    shared = SharedEngine(engine)
    shown = ask(pool, shared, sweep(5, more=(6, 7))).result(20)
    assert {target for *_, target in shown} == {5}
    rest = ask(pool, shared, sweep(5, 6, 7))
    engine.steps.release(2)
    assert {target for *_, target in rest.result(20)} == {5, 6, 7}
    assert engine.streams == [(5, 6, 7)]  # from one forward


def test_the_others_are_at_hand_when_they_are_asked_for_late() -> None:
    engine = Engine()
    shared = SharedEngine(engine)
    shared.run(sweep(5, more=(6, 7)))
    assert engine.ended.acquire(timeout=20)
    shared.run(sweep(5, 6, 7))
    assert engine.streams == [(5, 6, 7)]


def test_of_a_sweep_that_was_dropped_what_is_left_is_still_computed(
    pool: ThreadPoolExecutor,
) -> None:
    engine, clock = Engine(steps=1), Clock()
    shared = SharedEngine(engine, clock=clock)
    ask(pool, shared, sweep(5, more=(6, 7))).result(20)
    clock.now = 60
    engine.steps.release()
    assert engine.ended.acquire(timeout=20)
    assert engine.labels == [5]
    engine.steps.release(2)
    assert len(ask(pool, shared, sweep(5, 6, 7)).result(20)) == 6
    assert engine.streams == [(5, 6, 7), (6, 7)]


def test_an_added_label_while_the_others_are_under_way(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=0)
    shared = SharedEngine(engine)
    one = ask(pool, shared, sweep(5, 6))
    wait_for(shared, 1)
    two = ask(pool, shared, sweep(6, 900))
    wait_for(shared, 2)
    engine.steps.release(3)
    assert len(one.result(20)) == len(two.result(20)) == 4
    assert sorted(engine.labels) == [5, 6, 900]


# -- who goes


def test_whoever_leaves_takes_nothing_from_who_stays(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=0)
    shared = SharedEngine(engine)
    left = threading.Event()
    one = ask(pool, shared, sweep(5, 6), "leaves", left)
    assert engine.begun.acquire(timeout=20)
    two = ask(pool, shared, sweep(5, 6), "stays")
    wait_for(shared, 2)
    left.set()
    engine.steps.release(2)
    assert len(two.result(20)) == len(one.result(20)) == 4
    assert engine.streams == [(5, 6)]
    assert engine.askers[0].name == "leaves"  # it counts as what it was begun for


def test_when_all_have_left_it_is_dropped_and_not_kept(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=1)
    shared = SharedEngine(engine)
    left = [threading.Event(), threading.Event()]
    both = [ask(pool, shared, sweep(5, 6, 7), "leaves", event) for event in left]
    wait_for(shared, 2, key=1)  # both have the first label
    left[0].set()
    assert not engine.askers[0].gone.is_set()
    left[1].set()
    assert engine.askers[0].gone.is_set()
    engine.steps.release()
    for future in both:
        with pytest.raises(Abandoned):
            future.result(20)
    assert engine.labels == [5]
    engine.steps.release(3)
    assert len(ask(pool, shared, sweep(5, 6, 7)).result(20)) == 6
    assert engine.streams == [(5, 6, 7), (6, 7)]


def test_who_moves_on_has_no_more_labels_computed(pool: ThreadPoolExecutor) -> None:
    """Two questions are under way, as the viewer has them; then its visitor opens another photo."""
    engine = Engine(steps=1)
    shared = SharedEngine(engine)
    left = threading.Event()
    ask(pool, shared, sweep(5, more=(6, 7, 8, 9)), "visitor", left).result(20)
    pairs = [ask(pool, shared, sweep(*two, more=(5,)), "visitor", left) for two in ((6, 7), (8, 9))]
    wait_for(shared, 2, key=1)  # whichever of the labels they wait for
    assert not engine.askers[0].gone.is_set()
    left.set()
    engine.steps.release(10)
    for pair in pairs:
        with pytest.raises(Abandoned):
            pair.result(20)
    assert engine.ended.acquire(timeout=20)
    assert (engine.streams, engine.labels) == ([(5, 6, 7, 8, 9)], [5])


def test_what_nobody_waits_for_goes_on_for_a_while(pool: ThreadPoolExecutor) -> None:
    engine, clock = Engine(steps=1), Clock()
    shared = SharedEngine(engine, clock=clock)
    ask(pool, shared, sweep(5, more=(6,))).result(20)
    gone = engine.askers[0].gone
    assert not gone.is_set()  # the next question is on its way
    clock.now = 4
    assert not gone.is_set()
    clock.now = 6
    assert gone.is_set()
    again = ask(pool, shared, sweep(6))
    wait_for(shared, 1)
    assert not gone.is_set()  # somebody came in time
    engine.steps.release()
    assert len(again.result(20)) == 2
    assert engine.streams == [(5, 6)]


def test_who_comes_in_the_moment_of_the_drop_is_served_anyhow(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=0)
    shared = SharedEngine(engine)
    engine.fails = Abandoned()  # although somebody waits, as when the lane had just looked
    stays = ask(pool, shared, sweep(5), "stays")
    assert engine.begun.acquire(timeout=20)
    again = engine.begun
    engine.steps.release()
    assert again.acquire(timeout=20)
    engine.fails = None
    engine.steps.release()
    assert len(stays.result(20)) == 2


# -- what fails


@pytest.mark.parametrize("job", [sweep(5, 6), first()], ids=["sweep", "first map"])
def test_a_failure_is_told_to_all_who_wait_and_is_not_kept(
    pool: ThreadPoolExecutor, job: Sweep | FirstMap
) -> None:
    engine = Engine(steps=0)
    shared = SharedEngine(engine)
    engine.fails = WeightsError("damaged")
    waiting = [ask(pool, shared, job) for _ in range(8)]
    wait_for(shared, 8)
    engine.steps.release()
    for future in waiting:
        with pytest.raises(WeightsError, match="damaged"):
            future.result(20)
    assert not shared._kept
    engine.fails = None
    engine.steps.release(10)
    assert ask(pool, shared, job).result(20)


def test_what_came_before_the_failure_is_kept(pool: ThreadPoolExecutor) -> None:
    engine = Engine(steps=1)
    shared = SharedEngine(engine)
    ask(pool, shared, sweep(5, more=(6,))).result(20)
    engine.fails = WeightsError("gone")
    engine.steps.release()
    with pytest.raises(WeightsError):
        shared.run(sweep(6))
    assert len(shared.run(sweep(5))) == 2
    assert engine.labels == [5]


def test_an_engine_that_answers_too_little_is_no_wait_for_ever() -> None:
    class Lazy(Engine):
        def stream(self, job: Sweep) -> Iterator[tuple[int, dict]]:
            yield from list(super().stream(job))[:0]

    with pytest.raises(RuntimeError, match="not answered"):
        SharedEngine(Lazy()).run(sweep(5, 6))


# -- how much


def test_memory_is_bounded_and_the_least_recently_used_goes_first() -> None:
    engine = Engine()
    shared = SharedEngine(engine, most=3 * 4 * CELLS)
    for target in (1, 2, 3):
        shared.run(sweep(target))
    shared.run(sweep(1))
    shared.run(sweep(4))  # in place of 2
    assert shared._size == 3 * 4 * CELLS
    for target in (1, 3, 4):
        shared.run(sweep(target))
    assert len(engine.streams) == 4
    shared.run(sweep(2))
    assert len(engine.streams) == 5
    kept = sum(
        cam.nbytes for each in shared._kept.values() for cam in each.future.result().values()
    )
    assert kept == shared._size == 3 * 4 * CELLS


def test_what_is_larger_than_the_memory_is_answered_and_not_kept() -> None:
    engine = Engine()
    shared = SharedEngine(engine, most=4 * CELLS - 1)
    for _ in range(2):
        assert len(shared.run(sweep(5, 6))) == 4
    assert shared._size == 0
    assert not shared._kept


def test_a_crowd_that_asks_at_random_gets_what_it_asked_for(pool: ThreadPoolExecutor) -> None:
    engine = Engine()
    shared = SharedEngine(engine, most=10 * 4 * CELLS)
    random = np.random.default_rng(0)
    photos = [INPUTS + number for number in range(4)]

    def visit(seed: int) -> None:
        own = np.random.default_rng(seed)
        for _ in range(40):
            targets = tuple(int(one) for one in own.permutation(6)[: own.integers(1, 6)])
            found = shared.run(sweep(*targets, inputs=photos[own.integers(4)], more=(0, 1)))
            assert list(dict.fromkeys(key[2] for key in found)) == list(targets)
            assert all((cam == target).all() for (_, _, target), cam in found.items())

    for future in [pool.submit(visit, int(seed)) for seed in random.integers(0, 99, 12)]:
        future.result(60)
    assert shared._size <= 10 * 4 * CELLS
