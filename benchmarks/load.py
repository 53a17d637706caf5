"""A crowd: `python -m benchmarks.load`, or `make load`. Visits to our page and to the plain one.

A visit is what one listener does: upload a photo of their own, look at three layers and at two
other labels, then move on to the next photo. Ours asks what its viewer asks: for the first map,
then for all stages of the label on the page, of the next two, and of the last two. Its user waits
for the labels that they look at; the last two are then under way, and dropped when the next photo
is opened. Some of the first answers are asked once more of nobody else, by the library: a crowd
gets no answers of one another. `--engine ray` lets replicas of Ray run our networks. The plain page
has a request for each look. Some visitors of ours change the model, add a label or hide a region
besides; the plain page can't, so that ours does more for its visit. Traffic goes to 127.0.0.1
alone.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import itertools
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
from PIL import Image, ImageChops

from camdemo import Explainer
from camdemo.ui import examples

from . import stage
from .timing import table
from .ui_pages import serving
from .visitor import Client
from .watched import memory

CROWDS = (1, 8, 32, 100)  # users at once
ROUNDS = 2  # of both pages in turns
SECONDS = 8.0  # a crowd, a page and a round, after which nobody comes any more
HEAVY = 32  # users without a pause
HALL = 100  # users who click what everybody clicks
KEPT = 10  # of so many first answers one is checked
LIGHT_RUNS = 3
LIGHT = 40  # visits of the one who comes now and then
PATIENCE = 60.0  # seconds after which a user is gone
MODELS = ("efficientnet_lite1", "efficientnet_lite2")
HIDDEN = base64.b64encode(bytes(28 * 112) + b"\xff" * 28 * 112).decode()  # the lower half


@dataclass
class Tally:
    """What a crowd saw."""

    first: list[float] = field(default_factory=list)  # seconds from the upload to the first map
    visits: int = 0
    errors: list[str] = field(default_factory=list)
    kept: list[tuple[bytes, list[dict]]] = field(default_factory=list)  # photos, and their labels
    seconds: float = 0.0
    cpu: float = 0.0  # seconds of the server's processor
    peak: float = 0.0  # MB of the server's memory


Rest = asyncio.Task[dict] | None  # what is still under way when a visit is over
Visit = Callable[[Client, bytes, int, Tally], Awaitable[Rest]]


async def look_around(client: Client, scene: dict) -> asyncio.Task[dict]:
    """What the viewer asks for, until the maps of three labels are there; the rest is under way."""
    shown = scene["target"]
    others = [one["index"] for one in scene["labels"] if one["index"] != shown]

    def ask(targets: list[int]) -> asyncio.Task[dict]:
        question = {"id": scene["id"], "layers": None, "targets": targets}
        return asyncio.create_task(client.ask("scene_maps", question))

    first, second = ask([shown]), ask(others[:2])
    await first
    rest = ask(others[2:])
    await second
    return rest


async def our_visit(client: Client, photo: bytes, number: int, tally: Tally) -> Rest:
    """Upload, first map, the maps of what is looked at; layers and labels then cost no request."""
    start = time.perf_counter()
    file = await client.upload(photo)
    scene = await client.open(file, model="efficientnet_lite0")
    tally.first.append(time.perf_counter() - start)
    if number % KEPT == 0:
        tally.kept.append((photo, scene["labels"]))
    token, rest = scene["id"], await look_around(client, scene)
    if number % 4 == 1:
        model = MODELS[number // 4 % len(MODELS)]
        await client.open(file, model=model)
    elif number % 4 == 2:
        await client.ask("scene_maps", {"id": token, "layers": None, "targets": [number % 1000]})
    elif number % 4 == 3:
        question = {"id": token, "mask": HIDDEN, "fill": "blur", "keep": False}
        await client.ask("scene_hide", question)
    return rest


async def our_hall_visit(client: Client, name: bytes, _number: int, tally: Tally) -> Rest:
    """The same of an example that everybody clicks."""
    start = time.perf_counter()
    scene = await client.open({"example": name.decode()}, model="efficientnet_lite0")
    tally.first.append(time.perf_counter() - start)
    return await look_around(client, scene)


async def plain_hall_visit(client: Client, name: bytes, number: int, tally: Tally) -> Rest:
    """The same on the plain page, which has no examples: the photo is uploaded."""
    path = examples.photos()[name.decode()]
    return await plain_visit(client, await asyncio.to_thread(Path(path).read_bytes), number, tally)


async def plain_visit(client: Client, photo: bytes, number: int, tally: Tally) -> Rest:
    """Upload, first map, three layers and two other labels: a request each."""
    del number
    start = time.perf_counter()
    file = await client.upload(photo)
    looks = [("bn2", "most probable")]
    looks += [(layer, "most probable") for layer in ("blocks.6", "blocks.5", "blocks.4")]
    looks += [("blocks.4", "second"), ("blocks.4", "third")]
    event = client.event("Photo", "change")
    for place, (layer, label) in enumerate(looks):
        await client.run(event, [file, layer, label, 0.5, "jet"])
        if not place:
            tally.first.append(time.perf_counter() - start)
    return None


async def crowd(
    address: str,
    users: int,
    visit: Visit,
    photos: Iterator[bytes],
    tally: Tally,
    over: asyncio.Event | None = None,
    seconds: float = SECONDS,
) -> None:
    """So many users, each with visit after visit until `over`, or for so many seconds."""
    numbers, end = itertools.count(), time.perf_counter() + seconds
    # The server closes what was silent for 5 s, which must not be asked in that moment.
    limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=limits) as http:
        config = (await http.get("/config")).json()

        async def user() -> None:
            client, rests = Client(http, config), []  # one tab, photo after photo
            while not (over.is_set() if over else time.perf_counter() > end):
                try:
                    rests.append(await visit(client, next(photos), next(numbers), tally))
                    tally.visits += 1
                except Exception as error:  # what a user would see as a failure
                    tally.errors.append(f"{type(error).__name__}: {error}"[:200])
            under_way = [rest for rest in rests if rest]
            for rest in under_way:
                rest.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

        await asyncio.gather(*(user() for _ in range(users)))


def light_beside(
    address: str, photos: Iterator[bytes], visit: Visit, users: int, what: str = ""
) -> str:
    """What others do to the first maps of a user of ours who comes now and then, in a sentence.

    Args:
        visit: what the others do, so many of them, without a pause.
    """
    alone, beside = asyncio.run(_light_beside(address, photos, visit, users))
    p95 = _share(alone, 0.95), _share(beside, 0.95)
    return (
        f"\nA light user's first map, p95: {1000 * p95[0]:.0f} ms alone, "
        f"{1000 * p95[1]:.0f} ms beside {users} heavy ones{what and ' ' + what}: "
        f"{p95[1] / p95[0]:.1f} times."
    )


async def _light_beside(
    address: str, photos: Iterator[bytes], visit: Visit, users: int
) -> tuple[list[float], list[float]]:
    alone, beside = Tally(), Tally()
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as http:
        config = (await http.get("/config")).json()

        async def light(tally: Tally) -> None:
            for number in range(LIGHT):
                rest = await our_visit(Client(http, config), next(photos), 4 * number, tally)
                await asyncio.sleep(0.5)
                if rest:
                    await rest

        await light(alone)
        over = asyncio.Event()
        heavy = asyncio.create_task(crowd(address, users, visit, photos, Tally(), over))
        await asyncio.sleep(3)  # they all begin at once; after that they are spread
        await light(beside)
        over.set()
        await heavy
    return alone.first, beside.first


def photos_of_their_own() -> Iterator[bytes]:
    """Endless photos of 500 x 333, no two the same."""
    photo = Image.open(io.BytesIO(stage.photo_bytes(500, 333)))
    for number in itertools.count():
        # Moved, so that no two are the same in what the network is given either.
        moved = ImageChops.offset(photo, number % 500, number // 500 % 333)
        file = io.BytesIO()
        moved.save(file, "JPEG", quality=92)
        yield file.getvalue()


def the_same_four() -> Iterator[bytes]:
    """Endless names of examples, each in its turn."""
    return itertools.cycle([name.encode() for name in examples.photos()])


@contextmanager
def usage(process: int, tally: Tally) -> Iterator[None]:
    """Add what a process used within this context: time, CPU seconds, and its peak memory in MB."""
    start, before = time.perf_counter(), _cpu(process)
    yield
    tally.seconds += time.perf_counter() - start
    tally.cpu += _cpu(process) - before
    tally.peak = memory(process)["VmHWM"]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def mix_ups(kept: list[tuple[bytes, list[dict]]]) -> str:
    """How many of these answers are another photo's, in a sentence."""
    alone = Explainer()
    wrong = 0
    for photo, labels in kept:
        found = alone.explain(photo, model="efficientnet_lite0").predictions
        pairs = zip(found, labels, strict=True)
        wrong += any(abs(one.probability - other["probability"]) > 1e-3 for one, other in pairs)
    return f"Of {len(kept)} first answers {wrong} differ from the library's own."


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("users", nargs="*", type=int, help="crowds to come, one after the other")
    parser.add_argument("--engine", default="local", help="what runs our networks: local, ray")
    options = parser.parse_args()
    photos = photos_of_their_own()
    crowds = options.users or CROWDS
    with (
        serving("app.py", "--engine", options.engine) as (ours, our_process),
        serving("-m", "benchmarks.plain_page") as (plain, plain_process),
    ):
        sides = {
            "ours": (ours, our_process.pid, our_visit),
            "plain page": (plain, plain_process.pid, plain_visit),
        }
        for address, _, visit in sides.values():  # neither is measured while it is starting
            asyncio.run(crowd(address, 1, visit, photos, Tally(), seconds=2))
        rows, notes, answers = [], [], []
        for users in crowds:
            more, ratio, kept = compare(f"{users} users", users, sides, photos)
            answers += kept
            rows += more
            notes.append(f"{users} users: {ratio:.1f} times the plain page's visits.")
        hall = {
            "ours": (ours, our_process.pid, our_hall_visit),
            "plain page": (plain, plain_process.pid, plain_hall_visit),
        }
        more, ratio, _ = compare(f"a hall of {HALL}", HALL, hall, the_same_four())
        rows += more
        notes.append(f"A hall of {HALL}: {ratio:.1f} times the plain page's visits.")
        header = ["", "visits a second", "first map, ms", "p95", "p99", "errors"]
        print(table([*header, "server CPU, s a visit", "peak memory, MB"], rows))
        notes.append(mix_ups(answers))
        if options.engine != "local":
            notes.append("CPU and memory are those of the page: the replicas' are not counted.")
        print("\n" + "\n\n".join(notes))
        for _ in range(LIGHT_RUNS):
            print(light_beside(ours, photos, our_visit, HEAVY))


