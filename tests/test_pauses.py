"""Pauses amid forwards and backwards: others go first there, and no number changes."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.overrides import _get_current_function_mode_stack

from camdemo import Settings
from camdemo.engine import (
    Asker,
    FindLayers,
    FirstMap,
    Job,
    LocalEngine,
    PixelMap,
    Randomised,
    Rank,
    Score,
    Sweep,
    asker,
    lanes,
    pauses,
    perform,
)
from camdemo.engine.memory import Networks
from camdemo.errors import Abandoned
from camdemo.methods import folding, registry
from camdemo.models import CATALOGUE
from camdemo.records import LayerInfo

from .tiny_models import Small, install

MODEL, OTHER = CATALOGUE.names[:2]
INPUTS = np.random.default_rng(1).normal(size=(9, 3, 64, 64)).astype(np.float32)


def toy_models(patch: pytest.MonkeyPatch) -> None:
    """Two models, in which a pause is worth it before every module."""
    patch.setattr(pauses, "_APART", 0)
    install(patch, lambda spec: Small(CATALOGUE.names.index(spec.name)))


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    toy_models(monkeypatch)


def first_map(layer: LayerInfo, model: str = MODEL) -> FirstMap:
    return FirstMap(model, layer, "gradcam", INPUTS[:1], None, None, Rank.FIRST_MAP)


def pixel_map(method: str, layers: tuple[LayerInfo, ...]) -> PixelMap:
    del layers
    settings = {one.name: one.default for one in registry.find(method).settings}
    few = {name: value for name, value in (("steps", 3), ("samples", 3)) if name in settings}
    what = (INPUTS[:1], 3, None, tuple((settings | few).items()), Rank.YARDSTICK)
    return PixelMap(MODEL, method, *what)


def randomised(layers: tuple[LayerInfo, ...]) -> Randomised:
    what = ("gradcam", INPUTS[:1], 7, None, ("first", "second"), 2, (3,))
    return Randomised(MODEL, layers[0], *what, Rank.YARDSTICK)


JOBS: dict[str, Callable[[tuple[LayerInfo, ...]], Job]] = {
    "a first map": lambda layers: replace(first_map(layers[-1]), rank=Rank.ANSWER),
    "one of an early layer": lambda layers: replace(first_map(layers[0]), rank=Rank.ANSWER),
    "a sweep": lambda layers: Sweep(
        MODEL, layers, ("gradcam", "layercam"), (5, 6), INPUTS[:1], None, Rank.SWEEP
    ),
    "scores": lambda _: Score(MODEL, INPUTS, Rank.YARDSTICK),
    "random weights": randomised,
} | {
    name: lambda layers, name=name: pixel_map(name, layers)
    for name in ("saliency", "integrated_gradients", "smoothgrad", "guided_backprop", "deeplift")
}


def arrays_of(answer: object) -> list[np.ndarray]:
    if isinstance(answer, np.ndarray):
        return [answer]
    if isinstance(answer, dict):
        return list(answer.values())
    maps = answer.maps if hasattr(answer, "maps") else answer.map
    return [maps, answer.logits] if hasattr(answer, "logits") else [maps]


def check_same(found: object, expected: object) -> None:
    pairs = zip(arrays_of(found), arrays_of(expected), strict=True)
    assert all((one == other).all() for one, other in pairs)  # to the bit


@pytest.fixture(scope="module")
def engines() -> tuple[LocalEngine, LocalEngine]:
    """One whose networks never pause, and one whose networks do before every module."""
    with pytest.MonkeyPatch.context() as patch:
        toy_models(patch)
        pausing = LocalEngine()
        pausing._networks._pause = lambda: lanes.Lanes.pause(pausing._lanes)
        pausing.run(Score(MODEL, INPUTS, Rank.ANSWER))
        pausing.run(Score(OTHER, INPUTS, Rank.ANSWER))
        patch.setattr(pauses, "places", lambda *_: ())
        plain = LocalEngine()
        plain.run(Score(MODEL, INPUTS, Rank.ANSWER))
        plain.run(Score(OTHER, INPUTS, Rank.ANSWER))
    return plain, pausing


@pytest.mark.parametrize("name", JOBS)
def test_at_every_pause_somebody_else_goes_first_and_no_number_changes(
    monkeypatch: pytest.MonkeyPatch, engines: tuple[LocalEngine, LocalEngine], name: str
) -> None:
    plain, engine = engines
    layers = plain.run(FindLayers(MODEL))
    job = JOBS[name](layers)
    # Of the same model and of another, from the network itself and from its copy.
    urgent = [
        first_map(layer, model) for layer in (layers[0], layers[-1]) for model in (MODEL, OTHER)
    ]
    expected = plain.run(job)
    expected_first = [plain.run(one) for one in urgent]
    found: list[tuple[int, object]] = []
    pause, kinds = lanes.Lanes.pause, itertools.cycle(range(len(urgent)))

    def urgently(kind: int, network: nn.Module) -> None:
        found.append((kind, perform.first_map(urgent[kind], network)))

    def somebody_comes(self: lanes.Lanes) -> None:
        if self._here.turn.rank > Rank.FIRST_MAP:
            kind = next(kinds)
            spec = CATALOGUE.find(urgent[kind].model)
            self.submit(Rank.FIRST_MAP, engine._with_network(spec, partial(urgently, kind)))
        pause(self)

    monkeypatch.setattr(lanes.Lanes, "pause", somebody_comes)
    check_same(engine.run(job), expected)
    assert {kind for kind, _ in found} == set(range(len(urgent)))
    for kind, one in found:
        check_same(one, expected_first[kind])


def test_there_are_pauses_on_the_way_back_too() -> None:
    network, called = Small(), []
    pauses.add(network, ("first", "second"), lambda: called.append(1))
    inputs = torch.from_numpy(INPUTS[:1]).requires_grad_()
    logits = network(inputs)
    assert len(called) == 2
    for backwards in (1, 2):
        torch.autograd.grad(logits[0, 3], inputs, retain_graph=True)
        assert len(called) == 2 + 2 * backwards


@pytest.mark.parametrize("when", range(1, 14, 3))
def test_who_goes_ends_a_forward_or_a_backward_and_nothing_of_it_is_left(
    monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    engine = LocalEngine()
    layers = engine.run(FindLayers(MODEL))
    job = JOBS["a sweep"](layers)
    expected = engine.run(job)
    left, calls = threading.Event(), 0
    pause = lanes.Lanes.pause

    def leave(self: lanes.Lanes) -> None:
        nonlocal calls
        calls += 1
        if calls == when:
            left.set()
        pause(self)

    monkeypatch.setattr(lanes.Lanes, "pause", leave)
    engine = LocalEngine()
    token = asker.set(Asker("visitor", left))
    try:
        with pytest.raises(Abandoned):
            engine.run(job)
    finally:
        asker.reset(token)
    assert calls == when
    state = engine._lanes.run(
        Rank.ANSWER,
        lambda: (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            *_get_current_function_mode_stack(),
        ),
    )
    assert state == (True, False)
    for network in engine._networks._of(CATALOGUE.find(MODEL)).twins:
        assert not any(module._forward_hooks for module in network.modules())
    check_same(engine.run(job), expected)


# -- where they are


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Slow(nn.Module):
    """One stage takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.quick, self.slow, self.after = nn.Identity(), nn.Identity(), nn.Identity()
        self.slow.register_forward_hook(lambda *_: work(0.3))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.slow(self.quick(x)))


