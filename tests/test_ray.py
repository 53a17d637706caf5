"""The engine over Ray Serve: two replicas of a thread each, held to this machine's engine."""

from __future__ import annotations

import importlib
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from gradio.media import get_image
from ray.serve.schema import ServeDeploySchema

from camdemo import Explainer, Settings, adding, launch
from camdemo.cluster import app, joining, messages
from camdemo.cluster import engine as far
from camdemo.cluster.engine import Link, RayEngine
from camdemo.cluster.spare import SpareEngine
from camdemo.engine import (
    Asker,
    Engine,
    Examine,
    FindLayers,
    FirstMap,
    FirstMaps,
    Job,
    LocalEngine,
    PixelMap,
    Randomised,
    Rank,
    Score,
    Sweep,
    asker,
)
from camdemo.errors import (
    Abandoned,
    Busy,
    CamdemoError,
    ChoiceError,
    RangeError,
    Unreachable,
    WeightsError,
)
from camdemo.models import CATALOGUE, networks
from camdemo.records import Rivals

from .served import ROOT
from .tiny_models import Small

LION = get_image("lion.jpg")
LITE = "efficientnet_lite0"


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `noting` writes down what it does."""
    return tmp_path_factory.mktemp("ray") / "notes"


@pytest.fixture(scope="module")
def specs(notes: Path) -> list[str]:
    noting = f"tests.far_models:Noting?name=noting&file={notes}"
    return ["tests.tiny_models:Small?name=small", noting]


@pytest.fixture(scope="module")
def link(specs: list[str]) -> Iterator[Link]:
    found = joining.connector(Settings(lanes=1), specs, replicas=2, environment={})()
    yield found
    found.end()


@pytest.fixture(scope="module")
def engine(link: Link) -> Iterator[RayEngine]:
    kept = Link(link.handle, link.alive, lambda: None)
    found = RayEngine(lambda: kept, kept)
    yield found
    found.close()


@pytest.fixture(scope="module")
def here(specs: list[str]) -> Explainer:
    explainer = Explainer(Settings(lanes=1))
    adding.add_texts(explainer, specs)
    return explainer


@pytest.fixture(scope="module")
def local(here: Explainer) -> LocalEngine:
    return here.engine


def inputs(seed: int, side: int = 64, count: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 3, side, side)).astype(np.float32)


def stages(model: str, local: Engine) -> tuple:
    return tuple(layer for layer in local.run(FindLayers(model)) if layer.stage)


def first_map(
    model: str, local: Engine, seed: int = 0, side: int = 64, **facts: object
) -> FirstMap:
    layer = stages(model, local)[-1]
    job = FirstMap(model, layer, "gradcam", inputs(seed, side), None, None, Rank.FIRST_MAP)
    return replace(job, **facts)


def sweep(model: str, local: Engine, *targets: int, seed: int = 0, side: int = 64) -> Sweep:
    what = (stages(model, local), ("gradcam", "layercam"), targets, inputs(seed, side), None)
    return Sweep(model, *what, Rank.SWEEP)


def rise(model: str, masks: int) -> PixelMap:
    settings = (("masks", masks), ("cells", 4), ("seed", 0))
    return PixelMap(model, "rise", inputs(0), 3, None, settings, Rank.YARDSTICK)


def randomised(local: Engine) -> Randomised:
    names = tuple(layer.name for layer in stages("small", local))
    what = (stages("small", local)[0], "gradcam", inputs(0), 7, None, names, 2, (3, 5))
    return Randomised("small", *what, Rank.YARDSTICK)


def assert_same(one: object, other: object) -> None:
    """Equal; arrays to 1e-5 of their range, and times alone may differ."""
    if isinstance(one, np.ndarray):
        assert one.flags.writeable
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * max(np.ptp(other), 1e-9))
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, tuple):
        for each in zip(one, other, strict=True):
            assert_same(*each)
    elif is_dataclass(one):
        assert type(one) is type(other)
        for each in fields(one):
            if each.name != "milliseconds":
                assert_same(getattr(one, each.name), getattr(other, each.name))
    else:
        assert one == other


JOBS: dict[str, Callable[[Engine], Job]] = {
    "layers": lambda _: FindLayers("small"),
    "anatomy": lambda _: Examine("small"),
    "a first map": lambda local: first_map("small", local),
    "against others": lambda local: first_map("small", local, versus=Rivals((5,)), target=3),
    "first maps": lambda local: FirstMaps(
        (first_map("small", local), first_map("small", local, 1))
    ),
    "a sweep": lambda local: sweep("small", local, 5, 3, 900),
    "a map of pixels": lambda _: rise("small", 20),
    "a score": lambda _: Score("small", inputs(3, count=9), Rank.ANSWER),
    "random weights": randomised,
    "the bundled network": lambda local: first_map(LITE, local, side=224),
    "its sweep": lambda local: sweep(LITE, local, 291, 5, side=224),
}


# -- answers


@pytest.mark.parametrize("name", JOBS)
def test_answers_are_those_of_the_engine_on_this_machine(
    name: str, engine: RayEngine, local: LocalEngine
) -> None:
    job = JOBS[name](local)
    assert_same(engine.run(job), local.run(job))


def test_a_photo_is_explained_as_on_this_machine(engine: RayEngine, here: Explainer) -> None:
    elsewhere = Explainer(Settings(lanes=1), here.catalogue, engine)
    found, expected = (each.explain(LION, model=LITE) for each in (elsewhere, here))
    assert found.target == expected.target
    assert "lion" in found.target.label
    assert_same(found.cam.copy(), expected.cam.copy())


def test_labels_come_in_their_order(engine: RayEngine, local: LocalEngine) -> None:
    assert [target for target, _ in engine.stream(sweep("small", local, 9, 2, 4))] == [9, 2, 4]


def test_progress_travels(engine: RayEngine) -> None:
    seen: list[tuple[int, int]] = []
    engine.run(rise("small", 40), lambda done, total: seen.append((done, total)))
    assert seen
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_a_network_with_its_weights_needs_no_fetching(engine: RayEngine) -> None:
    engine.fetch(LITE)


# -- no more is wanted


def test_whoever_closes_a_sweep_ends_it(engine: RayEngine, local: LocalEngine, notes: Path) -> None:
    job = sweep("noting", local, *range(300))
    before = notes.read_text().count("b")
    labels = engine.stream(job)
    assert next(labels)[0] == 0
    labels.close()
    engine.run(Score("noting", inputs(0), Rank.YARDSTICK))  # the lane is done with the sweep
    assert notes.read_text().count("b") - before < 300


def test_whoever_has_gone_ends_a_map_of_pixels(engine: RayEngine, notes: Path) -> None:
    gone = threading.Event()
    before = notes.read_text().count("f")
    token = asker.set(Asker("visitor", gone, "192.0.2.1"))
    try:
        with pytest.raises(Abandoned):
            engine.run(rise("noting", 4000), lambda *_: gone.set())
        with pytest.raises(Abandoned):  # nobody is asked any more
            engine.run(rise("noting", 20))
    finally:
        asker.reset(token)
    engine.run(Score("noting", inputs(0), Rank.YARDSTICK))
    assert notes.read_text().count("f") - before < 4000 / networks.AT_ONCE


# -- errors


@pytest.mark.parametrize(
    "error",
    [
        CamdemoError("no"),
        WeightsError("none", CATALOGUE.find(LITE)),
        ChoiceError("model", "x", ["a", "b"]),
        RangeError("size", 3, 0, 1),
        Busy(),
        Abandoned(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_arrive_as_themselves(error: CamdemoError) -> None:
    found = messages.unpack(messages.pack(messages.Refusal(error))).error
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert getattr(found, "spec", None) == getattr(error, "spec", None)


def test_what_a_replica_refuses_and_what_a_network_raises(
    engine: RayEngine, local: LocalEngine
) -> None:
    with pytest.raises(ChoiceError, match="no model 'nothing'"):
        engine.run(FindLayers("nothing"))
    with pytest.raises(RuntimeError, match="size"):  # smaller than a convolution's kernel
        engine.run(Score("small", inputs(0, side=1), Rank.ANSWER))


def test_a_network_of_this_process_can_not_be_handed_over(
    engine: RayEngine, here: Explainer
) -> None:
    elsewhere = Explainer(Settings(), here.catalogue, engine)
    with pytest.raises(CamdemoError, match=r"no model 'mine'.*--add.*serve\.yaml"):
        elsewhere.add(Small(), "mine")
    engine.offer(here.catalogue)  # which they know


# -- replicas and heads that die


def replicas() -> list[psutil.Process]:
    """Those of this process."""
    return [
        each
        for each in psutil.Process().children(recursive=True)
        if each.name().startswith("ray::") and "ServeReplica" in " ".join(each.cmdline())
    ]


def test_a_replica_that_dies_amid_a_crowd_loses_no_answer(
    engine: RayEngine, local: LocalEngine
) -> None:
    jobs: list[Job] = []
    for seed in range(12):
        jobs += [
            first_map("small", local, seed),
            sweep("small", local, seed, seed + 1, seed + 2, seed=seed),
            Score("small", inputs(seed, count=5), Rank.ANSWER),
        ]
    expected = [local.run(job) for job in jobs]
    assert len(replicas()) == 2
    answered = threading.Semaphore(0)

    def ask(job: Job) -> object:
        found = engine.run(job)
        answered.release()
        return found

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(ask, job) for job in jobs * 3]
        for _ in range(6):
            assert answered.acquire(timeout=60)
        replicas()[0].kill()
        for index, each in enumerate(found):
            assert_same(each.result(200), expected[index % len(jobs)])


class Failing:
    """A handle whose replicas die amid every answer, or never take a question."""

    def __init__(self, *said: messages.Message) -> None:
        self.said = said
        self.asked: list[Job] = []

    def options(self, **_: object) -> Failing:
        self.ask = self
        return self

    def remote(self, packed: bytes, *_: object) -> Failing:
        self.asked.append(messages.unpack(packed))
        return self

    def __iter__(self) -> Iterator[bytes]:
        from ray.exceptions import RayActorError

        yield messages.HERE
        for each in self.said:
            yield messages.pack(each)
        raise RayActorError

    def cancel(self) -> None:
        pass


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "_PAUSE", 0)
    monkeypatch.setattr(far, "_BEAT", 0.02)
    monkeypatch.setattr(far, "_AGAIN", 0.02)


@pytest.mark.usefixtures("no_pauses")
def test_a_sweep_goes_on_with_what_is_left_and_not_for_ever(local: LocalEngine) -> None:
    failing = Failing()
    dying = Link(failing, lambda: True, lambda: None)
    engine = RayEngine(lambda: dying, dying)
    with pytest.raises(Unreachable, match="has failed"):
        engine.run(first_map("small", local))
    assert len(failing.asked) == 4
    failing.asked.clear()
    failing.said = (messages.Label(5, {}),)
    assert len(list(engine.stream(sweep("small", local, 5, 3, 1)))) == 3
    assert [job.targets for job in failing.asked] == [(5, 3, 1), (3, 1), (1,)]
    engine.close()


@pytest.mark.usefixtures("no_pauses")
def test_a_head_that_is_lost_is_told_and_found_again(link: Link, local: LocalEngine) -> None:
    there = threading.Event()
    there.set()
    ended = threading.Event()

    def connect() -> Link:
        if not there.is_set():
            raise Unreachable("no head")
        return Link(link.handle, there.is_set, ended.set)

    engine, job = RayEngine(connect, connect()), first_map("small", local)
    expected = local.run(job)
    assert_same(engine.run(job), expected)
    there.clear()
    assert ended.wait(30)
    with pytest.raises(Unreachable, match="can't be reached at the moment"):
        engine.run(job)
    spare = SpareEngine(engine, local)
    assert_same(spare.run(job), expected)
    assert list(spare.run(sweep("small", local, 3, 1))) == list(
        local.run(sweep("small", local, 3, 1))
    )
    there.set()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert_same(engine.run(job), expected)
            break
        except Unreachable:
            time.sleep(0.02)
    else:
        pytest.fail("It is not found again.")
    engine.close()


@pytest.mark.usefixtures("no_pauses")
def test_this_machine_goes_on_with_the_labels_that_are_left(local: LocalEngine) -> None:
    class Short(LocalEngine):
        def stream(self, job: Sweep) -> Iterator:
            yield from local.stream(replace(job, targets=job.targets[:1]))
            raise Unreachable("no more")

    job = sweep("small", local, 5, 3, 1)
    assert_same(SpareEngine(Short(), local).run(job), local.run(job))


def test_without_a_head_this_machine_answers_or_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"Nobody answers at 127\.0\.0\.1:1"):
        launch.page_explainer(Settings(engine="ray", without_ray="refuse"))
    explainer = launch.page_explainer(Settings(engine="ray", without_ray="local"))
    assert "Nobody answers at 127.0.0.1:1" in capsys.readouterr().err
    assert "lion" in explainer.explain(LION, model=LITE).target.label
    monkeypatch.setenv("RAY_ADDRESS", "ray://127.0.0.1:10001")
    with pytest.raises(CamdemoError, match="must be HOST:PORT"):
        launch.page_explainer(Settings(engine="ray"))


# -- what is deployed by hand


def test_serve_yaml_is_what_the_page_looks_for() -> None:
    config = ServeDeploySchema.model_validate(
        yaml.safe_load((ROOT / "deploy" / "serve.yaml").read_text(encoding="utf-8"))
    )
    (application,) = config.applications
    assert application.name == messages.APP
    module, _, builder = application.import_path.partition(":")
    arguments = app.Arguments.model_validate(application.args)
    assert arguments.add == []
    assert getattr(importlib.import_module(module), builder) is app.build
    assert inspect.signature(app.build).parameters["arguments"].annotation is app.Arguments
    assert app.build(arguments)
    with pytest.raises(ValueError, match="most_replicas is less than replicas, 9"):
        app.Arguments(replicas=9)
    with pytest.raises(ValueError, match="lane"):
        app.Arguments(lane=2)
