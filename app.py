"""Entry of the Space and of a local run: builds the page and serves it."""

from __future__ import annotations

import sys
import threading

from camdemo import Explainer, SettingError, Settings


def main() -> None:
    """Serve the page on 127.0.0.1:7860 or the next free port.

    GRADIO_SERVER_NAME and GRADIO_SERVER_PORT choose another address; a Space sets them.
    """
    try:
        explainer = Explainer(Settings.from_environment())
    except SettingError as error:
        sys.exit(str(error))
    # Torch takes as long to import as the page takes to build: do both at once.
    threading.Thread(target=explainer.warm_up, daemon=True).start()
    from camdemo.ui.blocks import build_demo, launch_options

    build_demo(explainer).queue(max_size=64).launch(**launch_options())


if __name__ == "__main__":
    main()
