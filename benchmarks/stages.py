"""Where the server's processor time of one visit goes: `python -m benchmarks.stages`.

The stages of our own code are run in this process, in one lane as on the page, and their
processor time is taken; what a visit to the served page costs beyond their sum is Gradio's (the
upload, the viewer's questions) and the interpreter's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import httpx
import torch

from camdemo import Explainer, Settings, methods, photo
from camdemo.models import catalogue, networks
from camdemo.viewer import scene

from . import stage
from .load import Tally, our_visit, photos_of_their_own, usage
from .timing import median_seconds, table
from .ui_pages import serving
from .visitor import Client

ROUNDS = 15
VISITS = 25
MODEL = "efficientnet_lite0"


def measure() -> str:
    """The table: each stage, its processor milliseconds, and its share of a visit."""
    whole = _visit_to_the_page()
    seconds = _stages()
    seconds["Gradio: upload and questions; and the rest"] = whole - sum(seconds.values())
    seconds["one visit"] = whole
    rows = [[name, f"{each:.1f}", f"{each / whole:.0%}"] for name, each in seconds.items()]
    return table(["Stage", "processor ms", "share"], rows)


def _visit_to_the_page() -> float:
    """Processor milliseconds of the served page for one visit that stays for all maps."""
    photos = photos_of_their_own()

    async def visit(address: str, count: int) -> None:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            config = (await http.get("/config")).json()
            for _ in range(count):
                rest = await our_visit(Client(http, config), next(photos), 0, Tally())
                assert rest
                await rest

    with serving("app.py") as (address, process):
        asyncio.run(visit(address, 3))
        tally = Tally()
        with usage(process.pid, tally):
            asyncio.run(visit(address, VISITS))
    return 1000 * tally.cpu / VISITS


def _stages() -> dict[str, float]:
    """Processor milliseconds of each stage, as one lane runs it."""
    torch.set_num_threads(1)
    explainer = Explainer(Settings(model=MODEL))
    spec = catalogue.find(MODEL)
    network = methods.prepare(networks.load(spec), spec.transform.crop)
    offered = explainer.layers(MODEL)
    stages, last = [one for one in offered if one.stage], methods.default(offered)
    file = stage.photo_bytes(500, 333)
    image = photo.read(file)
    inputs = torch.from_numpy(photo.prepare(image, "crop", spec))
    explanation = explainer.explain(file)
    targets = [one.index for one in explanation.predictions]
    maps = explanation.maps()

    forward = _time(lambda: networks.logits(network, inputs.numpy()))
    explain = _time(lambda: methods.explain(network, last, inputs))
    return {
        "decode": _time(lambda: photo.read(file)),
        "resize and normalise": _time(lambda: photo.prepare(image, "crop", spec)),
        "first map: forward": forward,
        "first map: backward": explain - forward,
        "encode the photo's copy and the scene": _time(
            lambda: explanation.scene(complete=False).to_json()
        ),
        "all other maps: forward and five backward passes": _time(
            lambda: list(methods.sweep(network, stages, inputs, targets))
        ),
        "encode the maps": _time(lambda: json.dumps(scene.packets(maps, explanation.method))),
    }


def _time(run: Callable[[], object]) -> float:
    return 1000 * median_seconds(run, ROUNDS, time.process_time)


if __name__ == "__main__":
    print(measure())
