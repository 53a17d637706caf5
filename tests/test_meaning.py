"""The maps mean something: of two photos side by side, each label's map lies on its own, and
without that photo the label goes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pytest
from gradio.media import get_image
from PIL import Image
from skimage import data

from camdemo import Explainer, Explanation, Prediction, picture
from camdemo.question import FILLS
from camdemo.records import Box, Evidence, Fill
from camdemo.trust.hiding import mask_of

HALF = 448  # pixels a side; the photo is two of these
MIDDLE = 3  # column of the map
MODEL = "efficientnet_lite0"
HALVES = (Box(0, 0, HALF, HALF), Box(HALF, 0, 2 * HALF, HALF))


@dataclass(frozen=True)
class Pair:
    """Two photos side by side, and what the model calls each of them alone."""

    image: Image.Image
    labels: tuple[Prediction, ...]  # of the left one and of the right one


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer()


@pytest.fixture(scope="module")
def pairs(explainer: Explainer) -> list[Pair]:
    photos = {name: Image.open(get_image(f"{name}.jpg")) for name in ("cheetah", "lion", "tower")}
    photos |= {"cat": Image.fromarray(data.chelsea()), "coffee": Image.fromarray(data.coffee())}
    squares = [photo.convert("RGB").resize((HALF, HALF)) for photo in photos.values()]
    labels = [explainer.explain(square, MODEL, framing="whole").target for square in squares]
    print(dict(zip(photos, (label.label for label in labels), strict=True)))
    assert len({label.index for label in labels}) == len(labels)
    pairs = []
    for sides in permutations(range(len(squares)), 2):
        image = Image.new("RGB", (2 * HALF, HALF))
        for half, number in zip(HALVES, sides, strict=True):
            image.paste(squares[number], (half.left, half.top))
        pairs.append(Pair(image, tuple(labels[number] for number in sides)))
    assert len(pairs) == 20
    return pairs


def explain(explainer: Explainer, pair: Pair, side: int, duel: bool = False) -> Explanation:
    """Why this side's label, alone or rather than the other's?"""
    target, other = pair.labels[side].index, pair.labels[1 - side].index
    versus = other if duel else None
    explanation = explainer.explain(
        pair.image, MODEL, target=target, framing="whole", versus=versus
    )
    assert explanation.cam.shape == (7, 7)
    return explanation


def share_of(evidence: np.ndarray, side: int) -> float:
    """How much of the positive evidence lies on that side: 0 is the left one, 1 the right one."""
    # Columns 0 to 2 lie on the left photo, 4 to 6 on the right one, and 3 half on each.
    columns = np.maximum(evidence, 0).sum(axis=0)
    left = columns[:MIDDLE].sum() + columns[MIDDLE] / 2
    return float((left if side == 0 else columns.sum() - left) / columns.sum())


def test_each_label_looks_at_its_own_photo(explainer: Explainer, pairs: list[Pair]) -> None:
    hits, shares = [], []
    for pair in pairs:
        for side in (0, 1):
            cam = explain(explainer, pair, side).cam
            hottest = int(cam.max(axis=0).argmax())
            hits.append(hottest < MIDDLE if side == 0 else hottest > MIDDLE)
            shares.append(share_of(cam, side))
    print(f"hottest cell on its own photo: {sum(hits)} of {len(hits)}")
    print(f"positive evidence on its own photo: {np.mean(shares):.0%}, least {min(shares):.0%}")
    assert len(hits) == 40
    assert all(hits)
    assert np.mean(shares) >= 0.75


def test_what_is_painted_hottest_is_the_hottest_cell(
    explainer: Explainer, pairs: list[Pair]
) -> None:
    """OpenCV's bicubic overshoots: it paints the hottest spot elsewhere in many a map."""
    side = 224
    inside: dict[Evidence, list[bool]] = {"signed": [], "minmax": []}
    for pair, half in product(pairs, (0, 1)):
        cam = explain(explainer, pair, half).cam
        cell_of = np.arange(side) * len(cam) // side
        own = cam[cell_of[:, np.newaxis], cell_of]  # each pixel's cell
        for evidence, found in inside.items():
            shares = picture.shares(len(cam), side, evidence)
            found.append(bool(own.flat[(shares @ cam @ shares.T).argmax()] == cam.max()))
        values = picture.scale(cam, "positive")
        assert values is not None
        square = Box(0, 0, side, side)
        painted = picture.indices(values, square, square, "positive")
        indices = np.concatenate([strip for _, strip in painted])
        hottest = own[indices == indices.max()]
        assert hottest.max() == cam.max()
        assert hottest.min() >= (1 - 2 / 255) * cam.max()  # beside it only its equal in colour
    print({evidence: f"{sum(found)} of {len(found)}" for evidence, found in inside.items()})
    assert len(inside["signed"]) == 40
    assert all(inside["signed"])
    assert sum(inside["minmax"]) <= 36  # the control


def test_in_a_duel_each_side_lies_on_its_own_photo(explainer: Explainer, pairs: list[Pair]) -> None:
    shares = []
    for pair in pairs:
        cam = explain(explainer, pair, side=0, duel=True).cam
        shares += [share_of(cam, 0), share_of(-cam, 1)]
    print(f"own side of the duel: {np.mean(shares):.1%}, least {min(shares):.1%}")
    assert len(shares) == 40
    assert min(shares) >= 0.85
    assert np.mean(shares) >= 0.93


@pytest.mark.parametrize("fill", FILLS)
def test_without_its_own_photo_a_label_goes_and_without_the_other_it_stays(
    explainer: Explainer, pairs: list[Pair], fill: Fill
) -> None:
    for pair in pairs:
        for side in (0, 1):
            explanation = explain(explainer, pair, side)
            left, right = (
                explanation.without(mask_of([half], explanation.box, (224, 224)), fill)
                for half in HALVES
            )
            own, other = (left, right) if side == 0 else (right, left)
            index, before = explanation.target.index, explanation.target.probability
            assert own[index] < before / 2, explanation.target.text
            assert own[index] < other[index] / 2, explanation.target.text
