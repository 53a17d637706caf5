"""The page from Python: `camdemo.serve(model, labels=...)`."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import photo
from .engine import Engine, LocalEngine, SharedEngine, cores, on_all_cores
from .errors import Unreachable
from .explainer import Explainer, Reader
from .records import Activation
from .settings import Settings

_MOST_WORKERS = 8  # that decode photos: each has some 20 MB of its own


def serve(
    model: object = None,
    name: str | None = None,
    labels: object = None,
    transform: object = None,
    activation: Activation | None = None,
    settings: Settings | None = None,
    deck: str | Path | None = None,
) -> None:
    """Open the page, with a network of one's own beside the others, until the process ends.

        camdemo.serve(model, labels=["cat", "dog"], transform=validation_transform)

    Args:
        model, name, labels, transform, activation: see `Explainer.add`; None for the others alone.
        settings: None for those of the environment.
        deck: a folder with photos, to be shown instead of the examples.

    Raises:
        CamdemoError: a model that can't be explained (see `Explainer.add`), no photo in the
            folder, or no port to serve on.
    """
    from .ui.server import serving

    explainer = page_explainer(settings or Settings.from_environment())
    if model is not None:
        explainer.add(model, name, labels, transform, activation)
        if note := explainer.models()[-1].note:
            print(note, flush=True)
    serving.serve(explainer, None if deck is None else Path(deck))


def page_explainer(settings: Settings, add: Sequence[str] = ()) -> Explainer:
    """An explainer for a page: a lane for each core or one for an accelerator, nothing computed
    twice, and what strangers send is decoded by processes that can be killed.

    Args:
        add: the models that will be added to it; see `adding.texts`.

    Raises:
        Unreachable: `settings` ask for Ray, and want nobody else.
        CamdemoError: Ray is not installed, or can't start a replica.
        SettingError: there is no such device.
    """
    given = on_all_cores(settings)
    local = LocalEngine(settings=given)
    engine = _over_ray(settings, add, local) if settings.engine == "ray" else local
    # Photos are decoded on the CPU, whatever runs the networks.
    lanes = cores() if local.width > 1 else given.lanes
    return Explainer(given, engine=SharedEngine(engine), read=_reader(lanes))


def _over_ray(settings: Settings, add: Sequence[str], local: LocalEngine) -> Engine:
    from .cluster import joining
    from .cluster.engine import RayEngine
    from .cluster.spare import SpareEngine

    connect = joining.connector(settings, add)
    link = None
    try:
        link = connect()
    except Unreachable as error:
        if settings.without_ray == "refuse":
            raise
        print(f"{error} Until it is there, this machine answers.", file=sys.stderr)
    engine = RayEngine(connect, link)
    atexit.register(engine.close)
    return engine if settings.without_ray == "refuse" else SpareEngine(engine, local)


def _reader(lanes: int) -> Reader:
    if os.name == "nt":  # whose processes can't hand files to each other as others can
        return photo.read
    from .photo.workers import Workers

    return Workers(min(2 * lanes, _MOST_WORKERS)).read
