"""The command line: python -m camdemo explain | models | layers | fetch."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from .engine import Progress
from .errors import CamdemoError
from .explainer import Explainer
from .models import CATALOGUE
from .models.labels import label_or_index
from .records import COLORMAPS, EVIDENCE, percent
from .settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 a refusal printed in words."""
    options = _parser().parse_args(arguments)
    try:
        options.run(Explainer(Settings.from_environment()), options)
    except CamdemoError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m camdemo", description="What an image classifier saw, and where it looked."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    explain = commands.add_parser("explain", help="explain a photo")
    explain.add_argument("photo", metavar="PHOTO")
    explain.add_argument("-o", "--output", metavar="OUT.png", help="where to write the overlay")
    explain.add_argument("--json", action="store_true", help="print all numbers as JSON")
    explain.add_argument("--model", help="default: MobileNetV2 if it is here, else Lite0")
    explain.add_argument("--layer", help="default: the last stage")
    explain.add_argument(
        "--target", type=label_or_index, help="a label or its index; default: the most probable"
    )
    explain.add_argument(
        "--versus",
        type=label_or_index,
        metavar="LABEL",
        help="a label to compare with, or its index",
    )
    explain.add_argument(
        "--framing",
        default="crop",
        help="crop, whole, or left,top,right,bottom in pixels of the photo; default: crop",
    )
    explain.add_argument("--colormap", default="jet", help=_one_of(COLORMAPS))
    explain.add_argument("--opacity", default=0.5, type=float, help="0 to 1")
    explain.add_argument(
        "--evidence",
        help=f"{', '.join(EVIDENCE)}; default: signed for a comparison, else positive",
    )
    explain.set_defaults(run=_explain)

    listing = commands.add_parser("models", help="list the models")
    listing.set_defaults(run=_models)

    layers = commands.add_parser("layers", help="list the layers of a model")
    layers.add_argument("model", metavar="MODEL")
    layers.set_defaults(run=_layers)

    fetch = commands.add_parser("fetch", help="download weights, as before a talk")
    fetch.add_argument("models", metavar="MODEL", nargs="*")
    fetch.add_argument("--all", action="store_true", help="of every model")
    fetch.set_defaults(run=_fetch)
    return parser


def _one_of(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}; default: {names[0]}"


def _explain(explainer: Explainer, options: argparse.Namespace) -> None:
    explanation = explainer.explain(
        options.photo,
        model=options.model,
        layer=options.layer,
        target=options.target,
        versus=options.versus,
        framing=options.framing,
        progress=_progress_bar(),
    )
    picture = explanation.overlay(options.colormap, options.opacity, options.evidence)
    if options.output:
        try:
            picture.save(options.output)
        except (OSError, ValueError) as error:
            raise CamdemoError(
                f"The overlay can't be written to {options.output}: {error}."
            ) from error
    if options.json:
        print(json.dumps(explanation.summary(options.evidence)))
        return
    for prediction in explanation.predictions:
        print(f"{percent(prediction.probability):>7}  {prediction.label}")
    where = f"{explanation.model.title}, {explanation.layer.text}"
    against = f" against {explanation.versus.text}" if explanation.versus else ""
    print(f"Map of {explanation.target.text}{against} ({where})")
    if caveat := explanation.caveat(options.evidence):
        print(caveat)


def _models(explainer: Explainer, _options: argparse.Namespace) -> None:
    for spec in explainer.models():
        state = "ready" if spec.ready else "download"
        print(f"{spec.name:<20} {spec.title:<20} {spec.megabytes:>6.1f} MB  {state}")


def _layers(explainer: Explainer, options: argparse.Namespace) -> None:
    default = explainer.default_layer(options.model)
    for layer in explainer.layers(options.model):
        notes = ["stage"] * layer.stage + ["default"] * (layer == default)
        print(f"{layer.text}{'  (' + ', '.join(notes) + ')' if notes else ''}")


def _fetch(explainer: Explainer, options: argparse.Namespace) -> None:
    names = list(CATALOGUE.names) if options.all else options.models
    if not names:
        raise CamdemoError("Name the models to fetch, or give --all. 'models' lists them.")
    for name in names:
        CATALOGUE.find(name)  # a wrong name is told before the first download
    failures = []
    for name in names:
        try:
            explainer.fetch(name, _progress_bar(name))
            print(f"{name}: ready")
        except CamdemoError as error:
            failures.append(str(error))
    if failures:
        raise CamdemoError("\n".join(failures))


def _progress_bar(name: str = "weights") -> Progress | None:
    """A progress line on the terminal; none where the error output is a file."""
    if not sys.stderr.isatty():
        return None

    def show(received: int, total: int) -> None:
        share = f" of {total / 2**20:.0f}" if total else ""
        end = "\n" if total and received == total else ""
        print(f"\r{name}: {received / 2**20:.0f}{share} MB", end=end, file=sys.stderr, flush=True)

    return show
