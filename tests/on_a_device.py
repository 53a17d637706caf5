"""An accelerator, as far as it can be tested without one: see `fake_device`, and `test_devices`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from benchmarks import gpu as benchmark
from camdemo import Explainer, Settings, methods
from camdemo.cli import main
from camdemo.engine import (
    FindLayers,
    FirstMap,
    FirstMaps,
    LocalEngine,
    PixelMap,
    Randomised,
    Rank,
    Score,
    SharedEngine,
    Sweep,
    devices,
    on_all_cores,
    placing,
    width,
)
from camdemo.engine.protocol import Asker, asker
from camdemo.errors import Abandoned, ChoiceError, SettingError
from camdemo.methods import folding, maps
from camdemo.models import CATALOGUE, networks
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers
from camdemo.ui.server import admission
from camdemo.ui.server.journal import facts_of

from . import fake_device
from .tiny_models import HandMade, Small, install, randomise

MODEL = CATALOGUE.names[0]
SPEC = CATALOGUE.find(MODEL)
SHAPE = (3, 64, 64)
RNG = np.random.default_rng(3)
INPUTS = [RNG.normal(size=(1, *SHAPE)).astype(np.float32) for _ in range(8)]
BLACK = np.zeros(SHAPE, np.float32)
PHOTO = Image.fromarray(RNG.integers(0, 255, (90, 120, 3), np.uint8))
# As few forwards as show whether a method runs.
FEW: dict[str, Any] = {"steps": 4, "samples": 6, "masks": 20, "regions": 4, "cells": 3}


@pytest.fixture(scope="module", autouse=True)
def fake() -> str:
    return fake_device.register()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, fake: str) -> None:
    """The device is there, and `auto` takes it."""
    monkeypatch.setattr(devices, "_may_be_there", lambda: True)
    monkeypatch.setattr(devices, "there", lambda: (fake, "cpu"))


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _: Small())


class Attending(nn.Module):
    """A vision transformer of two layers, which reads its class token."""

    def __init__(self) -> None:
        super().__init__()
        self.body = VisionTransformer(64, 16, 2, 2, 16, 32, num_classes=5)
        randomise(self)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Pooling(nn.Module):
    """What the others lack: 1 x 1 convolutions, max pooling, channels last in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU6())
        self.pool = nn.MaxPool2d(2)
        self.point = nn.Sequential(nn.Conv2d(8, 16, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.head = nn.Linear(16, 5)
        randomise(self)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.point(self.pool(self.stem(x))).mean(dim=(2, 3)))


NETWORKS = {"Small": lambda: Small(labels=5), "Pooling": Pooling, "Attending": Attending}


def close(one: np.ndarray, other: np.ndarray) -> bool:
    assert one.dtype == other.dtype == np.float32
    return one.shape == other.shape and np.abs(one - other).max() <= 1e-3 * np.ptp(other)


def engines() -> tuple[LocalEngine, LocalEngine]:
    """That on the device, and that on the CPU."""
    return LocalEngine(), LocalEngine(settings=Settings(device="cpu"))


def first(number: int = 0, **facts: Any) -> FirstMap:
    layer = methods.default(methods.discover(Small(), SHAPE))
    asked = {"target": None, "versus": None, "rank": Rank.FIRST_MAP} | facts
    return FirstMap(MODEL, layer, "gradcam", INPUTS[number], **asked)


# -- which one


def test_a_machine_without_one_has_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_may_be_there", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.there() == ("cpu",)
    assert devices.find("auto") == devices.find("cpu") == "cpu"
    for name in ("cuda", "mps"):
        with pytest.raises(SettingError, match=rf"no device '{name}' .* there is cpu\. Choose"):
            Explainer(Settings(device=name))
    with pytest.raises(ChoiceError, match=r"no device 'tpu'\. Allowed: auto, cpu, cuda, mps\."):
        Explainer(Settings(device="tpu"))


def test_auto_takes_what_torch_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_may_be_there", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.find("auto") == devices.find("mps") == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.find("auto") == devices.find("cuda") == "cuda"
    assert devices.find("cpu") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingError, match="there is cuda and cpu"):
        devices.find("mps")


