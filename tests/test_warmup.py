"""The start of a process: which model answers, decided once, and how the start ends."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from camdemo import Explainer, Settings, warmup
from camdemo.errors import WeightsError
from camdemo.models import CATALOGUE, NOTEBOOK_DEFAULT, networks, sources, weights
from camdemo.warmup import State

from .tiny_models import Small

LITE0, V2 = CATALOGUE.names[0], NOTEBOOK_DEFAULT


class Engine:
    """Fetches as the test says, and explains nothing."""

    def __init__(self, fetch: Callable[[], None] = lambda: None) -> None:
        self._fetch = fetch
        self.fetched: list[str] = []

    def fetch(self, model: str, progress: object = None) -> None:
        self.fetched.append(model)
        self._fetch()


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the models whose weights are on this machine."""
    names = {LITE0}
    monkeypatch.setattr(weights, "is_ready", lambda spec, _=None: spec.name in names)
    return names


def start(engine: Engine, model: str = "") -> warmup.WarmUp:
    return warmup.WarmUp(model, CATALOGUE, engine)


def test_it_is_cold_then_starting_then_ready(here: set[str]) -> None:
    seen: list[State] = []
    begun = start(Engine())
    assert begun.state == State("cold")
    begun.run(lambda: seen.append(begun.state))
    assert seen == [State("starting")]
    assert begun.state == State("ready")
    begun.wait(0)


def test_the_notebooks_model_answers_when_its_weights_arrive_in_time(here: set[str]) -> None:
    begun = start(Engine(lambda: here.add(V2)))
    begun.run(lambda: None)
    assert begun.default_model() == V2
    assert begun.note() == ""


def test_weights_that_arrive_late_change_nothing(
    here: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warmup, "_PATIENCE", 0.05)
    go, arrived = threading.Event(), threading.Event()

    def slowly() -> None:
        assert go.wait(20)
        here.add(V2)
        arrived.set()

    begun = start(Engine(slowly))
    begun.run(lambda: None)
    assert begun.default_model() == LITE0
    go.set()
    assert arrived.wait(20)
    assert begun.default_model() == LITE0
    assert "MobileNetV2's weights are not on this machine" in begun.note()
    assert "EfficientNet-Lite0 answers" in begun.note()


def test_what_was_decided_before_the_start_stays(here: set[str]) -> None:
    engine = Engine(lambda: here.add(V2))
    begun = start(engine)
    assert begun.default_model() == LITE0  # somebody was faster
    begun.run(lambda: None)
    assert begun.default_model() == LITE0
    assert engine.fetched == []


def test_who_asks_for_the_default_waits_for_the_decision(here: set[str]) -> None:
    fetching, go = threading.Event(), threading.Event()
    found: list[str] = []

    def fetch() -> None:
        fetching.set()
        assert go.wait(20)
        here.add(V2)

    begun = start(Engine(fetch))
    running = threading.Thread(target=begun.run, args=(lambda: None,))
    running.start()
    assert fetching.wait(20)
    asking = threading.Thread(target=lambda: found.append(begun.default_model()))
    asking.start()
    asking.join(0.05)
    assert found == []
    go.set()
    running.join(20)
    asking.join(20)
    assert found == [V2]


def test_a_model_that_is_set_is_neither_chosen_nor_fetched(here: set[str]) -> None:
    engine = Engine()
    begun = start(engine, "resnet18")
    begun.run(lambda: None)
    assert begun.default_model() == "resnet18"
    assert engine.fetched == []
    assert begun.note() == ""


def test_without_the_notebooks_weights_the_bundled_ones_answer(here: set[str]) -> None:
    def fail() -> None:
        raise WeightsError("no network")

    begun = start(Engine(fail))
    begun.run(lambda: None)
    assert begun.state == State("ready")
    assert begun.default_model() == LITE0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (WeightsError("Its weights can't be had."), "Its weights can't be had."),
        (
            RuntimeError("a path"),
            "The first model could not be made ready (RuntimeError).",
        ),
        (MemoryError(), "The first model could not be made ready (MemoryError)."),
    ],
    ids=["ours", "unexpected", "memory"],
)
def test_a_start_that_fails_says_so_and_why(here: set[str], error: Exception, reason: str) -> None:
    begun = start(Engine())

    def fail() -> None:
        raise error

    begun.run(fail)
    assert begun.state == State("failed", reason)
    assert begun.note() == reason
    begun.wait(60)  # and nobody waits for it any more
    begun.run(lambda: None)
    assert begun.state == State("ready")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nobody_waits_for_a_start_that_was_killed(
    here: set[str], error: type[BaseException]
) -> None:
    begun = start(Engine())

    def stop() -> None:
        raise error

    with pytest.raises(error):
        begun.run(stop)
    assert begun.state.name == "failed"
    assert begun.state.reason.endswith(".")
    begun.wait(60)


def test_the_explainer_warms_its_model_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(spec: object, *_: object) -> Small:
        loaded.append(spec.name)
        return Small()

    monkeypatch.setattr(networks, "load", load)
    monkeypatch.setattr(networks, "skeleton", lambda *_: Small())
    explainer = Explainer(Settings(model=LITE0))
    assert explainer.state == State("cold")
    explainer.warm_up()
    assert explainer.state == State("ready")
    assert loaded == [LITE0]


def test_an_explainer_whose_weights_can_not_be_had_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        sources.Torchvision, "url", lambda _, spec: f"http://127.0.0.1:9/{spec.weights}"
    )
    explainer = Explainer(Settings(model="squeezenet1_1"))
    explainer.warm_up()
    assert explainer.state.name == "failed"
    assert "SqueezeNet 1.1" in explainer.state.reason
    assert explainer.opening_note() == explainer.state.reason
