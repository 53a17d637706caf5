"""Entry of the Space and of a local run: builds the page and serves it."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from camdemo import CamdemoError, Explainer, Settings
from camdemo.engine import LocalEngine, SharedEngine, cores
from camdemo.settings import add_flags

_LAST_SECONDS = 2  # for what runs when the process is stopped; open pages never end by themselves


def main() -> None:
    """Serve the page, on 127.0.0.1:7860 or the next free port unless told otherwise."""
    parser = argparse.ArgumentParser(description="What did it see, and where did it look?")
    parser.add_argument(
        "--deck",
        type=Path,
        metavar="FOLDER",
        help="show the photos of a folder; Page Up and Page Down step through them without a wait",
    )
    add_flags(parser)
    options = parser.parse_args()
    log_to_stderr()
    with tempfile.TemporaryDirectory(prefix="camdemo-") as folder:
        # Where photos and results of visitors lie, and nothing of anybody else's.
        os.environ.setdefault("GRADIO_TEMP_DIR", folder)
        serve(options)
    gc.freeze()  # else the interpreter looks at every object once more: 1.1 of its last 1.5 seconds


def serve(options: argparse.Namespace) -> None:
    """Build the page and serve it until the process is told to end."""
    try:
        settings = Settings.from_environment(flags=options)
        settings = replace(settings, lanes=settings.lanes or cores())
        explainer = Explainer(settings, engine=SharedEngine(LocalEngine(settings=settings)))
        from camdemo.ui import decks, seams
        from camdemo.ui.page import build_demo
        from camdemo.ui.server.launching import launch_options

        deck = decks.photos_in(options.deck) if options.deck else None
        demo = build_demo(explainer, deck)
    except CamdemoError as error:
        sys.exit(str(error))
    # Whoever stops the process wants what Ctrl-C does: the server finishes what runs, and ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo.queue(max_size=explainer.settings.max_queue)
    demo.launch(prevent_thread_lock=True, **launch_options(explainer, deck))
    # Not earlier: imports take turns, so that torch beside Gradio would only delay the page.
    threading.Thread(target=explainer.warm_up, daemon=True).start()
    seams.end_within(demo, _LAST_SECONDS)
    demo.block_thread()


def log_to_stderr() -> None:
    """One line of JSON a request; see camdemo/ui/journal.py."""
    log = logging.getLogger("camdemo")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())


if __name__ == "__main__":
    main()