def test_torch_is_not_asked_where_there_is_no_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices, "there", lambda: ("cuda", "cpu"))
    monkeypatch.setattr(devices, "_TRACES", (tmp_path / "driver",))
    assert devices.find("auto") == "cpu"
    (tmp_path / "driver").touch()
    assert devices.find("auto") == "cuda"


def test_commands_take_it(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "there", lambda: ("cpu",))
    for command in (["explain", "none.jpg"], ["batch", "none", "-o", "out"], ["serve"]):
        assert main([*command, "--device", "cuda"]) == 1
        assert "There is no device 'cuda'" in capsys.readouterr().err
    monkeypatch.setenv("CAMDEMO_DEVICE", "mps")
    assert main(["explain", "none.jpg"]) == 1
    assert "There is no device 'mps'" in capsys.readouterr().err


def test_float32_is_not_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "title", lambda device: device)
    kinds: Any = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "tf32"
        devices.settle("cuda")
        assert [kind.fp32_precision for kind in kinds] == ["ieee"] * 3
    finally:
        for kind, value in zip(kinds, before, strict=True):
            kind.fp32_precision = value


def test_it_has_one_lane_and_batches(gpu: None) -> None:
    assert on_all_cores(Settings()).lanes == 1
    assert on_all_cores(Settings(lanes=3)).lanes == 3
    here = Settings(device="cpu")
    assert on_all_cores(here).lanes >= 1
    assert width(SharedEngine(LocalEngine())) > 1
    assert width(SharedEngine(LocalEngine(settings=here))) == 1


# -- nothing is left behind on the CPU


def test_the_device_refuses_what_is_not_on_it(fake: str) -> None:
    there, here = torch.ones(2, device=fake), torch.ones(2)
    assert (there + there.cpu().to(fake)).cpu().tolist() == [2, 2]
    for wrong in (lambda: there + here, lambda: torch.cat([here, there]), there.numpy):
        with pytest.raises(RuntimeError):
            wrong()
    with pytest.raises(RuntimeError, match="generator"):
        there.normal_(generator=torch.Generator())
    with pytest.raises(TypeError, match="float64"):
        there.double()


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("is_prepared", [False, True])
def test_methods_of_layers(build: Any, is_prepared: bool, fake: str) -> None:
    here = build()
    there = networks.moved(here, fake)
    if is_prepared:
        here, there = (methods.prepare(each, SHAPE) for each in (here, there))
        assert type(here) is type(there)
    found = methods.discover(build(), SHAPE, tried=True)
    assert methods.discover(networks.moved(build(), fake), SHAPE, tried=True) == found
    for layer in (*found, methods.fused(found)):
        for method in (one for one in methods.all("layer") if one.is_at(layer)):
            one, other = (
                methods.explain(each, layer, networks.given(each, INPUTS[0]), method.name, 2)
                for each in (there, here)
            )
            assert close(one[0], other[0]), (layer, method)
            assert close(one[1], other[1])


@pytest.mark.parametrize("method", methods.all("layer"), ids=lambda each: each.name)
def test_a_map_is_made_where_its_layer_is(method: methods.Method, fake: str) -> None:
    activation, gradient = torch.randn(2, 3, 4, 4).to(fake).split(1)
    found = method.function(activation, gradient)
    assert (found.device.type, found.dtype) == (fake, torch.float32)


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_methods_of_pixels(build: Any, fake: str) -> None:
    here = build()
    there = networks.moved(here, fake)
    anatomy = methods.examine(here, SHAPE)
    assert methods.examine(there, SHAPE) == anatomy
    tried = [method for method in methods.all("pixel") if not method.lacks(anatomy)]
    assert len(tried) >= 8
    for method in tried:
        names = {each.name for each in method.settings}
        settings = {name: value for name, value in FEW.items() if name in names}
        if "regions" in names:
            settings["samples"] = 20
        one, other = (
            methods.explain_input(
                each,
                method.name,
                networks.given(each, INPUTS[0]),
                1,
                None,
                settings,
                lambda _: BLACK,
            )
            for each in (there, here)
        )
        assert close(one.map, other.map), method.name
        assert close(one.logits, other.logits)


