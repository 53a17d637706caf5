"""What the way to a replica costs: jobs by the engine on this machine, and over Ray beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from camdemo import Settings
from camdemo.engine import Engine, FirstMap, Job, LocalEngine, Rank, Score, Sweep, on_all_cores
from camdemo.engine.protocol import FindLayers
from camdemo.models import catalogue

from . import stage
from .sweeping import LABELS
from .timing import interleaved_medians, table

MODEL = "efficientnet_lite0"
PLACES = 17  # what a hiding asks for: the region itself, and 16 random places


def measure(seconds: float) -> str:
    """The table, one row a job, `seconds` each; a sentence where Ray is not installed."""
    try:
        import ray  # noqa: F401
    except ImportError:
        return "Ray is not installed (pip install 'camdemo[ray]'): nothing to measure."
    from camdemo.cluster import messages

    with _engines() as (here, there):
        rows = [_row(title, job, here, there, seconds) for title, job in _jobs(here).items()]
        alone = interleaved_medians({"": lambda: there.run(messages.Names())}, seconds / 5)[""]
    header = ["Job", "here, ms", "over Ray, ms", "the way, ms", "KB there", "KB back"]
    told = f"A question that needs no network takes {alone:.1f} ms there and back."
    return f"{table(header, rows)}\n\n{told}"


@contextmanager
def _engines() -> Iterator[tuple[Engine, Engine]]:
    """With as many lanes, so that both have the same threads for a network: one a lane."""
    from camdemo.cluster import joining
    from camdemo.cluster.engine import RayEngine

    settings = on_all_cores(Settings())
    connect = joining.connector(settings, environment={})
    there = RayEngine(connect, connect())
    try:
        yield LocalEngine(settings=settings), there
    finally:
        there.close()


def _jobs(engine: Engine) -> dict[str, Job]:
    inputs = stage.photo_tensor(catalogue.find(MODEL)).numpy()
    stages = tuple(layer for layer in engine.run(FindLayers(MODEL)) if layer.stage)
    first = FirstMap(MODEL, stages[-1], "gradcam", inputs, None, None, Rank.FIRST_MAP)
    sweep = Sweep(MODEL, stages, ("gradcam",), tuple(LABELS), inputs, None, Rank.SWEEP)
    batch = np.repeat(inputs, PLACES, axis=0)
    return {
        "a first map": first,
        "a sweep of five labels": sweep,
        f"a hiding at {PLACES} places": Score(MODEL, batch, Rank.ANSWER),
    }


def _row(title: str, job: Job, here: Engine, there: Engine, seconds: float) -> list[str]:
    from camdemo.cluster import messages

    times = interleaved_medians(
        {"here": lambda: here.run(job), "there": lambda: there.run(job)}, seconds
    )
    said: list[messages.Message]
    if isinstance(job, Sweep):
        said = [*(messages.Label(*label) for label in here.stream(job)), messages.Answer(None)]
    else:
        said = [messages.Answer(here.run(job))]
    back = sum(len(messages.pack(message)) for message in said)
    way = times["there"] - times["here"]
    sizes = (f"{size / 1000:.0f}" for size in (len(messages.pack(job)), back))
    return [title, f"{times['here']:.1f}", f"{times['there']:.1f}", f"{way:.1f}", *sizes]
