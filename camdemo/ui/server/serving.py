"""The life of a server: from an explainer to a page, until the process is told to end."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.protocol import width
from ...errors import CamdemoError
from ..decks import photos_in
from .folders import own_folder
from .lines import log_to_stderr, take_over

if TYPE_CHECKING:
    from ...explainer import Explainer

_LAST_SECONDS = 2  # for what runs when the process is stopped; open pages never end by themselves
_TEMPORARY = "GRADIO_TEMP_DIR"


def serve(explainer: Explainer, folder: Path | None = None) -> None:
    """Serve the page until the process is told to end, and print its address.

    Args:
        folder: one with photos, to be shown instead of the examples.

    Raises:
        CamdemoError: no photo in the folder, no port to serve on, or no folder to write to.
    """
    deck = photos_in(folder) if folder else None
    log_to_stderr()
    with _folder_of_visitors():
        _serve(explainer, deck)
    gc.freeze()  # else the interpreter looks at every object once more: 1.1 of its last 1.5 seconds


@contextmanager
def _folder_of_visitors() -> Iterator[None]:
    """Within it, Gradio keeps what visitors send in a folder where nothing of anybody else lies.

    Raises:
        CamdemoError: nothing can be written there.
    """
    chosen = os.environ.get(_TEMPORARY)
    with ExitStack() as stack:
        try:
            own = stack.enter_context(own_folder(Path(chosen) if chosen else None))
        except OSError as error:
            folder = chosen or "the system's temporary folder"
            raise CamdemoError(
                f"Nothing can be written in {folder}, where photos of visitors are kept. "
                f"Choose another folder with {_TEMPORARY}."
            ) from error
        os.environ[_TEMPORARY] = str(own)
        try:
            yield
        finally:
            os.environ.pop(_TEMPORARY)
            os.environ.update({_TEMPORARY: chosen} if chosen else {})


def _serve(explainer: Explainer, deck: Mapping[str, str] | None) -> None:
    from .. import seams
    from ..agents import Agents
    from ..page import build_demo
    from .admission import Admission
    from .connections import Connection, make_room
    from .launching import launch_options

    admission = Admission(explainer.settings, width=width(explainer.engine))
    agents = Agents(explainer, admission) if explainer.settings.mcp else None
    demo = build_demo(explainer, deck, admission)
    demo.queue(max_size=explainer.settings.max_queue)
    # Whoever stops the process wants what Ctrl-C does: the server finishes what runs, and ends.
    for told in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, told, None)  # Windows has no terminal that could hang up
        if number and signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores it
            signal.signal(number, signal.default_int_handler)
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
    take_over("uvicorn", "uvicorn.error")
    Connection.most = make_room()
    seams.connect_by(demo, Connection)
    seams.end_within(demo, _LAST_SECONDS)
    demo.block_thread()
