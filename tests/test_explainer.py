"""The one door: what is asked, who is loaded, and many who ask at once."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from gradio.media import get_image
from PIL import Image
from torch import nn

from camdemo import Explainer, Settings, models, networks, weights
from camdemo.errors import CamdemoError, ChoiceError, RangeError, WeightsError
from camdemo.records import ModelSpec

from .tiny_models import Small, install

LITE0, LITE1, LITE2, V2 = models.NAMES[:4]


def small_of(spec: ModelSpec) -> nn.Module:
    """Another network for every name."""
    return Small(seed=models.NAMES.index(spec.name))


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, small_of)


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


# -- questions and answers


def test_a_photo_is_a_photo_however_it_is_given(toys: None, tmp_path: Path) -> None:
    image = Image.open(get_image("lion.jpg")).convert("RGB")
    path = tmp_path / "photo.png"
    image.save(path)
    given = [path, str(path), path.read_bytes(), image, np.asarray(image)]
    first, *others = [Explainer().explain(each, LITE0) for each in given]
    for other in others:
        assert (other.cam == first.cam).all()
        assert other.image.tobytes() == first.image.tobytes()


def test_predictions(toys: None, photo: np.ndarray) -> None:
    explanation = Explainer().explain(photo, LITE0)
    network = small_of(models.find(LITE0))
    expected = network(torch.from_numpy(explanation.inputs)).softmax(dim=1)[0]
    best = expected.topk(5)
    assert [each.index for each in explanation.predictions] == best.indices.tolist()
    np.testing.assert_allclose(
        [each.probability for each in explanation.predictions], best.values, rtol=1e-4
    )
    labels = Explainer().labels()
    assert [each.label for each in explanation.predictions] == [labels[i] for i in best.indices]
    assert explanation.target == explanation.predictions[0]
    assert explanation.layer.name == "second"
    assert explanation.model.name == LITE0
    assert explanation.framing == "crop"


@pytest.mark.parametrize("target", [291, "lion", "LION"])
def test_target(toys: None, photo: np.ndarray, target: int | str) -> None:
    explainer = Explainer()
    explanation = explainer.explain(photo, LITE0, "first", target)
    assert (explanation.target.index, explanation.target.label) == (291, "lion")
    assert explanation.layer.name == "first"
    assert 0 < explanation.target.probability < 1
    assert not np.allclose(explanation.cam, explainer.explain(photo, LITE0, "first", 292).cam)


def test_labels_that_differ_in_case_alone() -> None:
    explainer = Explainer()
    dog, garment = explainer.find_label("Cardigan"), explainer.find_label("cardigan")
    assert (dog, garment) == (264, 474)
    assert explainer.find_label(None) is None
    with pytest.raises(ChoiceError, match="Cardigan"):
        explainer.find_label("CARDIGAN")  # which of the two?


@pytest.mark.parametrize(
    ("error", "says", "asked"),
    [
        (ChoiceError, "efficientnet_lite0", {"model": "efficientnet_lite9"}),
        (ChoiceError, "model", {"model": "__class__"}),
        (ChoiceError, "model", {"model": ""}),
        (ChoiceError, "second", {"layer": "secnd"}),
        (ChoiceError, "layer", {"layer": "__class__"}),
        (ChoiceError, "layer", {"layer": ""}),
        (ChoiceError, "lion", {"target": "lionn"}),
        (ChoiceError, "label", {"target": ""}),
        (RangeError, "999", {"target": 1000}),
        (RangeError, "999", {"target": -1}),
        (RangeError, "999", {"target": True}),
        (RangeError, "999", {"target": 1.0}),
        (ChoiceError, "crop, whole", {"framing": "wide"}),
        (CamdemoError, "photo", {"photo": b"no photo"}),
    ],
)
def test_what_does_not_exist_is_refused(
    toys: None, photo: np.ndarray, error: type, says: str, asked: dict
) -> None:
    with pytest.raises(error, match=says):
        Explainer().explain(**({"photo": photo, "model": LITE0} | asked))


def test_the_default_is_the_notebooks_model_when_it_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert Explainer().default_model() == LITE0
    assert Explainer(Settings(model="resnet18")).default_model() == "resnet18"
    path = weights.path_of(models.find(V2))
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True)
    path.touch()
    assert Explainer().default_model() == V2


def test_the_catalogue_tells_what_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    ready = {spec.name for spec in Explainer().models() if spec.ready}
    assert ready == {LITE0, LITE1, LITE2}
    assert [spec.name for spec in Explainer().models()] == list(models.NAMES)


def test_layers_need_no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    explainer = Explainer()
    assert explainer.layers(V2)[-1].name == "features.18"
    assert explainer.default_layer(V2).text == "features.18 · 1280 x 7 x 7"
    with pytest.raises(ChoiceError):
        explainer.layers("mobilenet")


# -- which networks are in memory


class Loads:
    """Stands in for `networks.load`, and keeps book."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.networks: list[weakref.ref] = []

    def __call__(self, spec: ModelSpec) -> nn.Module:
        self.names.append(spec.name)
        network = small_of(spec)
        self.networks.append(weakref.ref(network))
        return network

    def alive(self) -> int:
        gc.collect()
        return sum(network() is not None for network in self.networks)


