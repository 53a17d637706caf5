"""Photos that are explained together: each as if it had been asked alone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from gradio.media import get_image
from PIL import Image
from torch import Tensor, nn

from camdemo import Explainer, Settings
from camdemo.engine import (
    FindLayers,
    FirstMap,
    FirstMaps,
    GatheringEngine,
    LocalEngine,
    MapAndLogits,
    Rank,
    Sweep,
)
from camdemo.errors import CamdemoError
from camdemo.models import CATALOGUE
from camdemo.records import Rivals

from .pickling_engine import PicklingEngine
from .tiny_models import Small, install

MODEL = CATALOGUE.names[0]
RNG = np.random.default_rng(1)
INPUTS = [RNG.normal(size=(1, 3, 64, 64)).astype(np.float32) for _ in range(8)]


class Counting:
    """An engine that counts, and in which all wait until `opened`."""

    def __init__(self, engine: LocalEngine, opened: bool = True) -> None:
        self._engine = engine
        self.opened = threading.Event()
        if opened:
            self.opened.set()
        self.sizes: list[int] = []
        self.others: list[str] = []

    def run(self, job, progress=None):
        if isinstance(job, FirstMaps):
            self.sizes.append(len(job.jobs))
            self.opened.wait(30)
        else:
            self.others.append(type(job).__name__)
        return self._engine.run(job, progress)


def jobs(method: str = "gradcam", **facts) -> list[FirstMap]:
    layer = LocalEngine().run(FindLayers(MODEL))[0]
    asked = {"target": None, "versus": None, "rank": Rank.FIRST_MAP} | facts
    return [FirstMap(MODEL, layer, method, inputs, **asked) for inputs in INPUTS]


def close(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.abs(one - other).max() <= 1e-5 * np.ptp(other)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _: Small())


@pytest.fixture(scope="module")
def lite() -> Explainer:
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.mark.parametrize(
    ("layer", "method"),
    [("bn2", "gradcam"), ("blocks.1", "gradcam"), ("blocks.4", "layercam"), ("all", "hirescam")],
)
def test_photos_of_a_batch_are_explained_as_each_alone(
    layer: str, method: str, lite: Explainer
) -> None:
    photos = [get_image(name) for name in ("lion.jpg", "cheetah.jpg", "tower.jpg")]
    seen = [lite.explain(photo, layer=layer, method=method) for photo in photos]
    asked = [
        FirstMap(MODEL, one.layer, method, one.inputs, None, None, Rank.FIRST_MAP) for one in seen
    ]
    answers = lite.engine.run(FirstMaps(tuple(asked), top=2))
    for one, answer in zip(seen, answers, strict=True):
        assert close(answer.map, one.cam)
        assert answer.target == one.target.index
        second = one.predictions[1].index
        expected = one.maps([layer], [second], method)[layer, second]
        assert list(answer.others) == [one.target.index, second]
        assert close(answer.others[second], expected)


def test_a_batch_has_targets_and_rivals_of_its_own(toys: None) -> None:
    engine = LocalEngine()
    first, second, third = jobs()[:3]
    asked = (
        first,
        FirstMap(MODEL, second.layer, "gradcam", second.inputs, 3, None, Rank.SWEEP),
        FirstMap(MODEL, third.layer, "gradcam", third.inputs, 2, Rivals((1,)), Rank.FIRST_MAP),
    )
    batch = FirstMaps(asked, top=1)
    assert batch.rank == Rank.FIRST_MAP
    for job, answer in zip(asked, engine.run(batch), strict=True):
        expected = engine.run(job)
        assert close(answer.map, expected.map)
        assert close(answer.logits, expected.logits)
        assert answer.target == expected.target
        best = int(expected.logits.argmax())
        own = engine.run(FirstMap(MODEL, job.layer, "gradcam", job.inputs, best, None, job.rank))
        assert list(answer.others) == [best]
        assert close(answer.others[best], own.map)


def test_it_travels(toys: None) -> None:
    there = PicklingEngine(LocalEngine())
    answers = there.run(FirstMaps(tuple(jobs()[:2])))
    assert there.jobs == ["FirstMaps"]
    assert len(answers) == 2
    assert answers[0].others == {}


def gathered(asked: list[FirstMap]) -> tuple[list[MapAndLogits], list[int]]:
    """What is answered to jobs of which all but the first gather while that one is computed, and
    the sizes of the batches."""
    counting = Counting(LocalEngine(), opened=False)
    gathering = GatheringEngine(counting, places=1)
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = [pool.submit(gathering.run, asked[0])]
        while not counting.sizes:
            pass
        answers += [pool.submit(gathering.run, job) for job in asked[1:]]
        while len(gathering._batches._waiting) < len(asked) - 1:
            pass
        counting.opened.set()
        found = [each.result(30) for each in answers]
    return found, counting.sizes


def test_questions_gather_while_the_networks_are_busy(toys: None) -> None:
    asked = jobs()
    found, sizes = gathered(asked)
    # One alone, four and (once for each kind) the same four together, and the other three.
    assert sizes == [1, 1, 1, 1, 1, 4, 3]
    for job, answer in zip(asked, found, strict=True):
        assert close(answer.map, LocalEngine().run(job).map)


def test_what_does_not_go_together_is_asked_apart(toys: None) -> None:
    asked = [*jobs()[:3], *jobs("hirescam")[3:6]]
    found, sizes = gathered(asked)
    assert max(sizes) <= 3
    for job, answer in zip(asked, found, strict=True):
        assert close(answer.map, LocalEngine().run(job).map)


class Sociable(Small):
    """A network whose answer to a photo depends on the others: its norm counts the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(dim=0, keepdim=True) * (len(x) > 1))


