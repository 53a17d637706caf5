"""What those see who have to wait: where they stand, that there is no room, that it gets ready."""

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

from .steps import VIEWER

LANES = 2
AT_ONCE = 2 * LANES  # events of the page that run at the same time
BUSY = "currently busy. Please try again"


class Patient(Explainer):
    """Explains nothing before the gate is open."""

    def __init__(self) -> None:
        super().__init__(Settings(model="efficientnet_lite0", lanes=LANES))
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
    _, address, _ = demo.queue(max_size=1).launch(prevent_thread_lock=True, quiet=True, **options)
    yield address
    patient.gate.set()
    demo.close()


def test_the_page_says_where_one_stands_and_that_there_is_no_room(
    patient: Patient, address: str, browser: Browser
) -> None:
    with ExitStack() as stack:

        def visitor() -> Page:
            page = stack.enter_context(browser.new_context()).new_page()
            page.goto(address)
            page.wait_for_function("document.querySelector('input[aria-label=Model]')?.value")
            return page

        visitors = [visitor() for _ in range(AT_ONCE + 2)]
        for number, page in enumerate(visitors):
            page.locator("#examples button").nth(1).click()
            tracker = page.locator(f"{VIEWER} [data-testid=status-tracker]")
            if number < AT_ONCE:
                expect(tracker).to_contain_text("processing")
            elif number == AT_ONCE:
                waiting = tracker.locator(".progress-text")
                expect(waiting).to_contain_text("queue: 1/1")
                expect(waiting).to_be_visible()
                box = waiting.bounding_box()
                title = page.locator(f"{VIEWER} .cam-title").bounding_box()
                assert box["y"] + box["height"] <= title["y"] + 4  # it covers nothing
            else:
                toast = page.locator("[data-testid=toast-body]")
                expect(toast.filter(has_text=BUSY).first).to_be_visible()
        patient.gate.set()
        for page in visitors[: AT_ONCE + 1]:
            expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")
        visitors[-1].locator("#examples button").nth(1).click()  # and then there is room
        expect(visitors[-1].locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")


def test_a_visitor_who_is_faster_than_the_model_sees_that_it_gets_ready(
    patient: Patient, address: str, browser: Browser
) -> None:
    warming = threading.Thread(target=patient.warm_up)
    warming.start()
    page = browser.new_page()
    page.goto(address)
    note = page.locator("#headline p")
    expect(note).to_have_text(
        "Getting ready: the first model is being loaded. You can choose a photo already."
    )
    page.locator("#examples button").nth(1).click()  # already
    patient.gate.set()
    warming.join()
    expect(note).to_have_text("")
    expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")
    page.close()
