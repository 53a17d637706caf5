"""Opening the page: at once, whatever others wait for; and how many are answered at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio.media import get_image

from benchmarks.visitor import Client, Refused
from camdemo import Explainer, Explanation, Settings, WeightsError
from camdemo.ui.answers import Answers
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options

from .served import arguments, run

MODEL = "efficientnet_lite0"
LION, TOWER = {"example": "Lion"}, {"example": "Tower"}
FAR = "vgg16"  # its weights are not here


class Slow(Explainer):
    """Fetches what is not here, and explains, as soon as the gates are open."""

    def __init__(self) -> None:
        super().__init__(Settings(model=MODEL, lanes=3, max_queue=12))
        self.fetching, self.explaining = threading.Event(), threading.Event()
        self.fetched: list[str] = []
        self.asked = 0
        self.now = 0  # explanations that run
        self.most = 0
        self._lock = threading.Lock()

    def fetch(self, model: str, *more: Any) -> None:
        if model != FAR:
            return
        self.fetched.append(model)
        assert self.fetching.wait(60)
        raise WeightsError(f"There is no network for {model}.")

    def explain(self, *given: Any, **more: Any) -> Explanation:
        with self._lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            assert self.explaining.wait(60)
            return super().explain(*given, **more)
        finally:
            with self._lock:
                self.now -= 1


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What a viewer asks for maps is answered as soon as this is set."""
    gate = threading.Event()

    def maps(_self: Answers, _question: Any) -> dict[str, Any]:
        assert gate.wait(60)
        return {"maps": []}

    monkeypatch.setattr(Answers, "maps", maps)
    yield gate
    gate.set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Slow]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    explainer = Slow()
    demo = build_demo(explainer)
    options = launch_options(explainer) | {"server_name": "127.0.0.1"}
    demo.queue(max_size=1).launch(prevent_thread_lock=True, quiet=True, **options)
    explainer.address = demo.local_url
    yield explainer
    explainer.fetching.set()
    explainer.explaining.set()
    demo.close()


Visit = Callable[[Callable[[], Client]], Coroutine[Any, Any, Any]]


def visit(slow: Slow, what: Visit) -> Any:
    """Run a visit with a function that makes clients, each with a session of its own."""

    async def ask() -> Any:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=slow.address, timeout=60, limits=limits) as http:
            config = (await http.get("/config")).json()
            return await what(lambda: Client(http, config))

    return run(ask())


async def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


async def wait_behind(client: Client, count: int) -> None:
    """Until this visitor has its place, behind so many others who wait."""
    await asyncio.sleep(0.1)  # of the first one it can't be seen
    for _ in range(500):
        if (await client.ask("page_waiting", {}))["before"] == max(count, 0):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never had its place")


def test_a_page_opens_while_others_wait_for_models_and_turns(slow: Slow) -> None:
    async def open_pages(client: Callable[[], Client]) -> tuple[list, list]:
        one = asyncio.create_task
        following = [one(client().open(LION, model=FAR)) for _ in range(40)]
        # No two ask the same: of those six have their turn, and twelve wait for it.
        following += [one(client().open(LION, target=str(n))) for n in range(18)]
        await until(lambda: len(slow.fetched) == 40 and slow.now == 6)
        opened = []
        for _ in range(5):
            late = client()
            assert (await late.http.get("/")).status_code == 200
            opened.append(await late.ask("page_start", {}))
        assert not any(each.done() for each in following)
        slow.fetching.set()
        slow.explaining.set()
        return opened, await asyncio.gather(*following, return_exceptions=True)

    opened, answers = visit(slow, open_pages)
    assert {answer["opening"] for answer in opened} == {"Lion"}
    assert sum(isinstance(answer, Refused) for answer in answers) == 40
    assert sum(isinstance(answer, dict) for answer in answers) == 18


def test_a_flood_of_questions_is_refused_at_once_and_keeps_nobody_from_a_photo(
    held: threading.Event, slow: Slow
) -> None:
    """Of 150 sessions twelve are at work and 48 wait, without a thread each."""

    async def flood(client: Callable[[], Client]) -> tuple[int, list, dict]:
        before = threading.active_count()
        flooding = [asyncio.create_task(client().ask("scene_maps", {})) for _ in range(150)]
        await until(lambda: sum(one.done() for one in flooding) == 90)
        threads = threading.active_count() - before
        late = client()
        assert (await late.http.get("/")).status_code == 200
        opening = asyncio.create_task(late.open(LION))
        await until(lambda: slow.now == 1)
        assert sum(one.done() for one in flooding) == 90
        held.set()
        slow.explaining.set()
        return threads, await asyncio.gather(*flooding, return_exceptions=True), await opening

    threads, answers, scene = visit(slow, flood)
    assert threads < 100
    refused = [str(one) for one in answers if isinstance(one, Refused)]
    assert refused == ["Many are asking at the moment. Try again in a minute."] * 90
    assert sum(isinstance(one, dict) for one in answers) == 60
    assert scene["labels"][0]["label"] == "lion"


def test_programs_pass_the_same_admission_and_have_no_visitors_place(slow: Slow) -> None:
    async def flood(client: Callable[[], Client]) -> list:
        one = client()
        event = next(each for each in one.config["dependencies"] if each["api_name"] == "explain")
        file = await one.upload(Path(get_image("lion.jpg")).read_bytes())

        async def ask(number: int) -> Any:
            given = arguments(one.config, file, target=str(number))
            return await client().run(event["id"], given)

        flooding = []
        for number in range(30):  # Gradio's own queue refuses what comes faster than it passes on
            flooding.append(asyncio.create_task(ask(number)))
            await asyncio.sleep(0.1)
        await until(lambda: sum(one.done() for one in flooding) == 15)
        assert slow.now == 3
        mine = asyncio.create_task(client().open(LION))
        await until(lambda: slow.now == 4)
        slow.explaining.set()
        await mine
        return await asyncio.gather(*flooding, return_exceptions=True)

    answers = visit(slow, flood)
    assert sum(isinstance(one, list) for one in answers) == 15
    refused = {str(one) for one in answers if isinstance(one, Refused)}
    assert refused == {"Many are asking at the moment. Try again in a minute."}