Sides = dict[str, tuple[str, int, Visit]]  # address, process and what a visit is


def compare(
    title: str, users: int, sides: Sides, photos: Iterator[bytes]
) -> tuple[list[list[str]], float, list[tuple[bytes, list[dict]]]]:
    """A crowd on each side in turns: a row of the table each, how many times the visits, and what
    was kept to be checked."""
    tallies = {name: Tally() for name in sides}
    for _ in range(ROUNDS):  # in turns, so that a busy minute of the machine meets both
        for name, (address, process, visit) in sides.items():
            with usage(process, tallies[name]):
                asyncio.run(crowd(address, users, visit, photos, tallies[name]))
    rows, rates = [], []
    for name, tally in tallies.items():
        rates.append(tally.visits / tally.seconds)
        first = [1000 * seconds for seconds in tally.first] or [float("nan")]
        rows.append(
            [
                f"{title}, {name}",
                f"{rates[-1]:.2f}",
                f"{median(first):.0f}",
                f"{_share(first, 0.95):.0f}",
                f"{_share(first, 0.99):.0f}",
                str(len(tally.errors)),
                f"{tally.cpu / max(tally.visits, 1):.2f}",
                f"{tally.peak:.0f}",
            ]
        )
        for error in sorted(set(tally.errors))[:3]:
            print(f"{title}, {name}: {error}", file=sys.stderr)
    return rows, rates[0] / rates[1], tallies["ours"].kept


if __name__ == "__main__":
    main()
