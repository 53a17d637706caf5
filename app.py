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

_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
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
        deck = photos_in(options.deck) if options.deck else None
        settings = Settings.from_environment(flags=options)
        settings = replace(settings, lanes=settings.lanes or cores())
        explainer = Explainer(settings, engine=SharedEngine(LocalEngine(settings=settings)))
        from camdemo.ui.page import build_demo
        from camdemo.ui.server.launching import launch_options

        demo = build_demo(explainer, deck)
    except CamdemoError as error:
        sys.exit(str(error))
    # Whoever stops the process wants what Ctrl-C does: the server finishes what runs, and ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo.queue(max_size=explainer.settings.max_queue)
    demo.launch(prevent_thread_lock=True, **launch_options(explainer, deck))
    # Not earlier: imports take turns, so that torch beside Gradio would only delay the page.
    threading.Thread(target=explainer.warm_up, daemon=True).start()
    demo.server.config.timeout_graceful_shutdown = _LAST_SECONDS
    demo.block_thread()


def log_to_stderr() -> None:
    """One line of JSON a request; see camdemo/ui/journal.py."""
    log = logging.getLogger("camdemo")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())


def photos_in(folder: Path) -> dict[str, str]:
    """The photos of a folder by their names without ending, in the order of the names.

    Raises:
        CamdemoError: there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise CamdemoError(f"There is no folder {str(folder)!r} to make a deck of.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PHOTOS)
    if not files:
        raise CamdemoError(f"There is no photo in {str(folder)!r}.")
    return {path.stem: str(path.resolve()) for path in files}


if __name__ == "__main__":
    main()
