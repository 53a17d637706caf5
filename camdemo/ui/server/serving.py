"""The life of a server: from an explainer to a page, until the process is told to end."""

from __future__ import annotations

import gc
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import CamdemoError
from ..decks import photos_in

if TYPE_CHECKING:
    from ...explainer import Explainer

_LAST_SECONDS = 2  # for what runs when the process is stopped; open pages never end by themselves


def serve(explainer: Explainer, folder: Path | None = None) -> None:
    """Serve the page until the process is told to end, and print its address.

    Args:
        folder: one with photos, to be shown instead of the examples.

    Raises:
        CamdemoError: no photo in the folder, or no port to serve on.
    """
    deck = photos_in(folder) if folder else None
    log_to_stderr()
    with tempfile.TemporaryDirectory(prefix="camdemo-") as temporary:
        # Where photos and results of visitors lie, and nothing of anybody else's.
        os.environ.setdefault("GRADIO_TEMP_DIR", temporary)
        _serve(explainer, deck)
    gc.freeze()  # else the interpreter looks at every object once more: 1.1 of its last 1.5 seconds


def _serve(explainer: Explainer, deck: Mapping[str, str] | None) -> None:
    from .. import seams
    from ..agents import Agents
    from ..page import build_demo
    from .admission import Admission
    from .launching import launch_options

    admission = Admission(explainer.settings)
    agents = Agents(explainer, admission) if explainer.settings.mcp else None
    demo = build_demo(explainer, deck, admission)
    demo.queue(max_size=explainer.settings.max_queue)
    # Whoever stops the process wants what Ctrl-C does: the server finishes what runs, and ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(explainer, agents))
    except OSError as error:
        host, port = explainer.settings.host or "this machine", explainer.settings.port or "any"
        raise CamdemoError(
            f"The page can't be served on {host}, port {port}: the port is taken, or the address "
            "is not this machine's. Choose another with --port or --host."
        ) from error
    print(f"The page is at {demo.local_url} (Ctrl-C ends it).", flush=True)
    if agents:
        print(f"Agents ask at {demo.local_url}{agents.route.path[1:]}.", flush=True)
    # Not earlier: imports take turns, so that torch beside Gradio would only delay the page.
    threading.Thread(target=explainer.warm_up, daemon=True).start()
    seams.end_within(demo, _LAST_SECONDS)
    demo.block_thread()


def log_to_stderr() -> None:
    """One line of JSON a request; see journal.py."""
    log = logging.getLogger("camdemo")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
