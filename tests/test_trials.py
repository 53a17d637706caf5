"""What a finding can be put to, through the engine: scores, curves, randomisation, the sum."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from gradio.media import get_image
from pytorch_grad_cam.metrics.perturbation_confidence import (
    PerturbationConfidenceMetric,
    RemoveMostRelevantFirst,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from scipy import stats

from camdemo import Explainer, Explanation, methods, picture
from camdemo.engine import Asker, LocalEngine, Rank, asker
from camdemo.engine.protocol import Job, LabelMaps, Progress, Sweep
from camdemo.errors import Abandoned, CamdemoError, ChoiceError, RangeError
from camdemo.models import CATALOGUE, networks
from camdemo.trust import hiding
from camdemo.trust.patches import Patches

from .pickling_engine import PicklingEngine
from .tiny_models import DotFinder, Small, install

MODEL = "efficientnet_lite0"
PHOTO = np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8)
# 7 x 7 squares, each of a light of its own, all brighter than the mean of ImageNet.
LIGHTS = np.random.default_rng(1).permutation(np.arange(140, 238, 2)).reshape(7, 7)
SQUARES = np.kron(LIGHTS, np.ones((36, 36)))[..., np.newaxis].repeat(3, axis=2).astype(np.uint8)


@dataclass
class Watched:
    """An engine that keeps what it is asked."""

    engine: LocalEngine
    jobs: list[Any] = field(default_factory=list)

    def run(self, job: Job[Any], progress: Progress | None = None) -> Any:
        self.jobs.append(job)
        return self.engine.run(job, progress)

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        raise AssertionError

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        self.engine.fetch(model, progress)


def explained(photo: np.ndarray = PHOTO, **asked: object) -> Explanation:
    """By an engine that is watched from now on."""
    engine = Watched(LocalEngine())
    found = Explainer(engine=engine).explain(photo, MODEL, **{"target": 291} | asked)
    engine.jobs.clear()
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _: Small())


@pytest.fixture
def dots(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda _: DotFinder())


# -- scores


def test_a_map_of_what_counts_orders_the_patches(dots: None) -> None:
    found = explained(photo=SQUARES, target=0, framing="whole")
    scores = found.scores(found.hide_each("mean"))
    # The label is the light: hiding a square takes what it has more than the grey.
    assert scores.values["gradcam", found.layer.name].value == pytest.approx(1, abs=0.001)
    assert stats.spearmanr(scores.drops.ravel(), LIGHTS.ravel()).statistic > 0.999
    assert scores.shown == ("gradcam", found.layer.name)
    assert scores.label == found.target.label
    assert "Grad-CAM at" in scores.text


def test_every_method_at_every_stage_has_a_score(small: None) -> None:
    told: list[Patches] = []
    found = explained()
    scores = found.scores(progress=told.append)
    stages = [layer for layer in found.layers if layer.stage]
    expected = {
        (method.name, layer.name)
        for method in methods.all("layer")
        for layer in (*stages, methods.fused(found.layers))
        if method.is_at(layer)
    }
    assert set(scores.values) == expected
    assert {("gradcam", "first"), ("hirescam", "second"), ("layercam", "all")} <= expected
    assert scores.titles["hirescam", "all"] == "HiResCAM at the last stages together"
    assert scores.fills == ("blur", "mean")
    assert -1 <= scores.agreement <= 1
    assert [one.hidden for one in told] == [8, 16, 24, 32, 40, 48, 49]
    assert (found.scores(told[-1]).drops == scores.drops).all()
    # By another way: each patch by hand, one at a time.
    drops = []
    for row in range(7):
        for column in range(7):
            hidden = found.inputs.copy()
            rows, columns = (slice(32 * each, 32 * each + 32) for each in (row, column))
            mean = hiding.filling(hidden, "mean", found.model.transform, found.model.training_mean)
            hidden[0][:, rows, columns] = mean[:, rows, columns]
            with torch.inference_mode():
                drops.append(float(-Small()(torch.from_numpy(hidden))[0, 291]))
    again = found.scores(found.hide_each(["mean"]))
    assert again.agreement is None
    expected = stats.spearmanr(drops, again.drops.ravel()).statistic
    assert expected == pytest.approx(1, abs=0.001)


def test_patches_hold_for_all_labels_and_a_duel(small: None) -> None:
    found = explained()
    hidden = found.hide_each("noise", grid=3)
    found.engine.jobs.clear()
    other = found.seen(found.layer.name, "layercam", 5, None).scores(hidden)
    duel = found.seen(found.layer.name, "gradcam", 291, (5,)).scores(hidden)
    assert {type(job).__name__ for job in found.engine.jobs} == {"Sweep"}  # nothing hidden again
    assert duel.label == f"{found.labels[291]} rather than {found.labels[5]}"
    np.testing.assert_allclose(
        duel.drops, found.scores(hidden).drops - other.drops, rtol=1e-4, atol=1e-5
    )
    assert other.shown == ("layercam", found.layer.name)


def test_a_finer_layer_is_among_the_scores(small: None) -> None:
    found = explained()
    finer = replace(found, layer=replace(found.layer, name="somewhere", stage=False))
    scores = finer.scores(found.hide_each("mean"))
    assert scores.values["gradcam", "somewhere"] == scores.values["gradcam", found.layer.name]


def test_what_knows_no_label_is_no_score_of_a_duel(small: None) -> None:
    found = explained()
    hidden = found.hide_each("mean", grid=2)
    assert ("eigencam", "second") in found.scores(hidden).values
    duel = found.seen("second", "gradcam", 291, (5,)).scores(hidden)
    assert "eigencam" not in {method for method, _ in duel.values}


def test_the_fused_map_has_all_of_it(small: None) -> None:
    found = explained(layer="all")
    scores = found.scores(found.hide_each("mean", grid=3))
    assert scores.shown == ("gradcam", "all")
    assert "Grad-CAM at the last stages together" in scores.text
    assert found.deletion(steps=3, orders=0).area > 0
    maps = found.randomised(draws=1)
    assert maps.maps.shape[2:] == found.cam.shape
    assert found.completeness() is None


def test_nothing_is_hidden_beside_the_photo(small: None) -> None:
    found = explained(framing="fit")  # 150 x 90: bars above and below
    assert found.part.height < found.part.width == 224
    found.hide_each("mean", grid=2)
    found.insertion("mean", steps=3, orders=1)
    above, below = slice(0, found.part.top), slice(found.part.bottom, None)
    batches = [job.batch for job in found.engine.jobs]
    for batch in batches:
        for bar in (above, below):
            same = batch[:, :, bar] == found.inputs[:, :, bar]
            assert same.all()
    assert sum(len(batch) for batch in batches) == 5 + 4 + 2 + 2


# -- curves


@pytest.mark.parametrize("versus", [None, 282])
def test_a_curve_is_that_of_pytorch_grad_cam(versus: int | None) -> None:
    found = Explainer().explain(get_image("lion.jpg"), MODEL, target="lion", versus=versus)
    told = []
    curve = found.deletion("mean", steps=4, orders=0, progress=told.append)
    network = networks.load(CATALOGUE.find(MODEL))
    filled = hiding.filling(found.inputs, "mean", found.model.transform, found.model.training_mean)
    side = found.inputs.shape[-1]
    heat = picture.shares(7, side, "positive") @ found.cam @ picture.shares(7, side, "positive").T

    class Two(torch.nn.Module):
        """Of two labels alone: of them the curve is where two are compared."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return network(x) if versus is None else network(x)[:, [found.target.index, versus]]

    def impute(x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        return x * kept + torch.from_numpy(filled) * (1 - kept)

    label = found.target.index if versus is None else 0
    for share, probability in zip(curve.shares, curve.probabilities, strict=True):
        removal = RemoveMostRelevantFirst(100 * (1 - float(share)), impute)
        measure = PerturbationConfidenceMetric(removal)
        if share == 0:  # theirs removes the hottest pixel even then
            with torch.inference_mode():
                expected = Two()(torch.from_numpy(found.inputs)).softmax(-1)[0, label]
        else:
            (expected,) = measure(
                torch.from_numpy(found.inputs),
                heat[np.newaxis],
                [ClassifierOutputSoftmaxTarget(label)],
                Two(),
                return_diff=False,
            )
        assert probability == pytest.approx(float(expected), abs=2e-4)
    assert curve.probabilities[0] > 0.8
    assert curve.probabilities[0] > curve.probabilities[-1]
    assert (told[-1].probabilities == curve.probabilities).all()


def test_both_curves_meet_at_their_ends(small: None) -> None:
    found = explained()
    deletion = found.deletion(steps=5, orders=2)
    insertion = found.insertion(steps=5, band=deletion)
    assert deletion.kind == "deletion"
    assert insertion.kind == "insertion"
    assert deletion.fill == insertion.fill == "blur"
    ends = deletion.probabilities[[0, -1]]
    np.testing.assert_allclose(ends, insertion.probabilities[[-1, 0]], rtol=1e-4)
    assert ends[0] == pytest.approx(found.target.probability, rel=1e-4)
    np.testing.assert_allclose(insertion.random, deletion.random[:, ::-1], rtol=1e-6)
    again = found.deletion(steps=5, band=insertion)
    np.testing.assert_allclose(again.random, deletion.random, rtol=1e-6)


def test_random_orders_hold_for_all_labels_maps_and_duels(small: None) -> None:
    found = explained()
    band = found.random_orders("mean", count=3)
    for other in (
        found,
        found.seen("first", "layercam", 5, None),
        found.seen(found.layer.name, "gradcam", 291, (5,)),
    ):
        anew = other.deletion("mean", steps=4, orders=3)
        found.engine.jobs.clear()
        kept = other.deletion("mean", steps=4, band=band)
        assert sum(len(job.batch) for job in found.engine.jobs) == 5  # the map's own alone
        assert kept.random.shape == (3, 5)
        # Anew it has 4 steps, and so a straight line where these have a point between.
        np.testing.assert_allclose(kept.random[:, ::2], anew.random[:, ::2], rtol=1e-4)
    for wrong in ("blur", "noise"):
        with pytest.raises(CamdemoError, match="random orders"):
            found.deletion(wrong, band=band)
    with pytest.raises(CamdemoError, match="random orders"):
        explained(photo=PHOTO[::-1].copy()).deletion("mean", band=band)
    assert found.random_orders(count=0) is None


def test_few_points_of_a_random_order_are_enough() -> None:
    """What the band claims: its curves are hardly bent between nine points of them."""
    found = Explainer().explain(get_image("lion.jpg"), MODEL)
    coarse = found.deletion(steps=24, band=found.random_orders(steps=8, count=2))
    fine = found.deletion(steps=24, band=found.random_orders(steps=24, count=2))
    assert np.abs(coarse.random_areas - fine.random_areas).max() < 0.03


def test_the_bands_of_both_kinds_are_the_same_pictures(small: None) -> None:
    """What a band read backwards claims: of orders drawn anew the mean is about the same."""
    found = explained()
    deletion, insertion = found.deletion(steps=4, orders=40), found.insertion(steps=4, orders=40)
    error = 4 * deletion.random.std(axis=0) / np.sqrt(40)
    difference = insertion.random.mean(axis=0)[::-1] - deletion.random.mean(axis=0)
    assert (np.abs(difference) <= error + 1e-6).all()


# -- randomisation and completeness


def test_at_the_last_layer_gradcam_heeds_the_last_weights_and_layercam_does_not() -> None:
    explainer = Explainer()
    found = explainer.explain(get_image("lion.jpg"), MODEL)
    maps = found.randomised(steps=2)
    assert maps.behind == ("bn2", "")
    assert maps.maps.shape == (5, 2, 7, 7)
    assert maps.cam is found.cam
    assert "it depends on what was learned" in maps.text
    other = found.seen("bn2", "layercam", found.target.index, None).randomised(steps=2)
    assert other.signed[:, 0].min() > 0.9
    assert "hardly heeds the last weights" in other.text
    assert (explainer.explain(get_image("lion.jpg"), MODEL).cam == found.cam).all()


def test_where_a_map_adds_up_it_says_so() -> None:
    explainer = Explainer()
    for method in ("gradcam", "hirescam"):
        found = explainer.explain(get_image("lion.jpg"), MODEL, method=method)
        adds = found.completeness()
        bias = networks.load(CATALOGUE.find(MODEL)).classifier.bias[found.target.index]
        assert adds.constant == pytest.approx(float(bias), abs=1e-4)
        assert adds.total == pytest.approx(found.cam.sum(), rel=1e-4)
        assert abs(adds.gap) < 1e-3
        assert f"the logit of {found.target.label}" in adds.text
    duel = explainer.explain(get_image("lion.jpg"), MODEL, target="lion", versus="cheetah")
    sums = [
        explainer.explain(get_image("lion.jpg"), MODEL, target=each).completeness().logit
        for each in ("lion", "cheetah")
    ]
    assert duel.completeness().logit == pytest.approx(sums[0] - sums[1], abs=1e-3)
    for asked in ({"method": "layercam"}, {"layer": "blocks.6"}, {"layer": "blocks.2"}):
        for method in ("gradcam", "hirescam"):
            other = explainer.explain(get_image("lion.jpg"), MODEL, **{"method": method} | asked)
            assert other.completeness() is None


# -- all of them

ALL: dict[str, Callable[[Explanation], Any]] = {
    "scores": lambda found: found.scores(found.hide_each("mean", grid=2)),
    "deletion": lambda found: found.deletion(steps=2, orders=1),
    "insertion": lambda found: found.insertion(steps=2, orders=1),
    "randomised": lambda found: found.randomised(draws=1),
    "completeness": lambda found: found.completeness(),
}


@pytest.mark.parametrize("name", ALL)
def test_it_waits_behind_everybody(small: None, name: str) -> None:
    found = explained()
    ALL[name](found)
    assert found.engine.jobs
    assert {job.rank for job in found.engine.jobs} == {Rank.YARDSTICK}


@pytest.mark.parametrize("name", ALL)
def test_it_ends_when_whoever_asked_has_gone(small: None, name: str) -> None:
    found = explained()
    gone = threading.Event()
    gone.set()
    token = asker.set(Asker("visitor", gone))
    try:
        with pytest.raises(Abandoned):
            ALL[name](found)
    finally:
        asker.reset(token)
    assert ALL[name](found).text  # the next one is served


def test_who_leaves_in_the_middle_stops_it(small: None) -> None:
    found = explained()
    gone = threading.Event()
    token = asker.set(Asker("visitor", gone))
    try:
        with pytest.raises(Abandoned):
            found.hide_each("mean", progress=lambda *_: gone.set())
        assert len(found.engine.jobs) == 3  # the photo, the first batch, and what was not done
        gone.clear()
        with pytest.raises(Abandoned):
            found.deletion(progress=lambda _: gone.set())
    finally:
        asker.reset(token)


@pytest.mark.parametrize("name", ALL)
def test_it_travels(small: None, name: str) -> None:
    near = explained()
    far = Explainer(engine=PicklingEngine(LocalEngine())).explain(PHOTO, MODEL, target=291)
    assert ALL[name](near).text == ALL[name](far).text


@pytest.mark.parametrize("name", ALL)
def test_the_answer_afterwards_is_the_same(small: None, name: str) -> None:
    found = explained()
    ALL[name](found)
    again = Explainer(engine=found.engine).explain(PHOTO, MODEL, target=291)
    assert (again.cam == found.cam).all()
    assert (again.probabilities == found.probabilities).all()


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda found: found.hide_each("snow"), "There is no fill 'snow'"),
        (lambda found: found.hide_each([]), "There is no fill ''"),
        (lambda found: found.deletion("snow"), "There is no fill 'snow'"),
        (lambda found: found.hide_each(grid=1), "grid 1 is not a number from 2 to 16"),
        (lambda found: found.hide_each(grid=3.5), "grid 3.5"),
        (lambda found: found.deletion(steps=0), "number of steps 0"),
        (lambda found: found.insertion(orders=-1), "number of orders -1"),
        (lambda found: found.deletion(seed="x"), "seed 'x'"),
        (lambda found: found.randomised(steps=0), "number of steps 0"),
        (lambda found: found.randomised(draws=51), "number of draws 51"),
        (lambda found: found.randomised(seed=-1), "seed -1"),
    ],
)
def test_what_can_not_be_asked(small: None, asked: Callable, says: str) -> None:
    with pytest.raises((ChoiceError, RangeError), match=says):
        asked(explained())


def test_without_matplotlib_a_plot_says_what_to_install(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = explained()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for record in (ALL["deletion"](found), ALL["scores"](found)):  # which work without it
        with pytest.raises(CamdemoError, match="pip install matplotlib"):
            record.plot()