def test_a_pause_comes_after_what_took_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pauses, "_APART", 0.2)
    assert pauses.places(Slow(), (3, 8, 8)) == ("after",)
    monkeypatch.setattr(pauses, "_APART", 60)
    assert pauses.places(Slow(), (3, 8, 8)) == ()


def test_the_copy_has_them_where_the_network_has_them() -> None:
    prepared = folding.prepare(Small(), 64)
    assert isinstance(prepared, folding.Prepared)
    names = pauses.places(prepared, (3, 64, 64))
    assert "second.0" in names
    called: list[int] = []
    pauses.add(prepared, names, lambda: called.append(1))
    for count, network in enumerate((prepared, prepared.plain), start=1):
        network(torch.from_numpy(INPUTS[:1]))
        assert len(called) == count * len(names)


def test_pytorchs_encoders_are_left_alone() -> None:
    """With a hook inside they take another way, of another rounding."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network = nn.Sequential(nn.Flatten(2), nn.Linear(4, 8), nn.TransformerEncoder(layer, 1))
    names = pauses.places(network.eval(), (3, 2, 2))
    assert "1" in names
    assert "2" in names
    assert not any(name.startswith("2.layers.0") for name in names)


def test_a_network_that_can_not_be_tried_has_none() -> None:
    network = nn.Linear(5, 2)
    assert pauses.places(network, (3, 8, 8)) == ()
    assert not network._forward_pre_hooks


# -- networks that can't be copied


class Locked(Small):
    """Holds what can't be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


def test_what_can_not_be_copied_is_lent_within_its_lane_and_has_no_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, lambda _: Locked())
    networks = Networks(CATALOGUE, 2, lambda: pytest.fail("a pause"))
    spec, lent = CATALOGUE.find(MODEL), threading.Event()

    def borrow() -> None:
        with networks.borrowed(spec) as network:
            network(torch.from_numpy(INPUTS[:1]))
            lent.set()

    with networks.borrowed(spec):
        mine = threading.Thread(target=copy_context().run, args=(borrow,))
        mine.start()
        mine.join(30)
        assert lent.is_set()  # whoever has given way is in the same lane
        lent.clear()
        anothers = threading.Thread(target=borrow)
        anothers.start()
        assert not lent.wait(0.2)
    anothers.join(30)
    assert lent.is_set()


def test_a_lane_gives_way_amid_a_network_to_one_that_can_not_be_copied() -> None:
    """Which the lane has already: without that it would wait for itself."""
    engine = LocalEngine(settings=Settings(lanes=1))
    lane, here = engine._lanes, engine._networks
    done: list[str] = []

    def innermost() -> None:
        with here._locked():
            done.append("first map")

    def amid() -> None:
        lane.submit(Rank.FIRST_MAP, innermost)
        lane.pause()
        done.append("answer")

    def outermost() -> None:
        with here._locked():
            lane.submit(Rank.ANSWER, amid)
            lane.give_way()
        done.append("sweep")

    lane.submit(Rank.SWEEP, outermost).result(30)
    assert done == ["first map", "answer", "sweep"]
