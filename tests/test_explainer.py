"""The one door: what is asked, who is loaded, and many who ask at once."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gradio.media import get_image
from PIL import Image
from torch import nn

from camdemo import Explainer, Explanation, Settings
from camdemo import photo as photos
from camdemo.engine import FindLayers, LocalEngine, Rank
from camdemo.errors import (
    CamdemoError,
    ChoiceError,
    ImageError,
    RangeError,
    RegionError,
    WeightsError,
)
from camdemo.models import catalogue, networks, sources, weights
from camdemo.question import FILLS
from camdemo.records import Box, ModelSpec
from camdemo.trust import hiding

from .tiny_models import Small, install, randomise

LITE0, LITE1, LITE2, V2 = catalogue.NAMES[:4]


def small_of(spec: ModelSpec) -> nn.Module:
    """Another network for every name."""
    return Small(seed=catalogue.NAMES.index(spec.name))


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
    network = small_of(catalogue.find(LITE0))
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


@pytest.mark.parametrize("target", [291, "lion", "LION", " lion", np.int64(291), np.uint16(291)])
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
        (ChoiceError, "crop, whole, fit", {"framing": "wide"}),
        (ChoiceError, "left,top,right,bottom", {"framing": "1,2,3"}),
        (ChoiceError, "left,top,right,bottom", {"framing": None}),
        (RegionError, "0,0,120,91 is not within .* 120 x 90", {"framing": "0,0,120,91"}),
        (RegionError, "5,5,5,9 has no area", {"framing": Box(5, 5, 5, 9)}),
        (ChoiceError, "lion", {"versus": "lionn"}),
        (RangeError, "999", {"versus": 1000}),
        (RangeError, "999", {"versus": True}),
        (CamdemoError, "'lion' can't be compared with itself", {"target": 291, "versus": "lion"}),
        (CamdemoError, "'lion' can't be compared with itself", {"target": "LION", "versus": 291}),
        (CamdemoError, "photo", {"photo": b"no photo"}),
    ],
)
def test_what_does_not_exist_is_refused(
    toys: None, photo: np.ndarray, error: type, says: str, asked: dict
) -> None:
    with pytest.raises(error, match=says):
        Explainer().explain(**({"photo": photo, "model": LITE0} | asked))


@pytest.mark.parametrize("framing", [Box(11, 20, 90, 83), "11,20,90,83", " 11, 20, 90, 83"])
def test_a_frame_of_ones_own(toys: None, photo: np.ndarray, framing: Box | str) -> None:
    explainer, frame = Explainer(), Box(11, 20, 90, 83)
    explanation = explainer.explain(photo, LITE0, "first", 291, framing)
    assert explanation.box == explanation.framing == frame
    assert explanation.framing_text == "11,20,90,83"
    assert (explanation.cam == explainer.explain(photo, LITE0, "first", 291, frame).cam).all()
    for other in ("crop", "whole", Box(12, 20, 90, 83)):
        assert (explanation.cam != explainer.explain(photo, LITE0, "first", 291, other).cam).any()


def test_a_frame_shows_the_model_that_part_alone(toys: None, photo: np.ndarray) -> None:
    black = np.zeros_like(photo)
    black[20:83, 11:90] = photo[20:83, 11:90]
    one, other = (
        Explainer().explain(each, LITE0, framing="11,20,90,83") for each in (photo, black)
    )
    # The filters reach over the frame's edge by less than a pixel of the photo.
    inner = np.s_[:, :, 8:-8, 8:-8]
    np.testing.assert_array_equal(one.inputs[inner], other.inputs[inner])


@pytest.mark.parametrize("versus", [292, "tiger", "TIGER"])
def test_versus(toys: None, photo: np.ndarray, versus: int | str) -> None:
    explainer = Explainer()
    duel = explainer.explain(photo, LITE0, "first", "lion", versus=versus)
    assert (duel.target.label, duel.versus[0].label) == ("lion", "tiger")
    assert duel.versus[0].probability == duel.probabilities[292]
    lion, tiger = (explainer.explain(photo, LITE0, "first", label).cam for label in (291, 292))
    assert np.abs(duel.cam - (lion - tiger)).max() <= 1e-5 * np.ptp(duel.cam)
    assert explainer.explain(photo, LITE0, "first", "lion").versus == ()


def test_without_a_target_the_rival_meets_the_best_of_the_others(
    toys: None, photo: np.ndarray
) -> None:
    explainer = Explainer()
    first, second, third, *_ = explainer.explain(photo, LITE0).predictions
    for rival, target in ((first, second), (second, first), (third, first)):
        duel = explainer.explain(photo, LITE0, versus=rival.index)
        assert duel.target == target
        assert duel.versus == (rival,)
        assert duel.predictions[0] == first  # what the model answers does not depend on it
        asked = explainer.explain(photo, LITE0, target=target.index, versus=rival.index)
        assert (duel.cam == asked.cam).all()


def test_the_default_is_the_notebooks_model_when_it_is_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert Explainer().default_model() == LITE0
    assert Explainer(Settings(model="resnet18")).default_model() == "resnet18"
    path = weights.path_of(catalogue.find(V2))
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True)
    path.touch()
    assert Explainer().default_model() == V2


def test_the_catalogue_tells_what_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    ready = {spec.name for spec in Explainer().models() if spec.ready}
    assert ready == {LITE0, LITE1, LITE2}
    assert [spec.name for spec in Explainer().models()] == list(catalogue.NAMES)


def test_layers_need_no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    explainer = Explainer()
    assert explainer.layers(V2)[-1].name == "features.18"
    assert explainer.default_layer(V2).text == "features.18 · 1280 x 7 x 7"
    with pytest.raises(ChoiceError):
        explainer.layers("mobilenet")


# -- asking back


@pytest.fixture
def explanation(toys: None, photo: np.ndarray) -> Explanation:
    return Explainer().explain(photo, LITE0)


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((224, 224), bool)
    mask[10:120, 40:200] = True
    return mask


def answer_of(inputs: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        network = small_of(catalogue.find(LITE0))
        return network(torch.from_numpy(inputs)).softmax(dim=1).numpy()


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("keep", [False, True])
def test_hide_asks_the_model_without_that_part(
    explanation: Explanation, mask: np.ndarray, fill: str, keep: bool
) -> None:
    inputs, spec = explanation.inputs, explanation.model
    before = inputs.copy()
    found = explanation.without(mask, fill, keep)
    filled = hiding.filling(inputs, fill, spec.transform, (0.485, 0.456, 0.406))
    hidden = ~mask if keep else mask
    expected = inputs.copy()
    expected[:, :, hidden] = filled[:, hidden]
    np.testing.assert_allclose(found, answer_of(expected)[0], rtol=1e-4)
    assert found.shape == (1000,)
    assert found.dtype == np.float32
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert np.abs(found - explanation.probabilities).max() > 1e-5
    assert (inputs == before).all()


def test_hide_elsewhere_is_the_mean_of_the_answers(
    explanation: Explanation, mask: np.ndarray
) -> None:
    found = explanation.without_elsewhere(mask, "mean", True)
    places = [explanation.without(place, "mean", True) for place in hiding.elsewhere(mask)]
    assert len(places) == 16
    np.testing.assert_allclose(found.mean, np.mean(places, axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.error, np.std(places, axis=0, ddof=1) / 4, rtol=1e-2)
    assert found.mean.shape == found.error.shape == (1000,)
    again = explanation.without_elsewhere(mask, "mean", True)
    assert (found.mean == again.mean).all()
    assert (found.error == again.error).all()


def test_the_yardstick_comes_in_parts_between_which_others_are_served(
    explanation: Explanation, mask: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[object] = []
    logits = networks.logits
    waiting: list[Future] = []
    lanes = explanation.engine._lanes

    def watched(network: nn.Module, batch: np.ndarray) -> np.ndarray:
        order.append(len(batch))
        if len(order) == 1:  # somebody comes while the first part is computed
            waiting.append(lanes.submit(Rank.SWEEP, lambda: order.append("somebody else")))
        return logits(network, batch)

    monkeypatch.setattr(networks, "logits", watched)
    found = explanation.without_elsewhere(mask)
    waiting[0].result(10)
    size, count = networks.AT_ONCE, hiding.PLACES // networks.AT_ONCE
    assert order == [size, "somebody else", *[size] * (count - 1)]
    assert found.mean.shape == (1000,)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_refused(
    explanation: Explanation,
    mask: np.ndarray,
    photo: np.ndarray,
    wrong: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = np.full_like(explanation.inputs, wrong)
    asked = replace(explanation, inputs=broken)
    for ask in (asked.without, asked.without_elsewhere):
        with pytest.raises(CamdemoError, match="NaN or infinite"):
            ask(mask, "mean")
    monkeypatch.setattr("camdemo.photo.prepare", lambda *_: broken)
    with pytest.raises(CamdemoError, match=r"not a number|NaN or infinite"):
        Explainer(engine=explanation.engine).explain(photo, LITE0)


def test_to_keep_everything_changes_nothing(explanation: Explanation) -> None:
    everything = np.ones((224, 224), bool)
    now = explanation.without(everything, "noise", True)
    elsewhere = explanation.without_elsewhere(everything, "noise", True)
    for found in (now, elsewhere.mean):
        np.testing.assert_allclose(found, explanation.probabilities, rtol=1e-4)
    assert elsewhere.overlap == 1


@pytest.mark.parametrize("ask", ["without", "without_elsewhere"])
@pytest.mark.parametrize(
    ("error", "says", "asked"),
    [
        (ChoiceError, "blur, mean, noise", {"fill": "black"}),
        (ChoiceError, "blur, mean, noise", {"fill": None}),
        (RegionError, "224, 224", {"mask": np.ones((240, 240), bool)}),
        (RegionError, "224, 224", {"mask": np.ones((224, 224), np.uint8)}),
        (RegionError, "Nothing of it", {"mask": np.zeros((224, 224), bool)}),
    ],
)
def test_what_can_not_be_hidden_is_refused(
    explanation: Explanation, mask: np.ndarray, ask: str, error: type, says: str, asked: dict
) -> None:
    with pytest.raises(error, match=says):
        getattr(explanation, ask)(**({"mask": mask} | asked))


def test_the_model_that_explained_answers(toys: None, photo: np.ndarray, mask: np.ndarray) -> None:
    explainer = Explainer(Settings(cache_models=1))
    explanation = explainer.explain(photo, LITE0)
    expected = explanation.without(mask)
    other = explainer.explain(photo, V2).without(mask)
    assert np.abs(other - expected).max() > 1e-5
    assert (explanation.without(mask) == expected).all()  # its network is loaded again


def test_the_five_best_and_any_label_by_its_index(explanation: Explanation) -> None:
    probabilities = np.zeros(1000, np.float32)
    probabilities[[291, 3, 7, 292, 999, 5]] = 0.4, 0.1, 0.1, 0.2, 0.15, 0.05
    explanation = replace(explanation, probabilities=probabilities)
    best = explanation.top(probabilities)
    assert [each.index for each in best] == [291, 292, 999, 3, 7]
    assert (best[0].label, best[0].text) == ("lion", "lion · 40 %")
    assert explanation.prediction(292) == best[1]


# -- the door


class Closed:
    """An engine that knows the layers, and must not be asked for more."""

    def __init__(self) -> None:
        self.engine = LocalEngine()

    def run(self, job: object, progress: object = None) -> object:
        assert isinstance(job, FindLayers), f"{job} although the question can't be answered"
        return self.engine.run(job)

    def fetch(self, model: str, progress: object = None) -> None:
        pytest.fail(f"{model} was fetched")


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "resnet"},
        {"layer": "third"},
        {"method": "gradcan"},
        {"method": None},
        {"target": "lionn"},
        {"target": 1000},
        {"versus": "lionn"},
        {"target": 291, "versus": 291},
        {"framing": "wide"},
        {"framing": "1,2,3"},
    ],
    ids=str,
)
def test_all_is_checked_before_the_photo_is_read_and_anything_is_fetched(
    toys: None, monkeypatch: pytest.MonkeyPatch, wrong: dict
) -> None:
    monkeypatch.setattr(photos, "read", lambda *_: pytest.fail("the photo was read"))
    with pytest.raises(CamdemoError) as refused:
        Explainer(engine=Closed()).explain(b"no photo", **({"model": V2} | wrong))
    assert "photo" not in str(refused.value).replace("left,top,right,bottom", "")


def test_a_photo_that_can_not_be_read_is_told_before_anything_is_fetched(toys: None) -> None:
    with pytest.raises(ImageError):
        Explainer(engine=Closed()).explain(b"no photo", V2)


def test_labels_are_those_of_the_model(toys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Animals(sources.Bundled):
        name = "animals"

        def labels(self, spec: ModelSpec) -> tuple[str, ...]:
            return ("ant", "bee", "cat")

    spec = replace(catalogue.find(LITE0), name="animals", source="animals")
    more = catalogue.CATALOGUE.plus(Animals(), spec)
    for part in ("skeleton", "load"):
        monkeypatch.setattr(networks, part, lambda *_: Small(labels=3))
    explainer = Explainer(catalogue=more)
    assert explainer.labels("animals") == ("ant", "bee", "cat")
    assert len(explainer.labels()) == len(explainer.labels(LITE0)) == 1000
    assert (explainer.find_label("bee", "animals"), explainer.find_label("bee")) == (1, 309)
    explanation = explainer.explain(np.zeros((9, 9, 3), np.uint8), "animals", target="cat")
    assert explanation.target.index == 2
    assert sorted(one.label for one in explanation.predictions) == ["ant", "bee", "cat"]
    assert {index for _, index in explanation.maps()} == {0, 1, 2}
    with pytest.raises(ChoiceError, match="ant, bee, cat"):
        explainer.explain(np.zeros((9, 9, 3), np.uint8), "animals", target="lion")


# -- which networks are in memory


class Loads:
    """Stands in for `networks.load`, and keeps book."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.networks: list[weakref.ref] = []

    def __call__(self, spec: ModelSpec, *_: object) -> nn.Module:
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
    monkeypatch.setattr(LocalEngine, "fetch", lambda *_: both.wait())
    explainer = Explainer()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: explainer.explain(photo, LITE0).cam, range(2))
    assert loads.names == [LITE0]
    assert (first == second).all()


