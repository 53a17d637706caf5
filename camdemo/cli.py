"""The command line: camdemo serve | explain | batch | models | layers | fetch."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from . import adding, methods
from .engine import Progress
from .errors import CamdemoError
from .explainer import Explainer
from .launch import page_explainer
from .models import CATALOGUE
from .options import add_flags, find, of, read
from .question import Look, Question
from .records import percent
from .settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, `serve` if none is named.

    Returns:
        The exit code: 0 done, 1 a refusal printed in words, 130 interrupted.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given or ["serve"])
    try:
        options.run(options)
    except CamdemoError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="camdemo",
        description="What an image classifier saw, and where it looked.",
        epilog="Without a command, the page is served. `camdemo COMMAND --help` tells more.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve the page")
    serve.add_argument(
        "--deck",
        type=Path,
        metavar="FOLDER",
        help="show the photos of a folder; Page Up and Page Down step through them without a wait",
    )
    add_flags(serve, Settings)
    adding.add_flags(serve)
    serve.set_defaults(run=_serve)

    explain = commands.add_parser("explain", help="explain a photo")
    explain.add_argument("photo", metavar="PHOTO")
    explain.add_argument("-o", "--output", metavar="OUT.png", help="where to write the overlay")
    explain.add_argument("--json", action="store_true", help="print all numbers as JSON")
    add_flags(explain, Question)
    add_flags(explain, Look)
    add_flags(explain, (find(Settings, "device"),))
    adding.add_flags(explain)
    explain.set_defaults(run=_explain)

    batch = commands.add_parser(
        "batch",
        help="explain many photos: a table, and a contact sheet that opens from disk",
        description="What is in OUT already is not computed again: a run that was stopped goes on. "
        "With --engine ray, PHOTOS and OUT must lie where all machines see them by the same path.",
    )
    batch.add_argument(
        "photos",
        metavar="PHOTOS",
        nargs="+",
        help="a folder, a pattern in quotes, a text file with a path a line, or photos",
    )
    batch.add_argument("-o", "--output", metavar="OUT", required=True, help="a folder of its own")
    batch.add_argument("--overlay", action="store_true", help="write overlays of the photos' sizes")
    batch.add_argument("--maps", action="store_true", help="write the maps, for NumPy")
    batch.add_argument("--no-sheet", action="store_true", help="write no contact sheet and pages")
    batch.add_argument(
        "--expected",
        type=Path,
        metavar="LABELS.csv",
        help="what the photos show, a line FILE,LABEL each: wrong answers come first",
    )
    add_flags(batch, Question)
    add_flags(batch, Look)
    add_flags(batch, (find(Settings, "engine"), find(Settings, "device")))
    adding.add_flags(batch)
    batch.set_defaults(run=_batch)

    listing = commands.add_parser("models", help="list the models")
    adding.add_flags(listing)
    listing.set_defaults(run=_models)

    layers = commands.add_parser("layers", help="list the layers of a model")
    layers.add_argument("model", metavar="MODEL", nargs="?", help="default: as for explain")
    adding.add_flags(layers)
    layers.set_defaults(run=_layers)

    fetch = commands.add_parser("fetch", help="download weights, as before a talk")
    fetch.add_argument("models", metavar="MODEL", nargs="*")
    fetch.add_argument("--all", action="store_true", help="of every model")
    fetch.set_defaults(run=_fetch)
    return parser


def _serve(options: argparse.Namespace) -> None:
    from .ui.server import serving

    explainer = page_explainer(Settings.from_environment(flags=options), adding.texts(options))
    serving.serve(adding.add_models(explainer, options), options.deck)


def _explain(options: argparse.Namespace) -> None:
    asked = read(Question, vars(options))
    look = read(Look, vars(options))  # all is checked before anything is computed
    explanation = _explainer(options).explain(
        options.photo, progress=_progress_bar(), watch=_forwards_bar(), **asdict(asked)
    )
    picture = explanation.painted(look)
    if options.output:
        try:
            picture.save(options.output)
        except (OSError, ValueError) as error:
            raise CamdemoError(
                f"The overlay can't be written to {options.output}: {error}."
            ) from error
    if options.json:
        print(json.dumps(explanation.summary(look.evidence)))
        return
    for prediction in explanation.predictions:
        print(f"{percent(prediction.probability):>7}  {prediction.label}")
    method = methods.find(explanation.method).title
    where = f"{explanation.model.title}, {explanation.layer.text}, {method}"
    rivals = explanation.versus
    is_duel = len(rivals) == 1 and explanation.strength == 1
    against = f" against {rivals[0].text if is_duel else explanation.against}" if rivals else ""
    print(f"Map of {explanation.target.text}{against} ({where})")
    for said in (explanation.caveat(look.evidence), explanation.gap_text):
        if said:
            print(said)


def _batch(options: argparse.Namespace) -> None:
    from .batch import all_cores, explain_many
    from .batch.running import in_threads

    asked = read(Question, vars(options))
    look = read(Look, vars(options))
    is_chosen = any(getattr(options, each.name, None) is not None for each in of(Look))
    settings = _settings(options)
    by = in_threads
    if settings.engine == "ray":
        from .cluster.folder import OverRay

        by = OverRay(adding.texts(options))
    try:
        rows = explain_many(
            options.photos,
            options.output,
            by=by,
            sheet=not options.no_sheet,
            overlay=options.overlay,
            maps=options.maps,
            look=look if is_chosen else None,
            expected=options.expected,
            progress=_progress_bar(),
            explainer=adding.add_models(all_cores(settings), options),
            **asdict(asked),
        )
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        raise
    failed, wrong = sum(bool(row.error) for row in rows), sum(row.is_wrong for row in rows)
    facts = [f"{len(rows)} photos"]
    facts += [f"{failed} could not be read"] if failed else []
    facts += [f"{wrong} not as expected"] if options.expected else []
    shown = "table.csv" if options.no_sheet else "index.html"
    print(f"{', '.join(facts)}: {Path(options.output, shown)}")


def _models(options: argparse.Namespace) -> None:
    for spec in _explainer(options).models():
        state = "ready" if spec.ready else "download"
        print(f"{spec.name:<20} {spec.title:<20} {spec.megabytes:>6.1f} MB  {state}")


def _layers(options: argparse.Namespace) -> None:
    explainer = _explainer(options)
    model = options.model or explainer.default_model()
    default = explainer.default_layer(model)
    for layer in explainer.layers(model):
        notes = ["stage"] * layer.stage + ["default"] * (layer == default)
        print(f"{layer.text}{'  (' + ', '.join(notes) + ')' if notes else ''}")
    print(methods.fused(explainer.layers(model)).text)


def _fetch(options: argparse.Namespace) -> None:
    names = list(CATALOGUE.names) if options.all else options.models
    if not names:
        raise CamdemoError("Name the models to fetch, or give --all. 'models' lists them.")
    for name in names:
        CATALOGUE.find(name)  # a wrong name is told before the first download
    explainer, failures = Explainer(Settings.from_environment()), []
    for name in names:
        try:
            explainer.fetch(name, _progress_bar(name))
            print(f"{name}: ready")
        except CamdemoError as error:
            failures.append(str(error))
    if failures:
        raise CamdemoError("\n".join(failures))


def _explainer(options: argparse.Namespace | None = None) -> Explainer:
    """An explainer for one command, with the models that its flags and the environment add."""
    return adding.add_models(Explainer(_settings(options)), options)


def _settings(options: argparse.Namespace | None = None) -> Settings:
    """Those of the environment, and what a command has flags for: its --model is a question's."""
    flags = {name: getattr(options, name, None) for name in ("engine", "device")}
    return Settings.from_environment(flags=argparse.Namespace(**flags))


def _progress_bar(name: str = "weights") -> Progress | None:
    """A progress line on the terminal; none where the error output is a file."""
    if not sys.stderr.isatty():
        return None

    def show(received: int, total: int) -> None:
        share = f" of {total / 2**20:.0f}" if total else ""
        end = "\n" if total and received == total else ""
        print(f"\r{name}: {received / 2**20:.0f}{share} MB", end=end, file=sys.stderr, flush=True)

    return show


def _forwards_bar() -> Progress | None:
    """The same of a method of pixels, in forwards of the network."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} forwards", end=end, file=sys.stderr, flush=True)

    return show
