"""Takes the pictures of README.md from the real page: `make screenshots`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from camdemo import Explainer, Settings  # noqa: E402
from camdemo.ui.blocks import build_demo, launch_options  # noqa: E402
from tests.browser import chromium  # noqa: E402
from tests.browser.conftest import OPTIONS  # noqa: E402


def main() -> None:
    """Serve the page, click the lion, take the picture."""
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    explainer.warm_up()
    demo = build_demo(explainer)
    address = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())[1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find_or_install(playwright), args=OPTIONS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(address)
        page.locator("#examples button").nth(1).click()
        page.locator("#picture img").wait_for()
        page.wait_for_timeout(500)  # the pointer's hover colours fade
        page.mouse.move(0, 0)
        page.screenshot(path=HERE / "screenshot.png")
        browser.close()
    demo.close()


if __name__ == "__main__":
    main()
