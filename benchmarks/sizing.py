"""How much it takes for how many: `python -m benchmarks.sizing`, or `make sizing`.

Measures what one visit, one answer and one photo cost on this machine; feeds a simulated hall
(`benchmarks.hall`) with it, and holds that to crowds that ask the real page in the same run. Where
the two agree, the hall may be asked for crowds that don't fit here; where not, it is said.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import httpx
import torch

from camdemo import Explainer, Settings, explain_many, methods, photo
from camdemo.engine import LocalEngine, cores
from camdemo.models import catalogue, networks
from camdemo.ui import examples

from . import stage
from .folder import make_photos
from .hall import Costs, simulate
from .load import (
    MODELS,
    SECONDS,
    Tally,
    _share,
    crowd,
    our_visit,
    photos_of_their_own,
    usage,
)
from .timing import median_seconds, table
from .ui_pages import serving
from .visitor import Client
from .watched import memory

MODEL = "efficientnet_lite0"
CROWDS = (8, 32, 100)
CALIBRATING = 16  # users, of whom is learned what a step costs in a crowd
TOLERANCE = 0.25  # of the measured p95, within which the hall is believed
ASKED = 25  # questions of a kind
ROUNDS = 9
PHOTOS = 100
LANES = (1, 2, 4, 8)  # of a simulated process, each with a core
PAUSE = 30.0  # seconds between two visits of a listener
SOON, OVER = 1.0, 3.0  # seconds for a first map, and for a visit


@dataclass(frozen=True)
class Sent:
    """What one visit moves, in bytes."""

    up: int
    down: int


def network_costs() -> dict[str, float]:
    """Seconds of each step of a lane, with one lane at work."""
    torch.set_num_threads(1)
    explainer = Explainer(Settings(model=MODEL))
    offered = explainer.layers(MODEL)
    stages, last = [one for one in offered if one.stage], methods.default(offered)
    spec, file = catalogue.find(MODEL), stage.photo_bytes(500, 333)
    inputs = torch.from_numpy(photo.prepare(photo.read(file), "crop", spec))
    targets = [one.index for one in explainer.explain(file).predictions]
    twin = methods.prepare(networks.load(spec), spec.transform.crop)
    other = catalogue.find(MODELS[0])
    others = Explainer(Settings(model=other.name))
    larger = methods.prepare(networks.load(other), other.transform.crop)
    theirs = torch.from_numpy(photo.prepare(photo.read(file), "crop", other))
    default = methods.default(others.layers(other.name))

    def sweep(labels: int) -> Callable[[], object]:
        return lambda: list(methods.sweep(twin, stages, inputs, targets[:labels]))

    one, five = _seconds(sweep(1)), _seconds(sweep(5))
    label = (five - one) / 4
    return {
        "first_map": _seconds(lambda: methods.explain(twin, last, inputs)),
        "other_map": _seconds(lambda: methods.explain(larger, default, theirs)),
        "forward": one - label,
        "label": label,
        "hide": _seconds(lambda: networks.logits(twin, inputs.numpy())),
    }


def page_costs(address: str, process: int) -> tuple[dict[str, float], Sent]:
    """Processor seconds of the page's threads for a question of each kind, and of who asks.

    The questions are such as need no network: what is asked was answered before. Of an opening that
    leaves out the photo's decoding and its way to the input, which are measured apart.
    """
    photos = photos_of_their_own()
    sent = {"up": 0, "down": 0}

    async def measure() -> dict[str, float]:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            client = Client(http, (await http.get("/config")).json())
            source = {"example": next(iter(examples.photos()))}
            scene = await client.open(source, model=MODEL)
            targets = [one["index"] for one in scene["labels"]]
            maps = {"id": scene["id"], "layers": None, "targets": targets}
            await client.ask("scene_maps", maps)
            first_two = maps | {"targets": targets[:2]}
            mine = [next(photos) for _ in range(ASKED)]
            kinds: dict[str, Callable[[int], object]] = {
                "upload": lambda number: client.upload(mine[number]),
                "opening": lambda _: client.open(source, model=MODEL),
                "question": lambda _: client.ask("scene_maps", first_two),
            }
            found, clients = {}, []
            for name, ask in kinds.items():
                tally, began = Tally(), time.process_time()
                with usage(process, tally):
                    for number in range(ASKED):
                        await ask(number)
                found[name] = tally.cpu / ASKED
                clients.append((time.process_time() - began) / ASKED)
            sent["up"] = len(mine[0])
            for answer in (
                await client.post("scene_open", {"source": source, "model": MODEL}),
                await client.post("scene_maps", maps),
            ):
                sent["down"] += len(answer.content)
            return found | {"client": sum(clients) / len(clients)}

    found = asyncio.run(measure())
    file, spec = stage.photo_bytes(500, 333), catalogue.find(MODEL)
    image = photo.read(file)
    explanation = Explainer(Settings(model=MODEL)).explain(file)
    found["opening"] += (
        _seconds(lambda: photo.read(file))
        + _seconds(lambda: photo.prepare(image, "crop", spec))
        + _seconds(lambda: explanation.scene(complete=False).to_json())
    )
    return found, Sent(**sent)


def _seconds(run: Callable[[], object]) -> float:
    """Of a core: what else runs here is not counted, but for the caches that it takes."""
    return median_seconds(run, ROUNDS, time.thread_time)


def memory_of_models(address: str, process: int) -> list[list[str]]:
    """MB of the page with one model, two and three, each with its lanes' twins."""

    async def ask() -> list[list[str]]:
        rows, before = [], 0.0
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            client = Client(http, (await http.get("/config")).json())
            for name in (MODEL, *MODELS):
                for each in examples.photos():
                    scene = await client.open({"example": each}, model=name)
                    await client.ask(
                        "scene_maps", {"id": scene["id"], "layers": None, "targets": None}
                    )
                now = memory(process)["VmRSS"]
                rows.append([catalogue.find(name).title, f"{now:.0f}", f"{now - before:.0f}"])
                before = now
        return rows

    return asyncio.run(ask())


