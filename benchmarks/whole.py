"""From the bytes of a photo to the overlay and the top five, ours and the notebook's way."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from camdemo import Explainer
from camdemo.models import catalogue

from . import notebook, stage
from .core import TOLERANCE
from .timing import interleaved_medians, table, verdict

MODELS = ("mobilenet_v2", "efficientnet_lite0")
SIZES = ((500, 333), (4000, 3000))
OF_NOTEBOOK = 0.5  # the aim: ours divided by the notebook's way, at most


def measure(seconds: float) -> str:
    """The table: each model and size. `seconds` for each row of it."""
    explainer = Explainer()
    rows = []
    for width, height in SIZES:
        data = stage.photo_bytes(width, height)
        for name in MODELS:
            ours, theirs, steps = _sides(explainer, name, data)
            times = interleaved_medians({"ours": ours, "theirs": theirs}, seconds)
            rows.append(
                [
                    f"{catalogue.find(name).title}, {width} x {height}",
                    f"{times['ours']:.0f}",
                    f"{times['theirs']:.0f}",
                    verdict(times["ours"] / times["theirs"], OF_NOTEBOOK),
                    " + ".join(f"{median(values):.0f}" for values in steps.values()),
                ]
            )
    header = [
        "Model, photo",
        "ours, ms",
        "notebook's way, ms",
        "ratio",
        "ours: decode + prepare + explain + draw",
    ]
    return table(header, rows)


def _sides(
    explainer: Explainer, name: str, data: bytes
) -> tuple[Callable[[], object], Callable[[], object], dict[str, list[float]]]:
    """Ours and the notebook's way, after making sure that both see the same thing.

    The dictionary collects the milliseconds that each step of ours took in each run.

    Raises:
        RuntimeError: they do not. The pictures differ on purpose (ours draws the map where
            the model looked), so the labels and the maps are compared.
    """
    model, transform = notebook.load(catalogue.find(name))
    layer = model.get_submodule(explainer.default_layer(name).name)

    steps: dict[str, list[float]] = {"decode": [], "prepare": [], "explain": [], "draw": []}

    def ours() -> object:
        explanation = explainer.explain(data, model=name)
        explained = time.perf_counter()
        picture = explanation.overlay()
        steps["draw"].append(1000 * (time.perf_counter() - explained))
        for step in ("decode", "prepare", "explain"):
            steps[step].append(getattr(explanation.timings, step))
        return picture

    def theirs() -> object:
        return notebook.explain(data, model, layer, transform)

    explanation = explainer.explain(data, model=name)
    picture, best, cam = notebook.explain(data, model, layer, transform)
    if explanation.target.index != int(best[0]):
        raise RuntimeError(f"{name}: the label differs from the notebook's")
    # Our transform is the weights' own to the bit; what is left is the order of additions.
    if np.abs(explanation.cam - cam).max() > TOLERANCE * np.ptp(cam):
        raise RuntimeError(f"{name}: the map differs from the notebook's")
    if explanation.image.size != picture.shape[1::-1]:
        raise RuntimeError(f"{name}: the pictures differ in size")
    return ours, theirs, steps
