"""All layers at once in the browser, as in Python; what is alike; and where a method is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from camdemo import Explanation, LayerInfo, Prediction, methods
from camdemo.records import Rivals
from camdemo.viewer import scene

from .test_parity import (
    GLOW,
    MEAN,
    PERCENTILE,
    canvas,
    difference,
    displayed,
    explanation,
    noise,
    set_controls,
    show,
    smooth,
)

LION, CHEETAH = Prediction(291, "lion", 0.9), Prediction(293, "cheetah", 0.1)
SIDES = {
    "large": (224, 112, 56, 28, 7),  # of the last four one is averaged, and two are rounded
    "small": (56, 28, 14, 14, 7),  # all of these are the very values
}
TOLERANCE = {"large": 1e-4, "small": 1e-6}  # of -1 to 1; a map has 32767 steps


@pytest.fixture(scope="module")
def viewer(alone: Page) -> Page:
    return alone


def stages_of(size: str) -> tuple[LayerInfo, ...]:
    sides = SIDES[size]
    last = len(sides) - 1
    return tuple(
        LayerInfo(f"s{i}", 8 + i, side, side, pooled=i == last) for i, side in enumerate(sides)
    )


def maps_of(stages: tuple[LayerInfo, ...], sign: int = 1) -> dict[str, np.ndarray]:
    """A map with evidence for and against at each stage, and noise at one; of any scale."""
    found = {one.name: 3**i * smooth(one.height, one.width) for i, one in enumerate(stages)}
    found["s2"] = noise(stages[2].height, stages[2].width)
    return {name: cam[::sign, ::sign].astype(np.float32) for name, cam in found.items()}


def fused(stages: tuple[LayerInfo, ...], maps: dict[str, np.ndarray]) -> np.ndarray:
    layer = methods.fused(stages)
    return methods.fuse([maps[one.name] for one in layer.parts], layer.height, layer.width)


def explained(stages: tuple[LayerInfo, ...], cam: np.ndarray) -> Explanation:
    one = replace(explanation("whole", cam), predictions=(LION, CHEETAH), layers=stages)
    return replace(one, layer=methods.fused(stages))


def packets(maps: dict[str, np.ndarray], target: int, **how: Any) -> list[dict[str, Any]]:
    named = {(layer, target): cam for layer, cam in maps.items()}
    return list(scene.packets(named, how.pop("method", "gradcam"), **how))


def map_in(page: Page, target: int = 291) -> np.ndarray:
    """The map of all layers as the browser has it."""
    found = page.evaluate(
        """target => {
          const { height, width, values } = viewer.mapOf("all", target);
          return { height, width, values: [...values] };
        }""",
        target,
    )
    return np.array(found["values"]).reshape(found["height"], found["width"])


@pytest.mark.parametrize("size", SIDES)
def test_the_browser_fuses_as_python_does(viewer: Page, size: str) -> None:
    stages = stages_of(size)
    maps = maps_of(stages)
    expected = fused(stages, maps)
    found = explained(stages, expected)
    show(viewer, found, maps=packets(maps, 291), complete=True)
    assert np.abs(map_in(viewer) - expected).max() <= TOLERANCE[size]
    assert 0.3 < np.ptp(expected) < 2
    assert viewer.evaluate("viewer.mapOf('all', 291).exact") == (size == "small")
    # Not yet all are here: then there is none, and nothing is painted that is only a part.
    assert viewer.evaluate("viewer.mapOf('all', 293) === undefined")
    set_controls(viewer, **GLOW)
    mean, percentile = difference(canvas(viewer), np.asarray(displayed(found).overlay(look="glow")))
    assert mean <= MEAN
    assert percentile <= PERCENTILE


@pytest.mark.parametrize("method", ["gradcam", "layercam"])
def test_a_duel_over_all_layers(viewer: Page, method: str) -> None:
    stages = stages_of("small")
    lion, cheetah = maps_of(stages), maps_of(stages, -1)
    both = {name: lion[name] - np.float32(0.5) * cheetah[name] for name in lion}
    sent = [*packets(lion, 291, method=method), *packets(cheetah, 293, method=method)]
    if method == "layercam":  # whose difference the server has to compute
        sent += packets(both, 291, method=method, versus=Rivals((293,)))
    else:
        both = {name: lion[name] - cheetah[name] for name in lion}
    expected = fused(stages, both)
    found = replace(explained(stages, expected), method=method)
    show(viewer, found, maps=sent, complete=True)
    single = map_in(viewer)
    viewer.evaluate("viewer.set({ versus: 293 })")
    assert np.abs(map_in(viewer) - expected).max() <= 1e-6
    assert np.abs(map_in(viewer) - single).max() > 0.1
    assert np.abs(map_in(viewer, 293) - fused(stages, cheetah)).max() <= 1e-6
    viewer.evaluate("viewer.set({ versus: null })")
    assert (map_in(viewer) == single).all()


def test_it_is_the_last_tile_and_the_arrows_reach_it(viewer: Page) -> None:
    stages = stages_of("small")
    maps = maps_of(stages)
    found = explained(stages, fused(stages, maps))
    show(viewer, replace(found, layer=stages[-1]), maps=packets(maps, 291), complete=True)
    viewer.evaluate("viewer.set({ layer: 's4' })")
    tiles = viewer.locator(".cam-strip button")
    expect(tiles).to_have_count(6)
    expect(tiles.last).to_have_attribute("aria-label", "All layers · 28 x 28")
    viewer.locator("canvas.cam-picture").press("ArrowRight")
    expect(tiles.last).to_have_attribute("aria-pressed", "true")
    expect(viewer.locator(".cam-facts")).to_contain_text("All layers · 28 x 28")


def test_where_a_method_is_not_it_cant_be_chosen_and_says_why(viewer: Page) -> None:
    stages = stages_of("small")
    maps = maps_of(stages)
    found = replace(explained(stages, maps["s4"]), layer=stages[-1])
    cam = packets({"s4": maps["s4"]}, 291, method="cam")
    show(viewer, found, maps=[*packets(maps, 291), *cam], complete=True)
    viewer.evaluate("viewer.set({ layer: 's3', method: 'gradcam' })")
    viewer.locator("[data-choice=method] input").click()
    rows = viewer.locator("[data-choice=method] [role=option]")
    expect(rows).to_have_text(
        [
            "Grad-CAMfor the last layers; near chance at early ones",
            "CAMneeds a layer that only a global mean and one linear layer follow",
        ]
    )
    expect(rows.last).to_have_attribute("aria-disabled", "true")
    viewer.keyboard.press("Escape")
    viewer.locator("canvas.cam-picture").press("m")
    assert viewer.evaluate("viewer.state.method") == "gradcam"
    # At the last layer it is there, and then the others can't be chosen.
    viewer.evaluate("viewer.set({ layer: 's4' })")
    viewer.locator("canvas.cam-picture").press("m")
    assert viewer.evaluate("viewer.state.method") == "cam"
    tiles = viewer.locator(".cam-strip button")
    assert [tile.is_disabled() for tile in tiles.all()] == [True] * 4 + [False, True]
    expect(tiles.last).to_have_attribute("title", "CAM " + rows.last.text_content()[3:])
    viewer.locator("canvas.cam-picture").press("ArrowLeft")
    assert viewer.evaluate("viewer.state.layer") == "s4"
    viewer.evaluate("viewer.set({ method: 'gradcam' })")


# ---------------------------------------------------------------- alike


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 40, 30], 0.8),  # 1 - 6 x 2 / (4 x 15)
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([5, 5, 9], [1, 2, 3], 1.5 / np.sqrt(1.5 * 2)),  # equal ones share their places
        ([0, 0, 0], [1, 2, 3], None),
    ],
)
def test_a_rank_correlation_by_hand(
    viewer: Page, one: list, other: list, expected: float | None
) -> None:
    found = viewer.evaluate(
        "maps => rankCorrelation(...maps.map((values) => ({ values: Float32Array.from(values) })))",
        [one, other],
    )
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([[2, 4, 6, 8], [1, 2, 4, 3]], None),  # 1 and 0.8: no more than 0.9 on average
        ([[2, 4, 6, 8], [1, 2, 4, 3], [1, 5, 7, 9]], "0.93"),
        ([[2, 4, 6, 8], [7, 7, 7, 7]], "1.00"),  # what is the same everywhere has no order
        ([[7, 7, 7, 7]], None),
        ([[2, 4, 6, 8], None], None),  # one is still being computed
        ([], None),
    ],
)
def test_maps_of_labels_that_are_alike(viewer: Page, others: list, said: str | None) -> None:
    stages = (LayerInfo("last", 8, 2, 2),)
    values = [[1, 2, 3, 4], *others]
    labels = [Prediction(i, f"label {i}", 0.1) for i in range(len(values))]
    sent = [
        packet
        for i, each in enumerate(values)
        if each
        for packet in packets({"last": np.array(each, np.float32).reshape(2, 2)}, i)
    ]
    cam = np.array(values[0], np.float32).reshape(2, 2)
    found = replace(explained(stages, cam), target=labels[0], layer=stages[0])
    found = replace(found, predictions=tuple(labels))
    show(viewer, found, maps=sent, complete=True)
    viewer.evaluate("viewer.set({ layer: 'last', method: 'gradcam', versus: null })")
    sentence = viewer.evaluate("describeLikeness(viewer)")
    assert (f"(rank correlation {said})" in sentence) if said else sentence == ""
    if said == "0.93":  # in a duel two of them are one map
        viewer.evaluate("viewer.set({ versus: 1 })")
        assert viewer.evaluate("describeLikeness(viewer)") == ""
        viewer.evaluate("viewer.set({ versus: null })")


def test_a_method_that_knows_no_label_says_so(viewer: Page) -> None:
    stages = (LayerInfo("last", 8, 2, 2),)
    cam = np.array([[-1, -1], [-1, 3]], np.float32)
    found = replace(explained(stages, cam), layer=stages[0], method="eigencam")
    show(viewer, found, maps=packets({"last": cam}, 291, method="eigencam"), complete=True)
    viewer.evaluate("viewer.set({ layer: 'last', method: 'eigencam' })")
    words = "EigenCAM knows no label: this is where the layer changes most, whatever the answer."
    expect(viewer.locator(".cam-words")).to_contain_text(words)
    assert viewer.evaluate("describeLikeness(viewer)") == ""
    viewer.locator("canvas.cam-picture").press("d")
    assert viewer.evaluate("viewer.state.versus") is None
    expect(viewer.locator("[data-at=canvas]")).to_contain_text("can't compare two")
