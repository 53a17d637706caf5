"""The engine on this machine, by its protocol; and the library over one that pickles everything."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from camdemo import Box, Explainer, Settings
from camdemo.engine import (
    Asker,
    FindLayers,
    FirstMap,
    Job,
    LocalEngine,
    Randomised,
    Rank,
    Score,
    SharedEngine,
    Sweep,
    asker,
    pauses,
    perform,
)
from camdemo.errors import Abandoned, ChoiceError
from camdemo.methods import folding
from camdemo.models import CATALOGUE, networks
from camdemo.records import Rivals

from .pickling_engine import PicklingEngine, check_plain
from .tiny_models import Small, install

MODEL = CATALOGUE.names[0]
PHOTO = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
INPUTS = np.random.default_rng(1).normal(size=(1, 3, 64, 64)).astype(np.float32)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _: Small())


@pytest.fixture
def engine() -> LocalEngine:
    return LocalEngine()


def sweep_of(engine: LocalEngine, *targets: int, **facts: object) -> Sweep:
    layers = tuple(layer for layer in engine.run(FindLayers(MODEL)) if layer.stage)
    return Sweep(MODEL, layers, ("gradcam",), targets, INPUTS, None, Rank.SWEEP, **facts)


def first_map(
    engine: LocalEngine, target: int | None = None, versus: Rivals | None = None
) -> FirstMap:
    layer = engine.run(FindLayers(MODEL))[0]
    return FirstMap(MODEL, layer, "gradcam", INPUTS, target, versus, Rank.FIRST_MAP)


# -- answers


def test_a_first_map_says_what_it_explains(engine: LocalEngine) -> None:
    with torch.inference_mode():
        expected = Small()(torch.from_numpy(INPUTS))[0]
    best, second = expected.topk(2).indices.tolist()
    several = ((), best), ((7,), 7), ((None, Rivals((best,))), second), ((None, Rivals((7,))), best)
    for asked, target in several:
        found = engine.run(first_map(engine, *asked))
        assert found.target == target
        np.testing.assert_allclose(found.logits, expected, rtol=1e-4, atol=1e-6)
        assert found.map.dtype == np.float32
        assert found.milliseconds > 0
    assert (found.map != engine.run(first_map(engine, best)).map).any()


def test_a_sweep_has_the_first_map_and_comes_in_the_order_of_its_labels(
    engine: LocalEngine,
) -> None:
    job = sweep_of(engine, 5, 3, 900)
    labels = dict(engine.stream(job))
    assert list(labels) == [5, 3, 900]
    maps = engine.run(job)
    assert list(maps) == [
        ("gradcam", layer.name, target) for target in (5, 3, 900) for layer in job.layers
    ]
    for (method, layer, target), cam in maps.items():
        assert (labels[target][method, layer] == cam).all()
    expected = engine.run(FirstMap(MODEL, job.layers[1], "gradcam", INPUTS, 3, None, Rank.ANSWER))
    found = maps["gradcam", job.layers[1].name, 3]
    assert np.abs(found - expected.map).max() <= 1e-5 * np.ptp(expected.map)


def test_what_may_be_asked_next_is_no_answer(engine: LocalEngine) -> None:
    assert list(dict(engine.stream(sweep_of(engine, 5, more=(6, 7))))) == [5]


def test_scores_are_the_logits_of_each_in_order(engine: LocalEngine) -> None:
    batch = np.random.default_rng(2).normal(size=(9, 3, 32, 32)).astype(np.float32)
    found = engine.run(Score(MODEL, batch, Rank.YARDSTICK))
    with torch.inference_mode():
        expected = Small()(torch.from_numpy(batch)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_layers_of_an_unknown_model(engine: LocalEngine) -> None:
    with pytest.raises(ChoiceError, match="model 'nothing'"):
        engine.run(FindLayers("nothing"))
    with pytest.raises(ChoiceError, match="model 'nothing'"):
        engine.fetch("nothing")


# -- turns


@pytest.mark.parametrize(("lanes", "expected"), [(0, 1), (1, 1), (3, 3)])
def test_as_many_jobs_at_once_as_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, lanes: int, expected: int
) -> None:
    """Also when they come through the Explainer."""
    together = threading.Barrier(expected)
    most, running, lock = 0, 0, threading.Lock()

    class Counted(Small):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal most, running
            with lock:
                running += 1
                most = max(most, running)
            together.wait(10)  # breaks unless as many come
            answer = super().forward(x)
            with lock:
                running -= 1
            return answer

    monkeypatch.setattr(networks, "load", lambda *_: Counted())
    monkeypatch.setattr(folding, "prepare", lambda network, _: network)  # which runs it, alone,
    monkeypatch.setattr(pauses, "places", lambda *_: ())  # as does this
    explainer = Explainer(Settings(lanes=lanes))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: explainer.explain(PHOTO, MODEL), range(6)))
    assert most == expected


def many(count: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, 3, 64, 64)).astype(np.float32)


def randomised(engine: LocalEngine, *seeds: int) -> Randomised:
    layer = engine.run(FindLayers(MODEL))[0]
    what = ("gradcam", INPUTS, 7, None, ("first", "second"), 2, seeds)
    return Randomised(MODEL, layer, *what, Rank.YARDSTICK)


@pytest.mark.parametrize(
    "job",
    [lambda _: Score(MODEL, many(8), Rank.YARDSTICK), lambda engine: randomised(engine, 3, 5)],
)
def test_one_question_of_many_parts_has_two_lanes(
    monkeypatch: pytest.MonkeyPatch, job: Callable[[LocalEngine], Job]
) -> None:
    alone = LocalEngine(settings=Settings(lanes=1))
    expected = alone.run(job(alone))
    met = threading.Barrier(2, timeout=30)  # broken where one waits for the other

    def together(_job: object, *rest: object) -> object:
        met.wait()
        return answer(_job, *rest)

    answer = perform.answer
    monkeypatch.setattr(perform, "answer", together)
    engine = LocalEngine(settings=Settings(lanes=2))
    found = engine.run(job(engine))
    if isinstance(expected, np.ndarray):
        assert (found == expected).all()  # to the bit
    else:
        assert found.behind == expected.behind
        assert (found.maps == expected.maps).all()


def test_a_question_is_parted_between_forwards(engine: LocalEngine) -> None:
    def sizes(count: int, most: int) -> list[int]:
        return [len(one.batch) for one in perform.parts(score_of(many(count)), most)]

    def score_of(batch: np.ndarray) -> Score:
        return Score(MODEL, batch, Rank.YARDSTICK)

    assert sizes(8, 2) == [4, 4]
    assert sizes(9, 2) == [8, 1]
    assert sizes(4, 2) == [4]
    assert sizes(0, 2) == [0]
    assert sizes(25, 4) == [8, 8, 8, 1]
    assert [one.seeds for one in perform.parts(randomised(engine, 1, 2, 3), 2)] == [(1, 2), (3,)]
    first = first_map(engine)
    assert perform.parts(first, 2) == [first]


def test_what_fails_in_one_lane_is_told_and_the_next_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = LocalEngine(settings=Settings(lanes=2))
    score = Score(MODEL, many(8), Rank.YARDSTICK)
    answer = perform.answer

    def failing(job: Score, *rest: object) -> object:
        if (job.batch == score.batch[4:]).all():
            raise MemoryError
        return answer(job, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(perform, "answer", failing)
        with pytest.raises(MemoryError):
            engine.run(score)
    assert len(engine.run(score)) == 8


def test_a_single_lane_has_all_cores_and_several_have_one_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    logits = networks.logits

    def watched(network: nn.Module, batch: np.ndarray) -> np.ndarray:
        seen.append(torch.get_num_threads())
        return logits(network, batch)

    monkeypatch.setattr(networks, "logits", watched)
    batch = np.zeros((1, 3, 32, 32), np.float32)
    for lanes in (0, 2):  # (a process of ours has one engine, and does not change it)
        LocalEngine(settings=Settings(lanes=lanes)).run(Score(MODEL, batch, Rank.ANSWER))
    with ThreadPoolExecutor(1) as pool:
        usual = pool.submit(torch.get_num_threads).result()
    assert seen == [usual, 1]


def test_what_is_large_lies_in_large_pages() -> None:
    """PyTorch then lets it begin with a page: whether that is a large one is Linux's affair."""
    code = (
        "from camdemo.engine import LocalEngine; LocalEngine(); import torch\n"
        "tensors = [torch.empty(3 << 20, dtype=torch.uint8) for _ in range(8)]\n"
        "print(all(each.data_ptr() % 4096 == 0 for each in tensors))"
    )
    usual = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=usual, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(sys.platform == "linux")


