"""Which map to trust: `python -m benchmarks.faith`, or `make bench-faith`.

Every method, on photos, by what the library itself can put a map to: the curves of deletion and
insertion, the order of patches hidden one by one, and two photos side by side, where a label's
evidence should lie on its own; beside them a random map and a spot in the middle. The labels are
those that the models give the photos. What was measured can be kept in a file, from which the next
run goes on.

    make bench-faith PHOTOS=~/photos N=100 METHODS=gradcam,rise KEEP=faith.jsonl
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gradio.media import get_image
from PIL import Image
from skimage import data
from tqdm import tqdm

from camdemo import Box, CamdemoError, Explainer, Explanation, Settings, methods
from camdemo.photo import Photo
from camdemo.trust import scores

from .intervals import bootstrap
from .timing import interleaved_medians, table
from .ways import CONTROLS, DEFAULT, RANDOM, Way, explain_all, ways

MODELS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
STEPS = 10  # of the curves, for all maps alike
LEAST = 0.1  # a label less probable is hardly an answer, and is left out
PAIRS = 200  # about as many pairs of photos, but each photo is in one at least
SIDE = 448  # pixels of a photo in a pair
QUICK = 3  # photos
SECONDS = 3.0  # for the milliseconds, at five rounds at least
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
# The photos of gradio's and scikit-image's in which there are things to be named.
THEIRS = ("cheetah.jpg", "cheetah1.jpg", "lion.jpg", "tower.jpg")
OTHERS = ("astronaut", "camera", "cat", "coffee", "rocket", "stereo_motorcycle")
MEASURES = {
    "curves": "insertion − deletion",
    "patches": "order of hidden patches",
    "pointing": "evidence on its own photo",
}
Found = dict[str, Any]


# -- photos


def photos(
    folder: Path | None = None, count: int | None = None
) -> list[tuple[str, Callable[[], Photo]]]:
    """Their names, and what opens them: those of the folder, or of the packages that we have.

    Args:
        count: as many of them, drawn from all, but always the same; None for all.
    """
    found: list[tuple[str, Callable[[], Photo]]]
    if folder is None:
        found = [(name, lambda name=name: get_image(name)) for name in THEIRS]
        found += [(name, lambda name=name: _of_skimage(name)) for name in OTHERS]
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
        if not paths:
            raise SystemExit(f"No photo ({', '.join(ENDINGS)}) in {folder}. Name another folder.")
        found = [(str(path.relative_to(folder)), lambda path=path: path) for path in paths]
        random.Random(0).shuffle(found)
    return found[:count]


def _of_skimage(name: str) -> np.ndarray:
    pixels = getattr(data, name)()
    return pixels[0] if isinstance(pixels, tuple) else pixels  # the left one of two


# -- one photo, and two


def of_photo(
    explainer: Explainer, photo: Photo, model: str, asked: Sequence[Way], steps: int = STEPS
) -> Found:
    """The label, and for each way the two measures of one photo.

    A map that is the same everywhere orders nothing, and counts 0.
    """
    first = explainer.explain(photo, model)
    found: Found = {"label": first.target.text, "probability": first.target.probability}
    if first.target.probability < LEAST:
        return found
    explained = explain_all(explainer, first, asked)
    hidden = first.hide_each()
    ranked = scores.rank_maps(
        {(name, ""): one.cam for name, one in explained.items()},
        hidden.drops(first.target.index),
        hidden.fills,
        (RANDOM, ""),
        first.target.label,
        {(name, ""): name for name in explained},
        hidden.span,
    )
    known: list[tuple[np.ndarray, float]] = []
    for name, one in explained.items():
        found[name] = {
            "curves": _curves(one, steps, known),
            "patches": ranked.values[name, ""].value,
        }
    return found


def _curves(one: Explanation, steps: int, known: list[tuple[np.ndarray, float]]) -> float:
    """Insertion minus deletion; once for all maps that differ by a factor alone."""
    if np.ptp(one.cam) == 0:
        return 0.0
    cam = one.cam / np.abs(one.cam).max()
    for other, area in known:
        if methods.alike(cam, other):
            return area
    insertion, deletion = (draw("blur", steps, orders=0) for draw in (one.insertion, one.deletion))
    known.append((cam, insertion.area - deletion.area))
    return known[-1][1]


def of_pair(
    explainer: Explainer, two: Sequence[Image.Image], model: str, asked: Sequence[Way]
) -> Found:
    """How much of a label's positive evidence lies on its own one of two photos side by side.

    The mean of both labels; a map without positive evidence counts one half. Nothing where the
    model gives both photos the same label, or one of them none that is probable.
    """
    labels = [explainer.explain(photo, model, framing="whole").target for photo in two]
    if labels[0].index == labels[1].index or min(one.probability for one in labels) < LEAST:
        return {}
    side = two[0].width
    both = Image.new("RGB", (2 * side, side))
    for number, photo in enumerate(two):
        both.paste(photo, (number * side, 0))
    found: dict[str, list[float]] = defaultdict(list)
    for number, label in enumerate(labels):
        first = explainer.explain(both, model, target=label.index, framing="whole")
        for name, one in explain_all(explainer, first, asked).items():
            middle, end = (one.inputs.shape[-1] // 2 * n for n in (1, 2))
            own = Box(0, 0, middle, end) if number == 0 else Box(middle, 0, end, end)
            beside = replace(one, part=own).in_bars(one.cam)
            found[name].append(1 - beside if one.cam.max() > 0 else 0.5)
    return {name: {"pointing": float(np.mean(shares))} for name, shares in found.items()}


# -- all of them


class Kept:
    """What was measured, by what it is of: a model, and the names of one photo or two.

    Args:
        path: a file in which it is kept line by line, too, and was; None for memory alone.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.all: dict[tuple[str, ...], Found] = {}
        for line in path.read_text().splitlines() if path and path.exists() else []:
            with suppress(json.JSONDecodeError):  # one that was cut off
                one = json.loads(line)
                self.all.setdefault(tuple(one["of"]), {}).update(one["found"])

    def missing(self, of: tuple[str, ...], asked: Sequence[Way]) -> list[Way]:
        """What is still to be measured; nothing where there was no answer to explain."""
        had = self.all.get(of)
        if had is None:
            return list(asked)
        return [way for way in asked if way.name not in had] if RANDOM in had else []

    def add(self, of: tuple[str, ...], found: Found) -> None:
        """Remember."""
        self.all.setdefault(of, {}).update(found)
        if self._path:
            with self._path.open("a") as file:
                file.write("\n" + json.dumps({"of": of, "found": found}))

    def of(self, models: Sequence[str], names: Sequence[str]) -> Iterator[tuple[str, list, Found]]:
        """Of these models and photos: the model, the photos, and what was found."""
        for (model, *photos), found in self.all.items():
            if model in models and set(photos) <= set(names):
                yield model, photos, found