def test_every_method_of_pixels_is_tried() -> None:
    anatomies = [methods.examine(build(), SHAPE) for build in NETWORKS.values()]
    assert all(any(not method.lacks(each) for each in anatomies) for method in methods.all("pixel"))


def test_a_folded_copy_keeps_its_layout_and_leaves_onednn_to_the_cpu(fake: str) -> None:
    there = methods.prepare(networks.moved(Pooling(), fake), SHAPE)
    assert isinstance(there, folding.Prepared)
    assert not any(isinstance(each, folding._Pointwise) for each in there.modules())
    assert there.plain.stem[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert {each.device.type for each in there.parameters()} == {fake}


# -- the engine


def test_every_job(gpu: None, toys: None) -> None:
    there, here = engines()
    layers = here.run(FindLayers(MODEL))
    assert there.run(FindLayers(MODEL)) == layers
    job = first()
    stages = tuple(layer.name for layer in layers)
    sweep = Sweep(MODEL, layers, ("gradcam", "eigencam"), (3, 5), INPUTS[0], None, Rank.SWEEP)
    random = (job.layer, "gradcam", INPUTS[0], 3, None, stages, 3, (0, 1), Rank.YARDSTICK)
    pixels = PixelMap(MODEL, "smoothgrad", INPUTS[0], None, None, (("samples", 5),), Rank.ANSWER)
    batch = np.concatenate(INPUTS)
    assert close(there.run(job).map, here.run(job).map)
    for one, other in zip(
        there.run(FirstMaps((job, first(1)), top=2)),
        here.run(FirstMaps((job, first(1)), top=2)),
        strict=True,
    ):
        assert close(one.map, other.map)
        assert one.others.keys() == other.others.keys()
    expected = here.run(sweep)
    assert all(close(cam, expected[key]) for key, cam in there.run(sweep).items())
    assert close(*(each.run(Randomised(MODEL, *random)).maps for each in (there, here)))
    assert close(*(each.run(pixels).map for each in (there, here)))
    assert close(*(each.run(Score(MODEL, batch, Rank.ANSWER)) for each in (there, here)))


def test_weights_stay_there_and_nothing_leaves_the_cpu_twice(gpu: None, toys: None) -> None:
    engine = LocalEngine()
    engine.run(first())
    sent: list[int] = []

    def note(function: Any, args: tuple) -> None:
        if function.overloadpacket is torch.ops.aten.copy_:
            sent.append(args[1].numel())  # a single number is one that a kernel is given

    fake_device.on_call.append(note)
    try:
        engine.run(first(1))
    finally:
        fake_device.on_call.remove(note)
    assert [size for size in sent if size > 1] == [INPUTS[1].size]  # the photo, and no weights


def test_what_ran_it_is_told(gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "title", lambda _: "Fast GPU")
    found = Explainer(Settings(model=MODEL)).explain(PHOTO)
    assert found.device == "Fast GPU"
    assert found.scene().facts.endswith(" ms · Fast GPU")
    assert facts_of(found)["device"] == "Fast GPU"
    found = Explainer(Settings(model=MODEL, device="cpu")).explain(PHOTO)
    assert found.device == ""
    assert found.scene().facts.endswith(" ms")
    assert "device" not in facts_of(found)


def test_a_network_of_ones_own_stays_where_it_is(gpu: None, fake: str) -> None:
    model = Small(labels=5)
    explainer = Explainer().add(model, transform=SPEC.transform)
    assert explainer.explain(PHOTO).device == fake
    (kept,) = (source.networks["small"] for source in explainer.catalogue.sources[-1:])
    assert {each.device.type for each in (*model.parameters(), *kept.parameters())} == {"cpu"}


class Holding(Small):
    """A module with a tensor that is no buffer, which nobody can bring elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = [torch.zeros(3, 1, 1)]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - self.mean[0])


class Differing(Small):
    """A network that answers otherwise elsewhere."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (1 if x.device.type == "cpu" else 1.1)


@pytest.mark.parametrize(
    ("build", "reason"),
    [(Holding, "it can't run on the GPU"), (Differing, "the GPU answers otherwise than the CPU")],
)
def test_what_does_not_work_there_stays_here(
    build: type[nn.Module],
    reason: str,
    gpu: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    install(monkeypatch, lambda _: build())
    there, here = engines()
    with caplog.at_level(logging.WARNING, "camdemo"):
        found = there.run(first())
    assert found.device == f"CPU: {reason}"
    assert (found.map == here.run(first()).map).all()
    assert caplog.messages == [f"{SPEC.title} runs on the CPU: {reason}."]


# -- batches


class Slow:
    """Lets the device wait, and counts what is computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from camdemo.engine import perform

        self.opened = threading.Event()
        self.order: list[tuple[str, int]] = []
        answer = perform.answer

        def watched(job: Any, *rest: Any) -> Any:
            self.order.append((type(job).__name__, len(getattr(job, "jobs", (job,)))))
            assert self.opened.wait(30)
            return answer(job, *rest)

        monkeypatch.setattr(perform, "answer", watched)


def wait_for(condition: Any) -> None:
    for _ in range(3000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it has not come")


def ask(pool: ThreadPoolExecutor, engine: LocalEngine, job: Any, who: Asker | None = None) -> Any:
    def run() -> Any:
        asker.set(who)
        return engine.run(job)

    return pool.submit(run)


def test_those_who_wait_share_a_forward(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = engines()
    expected = [here.run(first(number)) for number in range(8)]
    there.run(first())
    slow = Slow(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        found = [ask(pool, there, first(0))]
        wait_for(lambda: slow.order)
        found += [ask(pool, there, first(number)) for number in range(1, 8)]
        wait_for(lambda: len(there._batches._waiting) == 7)
        slow.opened.set()
        answers = [each.result(30) for each in found]
    # One alone; seven, once of a kind one by one, and the same together.
    assert slow.order == [("FirstMap", 1)] * 8 + [("FirstMaps", 7)]
    for one, other in zip(answers, expected, strict=True):
        assert close(one.map, other.map)
        assert close(one.logits, other.logits)
    assert not there._batches._waiting


def test_a_first_map_waits_for_no_batch_of_frames(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = engines()
    there.run(first())
    there._batches._alone[MODEL, first().layer.name, "gradcam"] = False  # as after a first batch
    slow = Slow(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        found = [ask(pool, there, first(0))]
        wait_for(lambda: slow.order)
        frame = {"rank": Rank.SWEEP, "passing": True}
        found += [ask(pool, there, first(number, **frame)) for number in (1, 2, 3)]
        wait_for(lambda: len(there._batches._waiting) == 3)
        found += [ask(pool, there, first(number)) for number in (4, 5)]
        wait_for(lambda: len(there._batches._waiting) == 5)
        slow.opened.set()
        for each in found:
            each.result(30)
    assert slow.order == [("FirstMap", 1), ("FirstMaps", 2), ("FirstMaps", 3)]


def test_who_has_gone_is_not_taken_along(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = engines()
    there.run(first())
    there._batches._alone[MODEL, first().layer.name, "gradcam"] = False
    slow, gone = Slow(monkeypatch), threading.Event()
    with ThreadPoolExecutor(8) as pool:
        found = [ask(pool, there, first(0))]
        wait_for(lambda: slow.order)
        left = ask(pool, there, first(1), Asker("somebody", gone))
        found += [ask(pool, there, first(number)) for number in (2, 3)]
        wait_for(lambda: len(there._batches._waiting) == 3)
        gone.set()
        slow.opened.set()
        for each in found:
            each.result(30)
        with pytest.raises(Abandoned):
            left.result(30)
    assert slow.order == [("FirstMap", 1), ("FirstMaps", 2)]
    assert not there._batches._waiting


def test_what_fails_is_told_to_all_of_a_batch(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = engines()
    there.run(first())
    slow = Slow(monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        found = [ask(pool, there, first(0))]
        wait_for(lambda: slow.order)
        found += [ask(pool, there, first(number)) for number in (1, 2)]
        wait_for(lambda: len(there._batches._waiting) == 2)
        monkeypatch.setattr(there, "_answer", lambda *_: 1 / 0)
        slow.opened.set()
        assert found[0].result(30).map.size
        for each in found[1:]:
            with pytest.raises(ZeroDivisionError):
                each.result(30)


@pytest.mark.parametrize(("device", "most"), [("auto", 8 * admission.PHOTO.places), ("cpu", 2)])
def test_the_page_admits_as_many_photos_as_go_together(
    device: str, most: int, gpu: None, toys: None
) -> None:
    settings = Settings(device=device)
    explainer = Explainer(settings, engine=SharedEngine(LocalEngine(settings=settings)))
    admitted = Answers(explainer, Offers(explainer)).admission

    def come() -> None:
        with ExitStack() as places:
            for number in range(most):
                asker.set(Asker(f"{number}", threading.Event()))
                places.enter_context(admitted.place(admission.PHOTO))
            gone = threading.Event()
            gone.set()
            asker.set(Asker("one more", gone))
            with pytest.raises(Abandoned), admitted.place(admission.PHOTO):
                pass

    copy_context().run(come)


def test_it_can_be_measured(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = benchmark.measure(0.0, (MODEL,)).splitlines()
    assert "fake, ms" in found[0]
    assert [row.split(" | ")[1] for row in found[2:]][:2] == ["a first map", "a sweep of 5 labels"]
    assert all(float(row.strip("| ").rpartition("| ")[2]) <= placing.SAME for row in found[2:])
    monkeypatch.setattr(devices, "there", lambda: ("cpu",))
    benchmark.main()
    assert "no GPU on this machine" in capsys.readouterr().out


# -- no memory left


@pytest.fixture
def full(toys: None, gpu: None) -> Iterator[list[int]]:
    """A device on which no forward of more than so many photos has room; [0] is that many."""
    room = [8]

    def check(function: Any, args: tuple) -> None:
        is_conv = function.overloadpacket in (torch.ops.aten.convolution, torch.ops.aten.conv2d)
        if is_conv and len(args[0]) > room[0]:
            raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")

    fake_device.on_call.append(check)
    try:
        yield room
    finally:
        fake_device.on_call.remove(check)


def test_a_batch_without_room_is_halved(full: list[int], caplog: pytest.LogCaptureFixture) -> None:
    there, here = engines()
    there.run(first())
    full[0] = 2
    batch = np.concatenate(INPUTS)
    job = FirstMaps(tuple(first(number) for number in range(7)))
    assert close(*(each.run(Score(MODEL, batch, Rank.ANSWER)) for each in (there, here)))
    for one, other in zip(there.run(job), here.run(job), strict=True):
        assert close(one.map, other.map)
        assert one.device == "fake"
    assert caplog.messages == []


def test_what_has_no_room_at_all_is_computed_here(
    full: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    there, here = engines()
    there.run(first())
    full[0] = 0
    layers = here.run(FindLayers(MODEL))
    sweep = Sweep(MODEL, layers, ("gradcam",), (3, 5), INPUTS[0], None, Rank.SWEEP)
    pixels = PixelMap(MODEL, "saliency", INPUTS[0], None, None, (), Rank.ANSWER)
    with caplog.at_level(logging.WARNING, "camdemo"):
        found = there.run(first())
        assert (found.map == here.run(first()).map).all()
        assert found.device == "CPU: the GPU's memory is full"
        expected, cams = here.run(sweep), there.run(sweep)
        assert cams.keys() == expected.keys()
        assert all((cam == expected[key]).all() for key, cam in cams.items())
        assert (there.run(pixels).map == here.run(pixels).map).all()
    said = "The GPU's memory is full: {} of {} is computed on the CPU."
    assert caplog.messages == [
        said.format(kind, SPEC.title) for kind in ("FirstMap", "Sweep", "PixelMap")
    ]
    full[0] = 8
    assert there.run(first()).device == "fake"


def test_a_sweep_goes_on_here_with_the_labels_that_are_left(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = engines()
    layers = here.run(FindLayers(MODEL))
    sweep = Sweep(MODEL, layers, ("gradcam",), (3, 5, 7), INPUTS[0], None, Rank.SWEEP)
    expected = here.run(sweep)
    there.run(first())
    backward, asked = maps._backward, []

    def check(grids: dict[str, Tensor], logits: Tensor, target: int, *rest: Any) -> Any:
        if target in sweep.targets:  # and not when a network is loaded
            asked.append((logits.device.type, target))
        if asked == [("fake", 3), ("fake", 5)]:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 17.90 GB)")
        return backward(grids, logits, target, *rest)

    monkeypatch.setattr(maps, "_backward", check)
    labels = list(there.stream(sweep))
    assert asked == [("fake", 3), ("fake", 5), ("cpu", 5), ("cpu", 7)]
    assert [target for target, _ in labels] == [3, 5, 7]
    for target, found in labels:
        for (method, layer), cam in found.items():
            assert close(cam, expected[method, layer, target])


def test_another_network_makes_room(full: list[int]) -> None:
    there, here = engines()
    job = first()
    other = FirstMap(CATALOGUE.names[1], job.layer, "gradcam", INPUTS[0], None, None, job.rank)
    there.run(other)
    there.run(job)
    full[0] = 0
    kept = there._networks.make_room

    def make_room(spec: Any) -> bool:
        found = kept(spec)
        full[0] = 8 if found else full[0]
        return found

    there._networks.make_room = make_room  # type: ignore[method-assign]
    found = there.run(job)
    assert found.device == "fake"
    assert close(found.map, here.run(job).map)
    assert CATALOGUE.find(CATALOGUE.names[1]) not in there._networks
    assert SPEC in there._networks


def test_weights_without_room_stay_here(full: list[int], caplog: pytest.LogCaptureFixture) -> None:
    full[0] = 0
    there, here = engines()
    with caplog.at_level(logging.WARNING, "camdemo"):
        found = there.run(first())
    assert found.device == "CPU: the GPU's memory is full"
    assert (found.map == here.run(first()).map).all()
    assert caplog.messages == [f"{SPEC.title} runs on the CPU: the GPU's memory is full."]


def test_other_errors_are_no_lack_of_memory(
    gpu: None, toys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, _ = engines()
    there.run(first())
    from camdemo.engine import perform

    def failing(*_: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(perform, "answer", failing)
    with pytest.raises(RuntimeError, match="illegal"):
        there.run(first())


def test_a_network_that_can_explain_nothing_is_placed_by_its_shape(fake: str) -> None:
    broken = HandMade(torch.full((3, 2, 2, 2), torch.nan))
    there, reason = placing.placed(broken, fake, (3, 4, 4), "Broken", lambda: False)
    assert reason == ""
    assert networks.device_of(there).type == fake
