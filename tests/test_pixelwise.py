"""A method of pixels, from the door to what can be asked of its explanation."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio.media import get_image

from camdemo import CamdemoError, ChoiceError, Explainer, Explanation, RangeError, compare, methods
from camdemo.cli import main
from camdemo.engine import Examine, LocalEngine, PixelMap, Rank, SharedEngine
from camdemo.engine.protocol import PixelAnswer

from .pickling_engine import PicklingEngine
from .tiny_models import Small, install

LION = get_image("lion.jpg")
MODEL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        install(patch, lambda _spec: Small())
        yield


@pytest.fixture(scope="module")
def explainer(small: None) -> Explainer:
    return Explainer(engine=SharedEngine(PicklingEngine(LocalEngine())))


@pytest.fixture(scope="module")
def found(explainer: Explainer) -> Explanation:
    how = {"method": "integrated_gradients", "steps": 4, "baseline": "black"}
    return explainer.explain(LION, model=MODEL, target=7, **how)


# -- the door


def test_an_explanation_says_what_it_is(found: Explanation) -> None:
    assert found.cam.shape == (224, 224)
    assert found.cam.dtype == np.float32
    assert (found.layer.name, found.layer.is_input) == ("input", True)
    assert found.layer.text == "input · 224 x 224 pixels"
    assert found.settings == {"steps": 4, "baseline": "black"}
    assert isinstance(found.gap, float)
    assert found.gap_text == found.completeness().text
    assert found.completeness().gap == pytest.approx(found.gap, abs=1e-4)
    assert "baseline (black)" in found.gap_text


def test_settings_are_given_by_name_as_a_mapping_or_as_a_text(
    explainer: Explainer, found: Explanation
) -> None:
    usual = {"model": MODEL, "target": 7, "method": "integrated_gradients"}
    for settings in ({"steps": 4, "baseline": "black"}, "steps=4, baseline=black"):
        again = explainer.explain(LION, settings=settings, **usual)
        np.testing.assert_array_equal(again.cam, found.cam)
    both = explainer.explain(LION, settings="steps=4", baseline="black", **usual)
    np.testing.assert_array_equal(both.cam, found.cam)
    assert explainer.explain(LION, model=MODEL, method="saliency", layer="input").settings == {}


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"method": "saliency", "layer": "first"}, CamdemoError, "no layer of it. Leave the layer"),
        ({"method": "saliency", "layer": "nowhere"}, ChoiceError, "layer"),
        ({"method": "gradcam", "layer": "input"}, ChoiceError, "layer"),
        ({"method": "gradcam", "steps": 3}, CamdemoError, "Grad-CAM has no setting 'steps'"),
        ({"method": "rise", "stesp": 3}, CamdemoError, "It has masks, cells, seed"),
        ({"method": "rise", "masks": 10**9}, RangeError, "masks"),
        ({"method": "rise", "settings": "masks"}, CamdemoError, "steps=32,baseline=blur"),
        ({"method": "rise", "settings": "masks=30,masks=40"}, CamdemoError, "each once"),
        ({"method": "attention_rollout"}, CamdemoError, "can't explain EfficientNet-Lite0: it n"),
        ({"method": "attention_rollout", "versus": 3}, CamdemoError, "Attention rollout"),
        ({"method": "saliencies"}, ChoiceError, "saliency"),
    ],
)
def test_all_is_checked_before_anything_is_computed(
    explainer: Explainer, asked: dict, error: type[Exception], words: str
) -> None:
    jobs = explainer.engine._engine.jobs  # type: ignore[attr-defined]
    before = jobs.count("PixelMap"), jobs.count("FirstMap")
    with pytest.raises(error, match=words):
        explainer.explain(LION, model=MODEL, **asked)
    assert (jobs.count("PixelMap"), jobs.count("FirstMap")) == before


def test_progress_is_that_of_the_forwards(explainer: Explainer) -> None:
    told: list[tuple[int, int]] = []
    explainer.explain(
        LION, model=MODEL, method="rise", masks=20, watch=lambda *facts: told.append(facts)
    )
    assert told[-1] == (21, 21)
    assert len(told) == 6  # five batches, and the end


# -- what can be asked of it


def test_pictures_and_numbers(found: Explanation) -> None:
    assert found.overlay().size == found.image.size
    assert found.overlay(evidence="signed", look="glow").size == found.image.size
    numbers = json.loads(json.dumps(found.summary()))
    assert numbers["settings"] == {"steps": 4, "baseline": "black"}
    assert numbers["gap"] == pytest.approx(found.gap)
    assert numbers["layer"] == "input"
    assert np.shape(numbers["map"]) == (224, 224)
    few = found.summary(cells=28)
    means = found.cam.reshape(28, 8, 28, 8).mean(axis=(1, 3))
    np.testing.assert_allclose(few["map"], means, rtol=1e-3, atol=1e-7)
    assert few["range"] == numbers["range"]
    against = replace(found, cam=-np.abs(found.cam))
    assert against.caveat() == f"No positive evidence for {found.target.label} by this method."


def test_it_is_put_to_the_test_as_every_map(found: Explanation) -> None:
    scores = found.scores()
    assert scores.titles["integrated_gradients", "input"] == "Integrated Gradients"
    assert ("integrated_gradients", "input") in scores.values
    assert ("gradcam", "first") in scores.values
    curve = found.deletion(steps=4, orders=2)
    assert curve.probabilities[0] == pytest.approx(found.target.probability, rel=1e-4)
    hidden = found.hide(found.box)
    assert hidden.before == found.target


def test_it_is_compared(explainer: Explainer, found: Explanation) -> None:
    other = explainer.explain(LION, model=MODEL, target=7)
    comparison = compare(found, other)
    assert comparison.overlap is not None
    assert comparison.figure().width > found.image.width
    assert compare(found, found).overlap == pytest.approx(1)


def test_it_is_computed_for_other_labels_with_the_same_settings(
    explainer: Explainer, found: Explanation
) -> None:
    maps = found.maps(targets=[7, 8])
    assert list(maps) == [("input", 7), ("input", 8)]
    np.testing.assert_array_equal(maps["input", 7], found.cam)
    usual = {"model": MODEL, "method": "integrated_gradients"}
    other = explainer.explain(LION, target=8, settings=found.settings, **usual)
    np.testing.assert_array_equal(maps["input", 8], other.cam)
    assert [shape.shape for shape in found.maps(["first"], [7], "gradcam").values()] == [(111, 111)]
    duel = explainer.explain(LION, target=7, versus=8, settings=found.settings, **usual)
    span = np.ptp(duel.cam)
    assert np.abs(duel.cam - (found.cam - other.cam)).max() < 1e-3 * span


def test_networks_with_random_weights(found: Explanation) -> None:
    randomised = found.randomised(steps=2, draws=2)
    assert randomised.maps.shape == (2, 2, 224, 224)
    assert abs(randomised.signed[:, -1]).max() < 0.9


def test_a_page_has_it_beside_the_default_methods(found: Explanation) -> None:
    scene = found.scene()
    assert (scene.method, scene.layer.name) == ("gradcam", "second")
    assert scene.pixels["method"] == "integrated_gradients"
    assert scene.pixels["target"] == scene.target.index == 7
    assert scene.pixels["map"]["height"] == 224
    assert "attention_rollout" in scene.lacking
    assert '"integrated_gradients"' in found.to_html()


def test_looked_at_in_another_way(found: Explanation) -> None:
    other = found.seen("second", "gradcam", 7, None)
    assert (other.settings, other.gap, other.cam.shape) == ({}, None, (55, 55))
    back = other.seen("input", "integrated_gradients", 7, settings=found.settings)
    np.testing.assert_array_equal(back.cam, found.cam)
    assert back.gap == found.gap


# -- the engine


def job(seed: int = 0, masks: int = 20) -> PixelMap:
    inputs = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    settings = (("masks", masks), ("cells", 7), ("seed", seed))
    return PixelMap(MODEL, "rise", inputs, 3, None, settings, Rank.YARDSTICK)


def test_it_is_computed_once_and_all_watch(small: None) -> None:
    pickling = PicklingEngine(LocalEngine())
    engine = SharedEngine(pickling)
    told: dict[int, list] = {0: [], 1: []}
    answers: dict[int, PixelAnswer] = {}

    def ask(number: int) -> None:
        answers[number] = engine.run(job(), lambda *facts: told[number].append(facts))

    threads = [threading.Thread(target=ask, args=(number,)) for number in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pickling.jobs == ["PixelMap"]
    assert answers[0] is answers[1]
    assert not answers[0].map.flags.writeable
    assert told[0][-1] == told[1][-1] == (21, 21)
    assert engine.run(job()) is answers[0]
    assert engine.run(job(seed=1)) is not answers[0]
    assert not engine._watching


def test_it_gives_way(small: None) -> None:
    """Between two batches somebody's question is answered in the same lane."""
    engine = LocalEngine()
    order: list[str] = []
    asked = threading.Event()
    first = replace(job(), method="saliency", settings=(), rank=Rank.FIRST_MAP)
    other = threading.Thread(
        target=lambda: (engine.run(first, lambda *_: order.append("first")), asked.set())
    )

    def watch(done: int, _total: int) -> None:
        order.append("long")
        if done == 1:
            other.start()
            while not engine._lanes._waiting and not asked.is_set():
                pass

    engine.run(job(masks=40), watch)
    other.join()
    assert "first" in order[1:-1]
    assert order[-1] == "long"


