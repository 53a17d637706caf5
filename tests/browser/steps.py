"""What the browser tests do with the page, in the words of a person."""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Callable

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

# How long a page may take, in milliseconds: on a busy machine seconds count for nothing.
PATIENCE = float(os.environ.get("CAMDEMO_TEST_PATIENCE", "10000"))
expect.set_options(timeout=PATIENCE)

VIEWER = "#viewer"
TITLE = f"{VIEWER} .cam-title"
LABELS = f"{VIEWER} .cam-labels button"
STRIP = f"{VIEWER} .cam-strip button"


def example(page: Page, name: str) -> None:
    """Click an example, and wait until all its maps are there."""
    page.locator("#examples button").filter(
        has_text=re.compile(rf"^\s*{re.escape(name)}\s*$")
    ).click()
    expect(page.locator(f"{VIEWER} .cam")).to_have_attribute("data-empty", "false")
    settled(page)


def settled(page: Page) -> None:
    """Wait until no request of the viewer is under way and the picture has been painted."""
    expect(page.locator(f"{VIEWER} .cam-busy")).to_be_hidden()
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def canvas(page: Page) -> np.ndarray:
    """The pixels of the canvas, int (H, W, 3)."""
    address = page.locator(f"{VIEWER} canvas.cam-picture").evaluate("c => c.toDataURL('image/png')")
    body = base64.b64decode(address.split(",", 1)[1])
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)


def frame(page: Page) -> int:
    """How often the viewer has painted."""
    return int(page.locator(VIEWER).get_attribute("data-frame") or 0)


def changed(page: Page, act: Callable[[], object]) -> np.ndarray:
    """The picture after `act`, which must bring another one."""
    before = page.evaluate(f"document.querySelector('{VIEWER} canvas').toDataURL()")
    act()
    page.wait_for_function(
        f"before => document.querySelector('{VIEWER} canvas').toDataURL() !== before", arg=before
    )
    settled(page)
    return canvas(page)


def choose_model(page: Page, title: str) -> None:
    """Pick a model by typing, as the dropdown's search invites to."""
    field = page.get_by_label("Model", exact=True)
    field.fill("")
    field.press_sequentially(title)
    page.get_by_role("option", name=title).first.click()
