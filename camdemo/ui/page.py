"""The page: the viewer over the whole of it, and the API. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import decks
from .answers import Answers
from .api import add_endpoints
from .offers import Offers
from .seams import Page, upload_folder
from .server.admission import Admission
from .server.uploads import Disk
from .viewer import cam_viewer

if TYPE_CHECKING:
    from ..explainer import Explainer


def build_demo(
    explainer: Explainer,
    deck: Mapping[str, str] | None = None,
    admission: Admission | None = None,
) -> Page:
    """The page over an explainer, or over anything with its methods.

    Args:
        deck: paths of photos by their names, to show instead of the examples. They are explained
            now, so that one can step through them without a wait.
        admission: through which whatever computes passes, where others pass it, too.
    """
    offers = Offers(explainer, deck)
    answers = Answers(explainer, offers, admission)
    if deck:
        decks.prepare(answers, deck)
    disk = Disk(upload_folder(), explainer.settings.max_disk * 10**6)
    with Page("camdemo", disk, offers.photos) as demo:
        cam_viewer(answers, offers)
        add_endpoints(explainer, answers.admission)
    return demo
