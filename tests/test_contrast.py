"""A label against several others: the mean of their logits, as strongly as one likes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradio.media import get_image

from camdemo import Explainer, methods
from camdemo.errors import CamdemoError, ChoiceError, RangeError
from camdemo.methods.maps import asked_of
from camdemo.models.rivals import against, find_rivals
from camdemo.records import Prediction, Rivals
from camdemo.trust.patches import Patches

NAMES = tuple("abcdefgh")
LOGITS = np.array([1, 9, 3, 8, 5, 7, 2, 6], np.float32)  # best first: b d f h e
LION = get_image("lion.jpg")


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer()


@pytest.mark.parametrize(
    ("given", "target", "expected"),
    [
        (None, None, None),
        ("b", 0, Rivals((1,))),
        (["b", 3, "B"], None, Rivals((1, 3))),
        (np.int64(2), 0, Rivals((2,))),
        ((4,), 0, Rivals((4,))),
        ("others", 0, Rivals(None)),
        (" Others ", None, Rivals(None)),
    ],
)
def test_what_is_compared_with(given, target, expected) -> None:
    assert find_rivals(NAMES, given, target) == expected


@pytest.mark.parametrize(
    ("error", "message", "given", "more"),
    [
        (ChoiceError, "no label 'z'", "z", {}),
        (ChoiceError, "no label 'z'", ["a", "z"], {}),
        (RangeError, "0 to 7", [8], {}),
        (CamdemoError, "No label is named", [], {}),
        (CamdemoError, "'a' can't be compared with itself", ["b", "a"], {}),
        (CamdemoError, "none is left to explain", list(NAMES), {"target": None}),
        (CamdemoError, "one label only", "others", {"names": ("a",)}),
        *((RangeError, "strength", "b", {"strength": one}) for one in (-0.1, 2, np.nan, True, "1")),
    ],
)
def test_what_is_refused(error, message, given, more) -> None:
    asked = {"names": NAMES, "target": 0, "strength": 1.0} | more
    with pytest.raises(error, match=message):
        find_rivals(asked["names"], given, asked["target"], asked["strength"])


@pytest.mark.parametrize(
    ("target", "others"), [(1, (3, 5, 7, 4)), (7, (1, 3, 5, 4)), (0, (1, 3, 5, 7, 4))]
)
def test_the_others_are_the_rest_of_the_five_best(target: int, others: tuple[int, ...]) -> None:
    assert Rivals(None, 0.5).among(LOGITS, target) == Rivals(others, 0.5)
    assert Rivals((0, 2)).among(LOGITS, target) == Rivals((0, 2))


def test_how_much_each_logit_counts_by_hand() -> None:
    weights = asked_of(torch.zeros(1, 5), 3, Rivals((0, 4), 0.5))
    assert weights.tolist() == [[-0.25, 0, 0, 1, -0.25]]
    assert asked_of(torch.zeros(1, 3), 1, None).tolist() == [[0, 1, 0]]
    assert Rivals((0, 1), 0.5).subtracted(LOGITS) == 2.5
    lost = Patches(LOGITS, np.zeros((1, 4, 8), np.float32), ("blur",)).drops(1, Rivals((0, 2), 0.5))
    assert (lost == 9 - 0.5 * 2).all()


def prediction(index: int) -> Prediction:
    return Prediction(index, NAMES[index], 0.1)


@pytest.mark.parametrize(
    ("rivals", "strength", "expected"),
    [
        ([1], 1, "b"),
        ([1], 0.5, "0.5 of b"),
        ([1, 2], 1, "the mean of b and c"),
        ([1, 2, 5], 1, "the mean of b, c and f"),
        ([4, 3, 2, 1], 0.25, "0.25 of the mean of the other four"),
        ([1, 2, 3, 5], 1, "the mean of 4 labels"),
    ],
)
def test_in_words(rivals: list[int], strength: float, expected: str) -> None:
    shown = [prediction(index) for index in (0, 1, 2, 3, 4)]
    versus = [prediction(index) for index in rivals]
    assert against(versus, shown, shown[0], strength) == expected


@pytest.mark.parametrize("target", [None, "teapot"])
@pytest.mark.parametrize("strength", [1, 0.5])
def test_against_the_others_it_is_its_map_less_the_mean_of_theirs(
    explainer: Explainer, target: str | None, strength: float
) -> None:
    found = explainer.explain(LION, target=target, versus="others", strength=strength)
    assert len(found.versus) == (4 if target is None else 5)
    assert found.strength == strength
    assert {one.index for one in found.versus} == {
        one.index for one in found.predictions if one.index != found.target.index
    }
    layer = found.layer.name
    maps = found.maps([layer], [one.index for one in (found.target, *found.versus)])
    mean = np.mean([maps[layer, one.index] for one in found.versus], axis=0)
    expected = maps[layer, found.target.index] - strength * mean
    np.testing.assert_allclose(found.cam, expected, atol=1e-5 * np.ptp(expected))
    assert found.natural_evidence == "signed"
    assert found.against.endswith(f"the mean of the other {'four' if target is None else 'five'}")
    # The same, named.
    named = [one.label for one in found.versus]
    again = explainer.explain(
        LION, target=found.target.label, versus=named, strength=strength, layer=layer
    )
    assert np.array_equal(again.cam, found.cam)
    numbers = found.summary()
    assert [one["label"] for one in numbers["versus"]] == named
    assert numbers["strength"] == strength


def test_a_method_that_is_not_linear_has_one_gradient(explainer: Explainer) -> None:
    found = explainer.explain(LION, method="layercam", versus="others")
    (sent,) = found.packets(complete=False)
    assert sent["versus"] == [one.index for one in found.versus]
    assert len(found.maps_shown()) == 1
    (again,) = found.maps([found.layer.name], [found.target.index], versus="others").values()
    assert np.array_equal(again, found.cam)
    with pytest.raises(CamdemoError, match="knows no label"):
        explainer.explain(LION, method="eigencam", versus="others")
    assert methods.find("layercam").linear is False


def test_what_a_finding_is_put_to_heeds_all_rivals(explainer: Explainer) -> None:
    found = explainer.explain(LION, method="hirescam", versus="others", strength=0.5)
    complete = found.completeness()
    assert complete is not None
    assert "rather than 0.5 of the mean of the other four" in complete.text
    curve = found.deletion(steps=2, orders=0)
    shares = found.probabilities[[found.target.index, *(one.index for one in found.versus)]]
    assert curve.probabilities[0] == pytest.approx(shares[0] / shares.sum(), abs=1e-4)