def photos_a_second() -> float:
    """How many photos of a folder become rows with maps, a second, on all cores."""
    settings = Settings(model=MODEL, lanes=cores())
    explainer = Explainer(settings, engine=LocalEngine(settings=settings))
    with tempfile.TemporaryDirectory(prefix="camdemo-bench-") as folder:
        files = make_photos(Path(folder), PHOTOS)
        explain_many(files[:20], Path(folder) / "warm", explainer=explainer, sheet=False, maps=True)
        started = time.perf_counter()
        explain_many(files, Path(folder) / "out", explainer=explainer, sheet=False, maps=True)
        return PHOTOS / (time.perf_counter() - started)


def through_a_proxy(address: str) -> float:
    """Processor seconds of the proxy for one question of a viewer."""
    from tests.proxied import proxied

    with tempfile.TemporaryDirectory() as folder, proxied(Path(folder), [address] * 2) as proxy:
        proxy.wait_for(one="UP", two="UP")
        tally = Tally()

        async def ask() -> None:
            async with httpx.AsyncClient(base_url=proxy.address, timeout=60) as http:
                client = Client(http, (await http.get("/config")).json())
                scene = await client.open({"example": next(iter(examples.photos()))}, model=MODEL)
                maps = {"id": scene["id"], "layers": None, "targets": None}
                await client.ask("scene_maps", maps)
                with usage(proxy.process.pid, tally):
                    for _ in range(5 * ASKED):
                        await client.ask("scene_maps", maps)

        asyncio.run(ask())
    return tally.cpu / (5 * ASKED)


def compare(costs: Costs, count: int, address: str, process: int) -> list[list[str]]:
    """Crowds that were there beside the same in the hall, a row each."""
    photos, rows = photos_of_their_own(), []
    for users in CROWDS:
        tally, busy, mine = Tally(), _busy(), time.process_time()
        with usage(process, tally):
            asyncio.run(crowd(address, users, our_visit, photos, tally))
        ours = tally.cpu + time.process_time() - mine
        others = max(0.0, min(count - 0.1, (_busy() - busy - ours) / tally.seconds))
        hall = simulate(costs, count, users, SECONDS, others)
        there, here = _share(tally.first, 0.95), _share(hall.first, 0.95)
        off = here / there - 1
        rows.append(
            [
                str(users),
                f"{1000 * median(tally.first):.0f}",
                f"{1000 * median(hall.first):.0f}",
                f"{1000 * there:.0f}",
                f"{1000 * here:.0f}",
                f"{off:+.0%} (within {TOLERANCE:.0%}: {'yes' if abs(off) <= TOLERANCE else 'no'})",
                f"{tally.visits / tally.seconds:.2f}",
                f"{hall.visits / hall.env.now:.2f}",
                f"{tally.cpu / max(1, tally.visits):.2f}",
                f"{others:.1f}",
                str(len(tally.errors)),
            ]
        )
    return rows


