"""What viewers put maps to: answers that grow, and what is kept of a photo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from camdemo import Explainer
from camdemo.engine import LocalEngine, Score, SharedEngine
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers
from camdemo.ui.trust import KINDS, Trust

from .tiny_models import Small, install

PHOTO = np.random.default_rng(0).integers(0, 256, (90, 150, 3), np.uint8)


class Counting(LocalEngine):
    """How many inputs it was asked to score."""

    asked = 0

    def run(self, job: Any, progress: Any = None) -> Any:
        if isinstance(job, Score):
            self.asked += len(job.batch)
        return super().run(job, progress)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Counting:
    install(monkeypatch, lambda _: Small())
    return Counting()


@pytest.fixture
def trust(engine: Counting) -> Trust:
    explainer = Explainer(engine=SharedEngine(engine))
    return Trust(Answers(explainer, Offers(explainer)))


@pytest.fixture
def shown(trust: Trust, tmp_path: Any) -> dict[str, Any]:
    import PIL.Image

    path = tmp_path / "photo.png"
    PIL.Image.fromarray(PHOTO).save(path)
    scene = trust.asked.answer(str(path), "efficientnet_lite0", {})
    return {
        "id": scene.id,
        "layer": scene.layer.name,
        "method": "gradcam",
        "target": 7,
        "versus": None,
    }


def whole(trust: Trust, kind: str, question: dict[str, Any]) -> list[dict[str, Any]]:
    """All answers to a question, until it is whole."""
    found: list[dict[str, Any]] = []
    after = 0
    while not found or found[-1]["state"] == "running":
        found.append(getattr(trust, kind)({**question, "after": after}))
        assert "error" not in found[-1], found[-1]
        after = found[-1]["version"]
    return found


def test_scores_grow_and_hold_for_all_labels(
    trust: Trust, shown: dict[str, Any], engine: Counting
) -> None:
    answers = whole(trust, "scores", shown)
    finding = trust.asked.shown(shown)
    expected = finding.scores()
    last = answers[-1]
    for name in ("verdict", "numbers", "caveat"):
        assert last[name] == getattr(expected, name)
    assert {(one["method"], one["layer"]) for one in last["scores"]} == set(expected.values)
    steps = [one["done"] for one in answers if "done" in one]
    assert steps == sorted(steps)
    assert steps[-1] == 98
    assert all(one["total"] == 98 for one in answers if "done" in one)
    engine.asked = 0
    for other in ({"target": 5}, {"layer": "first"}, {"versus": [9]}, {"method": "hirescam"}):
        assert whole(trust, "scores", {**shown, **other})[-1]["verdict"] != last["verdict"]
    assert engine.asked == 0


def test_the_first_scores_are_of_every_second_patch(trust: Trust, shown: dict[str, Any]) -> None:
    finding = trust.asked.shown(shown)
    told: list[dict[str, Any]] = []
    Trust(trust.asked)._scores(finding, {"base": finding}, told.append)
    assert [one["done"] for one in told[:3]] == [8, 16, 24]
    assert "scores" not in told[1]
    for number, patches in ((2, 24), (5, 24), (7, 49), (8, 49)):
        assert f"of {patches} patches hidden one by one" in told[number]["numbers"]
    assert told[7]["agreement"] is None
    assert told[-1]["agreement"] is not None


def test_curves_grow_and_their_random_orders_are_the_photos(
    trust: Trust, shown: dict[str, Any], engine: Counting
) -> None:
    question = {**shown, "fill": "mean"}
    last = whole(trust, "curves", question)[-1]
    finding = trust.asked.shown(shown)
    deletion = finding.deletion("mean")
    assert last["deletion"]["verdict"] == deletion.verdict
    insertion = finding.insertion("mean", band=deletion)
    assert last["insertion"]["numbers"] == insertion.numbers
    assert last["verdict"] == f"{deletion.verdict} {insertion.verdict}"
    assert {"low", "high"} <= last["deletion"].keys()
    engine.asked = 0
    whole(trust, "curves", question)  # all of it is kept
    assert engine.asked == 0
    whole(trust, "curves", {**question, "target": 5})
    assert engine.asked == 52  # those of the map alone


def test_the_page_that_is_taken_away_has_what_was_found(
    trust: Trust, shown: dict[str, Any]
) -> None:
    assert '"tested": {}' in trust.page(shown)["html"]
    found = {kind: whole(trust, kind, shown | {"fill": "blur"})[-1] for kind in KINDS}
    html = trust.page(shown | {"fill": "blur"})["html"]
    for kind, answer in found.items():
        assert answer["verdict"]
        assert f'"{kind}": {{"verdict": "' in html
    other = trust.page(shown | {"target": 5})["html"]
    assert '"curves": {"verdict"' not in other


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_not_be_asked_is_told(trust: Trust, shown: dict[str, Any], kind: str) -> None:
    for wrong in (
        {"id": "x"},
        {"layer": "nowhere"},
        {"after": -1},
        {"after": "1"},
        {"target": 5000},
    ):
        assert getattr(trust, kind)({**shown, "fill": "blur", **wrong})["error"].endswith(".")
    assert "error" in getattr(trust, kind)(None)
