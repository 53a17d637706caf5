"""How much it takes for how many: `python -m benchmarks.sizing`, or `make sizing`.

Measures what one visit, one answer and one photo cost on this machine; feeds a simulated hall
(`benchmarks.hall`) with it, and holds that to crowds that ask the real page in the same run. Where
the two agree, the hall may be asked for crowds that don't fit here; where not, it is said.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
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
TOLERANCE = 0.25  # of the measured p95, within which the hall is believed
QUESTIONS = 5.75  # of a visit: an upload, a photo, three for maps, and three of four have one more
ASKED = 25  # questions of a kind
ROUNDS = 9
PHOTOS = 100


@dataclass(frozen=True)
class Sent:
    """What one visit moves, in bytes."""

    up: int
    down: int


def network_costs(count: int) -> tuple[dict[str, float], float]:
    """Seconds of each step of a lane, with one lane at work; and how much more where all are.

    `count` threads, each with a twin of the network, do the same at the same time.
    """
    torch.set_num_threads(1)
    explainer = Explainer(Settings(model=MODEL))
    offered = explainer.layers(MODEL)
    stages, last = [one for one in offered if one.stage], methods.default(offered)
    spec, file = catalogue.find(MODEL), stage.photo_bytes(500, 333)
    inputs = torch.from_numpy(photo.prepare(photo.read(file), "crop", spec))
    targets = [one.index for one in explainer.explain(file).predictions]
    twins = [methods.prepare(networks.load(spec), spec.transform.crop) for _ in range(count)]
    other = catalogue.find(MODELS[0])
    others = Explainer(Settings(model=other.name))
    larger = methods.prepare(networks.load(other), other.transform.crop)
    theirs = torch.from_numpy(photo.prepare(photo.read(file), "crop", other))
    default = methods.default(others.layers(other.name))

    def sweep(twin: torch.nn.Module, labels: int) -> Callable[[], object]:
        return lambda: list(methods.sweep(twin, stages, inputs, targets[:labels]))

    twin = twins[0]
    one, five = _seconds(sweep(twin, 1)), _seconds(sweep(twin, 5))
    together = [0.0] * count
    start = threading.Barrier(count)

    def beside(place: int) -> None:
        torch.set_num_threads(1)
        start.wait()
        together[place] = _seconds(sweep(twins[place], 5))

    threads = [threading.Thread(target=beside, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    label = (five - one) / 4
    found = {
        "first_map": _seconds(lambda: methods.explain(twin, last, inputs)),
        "other_map": _seconds(lambda: methods.explain(larger, default, theirs)),
        "forward": one - label,
        "label": label,
        "hide": _seconds(lambda: networks.logits(twin, inputs.numpy())),
    }
    return found, max(1.0, median(together) / five)


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


def compare(costs: Costs, count: int, slower: float, address: str, process: int) -> list[list[str]]:
    """Crowds that were there beside the same in the hall, a row each."""
    photos, rows = photos_of_their_own(), []
    for users in CROWDS:
        tally, busy, mine = Tally(), _busy(), time.process_time()
        with usage(process, tally):
            asyncio.run(crowd(address, users, our_visit, photos, tally))
        ours = tally.cpu + time.process_time() - mine
        others = max(0.0, min(count - 0.1, (_busy() - busy - ours) / tally.seconds))
        hall = simulate(costs, count, users, SECONDS, slower, others)
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


def _busy() -> float:
    """Seconds of its cores that this machine has been at work for anybody."""
    user, nice, system, _idle, _wait, *more = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *more[:2]))) / os.sysconf("SC_CLK_TCK")


def with_the_rest(costs: Costs, count: int, address: str, process: int) -> Costs:
    """What one user alone costs the page beyond the sum of the steps, spread over the questions."""
    tally = Tally()
    with usage(process, tally):
        asyncio.run(crowd(address, 1, our_visit, photos_of_their_own(), tally, seconds=SECONDS))
    hall = simulate(replace(costs, client=0), count, 1, SECONDS)
    rest = tally.cpu / tally.visits - hall.cores.had / hall.visits
    each = max(0.0, rest) / QUESTIONS
    return replace(
        costs,
        upload=costs.upload + each,
        opening=costs.opening + each,
        question=costs.question + each,
    )


def measured(address: str, process: int, count: int) -> tuple[Costs, float, Sent]:
    """All that the hall is told."""
    found, sent = page_costs(address, process)
    lane, slower = network_costs(count)
    return with_the_rest(Costs(**found, **lane), count, address, process), slower, sent


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
        costs, slower, sent = measured(address, process.pid, count)
        names = [[name, f"{1000 * value:.1f}"] for name, value in vars(costs).items()]
        print(table(["step", "ms of a core"], names))
        print(f"\nWith all cores busy each takes {slower:.2f} times as long.\n")
        header = ["users", "first map, ms", "simulated", "p95", "simulated", "off"]
        more = ["visits a second", "simulated", "page CPU, s a visit", "cores others had", "errors"]
        rows = compare(costs, count, slower, address, process.pid)
        print(table([*header, *more], rows))
        print(f"\nA visit sends {sent.up / 1e3:.0f} kB and gets {sent.down / 1e3:.0f} kB.\n")
        print(table(["models in memory", "MB", "of this one"], memory))
        proxy = through_a_proxy(address)
        print(f"\nThe proxy takes {1e6 * proxy:.0f} us of a core for a question.\n")
    rate = photos_a_second()
    print(f"A folder: {rate:.1f} photos a second on {count} cores, {rate / count:.1f} a core.")


if __name__ == "__main__":
    main()