def test_what_a_link_asks_for_is_one_question(slow: Slow) -> None:
    slow.explaining.set()
    link = {"layer": "blocks.5", "target": "tiger", "versus": "lion", "framing": "whole"}
    scene = visit(slow, lambda client: client().open(LION, method="hirescam", **link))
    assert (scene["layer"], scene["model"]["name"]) == ("blocks.5", MODEL)
    assert (scene["method"], scene["framing"], scene["example"]) == ("hirescam", "whole", "Lion")
    names = {one["index"]: one["label"] for one in scene["labels"]}
    assert (names[scene["target"]], names[scene["versus"][0]]) == ("tiger", "lion")


def test_a_link_to_a_model_without_a_network_says_so(slow: Slow) -> None:
    slow.fetching.set()
    with pytest.raises(Refused, match="There is no network for vgg16"):
        visit(slow, lambda client: client().open(LION, model=FAR))
    assert slow.fetched == [FAR]
    assert slow.asked == 0


def test_who_waits_for_a_download_keeps_nobody_from_their_turn(slow: Slow) -> None:
    slow.explaining.set()

    async def ask(client: Callable[[], Client]) -> dict:
        following = [asyncio.create_task(client().open(LION, model=FAR)) for _ in range(30)]
        await until(lambda: len(slow.fetched) == 30)
        scene = await client().open(LION)
        assert not any(each.done() for each in following)
        slow.fetching.set()
        await asyncio.gather(*following, return_exceptions=True)
        return scene

    assert visit(slow, ask)["labels"][0]["label"] == "lion"


def test_no_more_photos_than_two_a_lane_are_in_memory(slow: Slow) -> None:
    async def crowd(client: Callable[[], Client]) -> list:
        following = [asyncio.create_task(client().open(LION, target=str(n))) for n in range(18)]
        await until(lambda: slow.now == 6)  # three lanes, two each
        await asyncio.sleep(0.3)
        slow.explaining.set()
        return await asyncio.gather(*following)

    assert len(visit(slow, crowd)) == 18
    assert slow.asked == 18
    assert slow.most == 6


def test_a_full_house_says_so_at_once_and_where_one_stands(slow: Slow) -> None:
    async def crowd(client: Callable[[], Client]) -> tuple[list[int], dict]:
        visitors, following = [], []
        for number in range(18):
            visitors.append(client())
            asked = visitors[-1].open(LION, target=str(number))
            following.append(asyncio.create_task(asked))
            await until(lambda number=number: slow.now == min(number + 1, 6))
            await wait_behind(visitors[-1], number - 6)
        with pytest.raises(Refused, match="Many are asking at the moment"):
            await client().open(LION, target="100")
        places = [(await each.ask("page_waiting", {}))["before"] for each in visitors]
        slow.explaining.set()
        await asyncio.gather(*following)
        last = await visitors[-1].ask("page_waiting", {})
        return places, last

    places, last = visit(slow, crowd)
    assert places == [0] * 6 + list(range(12))
    assert last == {"before": 0}


def test_what_is_remembered_takes_no_turn(slow: Slow) -> None:
    """Nor does it wait for one: what a hall has clicked is there while all turns are taken."""
    slow.explaining.set()

    async def click(client: Callable[[], Client]) -> list[dict]:
        first = await client().open(LION)
        slow.explaining.clear()
        following = [asyncio.create_task(client().open(LION, target=str(n))) for n in range(18)]
        await until(lambda: slow.now == 6)
        again = await client().open(LION)
        assert not any(each.done() for each in following)
        slow.explaining.set()
        await asyncio.gather(*following)
        return [first, again]

    first, again = visit(slow, click)
    assert first["maps"] == again["maps"]
    assert first["id"] != again["id"]


def test_a_hall_that_clicks_at_once_is_answered_by_few_explanations(slow: Slow) -> None:
    """Whoever waits for a turn finds what was answered meanwhile."""

    async def click(client: Callable[[], Client]) -> list[dict]:
        following = [asyncio.create_task(client().open(LION)) for _ in range(18)]
        await until(lambda: slow.now == 6)
        slow.explaining.set()
        return await asyncio.gather(*following)

    scenes = visit(slow, click)
    assert slow.asked == 6  # those who had a turn when it began
    assert len({scene["id"] for scene in scenes}) == 18
    assert all(scene["maps"] == scenes[0]["maps"] for scene in scenes)


def test_who_asks_for_another_photo_loses_the_first_place(slow: Slow) -> None:
    """And the answer to the first one is nothing, in no words."""

    async def change(client: Callable[[], Client]) -> dict:
        following = [asyncio.create_task(client().open(LION, target=str(n))) for n in range(7)]
        await until(lambda: slow.now == 6)
        visitor = client()
        first = asyncio.create_task(visitor.open(LION))
        await wait_behind(visitor, 1)
        second = asyncio.create_task(visitor.open(TOWER))
        with pytest.raises(Refused) as dropped:
            await first
        assert str(dropped.value) == ""
        slow.explaining.set()
        await asyncio.gather(*following)
        return await second

    assert visit(slow, change)["example"] == "Tower"
    assert slow.asked == 8
