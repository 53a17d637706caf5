"""Opening the page: at once, whatever its link asks for; what that is follows."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from benchmarks.visitor import Client, Refused
from camdemo import Explainer, Explanation, Settings, WeightsError
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .served import run

MODEL = "efficientnet_lite0"
LINK = {"example": "Lion", "layer": "blocks.5", "label": "tiger", "view": "heat"}


class Slow(Explainer):
    """Fetches and explains nothing before the gate is open."""

    def __init__(self) -> None:
        super().__init__(Settings(model=MODEL, lanes=3))
        self.gate = threading.Event()
        self.fetched: list[str] = []

    def fetch(self, model: str, *more: Any) -> None:
        self.fetched.append(model)
        assert self.gate.wait(60)
        raise WeightsError(f"There is no network for {model}.")

    def explain(self, *given: Any, **more: Any) -> Explanation:
        assert self.gate.wait(60)
        return super().explain(*given, **more)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Slow]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    explainer = Slow()
    demo = build_demo(explainer)
    options = launch_options(explainer) | {"server_name": "127.0.0.1"}
    demo.queue(max_size=1).launch(prevent_thread_lock=True, quiet=True, **options)
    explainer.page = demo
    yield explainer
    explainer.gate.set()
    demo.close()


def event(config: dict, function: str) -> dict:
    return next(one for one in config["dependencies"] if one["api_name"] == function)


async def visitor(address: str) -> tuple[httpx.AsyncClient, Client]:
    http = httpx.AsyncClient(base_url=address, timeout=30)
    return http, Client(http, (await http.get("/config")).json())


async def opened(client: Client, link: dict) -> dict:
    """What Gradio's page gets when it opens: the answer to its load event, as it asks for it."""
    load = event(client.config, "open_page")
    assert load["queue"] is False
    body = {"data": [], "fn_index": load["id"], "session_hash": client.session}
    answer = await client.http.post("/gradio_api/run/predict", json=body, params=link)
    assert answer.status_code == 200
    return answer.json()


def test_a_page_opens_while_links_wait_for_their_models(slow: Slow) -> None:
    """More of them than there is room: of other models, and of the one that is there."""
    links = [LINK | {"model": "vgg16"}] * 20 + [LINK] * 20 + [{}] * 5

    async def visit() -> list[dict]:
        http, client = await visitor(slow.page.local_url)
        following, answers = [], []
        for link in links:
            one = Client(http, client.config)
            answer = await opened(one, link)
            answers.append(answer)
            # What Gradio's page then does: ask for the event of the text that has changed.
            awaited, asked = (text if isinstance(text, str) else "" for text in answer["data"][3:])
            if awaited:
                fetch = event(client.config, "fetch_link")["id"]
                following.append(asyncio.create_task(one.run(fetch, [awaited])))
            if asked:
                show = event(client.config, "answer_link")["id"]
                following.append(asyncio.create_task(one.run(show, [asked, None, ""])))
        await asyncio.sleep(0.5)
        assert len(following) == 40  # and none of them is done
        late = await opened(Client(http, client.config), {})  # one more, now that all others wait
        slow.gate.set()
        await asyncio.gather(*following, return_exceptions=True)
        await http.aclose()
        return [*answers, late]

    for answer in run(visit()):
        assert answer["data"][0]["value"] == MODEL


def test_what_a_link_asks_for_follows(slow: Slow) -> None:
    slow.gate.set()

    async def visit() -> list:
        http, client = await visitor(slow.page.local_url)
        asked = (await opened(client, LINK))["data"][4]
        following = event(client.config, "answer_link")
        data = await client.run(following["id"], [asked, None, ""])
        await http.aclose()
        return data

    value, model, _, example, framing, frame = run(visit())
    scene = json.loads(value)
    assert (scene["layer"], scene["model"]["name"]) == ("blocks.5", MODEL)
    assert scene["wanted"] == {"view": "heat"}
    assert "tiger" in [one["label"] for one in scene["labels"]]
    assert (example, framing, frame) == ("Lion", "crop", "crop")
    assert model in (None, MODEL)  # a state stays on the server


def test_a_visitor_who_has_chosen_meanwhile_keeps_it(slow: Slow) -> None:
    slow.gate.set()

    async def visit() -> list:
        http, client = await visitor(slow.page.local_url)
        asked = (await opened(client, LINK))["data"][4]
        data = await client.run(event(client.config, "answer_link")["id"], [asked, None, "Tower"])
        await http.aclose()
        return data

    assert {"__type__": "update"} in run(visit())  # nothing changes


def test_a_link_to_a_model_without_a_network_says_so(slow: Slow) -> None:
    slow.gate.set()

    async def visit() -> None:
        http, client = await visitor(slow.page.local_url)
        awaited = (await opened(client, LINK | {"model": "vgg16"}))["data"][3]
        try:
            await client.run(event(client.config, "fetch_link")["id"], [awaited])
        finally:
            await http.aclose()

    with pytest.raises(Refused, match=r"link asks for what can.*no network for vgg16"):
        run(visit())
    assert slow.fetched == ["vgg16"]


def test_a_link_that_a_client_makes_up_shows_nothing(slow: Slow) -> None:
    async def visit() -> list[list]:
        http, client = await visitor(slow.page.local_url)
        answers = [
            await client.run(event(client.config, "answer_link")["id"], [asked, None, ""])
            for asked in (None, 5, [], {"a": 1}, "", "example=/etc/passwd", "x" * 9999)
        ]
        await http.aclose()
        return answers

    for answer in run(visit()):
        assert answer[3] == {"__type__": "update"}  # the example stays what it is


def test_links_wait_in_the_queue_like_everybody(slow: Slow) -> None:
    """Explaining has the limits of explaining, fetching those of fetching."""
    config = httpx.get(f"{slow.page.local_url}config").json()
    explaining = [fn for fn in slow.page.fns.values() if fn.concurrency_id == "explain"]
    names = {fn.api_name for fn in explaining}
    assert "answer_link" in names
    assert len(explaining) >= 7
    fetching = [fn for fn in slow.page.fns.values() if fn.concurrency_id == "fetch"]
    assert {fn.api_name for fn in fetching} == {"fetch", "fetch_link"}
    assert event(config, "answer_link")["queue"] is not False


def test_how_many_are_explained_at_once_follows_from_the_lanes(slow: Slow) -> None:
    explaining = [fn for fn in slow.page.fns.values() if fn.concurrency_id == "explain"]
    assert {fn.concurrency_limit for fn in explaining} == {6}  # three lanes, two each


def test_waiting_for_the_first_model_holds_no_thread(slow: Slow) -> None:
    """A hundred open pages that wait for it would else be a hundred threads that do nothing."""
    warming = threading.Thread(target=slow.warm_up)
    warming.start()
    before = threading.active_count()

    async def visit() -> int:
        http, client = await visitor(slow.page.local_url)
        body = {"data": [], "fn_index": event(client.config, "settle")["id"]}
        asked = [
            asyncio.create_task(http.post("/gradio_api/run/predict", json=body)) for _ in range(60)
        ]
        await asyncio.sleep(1)
        assert not any(one.done() for one in asked)
        threads = threading.active_count()
        slow.gate.set()
        for answer in await asyncio.gather(*asked):
            assert answer.status_code == 200
        await http.aclose()
        return threads

    assert run(visit()) - before < 60  # some run for a moment, as many as wait would be 60
    warming.join()
