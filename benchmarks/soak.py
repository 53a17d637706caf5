"""A long life: `python -m benchmarks.soak`, or `make soak`. Thousands of mixed explanations.

What visitors of the page cause, in one process and without a network: uploads that are explained,
swept, hidden, looked at through another frame and taken away as a page; files that are none; and
changes of the model. Prints the resident memory by quarters. Then every model of the catalogue in
turn, with random numbers where the weights are not here, under the cache's limit.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from camdemo import CamdemoError, Explainer, Settings
from camdemo.models import catalogue
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers

from . import stage
from .timing import table
from .watched import memory

COUNT = 2000
VISITORS = 4  # at the same time
MODELS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
AIM = 20.0  # MB that the last quarter may add


def resident() -> float:
    """MB of memory that this process has now."""
    return memory("self")["VmRSS"]


def answering(explainer: Explainer) -> Answers:
    """What answers visitors, over an explainer."""
    return Answers(explainer, Offers(explainer))


def visits(answers: Answers, folder: Path, visitor: int) -> Iterator[None]:
    """Endless visits, each another photo of another size; one step is one explanation."""
    dice = np.random.default_rng(visitor)
    for number in itertools.count():
        width, height = dice.integers(100, 1000, 2)
        photo = folder / f"{visitor}-{number}.jpg"
        content = bytearray(stage.photo_bytes(int(width), int(height)))
        if number % 25 == 24:
            content[: len(content) // 2] = b""  # a file that is none
        photo.write_bytes(content)
        try:
            _visit(answers, str(photo), number)
        except CamdemoError:
            assert number % 25 == 24
        photo.unlink()
        yield


def _visit(answers: Answers, photo: str, number: int) -> None:
    question = {"framing": ("crop", "whole")[number % 2]}
    scene = answers.answer(photo, MODELS[number // 50 % len(MODELS)], question)
    mask = np.zeros(scene.input_size[::-1], bool)
    mask[number % 100 : number % 100 + 40] = True
    hidden = {"mask": base64.b64encode(np.packbits(mask)).decode(), "fill": "blur"}
    questions: list[tuple[Callable[[Any], dict], dict]] = [
        (answers.maps, {"layers": None, "targets": None}),
        (answers.hide, hidden | {"keep": False}),
        (answers.look, {"framing": "10,10,90,90", "layer": scene.layer.name}),
        (answers.page, {}),
    ]
    ask, question = questions[number % len(questions)]
    answer = ask(question | {"id": scene.id})
    if "error" in answer:
        raise RuntimeError(answer["error"])


def soak(answers: Answers, count: int, visitors: int, before: int) -> list[float]:
    """So many explanations; the resident memory at their start and after each quarter, in MB.

    Args:
        before: as many come first, so that what is remembered has filled up.
    """
    with tempfile.TemporaryDirectory(prefix="camdemo-soak-") as name:
        streams = [visits(answers, Path(name), visitor) for visitor in range(visitors)]

        def some(stream: Iterator[None], steps: int) -> None:
            for _ in range(steps):
                next(stream)

        with ThreadPoolExecutor(visitors) as pool:
            levels = []
            for steps in (before, *[count // 4] * 4):
                list(pool.map(some, streams, [steps // visitors] * visitors))
                levels.append(resident())
    return levels


def every_model(limit: int) -> list[tuple[str, float]]:
    """Every model in turn with at most `limit` in memory: MB after each."""
    names = list(catalogue.NAMES)
    with stage.weights_at_hand(names):
        explainer = Explainer(Settings(model=MODELS[0], cache_models=limit, lanes=2))
        photo = stage.photo_bytes(500, 333)
        found = []
        for name in [*names, *names]:
            explainer.explain(photo, name).maps()
            found.append((name, resident()))
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="A long life")
    parser.add_argument("count", nargs="?", type=int, default=COUNT)
    count = parser.parse_args().count
    start = time.perf_counter()
    answers = answering(Explainer(Settings(model=MODELS[0], lanes=2)))
    levels = soak(answers, count, VISITORS, before=300)
    del answers
    print(f"{count} mixed explanations in {time.perf_counter() - start:.0f} s:\n")
    header = ["", "when memories were full", *(f"quarter {n}" for n in (1, 2, 3, 4))]
    print(table(header, [["resident, MB", *(f"{level:.0f}" for level in levels)]]))
    last = levels[-1] - levels[-2]
    verdict = "met" if last < AIM else "missed"
    print(f"\nThe last quarter added {last:.1f} MB (aim: less than {AIM:.0f}: {verdict}).\n")
    found = every_model(limit=3)
    rows = [
        [name, f"{first:.0f}", f"{second:.0f}"]
        for (name, first), (_, second) in zip(
            found[: len(found) // 2], found[len(found) // 2 :], strict=True
        )
    ]
    print("Every model in turn, twice, at most 3 in memory:\n")
    print(table(["after", "resident, MB", "the second time"], rows))


if __name__ == "__main__":
    main()
