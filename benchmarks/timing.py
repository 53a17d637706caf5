"""Timing several ways of doing one thing so that their ratios can be trusted."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from statistics import median

MIN_ROUNDS = 5


def interleaved_medians(sides: Mapping[str, Callable[[], object]], seconds: float) -> dict:
    """The median milliseconds of each side, all of them run in one process.

    A round runs every side once. A machine that is busy for a while, or that slows down as it
    warms up, thus slows all sides alike, and the ratios hold although the milliseconds do
    not. The order is drawn anew in each round, because whoever runs second finds the
    processor's caches as its predecessor left them.

    Args:
        sides: what to run, by name.
        seconds: rounds are started until this much time is over, but at least `MIN_ROUNDS`.

    Returns:
        The median milliseconds by name, in the order of `sides`.
    """
    dice = random.Random(0)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():  # the first call of anything also sets it up
        run()
    end = time.perf_counter() + seconds
    order = list(sides)
    while time.perf_counter() < end or len(times[order[0]]) < MIN_ROUNDS:
        dice.shuffle(order)
        for name in order:
            started = time.perf_counter()
            sides[name]()
            times[name].append(1000 * (time.perf_counter() - started))
    return {name: median(values) for name, values in times.items()}


def median_seconds(run: Callable[[], object], rounds: int, clock: Callable[[], float]) -> float:
    """The median time that something takes by a clock, after a first time that is not counted."""
    run()
    times = []
    for _ in range(rounds):
        started = clock()
        run()
        times.append(clock() - started)
    return median(times)


def verdict(ratio: float, aim: float) -> str:
    """A ratio beside what it should be at most: "0.48 (aim 0.55: met)"."""
    return f"{ratio:.2f} (aim {aim:.2f}: {'met' if ratio <= aim else 'missed'})"


def table(header: list[str], rows: list[list[str]], texts: int = 1) -> str:
    """A Markdown table; the first `texts` columns are text, the others are numbers."""
    rule = ["---"] * texts + ["--:"] * (len(header) - texts)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])
