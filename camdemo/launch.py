"""The page from Python: `camdemo.serve(model, labels=...)`."""

from __future__ import annotations

from pathlib import Path

from .engine import LocalEngine, SharedEngine, on_all_cores
from .explainer import Explainer
from .records import Activation
from .settings import Settings


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


def page_explainer(settings: Settings) -> Explainer:
    """An explainer for a page: a lane for each core, and nothing computed twice."""
    given = on_all_cores(settings)
    return Explainer(given, engine=SharedEngine(LocalEngine(settings=given)))