@pytest.fixture
def loads(toys: None, monkeypatch: pytest.MonkeyPatch) -> Loads:
    loads = Loads()
    monkeypatch.setattr(networks, "load", loads)
    return loads


def test_nothing_is_loaded_before_it_is_needed(loads: Loads) -> None:
    explainer = Explainer()
    explainer.models()
    explainer.layers(LITE0)
    assert loads.names == []


def test_least_recently_used_goes_first(loads: Loads, photo: np.ndarray) -> None:
    explainer = Explainer(Settings(cache_models=2))
    for name in (LITE0, LITE1, LITE0, LITE2):  # Lite2 takes the place of Lite1, not of Lite0
        explainer.explain(photo, name)
    assert loads.names == [LITE0, LITE1, LITE2]
    explainer.explain(photo, LITE0)
    assert loads.names == [LITE0, LITE1, LITE2]
    explainer.explain(photo, LITE1)
    assert loads.names == [LITE0, LITE1, LITE2, LITE1]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_more_networks_stay_in_memory_than_allowed(
    loads: Loads, photo: np.ndarray, limit: int
) -> None:
    explainer = Explainer(Settings(cache_models=limit))
    kept = [explainer.explain(photo, name) for name in (LITE0, LITE1, LITE2, V2, LITE0)]
    assert loads.alive() == limit
    assert len(kept) == 5  # explanations that people still look at hold no network


def test_two_who_ask_at_once_load_once(
    loads: Loads, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither goes on before both have found that the network is not there.
    both = threading.Barrier(2, timeout=60)
    monkeypatch.setattr(Explainer, "fetch", lambda *_: both.wait())
    explainer = Explainer()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: explainer.explain(photo, LITE0).cam, range(2))
    assert loads.names == [LITE0]
    assert (first == second).all()


def test_a_failed_load_can_be_tried_again(
    loads: Loads, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = Explainer()

    def damaged(spec: ModelSpec) -> nn.Module:
        raise WeightsError("damaged")

    with monkeypatch.context() as patch:
        patch.setattr(networks, "load", damaged)
        with pytest.raises(WeightsError):
            explainer.explain(photo, LITE0)
    assert explainer.explain(photo, LITE0).model.name == LITE0


# -- many who ask at once


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns a thousand times as often, so that what can go wrong does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize("names", [[LITE0], [LITE0, LITE1, LITE2, V2]], ids=["one", "four"])
def test_eight_threads_get_what_one_gets(
    toys: None, restless: None, photo: np.ndarray, names: list[str]
) -> None:
    # Two networks fit into memory, so that with four of them some are loaded again and again.
    explainer = Explainer(Settings(cache_models=2))
    questions = [
        (names[i % len(names)], ("first", "first.0", "second", "second.1")[i // 4 % 4], 37 * i)
        for i in range(24)
    ]
    expected = [explainer.explain(photo, *question).cam for question in questions]
    together = threading.Barrier(8, timeout=60)

    def ask(thread: int) -> list[np.ndarray]:
        together.wait()
        turned = questions[3 * thread :] + questions[: 3 * thread]
        found = [explainer.explain(photo, *question).cam for question in turned]
        return found[len(found) - 3 * thread :] + found[: len(found) - 3 * thread]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(ask, range(8)):
            for cam, right in zip(found, expected, strict=True):
                np.testing.assert_allclose(cam, right, rtol=0, atol=1e-5 * np.ptp(right))