def measure(
    explainer: Explainer,
    opened: Sequence[tuple[str, Callable[[], Photo]]],
    models: Sequence[str],
    asked: Sequence[Way],
    kept: Kept,
    in_turn: bool = False,
    steps: int = STEPS,
) -> None:
    """All photos, one after the other, each also beside some that came before it.

    Args:
        in_turn: whether each photo is shown to one of the models, instead of all.
    """
    before: deque[tuple[str, Image.Image]] = deque(maxlen=math.ceil(PAIRS / len(opened)))
    for number, (name, opens) in enumerate(tqdm(opened, "photos", disable=None)):
        try:
            whole = explainer.explain(opens(), models[0], framing="whole").image
        except CamdemoError as error:
            tqdm.write(f"{name} is left out: {error}", file=sys.stderr)
            continue
        square = whole.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        for model in [models[number % len(models)]] if in_turn else models:
            offered = [way for way in asked if way.is_offered(explainer, model)]
            if missing := kept.missing((model, name), offered):
                kept.add((model, name), of_photo(explainer, whole, model, missing, steps))
            for other, beside in before:
                of = (model, other, name)
                if missing := kept.missing(of, offered):
                    kept.add(of, of_pair(explainer, (beside, square), model, missing))
        before.append((name, square))


def milliseconds(explainer: Explainer, photo: Photo, model: str, asked: Sequence[Way]) -> dict:
    """What an explanation takes in each way, by its name: the medians of interleaved rounds."""
    first = explainer.explain(photo, model)
    sides = {
        way.name: lambda way=way: way.explain(explainer, first)
        for way in asked
        if "+" not in way.where and way.where != "smoothed" and way.is_offered(explainer, model)
    }
    return interleaved_medians(sides, SECONDS)


