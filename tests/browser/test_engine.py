"""The whole page over an engine that pickles every job and answer, as all tests beside this do."""

from __future__ import annotations

from playwright.sync_api import Page

from ..pickling_engine import PicklingEngine
from .steps import VIEWER, changed, example, settled


def test_everything_that_the_page_asks_can_travel(page: Page, engine: PicklingEngine) -> None:
    engine.jobs.clear()
    example(page, "Tower")
    changed(page, lambda: page.keyboard.press("h"))  # hide, and the yardstick
    settled(page)
    page.keyboard.press("]")  # another frame: a glance, and an explanation of its own
    page.wait_for_function(f"document.querySelector('{VIEWER}').dataset.framing.includes(',')")
    settled(page)
    assert {"FirstMap", "Sweep", "Score"} <= set(engine.jobs)
