"""Two page processes behind the proxy of deploy/, as visitors meet them in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from gradio.media import get_image
from playwright.sync_api import Browser, Page, expect

from ..proxied import NAMES, Proxy, proxied
from ..served import Served, arguments, served
from .conftest import visit
from .steps import ASKED, TITLE, drag, example, opened, said, upload

EXPIRED = "This explanation is no longer on the server. Choose the photo again."


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """Both, started at the same time; by their names in the proxy's file."""
    with ExitStack() as stack, ThreadPoolExecutor() as pool:

        def start(name: str) -> Served:
            return stack.enter_context(served(tmp_path_factory.mktemp(name), "--lanes", "1"))

        yield dict(zip(NAMES, pool.map(start, NAMES), strict=True))


@pytest.fixture(scope="module")
def proxy(
    processes: dict[str, Served], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    pages = [page.address for page in processes.values()]
    with proxied(tmp_path_factory.mktemp("proxy"), pages) as started:
        started.wait_for(one="UP", two="UP")
        yield started


@pytest.fixture
def two(browser: Browser, proxy: Proxy) -> Iterator[tuple[Page, Page]]:
    """Two visitors with their pages, each of which has painted its first example."""
    with ExitStack() as stack:
        pages = []
        for _ in range(2):
            size = {"width": 1280, "height": 800}
            context = browser.new_context(viewport=size)
            stack.callback(context.close)
            pages.append(stack.enter_context(visit(context)))
            pages[-1].goto(proxy.address)
            opened(pages[-1])
        yield pages[0], pages[1]


def process_of(page: Page) -> str:
    """Which process a visitor has, as the proxy's cookie says."""
    (cookie,) = page.context.cookies()
    return cookie["value"]


def opens(server: Served) -> int:
    """How many scenes it was asked for."""
    return sum(line["request"] == "open" for line in server.log())


def test_visitors_are_spread_and_stay(two: tuple[Page, Page], processes: dict[str, Served]) -> None:
    first, second = two
    assert {process_of(first), process_of(second)} == set(NAMES)
    mine, theirs = (processes[process_of(page)] for page in two)
    before = opens(mine), opens(theirs)
    first.reload()
    opened(first)
    example(first, "Tower")
    assert (opens(mine), opens(theirs)) == (before[0] + 2, before[1])


def test_all_that_a_visitor_does_passes(two: tuple[Page, Page]) -> None:
    """A photo of their own, its maps, a hidden part with the yardstick beside it, a duel."""
    page, _ = two
    upload(page, Path(get_image("lion.jpg")))
    expect(page.locator(TITLE)).to_have_text("lion · 90 %")
    drag(page, (0.3, 0.2), (0.6, 0.6))
    expect(page.locator(ASKED)).to_contain_text("on average, give or take")
    page.get_by_label("Against", exact=True).select_option("")
    example(page, "Cheetah + lion")
    expect(page.locator(TITLE)).to_have_text(re.compile("^(lion|cheetah) · .* against "))


def test_a_stream_comes_as_it_is_sent(proxy: Proxy) -> None:
    """The first line of one that goes on: whoever collected it would have nothing to give yet."""
    with httpx.stream("GET", f"{proxy.address}/gradio_api/heartbeat/one", timeout=10) as answer:
        assert next(answer.iter_lines()) == "data: ALIVE"


def test_a_program_gets_its_answers(proxy: Proxy) -> None:
    """By curl, which keeps no cookie: the number of an event, and then the answer."""
    with open(get_image("lion.jpg"), "rb") as photo:
        path = httpx.post(f"{proxy.address}/gradio_api/upload", files={"files": photo}).json()[0]
    config = httpx.get(f"{proxy.address}/config").json()
    data = arguments(config, {"path": path, "meta": {"_type": "gradio.FileData"}})
    call = f"{proxy.address}/gradio_api/call/explain"
    event = httpx.post(call, json={"data": data}).json()["event_id"]
    told = httpx.get(f"{call}/{event}", timeout=60).text
    assert "event: complete" in told
    assert "lion" in told


def test_a_process_that_dies_is_told_of_in_a_sentence(
    two: tuple[Page, Page], processes: dict[str, Served]
) -> None:
    """What it remembered is gone, and said; the next photo is answered by the other process."""
    page, beside = two
    upload(page, Path(get_image("cheetah.jpg")))
    name = process_of(page)
    processes[name].process.kill()
    processes[name].process.wait()
    drag(page, (0.3, 0.2), (0.6, 0.6))
    expect(said(page, "hide")).to_have_text(EXPIRED)
    upload(page, Path(get_image("lion.jpg")))
    expect(page.locator(TITLE)).to_have_text("lion · 90 %")
    assert process_of(page) != name
    page.reload()
    opened(page)
    example(beside, "Cheetah")