# -- what came out


def report(kept: Kept, asked: Sequence[Way], models: Sequence[str], names: Sequence[str]) -> str:
    """The two tables: what each way reached, and how it differs from the default.

    Args:
        names: of the photos.
    """
    places = {name: place for place, name in enumerate(names)}
    found = [
        ([places[name] for name in photos], one)
        for _, photos, one in kept.of(models, names)
        if RANDOM in one
    ]

    def cell(name: str, measure: str, rival: str = "") -> str:
        """The mean; of the difference where there is a rival."""
        both = [
            (photos, one[name][measure] - (one[rival][measure] if rival else 0))
            for photos, one in found
            if all(measure in one.get(each, {}) for each in (name, rival or name))
        ]
        if not both:
            return ""
        photos, values = (np.array(each) for each in zip(*both, strict=True))
        return bootstrap(values, photos).text("+" if rival else "")

    titles = {way.name: way.title for way in asked} | CONTROLS
    values, differences = [], []
    for name, title in titles.items():
        cells = [cell(name, measure) for measure in MEASURES]
        if any(cells):
            values.append([title, *cells])
            less = [cell(name, measure, DEFAULT.name) for measure in MEASURES]
            differences.append([title, *less])
    header = ["", *MEASURES.values()]
    answers = sum(len(photos) == 1 for photos, _ in found)
    return (
        f"{len({one for photos, _ in found for one in photos})} photos, {answers} answers, "
        f"{len(found) - answers} pairs; {', '.join(models)}:\n\n{table(header, values)}\n\n"
        f"Less {DEFAULT.title}, on the same photos:\n\n{table(header, differences[1:])}"
    )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Which map to trust")
    parser.add_argument("folder", nargs="?", type=Path, help="photos of one's own")
    parser.add_argument("--count", type=int, help="as many of them, drawn from all")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} photos")
    parser.add_argument("--methods", help="their names, with commas; else all")
    parser.add_argument("--models", default=",".join(MODELS), help="the same")
    parser.add_argument(
        "--in-turn", action="store_true", help="each photo by one of the models, instead of all"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="of the curves, as many forwards")
    parser.add_argument("--keep", type=Path, help="a file that remembers, so that this can go on")
    parser.add_argument(
        "--together", action="append", default=[], help="stages to fuse, too: blocks.4+blocks.6"
    )
    given = parser.parse_args()
    names = given.methods.split(",") if given.methods else [one.name for one in methods.all()]
    asked, models = ways(names, given.together), given.models.split(",")
    opened = photos(given.folder, QUICK if given.quick else given.count)
    explainer, kept = Explainer(Settings(model=models[0], lanes=1)), Kept(given.keep)
    measure(explainer, opened, models, asked, kept, given.in_turn, given.steps)
    print(say(kept, asked, models, [name for name, _ in opened]))
    times = milliseconds(explainer, opened[0][1](), models[0], asked)
    rows = [
        [way.title, f"{times[way.name]:.0f}", f"{times[way.name] / times[DEFAULT.name]:.1f}"]
        for way in asked
        if way.name in times
    ]
    print("\n" + table([f"{models[0]}, a photo of its own", "ms", "of the default's"], rows))


def say(kept: Kept, asked: Sequence[Way], models: Sequence[str], names: Sequence[str]) -> str:
    """All that is printed of the photos: their labels, if they are few, and the tables."""
    said = [
        (photos[0], model, one) for model, photos, one in kept.of(models, names) if "label" in one
    ]
    faint = sum(one["probability"] < LEAST for *_, one in said)
    parts = [f"Of {len(said)} answers {faint} are below {LEAST:.0%}, and left out."]
    if len(names) <= 20:
        of = {(name, model): one["label"] for name, model, one in said}
        rows = [[name, *(of.get((name, model), "") for model in models)] for name in names]
        parts.append(table(["", *models], rows, 1 + len(models)))
    parts.append(report(kept, asked, models, names))
    if len(models) > 1:
        parts += [report(kept, asked, [model], names) for model in models]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