def test_a_failed_load_can_be_tried_again(
    loads: Loads, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = Explainer()

    def damaged(*_: object) -> nn.Module:
        raise WeightsError("damaged")

    with monkeypatch.context() as patch:
        patch.setattr(networks, "load", damaged)
        with pytest.raises(WeightsError):
            explainer.explain(photo, LITE0)
    assert explainer.explain(photo, LITE0).model.name == LITE0


@pytest.fixture
def truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A download of which a part has been lost since, in a torch hub folder of its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = weights.path_of(catalogue.find("squeezenet1_1"))
    path.parent.mkdir(parents=True)
    torch.save(networks.skeleton(catalogue.find("squeezenet1_1")).to_empty(device="cpu"), path)
    os.truncate(path, path.stat().st_size // 2)
    return path


def test_a_damaged_file_is_moved_aside_and_fetched_once_more(
    truncated: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def fetch(spec: ModelSpec, *_: object) -> None:
        network = networks.skeleton(spec).to_empty(device="cpu")
        torch.save(randomise(network).state_dict(), weights.path_of(spec))
        fetched.append(spec.name)

    monkeypatch.setattr(weights, "fetch", fetch)
    half = truncated.read_bytes()
    explainer = Explainer()
    for _ in range(2):
        assert explainer.explain(photo, "squeezenet1_1").model.name == "squeezenet1_1"
    assert fetched == ["squeezenet1_1"]
    assert truncated.with_name(truncated.name + ".damaged").read_bytes() == half


def test_a_damaged_file_that_can_not_be_fetched_is_explained(
    truncated: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sources.Torchvision, "url", lambda _, spec: f"http://127.0.0.1:9/{spec.weights}"
    )
    explainer = Explainer(Settings(model=LITE0))
    with pytest.raises(
        WeightsError, match=r"was damaged, and is kept as .*damaged.* fetch squeeze"
    ):
        explainer.explain(photo, "squeezenet1_1")
    assert not truncated.exists()
    assert explainer.explain(photo).model.name == LITE0  # and the next request works


# -- many who ask at once


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads that take turns a thousand times as often, so that what can go wrong does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.parametrize("names", [[LITE0], [LITE0, LITE1, LITE2, V2]], ids=["one", "four"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_eight_threads_get_what_one_gets(
    toys: None, restless: None, photo: np.ndarray, names: list[str], lanes: int
) -> None:
    # Two networks fit into memory, so that with four of them some are loaded again and again.
    explainer = Explainer(Settings(cache_models=2, lanes=lanes))
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


def test_a_crowd_in_several_lanes_gets_to_the_bit_what_a_lone_visitor_gets() -> None:
    """First maps overtake sweeps in the middle of them, on the same network."""
    explainer = Explainer(Settings(model=LITE0, lanes=2))
    photos = [get_image(f"{name}.jpg") for name in ("lion", "cheetah", "tower")]

    def visit(path: str) -> tuple[np.ndarray, dict]:
        explanation = explainer.explain(path)
        return explanation.cam, explanation.maps()

    alone = {path: visit(path) for path in photos}
    with ThreadPoolExecutor(12) as pool:
        crowd = list(pool.map(visit, photos * 4))
    for path, (cam, maps) in zip(photos * 4, crowd, strict=True):
        np.testing.assert_array_equal(cam, alone[path][0])
        assert maps.keys() == alone[path][1].keys()
        for key, values in maps.items():
            np.testing.assert_array_equal(values, alone[path][1][key])
