"""What an accelerator brings beside the CPU, where there is one: `python -m benchmarks.gpu`.

A first map, a sweep, eight people at once, a hiding and a map of pixels, by two engines in one
process; and how far the maps of the two lie apart.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch

from camdemo import Settings
from camdemo.engine import (
    FindLayers,
    FirstMap,
    LocalEngine,
    PixelMap,
    Rank,
    Score,
    Sweep,
    devices,
    on_all_cores,
)
from camdemo.models import catalogue

from . import stage
from .sweeping import LABELS
from .timing import interleaved_medians, table

MODELS = ("efficientnet_lite0", "mobilenet_v2", "resnet50", "vit_b_16")
SECONDS = 8.0  # a row
PEOPLE = 8
HIDDEN = 64  # inputs, about as many as there are when every patch is hidden by itself


def measure(seconds: float = SECONDS, models: tuple[str, ...] = MODELS) -> str:
    """The table, a row for each model and job; a sentence where there is no accelerator."""
    best = devices.find("auto")
    if best == devices.CPU:
        return "PyTorch sees no GPU on this machine: nothing to measure."
    header = ["Model", "Job", "CPU, ms", f"{devices.title(best)}, ms", "times as fast", "apart"]
    return table(header, [row for name in models for row in _rows(name, seconds)], texts=2)


def _rows(name: str, seconds: float) -> list[list[str]]:
    engines = {
        device: LocalEngine(settings=on_all_cores(Settings(device=device)))
        for device in (devices.CPU, "auto")
    }
    rows = []
    for title, run in _jobs(name, engines[devices.CPU]).items():
        here, there = (run(engine) for engine in engines.values())
        sides = {device: partial(run, engine) for device, engine in engines.items()}
        times = interleaved_medians(sides, seconds)
        cpu, gpu = times.values()
        apart = f"{np.abs(there - here).max() / np.ptp(here):.0e}"  # of the range
        title_of = catalogue.CATALOGUE.find(name).title
        rows.append([title_of, title, f"{cpu:.1f}", f"{gpu:.1f}", f"{cpu / gpu:.1f}", apart])
    return rows


def _jobs(name: str, engine: LocalEngine) -> dict[str, Callable[[LocalEngine], np.ndarray]]:
    """What is run, from an engine to its numbers: maps, or logits."""
    inputs = stage.photo_tensor(catalogue.CATALOGUE.find(name)).numpy()
    layers = tuple(layer for layer in engine.run(FindLayers(name)) if layer.stage)
    first = FirstMap(name, layers[-1], "gradcam", inputs, None, None, Rank.FIRST_MAP)
    sweep = Sweep(name, layers, ("gradcam",), tuple(LABELS), inputs, None, Rank.SWEEP)
    pixels = PixelMap(name, "integrated_gradients", inputs, None, None, (), Rank.ANSWER)
    score = Score(name, np.repeat(inputs, HIDDEN, axis=0), Rank.ANSWER)

    def crowd(engine: LocalEngine) -> np.ndarray:
        with ThreadPoolExecutor(PEOPLE) as pool:
            return np.stack([one.map for one in pool.map(engine.run, [first] * PEOPLE)])

    def last(engine: LocalEngine) -> np.ndarray:
        return engine.run(sweep)["gradcam", layers[-1].name, LABELS[0]]

    return {
        "a first map": lambda engine: engine.run(first).map,
        f"a sweep of {len(LABELS)} labels": last,
        f"{PEOPLE} first maps at once": crowd,
        f"logits of {HIDDEN} inputs": lambda engine: engine.run(score),
        "integrated gradients": lambda engine: engine.run(pixels).map,
    }


def main() -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads on the CPU.\n")
    if devices.find("auto") == devices.CPU:
        print(measure())
        return
    with stage.weights_at_hand(list(MODELS)) as random:
        if random:
            print(f"Random weights, which take the same time: {', '.join(random)}.\n")
        print(measure())


if __name__ == "__main__":
    main()
