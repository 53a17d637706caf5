"""The tab Trust: what a map is put to, each test on one press."""

from __future__ import annotations

import re

import numpy as np
import pytest
from gradio.media import get_image
from playwright.sync_api import Locator, Page, expect

from camdemo import Explainer

from .steps import CANVAS, LABELS, STRIP, VIEWER, canvas, choose, example, field, hold, settled

VERDICT, NUMBERS, CAVEAT = ".cam-verdict", ".cam-numbers", ".cam-caveat"


def trial(page: Page, kind: str) -> Locator:
    """One of the tests, after it was pressed and answered to the end."""
    place = page.locator(f"{VIEWER} [data-trial={kind}]")
    place.locator(f"[data-action={kind}]").click()
    expect(place.locator(VERDICT)).not_to_be_empty(timeout=60_000)
    expect(place.locator(f"[data-action={kind}]")).not_to_have_text("Cancel", timeout=120_000)
    settled(page)
    return place


@pytest.fixture
def trust(page: Page) -> Page:
    example(page, "Lion")
    page.get_by_role("tab", name="Trust").click()
    return page


def test_scores_stand_at_the_layers_and_in_words(trust: Page, explainer: Explainer) -> None:
    strip = trust.locator(f"{VIEWER} .cam-strip")
    before = strip.bounding_box()
    place = trial(trust, "scores")
    scores = explainer.explain(get_image("lion.jpg")).scores()
    expect(place.locator(VERDICT)).to_have_text(scores.verdict)
    expect(place.locator(NUMBERS)).to_have_text(scores.numbers)
    expect(place.locator(CAVEAT)).to_have_text(scores.caveat)
    stages = trust.locator(f"{STRIP}[data-score]:not([data-score=''])")
    told = {
        one.get_attribute("data-layer"): float(one.get_attribute("data-score") or "nan")
        for one in stages.all()
    }
    mine = {
        layer: one.value for (method, layer), one in scores.values.items() if method == "gradcam"
    }
    assert told.keys() <= mine.keys()
    assert len(told) >= 11
    assert all(told[layer] == pytest.approx(mine[layer], abs=0.011) for layer in told)
    after = strip.bounding_box()
    assert before
    assert after
    assert all(abs(after[edge] - before[edge]) <= 2 for edge in before)  # nothing jumps
    # The list of methods tells them too; both can be put in their order.
    field(trust, "Method").click()
    rows = trust.locator(".cam-popup:visible [role=option]")
    expect(rows.first).to_contain_text(f"score {scores.values['gradcam', 'bn2'].value:.2f}")
    trust.keyboard.press("Escape")
    trust.get_by_role("button", name="Best first").click()
    found = [
        ((tile.bounding_box() or {"x": 0})["x"], score(tile)) for tile in trust.locator(STRIP).all()
    ]
    in_order = [value for _, value in sorted(found)]
    assert in_order == sorted(in_order, reverse=True)
    assert in_order != [value for _, value in found]
    # Of another layer the sentence comes by itself, from what is known.
    trust.locator(f"{STRIP}[data-layer='blocks.4']").click()
    expect(place.locator(VERDICT)).to_contain_text("Grad-CAM at blocks.4, orders", timeout=60_000)


def score(tile: Locator) -> float:
    return float(tile.get_attribute("data-score") or -2)


def test_what_was_found_is_seen_without_hunting(trust: Page) -> None:
    for kind in ("curves", "randomised", "scores"):
        place = trial(trust, kind)
        panel = trust.locator(".cam-panel").bounding_box()
        words = place.locator(VERDICT).bounding_box()
        assert panel
        assert words
        assert panel["y"] <= words["y"]
        assert words["y"] + words["height"] <= panel["y"] + panel["height"] + 1, kind


def test_a_test_can_be_cancelled_and_begun_again(trust: Page) -> None:
    held = hold(trust, "scene_curves", most=1)
    place = trust.locator(f"{VIEWER} [data-trial=curves]")
    button = place.locator("[data-action=curves]")
    button.click()
    expect(button).to_have_text("Cancel")
    expect(place.locator("progress")).to_be_visible()
    button.click()
    expect(button).to_have_text("Take away, bring in")
    expect(place.locator("progress")).to_be_hidden()
    held[0].continue_()
    settled(trust)
    expect(place.locator(VERDICT)).to_be_hidden()
    trial(trust, "curves")
    # What is here already is not asked for once more when another map was looked at meanwhile.
    trust.locator(LABELS).nth(1).click()
    expect(place.locator(VERDICT)).to_be_hidden()
    trust.locator(LABELS).first.click()
    expect(place.locator(VERDICT)).to_contain_text("Without what this map shows most, lion")


def test_a_method_that_does_not_answer_is_marked_in_the_list(trust: Page) -> None:
    choose(trust, "Method", "LayerCAM")
    settled(trust)
    field(trust, "Method").click()
    rows = trust.locator(".cam-popup:visible [role=option]")
    expect(rows.filter(has_text="LayerCAM")).to_contain_text("all labels alike here (0.")
    expect(rows.filter(has_text="HiResCAM")).not_to_contain_text("all labels alike here")


def test_curves_are_drawn_and_a_pointer_shows_what_is_gone(
    trust: Page, explainer: Explainer
) -> None:
    place = trial(trust, "curves")
    lion = explainer.explain(get_image("lion.jpg"))
    deletion = lion.deletion()
    insertion = lion.insertion(band=deletion)
    expect(place.locator(VERDICT)).to_have_text(f"{deletion.verdict} {insertion.verdict}")
    expect(place.locator(NUMBERS)).to_have_text(f"{deletion.numbers} {insertion.numbers}")
    curves = place.locator("canvas")
    expect(curves).to_have_attribute("aria-label", re.compile(re.escape(deletion.verdict)))
    before = canvas(trust)
    box = curves.bounding_box()
    assert box
    trust.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    settled(trust)
    gone = (np.abs(canvas(trust) - before).max(axis=2) > 8).mean()
    assert 0.1 < gone < 0.6
    trust.mouse.move(5, 5)
    settled(trust)
    assert np.array_equal(canvas(trust), before)


def test_random_weights_are_five_small_maps(trust: Page) -> None:
    place = trial(trust, "randomised")
    expect(place.locator(VERDICT)).to_contain_text("With a random network this map")
    expect(place.locator("figure")).to_have_count(5)
    expect(place.locator("figure").last).to_contain_text("all weights")


def test_the_sum_is_told_and_belongs_to_its_map(trust: Page) -> None:
    place = trial(trust, "completeness")
    expect(place.locator(VERDICT)).to_contain_text("that is the logit of lion")
    trust.locator(LABELS).nth(1).click()
    expect(place.locator(VERDICT)).to_be_empty()
    trust.locator(LABELS).first.click()
    expect(place.locator(VERDICT)).to_contain_text("that is the logit of lion")
    trust.locator(f"{STRIP}[data-layer='blocks.4']").click()
    trial(trust, "completeness")
    expect(place.locator(VERDICT)).to_contain_text("promises no such thing")
    expect(trust.locator(CANVAS)).to_be_visible()