def room(costs: Costs) -> list[list[str]]:
    """How many listeners a page process has room for, with more and more lanes: a row each.

    Each visits every half minute, from another machine. They fit while 95 of 100 first maps come
    within a second, and visits end within three.
    """
    costs, rows = replace(costs, client=0), []
    for lanes in LANES:
        row: list[str] = []
        for users in itertools.count(5 * lanes, 5 * lanes):
            hall = simulate(costs, lanes, users, 10 * PAUSE, pause=PAUSE)
            first, whole = _share(hall.first, 0.95), _share(hall.whole, 0.95)
            if first > SOON or whole > OVER:
                break
            busy = hall.cores.had / hall.env.now / lanes
            row = [str(users), f"{1000 * first:.0f}", f"{1000 * whole:.0f}", f"{busy:.0%}"]
        rows.append([str(lanes), *(row or ["none", "", "", ""])])
    return rows


def _busy() -> float:
    """Seconds of its cores that this machine has been at work for anybody."""
    user, nice, system, _idle, _wait, *more = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *more[:2]))) / os.sysconf("SC_CLK_TCK")


def in_a_crowd(costs: Costs, count: int, address: str, process: int) -> tuple[Costs, float]:
    """What the steps cost where many are under way, and how many times as much as alone that is.

    They share caches, and threads wait for each other: a crowd that is none of those that are
    compared tells what one visit costs the page's process.
    """
    tally = Tally()
    with usage(process, tally):
        asyncio.run(crowd(address, CALIBRATING, our_visit, photos_of_their_own(), tally))
    hall = simulate(replace(costs, client=0), count, CALIBRATING, SECONDS)
    times = (tally.cpu / tally.visits) / (hall.cores.had / hall.visits)
    more = {name: times * value for name, value in vars(costs).items()}
    return Costs(**more | {"client": costs.client}), times


def main() -> None:
    """Print the tables."""
    count = cores()
    print(
        f"torch {torch.__version__}, {count} cores; load of the machine {os.getloadavg()[0]:.1f}.\n"
    )
    with ExitStack() as stack:
        address, process = stack.enter_context(serving("app.py"))
        asyncio.run(crowd(address, 1, our_visit, photos_of_their_own(), Tally(), seconds=3))
        memory = memory_of_models(address, process.pid)
        found, sent = page_costs(address, process.pid)
        costs = Costs(**found, **network_costs())
        names = [[name, f"{1000 * value:.1f}"] for name, value in vars(costs).items()]
        print(table(["step", "ms of a core"], names))
        costs, times = in_a_crowd(costs, count, address, process.pid)
        print(f"\nIn a crowd of {CALIBRATING} each takes {times:.2f} times as much.\n")
        header = ["users", "first map, ms", "simulated", "p95", "simulated", "off"]
        more = ["visits a second", "simulated", "page CPU, s a visit", "cores others had", "errors"]
        rows = compare(costs, count, address, process.pid)
        print(table([*header, *more], rows))
        if all("yes" in row[5] for row in rows):
            print(f"\nThe hall is believed. With a visit every {PAUSE:.0f} s of each listener:\n")
            header = ["lanes of a process", "listeners", "first map, p95 ms", "visit, p95 ms"]
            header.append("cores busy")
            print(table(header, room(costs)))
        print(f"\nA visit sends {sent.up / 1e3:.0f} kB and gets {sent.down / 1e3:.0f} kB.\n")
        print(table(["models in memory", "MB", "of this one"], memory))
        proxy = through_a_proxy(address)
        print(f"\nThe proxy takes {1e6 * proxy:.0f} us of a core for a question.\n")
    rate = photos_a_second()
    print(f"A folder: {rate:.1f} photos a second on {count} cores, {rate / count:.1f} a core.")


if __name__ == "__main__":
    main()
