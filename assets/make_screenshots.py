"""Takes the pictures of README.md from the real page: `make screenshots`."""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from pathlib import Path

import torch
from gradio import Blocks
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.folder import make_photos  # noqa: E402
from camdemo import Explainer, Settings, explain_many  # noqa: E402
from camdemo.models import catalogue, networks  # noqa: E402
from camdemo.ui.page import build_demo  # noqa: E402
from camdemo.ui.server.launching import launch_options  # noqa: E402
from tests.browser import chromium  # noqa: E402
from tests.browser.conftest import OPTIONS  # noqa: E402
from tests.browser.steps import example, settled  # noqa: E402


def main() -> None:
    """Serve the page, click through it, take the pictures."""
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    demo, address = served(explainer)
    own, own_address = served(animals())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find_or_install(playwright), args=OPTIONS
        )
        page = opened(browser, address, 1280, 800)
        page.screenshot(path=HERE / "screenshot.png")
        example(page, "Cheetah + lion")
        page.mouse.move(0, 0)
        animate(page, HERE / "viewer.webp")
        phone = opened(browser, address, 390, 844, is_mobile=True, has_touch=True)
        phone.screenshot(path=HERE / "phone.png")
        page = opened(browser, own_address, 1280, 800)
        take(page, HERE / "own.webp")
        contact_sheet(browser, explainer, HERE / "sheet.webp")
        browser.close()
    demo.close()
    own.close()


def served(explainer: Explainer) -> tuple[Blocks, str]:
    """The page, and where it is."""
    explainer.warm_up()
    demo = build_demo(explainer)
    _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(explainer))
    return demo, address


# Of ImageNet's labels those of a kind, by their indices.
KINDS = {
    "bird": {*range(7, 25), *range(80, 101), *range(127, 147)},
    "dog": {*range(151, 269)},
    "cat": {*range(281, 294)},
}
KINDS["something else"] = set(range(1000)).difference(*KINDS.values())


class Animals(torch.nn.Module):
    """Somebody's own network: EfficientNet-Lite0, which tells four kinds of things apart."""

    def __init__(self, body: torch.nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        logits = self.body(photo)
        kinds = [logits[:, list(indices)].logsumexp(1) for indices in KINDS.values()]
        return torch.stack(kinds, 1)


def animals() -> Explainer:
    """It, beside the others."""
    spec = catalogue.find("efficientnet_lite0")
    model = Animals(networks.load(spec))
    return Explainer().add(model, labels=list(KINDS), transform=spec.transform)


def take(page: Page, path: Path) -> None:
    """What is on the screen, smaller than as a PNG."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=80, method=6)


def opened(browser: Browser, address: str, width: int, height: int, **kind: bool) -> Page:
    """The page as it opens, with all that follows the first picture."""
    page = browser.new_context(viewport={"width": width, "height": height}, **kind).new_page()
    page.goto(address)
    page.wait_for_selector('.cam[data-empty="false"]')
    settled(page)
    page.wait_for_timeout(1000)  # what fades and moves has come to rest
    return page


# What of the photos at hand ImageNet has a name for.
EXPECTED = {
    "lion": "lion",
    "cheetah": "cheetah",
    "chelsea": "tabby",
    "coffee": "espresso",
    "motorcycle_left": "moped",
    "rocket": "missile",
}


def contact_sheet(browser: Browser, explainer: Explainer, path: Path) -> None:
    """The sheet of 120 photos, with what some of them show."""
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder), 120)
        labels = Path(folder, "labels.csv")
        with labels.open("w", newline="") as file:
            names = [(photo.name, EXPECTED.get(photo.name.rpartition("-")[0])) for photo in photos]
            csv.writer(file).writerows(row for row in names if row[1])
        output = Path(folder, "out")
        explain_many(folder, output, explainer=explainer, expected=labels)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto((output / "index.html").as_uri())
        page.wait_for_timeout(1000)
        take(page, path)


def animate(page: Page, path: Path) -> None:
    """A duel, labels, layers, the other look, the hottest part hidden; about eight seconds."""
    keys = ["", "", "d", "2", "2", "1", *["ArrowLeft"] * 4, *["ArrowRight"] * 4, "n", "", "n"]
    keys += ["h", "", "", "", "x", "d", "", "", *["ArrowLeft"] * 3, *["ArrowRight"] * 3, "d", ""]
    frames = []
    for key in keys:
        if key:
            page.keyboard.press(key)
        settled(page)
        page.wait_for_timeout(150)
        frames.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    frames[0].save(
        path, save_all=True, append_images=frames[1:], duration=280, loop=0, quality=60, method=4
    )


if __name__ == "__main__":
    main()
