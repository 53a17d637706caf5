"""Photos a second over a folder: ours, and the loops that three libraries' documentation shows.

Each side lives in a process of its own, so that none sees the others' threads; they take turns with
the same photos, one at a time. Each opens a file, transforms it, and makes the map of the most
probable label and the five most probable ones. Run alone: `python -m benchmarks.folder`.
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import numpy as np
import skimage
import torch
from gradio.media import get_image
from PIL import Image, ImageOps

from camdemo import Explainer, Settings, explain_many
from camdemo.engine import LocalEngine, cores, lanes
from camdemo.models import catalogue

from . import notebook, stage
from .core import TOLERANCE, top_five
from .timing import table

MODELS = ("efficientnet_lite0", "mobilenet_v2")
PHOTOS = 200
A_TURN = 50  # photos that a side explains before the next one has its turn
TIMES = 3.0  # the aim: as fast as the fastest of the others, so many times

OURS, WITH_SHEET = "ours: table and maps", "ours: with the contact sheet"
TORCHCAM, PYTORCH_GRAD_CAM, CAPTUM = "TorchCAM", "pytorch-grad-cam", "Captum"
SIDES = (OURS, WITH_SHEET, TORCHCAM, PYTORCH_GRAD_CAM, CAPTUM)

Answers = list[tuple[str, np.ndarray]]  # of each photo the label, and the map


def measure(photos: int = PHOTOS) -> str:
    """The table: each model, each side, photos a second."""
    with tempfile.TemporaryDirectory(prefix="camdemo-bench-") as folder:
        files = make_photos(Path(folder), photos)
        rows = [row for name in MODELS for row in _rows(name, files)]
    return table(["Model", "Way", "photos a second", "of the fastest other"], rows, texts=2)


def make_photos(folder: Path, count: int) -> list[Path]:
    """Photos of 500 x 375: parts of those that are at hand, and their mirror images."""
    data = Path(skimage.__file__).parent / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
    at_hand = [Path(get_image(name)) for name in ("lion.jpg", "cheetah.jpg", "tower.jpg")]
    at_hand += [data / name for name in names if (data / name).exists()]
    photos = [(path.stem, Image.open(path).convert("RGB")) for path in at_hand]
    dice = random.Random(0)
    made = []
    for number, (name, photo) in zip(range(count), itertools.cycle(photos), strict=False):
        share = dice.uniform(0.6, 1)
        wide = share * min(photo.width, photo.height * 4 / 3)
        left, top = (
            dice.uniform(0, room) for room in (photo.width - wide, photo.height - 0.75 * wide)
        )
        part = photo.resize((500, 375), box=(left, top, left + wide, top + 0.75 * wide))
        made.append(folder / f"{name}-{number:03}.jpg")
        (ImageOps.mirror(part) if dice.random() < 0.5 else part).save(made[-1], quality=92)
    return made


def _rows(name: str, files: list[Path]) -> list[list[str]]:
    turns = [files[start : start + A_TURN] for start in range(0, len(files), A_TURN)]
    seconds: dict[str, list[float]] = {side: [] for side in SIDES}
    dice = random.Random(0)
    with _workers(name) as workers:
        agree(
            {side: _ask(workers[side], files[:8], True)[1] for side in SIDES if side != WITH_SHEET}
        )
        for turn in turns:
            for side in dice.sample(SIDES, len(SIDES)):
                seconds[side].append(_ask(workers[side], turn, False)[0] / len(turn))
    rates = {side: 1 / median(times) for side, times in seconds.items()}
    best = max(rates[side] for side in (TORCHCAM, PYTORCH_GRAD_CAM, CAPTUM))
    title = catalogue.find(name).title
    rows = []
    for side, rate in rates.items():
        ratio = f"{rate / best:.2f}"
        if side == OURS:
            ratio += f" (aim {TIMES:.1f}: {'met' if rate / best >= TIMES else 'missed'})"
        rows.append([title if side == OURS else "", side, f"{rate:.0f}", ratio])
    return rows


def agree(answers: dict[str, Answers]) -> None:
    """Make sure that all sides say the same of the same photos.

    TorchCAM returns its map without what is negative, and scaled from its least value to 0..1.

    Raises:
        RuntimeError: they don't.
    """
    for number, (label, cam) in enumerate(answers[OURS]):
        positive = np.maximum(cam, 0)
        shown = (positive - positive.min()) / np.ptp(positive)
        for side, expected in ((CAPTUM, cam), (TORCHCAM, shown)):
            other, given = answers[side][number]
            if other != label:
                raise RuntimeError(f"{side} says {other} of photo {number}, ours {label}")
            off = np.abs(given - expected).max() / np.ptp(expected)
            if off > TOLERANCE:
                raise RuntimeError(f"{side} has another map of photo {number}, {off:.1e} off")
        if answers[PYTORCH_GRAD_CAM][number][0] != label:
            raise RuntimeError(f"{PYTORCH_GRAD_CAM} has another label for photo {number}")


# -- the sides, each in its process


@contextmanager
def _workers(name: str) -> Iterator[dict[str, Connection]]:
    context = multiprocessing.get_context("spawn")
    ends, processes = {}, []
    for side in SIDES:
        ends[side], other = context.Pipe()
        process = context.Process(target=_work, args=(side, name, other), daemon=True)
        process.start()
        processes.append(process)
    try:
        yield ends
    finally:
        for process in processes:
            process.terminate()


def _ask(worker: Connection, files: list[Path], is_shown: bool) -> tuple[float, Answers]:
    worker.send((files, is_shown))
    return worker.recv()


def _work(side: str, name: str, asked: Connection) -> None:
    explain = _side(side, name)
    while True:
        files, is_shown = asked.recv()
        started = time.perf_counter()
        answers = explain(files)
        asked.send((time.perf_counter() - started, answers if is_shown else []))


def _side(side: str, name: str) -> Callable[[list[Path]], Answers]:
    if side in (OURS, WITH_SHEET):
        return _ours(name, side == WITH_SHEET)
    spec = catalogue.find(name)
    layer_name = Explainer().default_layer(name).name
    model, transform = notebook.load(spec)
    layer = model.get_submodule(layer_name)
    labels = Explainer().labels(name)

    if side == TORCHCAM:
        from torchcam.methods import GradCAM

        torchcam = GradCAM(model, layer_name)

        def one(path: Path) -> tuple[str, np.ndarray]:
            scores = model(transform(Image.open(path).convert("RGB")).unsqueeze(0))
            best = top_five(scores)
            return labels[best[0]], torchcam(best[0], scores)[0][0].numpy()

    elif side == PYTORCH_GRAD_CAM:
        from pytorch_grad_cam import GradCAM as PytorchGradCam

        library = PytorchGradCam(model, [layer])

        def one(path: Path) -> tuple[str, np.ndarray]:
            inputs = transform(Image.open(path).convert("RGB")).unsqueeze(0)
            cam = library(inputs, targets=None)
            return labels[top_five(library.outputs)[0]], cam[0]

    else:

        def one(path: Path) -> tuple[str, np.ndarray]:
            inputs = transform(Image.open(path).convert("RGB")).unsqueeze(0)
            _values, indices = notebook.predict(model, inputs)
            best = int(indices[0])
            return labels[best], notebook.grad_cam(model, layer, inputs, best)

    return lambda files: [one(path) for path in files]


def _ours(name: str, sheet: bool) -> Callable[[list[Path]], Answers]:
    settings = replace(Settings(model=name), lanes=cores())
    explainer = Explainer(settings, engine=LocalEngine(settings=settings))
    folder = Path(tempfile.mkdtemp(prefix="camdemo-bench-"))
    lanes._NICE = 0  # so that what else runs on this machine slows all sides alike

    def explain(files: list[Path]) -> Answers:
        output = folder / "out"
        shutil.rmtree(output, ignore_errors=True)
        rows = explain_many(files, output, explainer=explainer, sheet=sheet, maps=True)
        maps = [
            cam for shard in sorted((output / "maps").iterdir()) for cam in np.load(shard)["maps"]
        ]
        return list(zip([row.said for row in rows], maps, strict=True))

    return explain


def main() -> None:
    print(f"torch {torch.__version__}, {cores()} cores, {PHOTOS} photos of 500 x 375.\n")
    with stage.weights_at_hand(list(MODELS)):
        print(measure())


if __name__ == "__main__":
    main()