def test_the_environment_may_forbid_large_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    LocalEngine()
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "0"


def test_a_sweep_gives_way_between_labels(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    job, urgent = sweep_of(engine, 5, 6, 7), first_map(engine)
    give_way = engine._lanes.give_way
    waiting = []

    def watched() -> None:
        order.append("between")
        if len(order) == 1:  # somebody comes while the sweep is under way
            waiting.append(engine._lanes.submit(urgent.rank, lambda: order.append("somebody else")))
        give_way()

    monkeypatch.setattr(engine._lanes, "give_way", watched)
    engine.run(job)
    waiting[0].result(10)
    assert order == ["between", "somebody else", "between", "between"]


def test_a_sweep_is_dropped_when_its_asker_goes(engine: LocalEngine) -> None:
    left = threading.Event()
    job = sweep_of(engine, 5, 6, 7)
    token = asker.set(Asker("visitor", left))
    try:
        engine.run(job)
        left.set()
        with pytest.raises(Abandoned):
            engine.run(job)
    finally:
        asker.reset(token)
    assert len(engine.run(job)) == 6  # the next one is served


def test_who_wants_no_more_labels_stops_the_sweep(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, first, go = 0, threading.Event(), threading.Event()
    give_way = engine._lanes.give_way

    def watched() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            first.set()
            assert go.wait(10)
        give_way()

    job = sweep_of(engine, *range(50))
    monkeypatch.setattr(engine._lanes, "give_way", watched)
    # The lane is stopped before its second label, so that it can't have gone on.
    labels = engine.stream(job)
    target, _ = next(labels)
    assert target == 0
    assert first.wait(10)
    labels.close()
    go.set()
    engine._lanes.run(Rank.YARDSTICK, lambda: None)  # it is done with the sweep
    assert calls == 2


# -- what can travel


@pytest.fixture(params=["pickled", "shared", "shared and pickled"])
def far(request: pytest.FixtureRequest) -> Iterator[Explainer]:
    engines = {
        "pickled": lambda: PicklingEngine(LocalEngine()),
        "shared": lambda: SharedEngine(LocalEngine()),
        "shared and pickled": lambda: SharedEngine(PicklingEngine(LocalEngine())),
    }
    return Explainer(engine=engines[request.param]())


def test_another_engine_answers_the_same(far: Explainer) -> None:
    near = Explainer()
    assert far.layers(MODEL) == near.layers(MODEL)
    for question in ({}, {"layer": "first", "target": "lion", "framing": "20,10,90,80"}):
        here, there = (each.explain(PHOTO, MODEL, **question) for each in (near, far))
        assert (here.cam == there.cam).all()
        assert here.predictions == there.predictions
        assert here.target == there.target
        expected = here.maps()
        found = there.maps()
        assert found.keys() == expected.keys()
        assert all((found[key] == cam).all() for key, cam in expected.items())
        one = there.maps(["second"], ["tiger"])
        assert (one["second", 292] == here.maps(["second"], [292])["second", 292]).all()
        region = Box(30, 20, 60, 50)
        assert there.hide(region) == here.hide(region)
        assert there.to_html() != ""
        # (The times differ.)
        assert here.summary() | {"milliseconds": 0} == there.summary() | {"milliseconds": 0}


def test_every_job_has_been_pickled() -> None:
    engine = PicklingEngine(LocalEngine())
    explanation = Explainer(engine=engine).explain(PHOTO, MODEL)
    explanation.maps()
    explanation.hide(explanation.box, keep=True)
    assert engine.jobs == ["FindLayers", "FirstMap", "Sweep", "Score", "Score"]


def test_what_can_not_travel_is_found() -> None:
    with pytest.raises(AssertionError):
        check_plain([("a", Small())])
    with pytest.raises(Exception, match="pickle"):
        PicklingEngine(LocalEngine()).fetch(lambda: None)


def test_a_job_is_frozen_and_survives_its_journey(engine: LocalEngine) -> None:
    job = first_map(engine, 3)
    copy = pickle.loads(pickle.dumps(job))
    assert (copy.model, copy.layer, copy.target, copy.rank) == (MODEL, job.layer, 3, job.rank)
    assert (copy.inputs == INPUTS).all()
    with pytest.raises(AttributeError):
        copy.target = 4


def test_a_process_ends_well_in_the_middle_of_a_sweep() -> None:
    """A thread of ours that is ended amid PyTorch's work would abort the whole process."""
    code = f"""
import numpy as np
from camdemo import Explainer, Settings
from camdemo.engine import LocalEngine, SharedEngine
explainer = Explainer(engine=SharedEngine(LocalEngine(settings=Settings(lanes=2))))
explanation = explainer.explain(np.zeros((9, 9, 3), np.uint8), {MODEL!r})
explanation.maps(targets=[explanation.target.index])  # the other labels are under way now
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