class Single(Small):
    """A network that takes one photo at a time."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 1:
            raise RuntimeError("shape '[1, 64]' is invalid for input of size 256")
        return super().forward(x)


@pytest.mark.parametrize("network", [Sociable, Single])
def test_a_network_that_takes_no_batch_is_asked_photo_by_photo(
    network: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, lambda _: network())
    counting = Counting(LocalEngine(), opened=False)
    gathering = GatheringEngine(counting, places=1)
    asked = jobs()
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = [pool.submit(gathering.run, job) for job in asked]
        while len(gathering._batches._waiting) < len(asked) - 1:
            pass
        counting.opened.set()
        found = [each.result(30) for each in answers]
    for job, answer in zip(asked, found, strict=True):
        assert close(answer.map, LocalEngine().run(job).map)
    assert sorted(counting.sizes)[-2:] == [1, 4]  # tried once


def test_further_maps_are_answered_from_memory(toys: None) -> None:
    counting = Counting(LocalEngine())
    gathering = GatheringEngine(counting, top=3)
    job = jobs()[0]
    answer = gathering.run(job)
    labels = tuple(answer.others)
    assert len(labels) == 3

    def sweep(
        *targets: int, inputs: np.ndarray = job.inputs, versus: Rivals | None = None
    ) -> Sweep:
        where = (job.layer,)
        return Sweep(MODEL, where, ("gradcam",), targets, inputs, versus, Rank.ANSWER)

    maps = gathering.run(sweep(*labels))
    assert counting.others == []
    expected = LocalEngine().run(sweep(*labels))
    assert maps.keys() == expected.keys()
    assert all(close(maps[key], expected[key]) for key in expected)
    other = next(index for index in range(len(answer.logits)) if index not in labels)
    for asked in (sweep(labels[0], other), sweep(*labels, inputs=INPUTS[1])):
        found, alone = gathering.run(asked), LocalEngine().run(asked)
        assert all(close(found[key], alone[key]) for key in alone)
    against = gathering.run(sweep(labels[0], versus=Rivals((other,))))
    assert close(
        *(against.values()),
        *(LocalEngine().run(sweep(labels[0], versus=Rivals((other,)))).values()),
    )
    assert counting.others == ["Sweep"] * 3


def test_a_photo_that_is_no_number_harms_no_other(toys: None) -> None:
    first, second = jobs()[:2]
    bad = FirstMap(MODEL, first.layer, "gradcam", first.inputs * np.nan, None, None, first.rank)
    answers = LocalEngine().run(FirstMaps((bad, second), top=2))
    assert not np.isfinite(answers[0].logits).any()
    assert close(answers[1].map, LocalEngine().run(second).map)


def test_one_photo_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Small):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * torch.nan

    install(monkeypatch, lambda _: Broken())
    explainer = Explainer(Settings(model=MODEL), engine=GatheringEngine(LocalEngine()))
    with pytest.raises(CamdemoError, match="not a number"):
        explainer.explain(Image.new("RGB", (64, 64)))


def test_what_fails_fails_for_all_who_wait(toys: None) -> None:
    class Failing:
        def run(self, job, progress=None):
            raise CamdemoError("no")

    gathering = GatheringEngine(Failing())
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(gathering.run, job) for job in jobs()]:
            with pytest.raises(CamdemoError, match="no"):
                each.result(30)
