"""What those see who have to wait: that it gets ready, where they stand, that there is no room."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from camdemo import Explainer, Explanation, Settings
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .steps import CAM, EXAMPLES, TITLE, VIEWER, opened, said

LANES = 2
AT_ONCE = 2 * LANES  # photos that are explained at the same time
WAITING = 2
BUSY = f"{VIEWER} .cam-canvas .cam-busy"
DOING = f"{BUSY} .cam-doing"
STARTING = "Starting the model, about 5 s"


class Patient(Explainer):
    """Explains nothing before the gate is open."""

    def __init__(self) -> None:
        super().__init__(Settings(model="efficientnet_lite0", lanes=LANES, max_queue=WAITING))
        self.gate = threading.Event()

    def explain(self, *given: Any, **more: Any) -> Explanation:
        assert self.gate.wait(60)
        return super().explain(*given, **more)


@pytest.fixture
def patient() -> Patient:
    return Patient()


@pytest.fixture
def address(
    patient: Patient, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
    demo = build_demo(patient)
    options = launch_options(patient) | {"server_name": "127.0.0.1"}
    _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
    yield address
    patient.gate.set()
    demo.close()


def test_a_cold_server_says_so_in_the_canvas_and_a_click_waits_with_feedback(
    patient: Patient, address: str, browser: Browser
) -> None:
    warming = threading.Thread(target=patient.warm_up)
    warming.start()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    expect(page.locator(DOING)).to_have_text(STARTING)
    expect(page.locator(DOING)).to_be_visible()
    box, canvas = page.locator(DOING).bounding_box(), page.locator(f"{VIEWER} .cam-canvas")
    area = canvas.bounding_box()
    assert box
    assert area
    assert area["y"] <= box["y"] < area["y"] + area["height"] / 2
    page.locator(EXAMPLES).filter(has_text="Tower").click()  # already
    page.wait_for_timeout(1500)  # and as long as it takes
    expect(page.locator(DOING)).to_have_text(STARTING)
    expect(page.locator(BUSY)).to_be_visible()
    assert page.locator(f"{VIEWER} .cam-said:not(:empty)").count() == 0
    patient.gate.set()
    warming.join()
    opened(page)
    expect(page.locator(TITLE)).to_contain_text("obelisk")  # what was clicked, not the opening
    expect(page.locator(DOING)).to_have_text("")
    page.close()


def test_the_page_says_where_one_stands_and_that_there_is_no_room(
    patient: Patient, address: str, browser: Browser
) -> None:
    patient.gate.set()
    patient.warm_up()
    patient.gate.clear()
    with ExitStack() as stack:

        def visitor() -> Page:
            page = stack.enter_context(browser.new_context()).new_page()
            page.goto(address)
            expect(page.locator(EXAMPLES).first).to_be_visible()
            return page

        visitors = []
        for number in range(AT_ONCE + WAITING + 1):
            page = visitor()
            visitors.append(page)
            if number < AT_ONCE + WAITING:
                before = number - AT_ONCE
                text = f"Your turn comes: {before} before you" if before > 0 else "Explaining"
                expect(page.locator(DOING)).to_have_text(text)
            else:
                expect(said(page, "canvas")).to_contain_text("Many are asking at the moment.")
                expect(page.locator(BUSY)).to_be_hidden()
        patient.gate.set()
        for page in visitors[:-1]:
            expect(page.locator(CAM)).to_have_attribute("data-empty", "false")
        visitors[-1].locator(EXAMPLES).nth(1).click()  # and then there is room
        expect(visitors[-1].locator(CAM)).to_have_attribute("data-empty", "false")
        expect(said(visitors[-1], "canvas")).to_be_empty()
