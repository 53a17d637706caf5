"""One server and one browser for all browser tests; a fresh page for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from gradio.media import get_image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from camdemo import Explainer, Explanation, Settings
from camdemo.engine import LocalEngine, SharedEngine
from camdemo.models import sources
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options
from camdemo.viewer import bundle

from ..pickling_engine import PicklingEngine
from . import chromium
from .steps import PATIENCE, opened

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


@contextmanager
def visitors(browser: Browser, server: str, **options: object) -> Iterator[BrowserContext]:
    """Where tests open their pages, one after the other.

    Something of the server's stays open beside them: with it the site's process stays, and the
    scripts that this has compiled. Without it a page takes three times as long to load.
    """
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    context.new_page().goto(f"{server}health")
    yield context
    context.close()


@contextmanager
def visit(context: BrowserContext) -> Iterator[Page]:
    """A fresh page; a script error on it fails the test."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    context.clear_permissions()
    assert errors == []


@pytest.fixture(scope="package")
def desks(browser: Browser, server: str) -> Iterator[BrowserContext]:
    with visitors(browser, server, viewport={"width": 1280, "height": 800}) as context:
        yield context


@pytest.fixture(scope="package")
def phones(browser: Browser, server: str) -> Iterator[BrowserContext]:
    size = {"width": 390, "height": 844}
    with visitors(browser, server, viewport=size, has_touch=True, is_mobile=True) as context:
        yield context


@pytest.fixture
def tab(desks: BrowserContext) -> Iterator[Page]:
    """An empty page, for tests that open an address of their own."""
    with visit(desks) as page:
        yield page


@pytest.fixture
def page(tab: Page, server: str) -> Page:
    """A page that has painted its first example."""
    tab.goto(server)
    opened(tab)
    return tab


@pytest.fixture
def phone_tab(phones: BrowserContext) -> Iterator[Page]:
    """An empty page of a phone."""
    with visit(phones) as page:
        yield page