def test_what_a_model_is_made_of_needs_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    from camdemo.models import networks

    monkeypatch.setattr(networks, "load", None)
    engine = LocalEngine()
    found = engine.run(Examine("resnet18"))
    assert found.has_only_relus
    assert engine.run(Examine("resnet18")) is found


def test_ranks_are_those_of_what_it_costs() -> None:
    from camdemo.engine.pixels import rank_of

    for name, rank in (("saliency", Rank.ANSWER), ("rise", Rank.YARDSTICK)):
        method = methods.find(name)
        assert rank_of(method.forwards(method.set({}), (224, 224))) == rank


# -- the command line


@pytest.mark.parametrize("flag", ["--set", "--settings"])
def test_flags(
    small: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
) -> None:
    monkeypatch.setenv("CAMDEMO_MODEL", MODEL)
    target = tmp_path / "out.png"
    usual = ["explain", LION, "-o", str(target), "--method", "integrated_gradients"]
    assert main([*usual, flag, "steps=4,baseline=mean"]) == 0
    printed = capsys.readouterr().out
    assert "input · 224 x 224 pixels, Integrated Gradients" in printed
    assert "baseline (mean colour)" in printed
    assert target.is_file()
    assert main([*usual, flag, "steps"]) == 1
    assert "names with their values" in capsys.readouterr().err
