"""One server and one browser for all browser tests; a fresh page for each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from gradio.media import get_image
from playwright.sync_api import Browser, Page, sync_playwright

from camdemo import Explainer, Explanation, Settings
from camdemo.engine import LocalEngine, SharedEngine
from camdemo.models import sources
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options
from camdemo.viewer import bundle

from ..pickling_engine import PicklingEngine
from . import chromium
from .steps import opened

# As root Chromium wants no sandbox; without the last two it looks up Google's hosts.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


SETTINGS = Settings(model="efficientnet_lite0")


@pytest.fixture(scope="package")
def engine() -> PicklingEngine:
    """The page's engine: whatever a browser test does, its jobs and answers could travel."""
    return PicklingEngine(LocalEngine(settings=SETTINGS))


@pytest.fixture(scope="package")  # what it patches must be whole again for the other tests
def server(engine: PicklingEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page, over the bundled models; other weights can't be downloaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        for source in (sources.Torchvision, sources.Timm):
            patch.setattr(source, "url", lambda _, spec: f"http://127.0.0.1:9/{spec.weights}")
        explainer = Explainer(SETTINGS, engine=SharedEngine(engine))
        explainer.warm_up()
        demo = build_demo(explainer)
        options = launch_options(explainer) | {"server_name": "127.0.0.1"}
        _, address, _ = demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
        yield address
        demo.close()


@pytest.fixture(scope="session")
def explainer() -> Explainer:
    """What the page's answers are compared with."""
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.fixture(scope="session")
def lion(explainer: Explainer) -> Explanation:
    return explainer.explain(get_image("lion.jpg"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        assert path, "no Chromium: run `python tests/browser/chromium.py`"
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def alone(browser: Browser) -> Iterator[Page]:
    """The viewer without a server, for scenes that a test makes: its scripts and `viewer`."""
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(
        f"""<style>{bundle.static("viewer.css")}</style>
        <div id="viewer">{bundle.static("viewer.html")}</div>
        <script>{bundle.script()}
        const viewer = mountViewer(document.getElementById("viewer"), {{}});
        </script>"""
    )
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A page that has painted its first example; a script error on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(float(os.environ.get("CAMDEMO_TEST_PATIENCE", "10000")))
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server)
    opened(page)
    yield page
    context.close()
    assert errors == []
