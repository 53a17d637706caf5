"""Takes the pictures of README.md from the real page: `make screenshots`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from camdemo import Explainer, Settings  # noqa: E402
from camdemo.ui.page import build_demo  # noqa: E402
from camdemo.ui.server.launching import launch_options  # noqa: E402
from tests.browser import chromium  # noqa: E402
from tests.browser.conftest import OPTIONS  # noqa: E402
from tests.browser.steps import example, settled  # noqa: E402


def main() -> None:
    """Serve the page, click through it, take the pictures."""
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    explainer.warm_up()
    demo = build_demo(explainer)
    address = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(explainer))[1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find_or_install(playwright), args=OPTIONS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 1080})
        page.goto(address)
        page.wait_for_function("document.querySelector('input[aria-label=Model]')?.value")
        example(page, "Lion")
        page.mouse.move(0, 0)
        page.wait_for_timeout(500)  # the pointer's hover colours fade
        page.screenshot(path=HERE / "screenshot.png")
        page.set_viewport_size({"width": 1280, "height": 860})
        example(page, "Cheetah + lion")
        page.get_by_label("Whole photo").check()
        page.wait_for_timeout(1000)
        settled(page)
        page.locator("#headline").click()  # the keys belong to the page again
        animate(page, HERE / "viewer.webp")
        browser.close()
    demo.close()


def animate(page: Page, path: Path) -> None:
    """Labels, layers, evidence, the hottest part hidden, a duel; about eight seconds."""
    keys = ["", "", "2", "2", "1", *["ArrowLeft"] * 5, *["ArrowRight"] * 5, "e", "e", "e"]
    keys += ["h", "", "", "", "x", "d", "", "", *["ArrowLeft"] * 3, *["ArrowRight"] * 3, "d", ""]
    frames = []
    for key in keys:
        if key:
            page.keyboard.press(key)
        settled(page)
        frames.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=280, loop=0, quality=60, method=4
    )


if __name__ == "__main__":
    main()
