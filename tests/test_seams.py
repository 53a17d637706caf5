"""What plugs in: one of each from outside, without touching a file of the package."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gradio.media import get_image
from torch import Tensor, nn

from camdemo import ChoiceError, Explainer, ModelSpec, methods, options, question
from camdemo.engine import LocalEngine
from camdemo.engine.protocol import Job, LabelMaps, Progress, Sweep
from camdemo.methods import Method, registry
from camdemo.models import CATALOGUE
from camdemo.options import Value, option
from camdemo.question import Look
from camdemo.records import Transform
from camdemo.ui import api

from .tiny_models import Small

LION = get_image("lion.jpg")
TOY = ModelSpec(
    name="toy",
    title="Toy",
    source="box",
    weights="toy.pth",
    parameters=1,
    megabytes=0.1,
    transform=Transform(32, 32, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    training_mean=(0.5, 0.5, 0.5),
    channels_last=False,
)


class Box:
    """A source of models: a folder with checkpoints of `Small`, of three labels of its own."""

    name = "box"
    phrase = "a box"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def skeleton(self, spec: ModelSpec) -> nn.Module:
        del spec
        with torch.device("meta"):
            return Small(labels=3)

    def fit(
        self, spec: ModelSpec, state: dict[str, Tensor], network: nn.Module
    ) -> dict[str, Tensor]:
        del spec, network
        return state

    def path(self, spec: ModelSpec) -> Path:
        return self._folder / spec.weights

    def url(self, spec: ModelSpec) -> str | None:
        del spec
        return None

    def labels(self, spec: ModelSpec) -> tuple[str, ...]:
        del spec
        return ("cat", "dog", "lion")

    def advice(self, spec: ModelSpec) -> str:
        return f"Put {spec.weights} into the box."


@pytest.fixture
def explainer(tmp_path: Path) -> Explainer:
    torch.save(Small(labels=3).state_dict(), tmp_path / TOY.weights)
    return Explainer(catalogue=CATALOGUE.plus(Box(tmp_path), TOY))


def test_a_source_of_models(explainer: Explainer) -> None:
    assert explainer.models()[-1].name == "toy"
    assert explainer.models()[-1].ready
    assert explainer.labels("toy") == ("cat", "dog", "lion")
    found = explainer.explain(LION, model="toy", target="dog")
    assert found.target.label == "dog"
    assert found.cam.shape == (found.layer.height, found.layer.width)
    assert sum(one.probability for one in found.predictions) == pytest.approx(1)
    with pytest.raises(ChoiceError, match="cat, dog, lion"):
        explainer.explain(LION, model="toy", target="tench")


@pytest.fixture
def brightness(monkeypatch: pytest.MonkeyPatch) -> Method:
    """A method that heeds no gradient: the mean of the activation."""
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))  # as it was, afterwards
    method = Method(
        name="brightness",
        title="Brightness",
        paper="None, 2026",
        formula="the mean of A over the channels",
        kind="layer",
        function=lambda activation, _gradient: activation.mean(dim=1),
        linear=False,
    )
    methods.add(method)
    return method


def test_a_method(explainer: Explainer, brightness: Method) -> None:
    found = explainer.explain(LION, model="toy", method="brightness")
    assert found.method == "brightness"
    others = {
        target: explainer.explain(LION, model="toy", method="brightness", target=target).cam
        for target in ("cat", "dog")
    }
    np.testing.assert_array_equal(others["cat"], others["dog"])  # it knows no label
    swept = found.maps(targets=["cat"])
    np.testing.assert_allclose(swept[found.layer.name, 0], found.cam, rtol=1e-5, atol=1e-7)
    with pytest.raises(ChoiceError, match="brightness"):
        explainer.explain(LION, model="toy", method="bright")


def test_an_option() -> None:
    @dataclass(frozen=True, slots=True)
    class Wider(Look):
        mood: str = option(
            "calm", "Mood", "how it feels", values=(Value("calm", "Calm"), Value("wild", "Wild"))
        )

    parser = argparse.ArgumentParser()
    options.add_flags(parser, Wider)
    assert options.read(Wider, vars(parser.parse_args(["--mood", "wild"]))).mood == "wild"
    assert api.arguments(Wider)[-1].name == "mood"
    assert "| `mood` | how it feels | `calm`, `wild` | calm |" in options.table(Wider)
    known = question.as_json([], look=Wider)["look"]["mood"]
    assert known["values"] == [
        {"name": "calm", "title": "Calm"},
        {"name": "wild", "title": "Wild"},
    ]


@dataclass
class Counting:
    """An engine that counts what it is asked, and asks another one."""

    engine: LocalEngine
    jobs: list[str] = field(default_factory=list)

    def run(self, job: Job[Any], progress: Progress | None = None) -> Any:
        self.jobs.append(type(job).__name__)
        return self.engine.run(job, progress)

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        self.jobs.append("Sweep")
        return self.engine.stream(job)

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        self.engine.fetch(model, progress)


def test_an_engine() -> None:
    engine = Counting(LocalEngine())
    explainer = Explainer(engine=engine)
    found = explainer.explain(LION, model="efficientnet_lite0")
    assert found.target.label == "lion"
    found.maps(["blocks.6"])
    found.hide(found.box)
    assert engine.jobs == ["FindLayers", "FirstMap", "Sweep", "Score", "Score"]
