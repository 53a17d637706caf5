"""The tab Trust: what a map is put to, each test on one press."""

from __future__ import annotations

import numpy as np
import pytest
from gradio.media import get_image
from playwright.sync_api import Locator, Page, expect

from camdemo import Explainer

from .steps import CANVAS, LABELS, STRIP, VIEWER, canvas, example, settled


def trial(page: Page, kind: str) -> Locator:
    """One of the tests, after it was pressed and answered."""
    place = page.locator(f"{VIEWER} [data-trial={kind}]")
    place.get_by_role("button").click()
    expect(place.locator("p")).not_to_be_empty()
    expect(place.get_by_role("button")).to_be_enabled(timeout=60_000)
    settled(page)
    return place


@pytest.fixture
def trust(page: Page) -> Page:
    example(page, "Lion")
    page.get_by_role("tab", name="Trust").click()
    return page


def test_scores_stand_at_the_layers_and_in_words(trust: Page, explainer: Explainer) -> None:
    place = trial(trust, "scores")
    scores = explainer.explain(get_image("lion.jpg")).scores()
    expect(place.locator("p")).to_have_text(scores.text)
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


def test_curves_are_drawn_and_a_pointer_shows_what_is_gone(
    trust: Page, explainer: Explainer
) -> None:
    place = trial(trust, "curves")
    lion = explainer.explain(get_image("lion.jpg"))
    deletion = lion.deletion()
    words = f"{deletion.text} {lion.insertion(band=deletion).text}"
    expect(place.locator("p")).to_have_text(words)
    curves = place.locator("canvas")
    expect(curves).to_have_attribute("aria-label", words)
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
    expect(place.locator("p")).to_contain_text("With a random network this map")
    expect(place.locator("figure")).to_have_count(5)
    expect(place.locator("figure").last).to_contain_text("all weights")


def test_the_sum_is_told_and_belongs_to_its_map(trust: Page) -> None:
    place = trial(trust, "completeness")
    expect(place.locator("p")).to_contain_text("that is the logit of lion")
    trust.locator(LABELS).nth(1).click()
    expect(place.locator("p")).to_be_empty()
    trust.locator(LABELS).first.click()
    expect(place.locator("p")).to_contain_text("that is the logit of lion")
    trust.locator(f"{STRIP}[data-layer='blocks.4']").click()
    trial(trust, "completeness")
    expect(place.locator("p")).to_contain_text("promises no such thing")
    expect(trust.locator(CANVAS)).to_be_visible()
