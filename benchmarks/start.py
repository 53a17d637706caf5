"""From the start of the process to the page, and to the first finished explanation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

from gradio.media import get_image
from gradio_client import Client, handle_file

from tests.served import free_port

from . import stage
from .timing import table

ROOT = Path(__file__).parents[1]
RUNS = 3
PATIENCE = 120.0  # seconds until a start counts as failed

# Each in a process of its own, after what it stands on, whose import is not counted.
IMPORTS = {
    "torch": "",
    "torchvision": "import torch",
    "timm": "import torch, torchvision",
    "gradio": "",
    "cv2": "import numpy",
}

# The same steps as app.py, one after another. Prints the seconds of each as JSON; its one
# argument is the path of a photo.
STEPS = """
import json, sys, time
seconds, last = {}, time.perf_counter()
def done(step):
    global last
    seconds[step], last = time.perf_counter() - last, time.perf_counter()
import torch, torchvision, timm, gradio, cv2
from camdemo import Explainer
from camdemo.models import CATALOGUE, networks
from camdemo.ui.page import build_demo
from camdemo.ui.server.launching import launch_options
last = time.perf_counter()
explainer = Explainer()
demo = build_demo(explainer)
done("building the page")
demo.queue().launch(quiet=True, prevent_thread_lock=True, **launch_options(explainer))
done("starting Gradio's server")
spec = CATALOGUE.find("efficientnet_lite0")
network = networks.load(spec)
done("building EfficientNet-Lite0 and loading its weights")
explainer.layers(spec.name)
done("finding its layers")
explainer.explain(sys.argv[1], model=spec.name).overlay()
done("the first explanation of a process")
explainer.explain(sys.argv[1], model=spec.name).overlay()
done("the second one")
print(json.dumps(seconds))
"""


def measure() -> str:
    """Two tables: the two waits, and where the seconds go."""
    starts = [_start() for _ in range(RUNS)]
    waits = [
        ["until the page answers", f"{median(start[0] for start in starts):.1f}"],
        ["until the first explanation over the API", f"{median(s[1] for s in starts):.1f}"],
    ]
    parts = [[f"import {name}", f"{_import(name):.2f}"] for name in IMPORTS]
    parts += [[step, f"{seconds:.2f}"] for step, seconds in _steps().items()]
    return "\n\n".join(
        [
            table(["From the start of `python app.py`", "s"], waits),
            "Where the seconds go, each step alone; app.py serves the page before it imports "
            "torch, and loads the model behind it:",
            table(["Step", "s"], parts),
        ]
    )


def _start() -> tuple[float, float]:
    """Seconds until GET / gives 200, and until /explain has answered, of one fresh process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    # A session of its own, so that what it may have started ends with it.
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=_environment() | {"GRADIO_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(address, process)
        answering = time.perf_counter() - started
        with tempfile.TemporaryDirectory(prefix="camdemo-bench-") as downloads:
            client = Client(address, verbose=False, download_files=downloads)
            client.predict(
                handle_file(get_image(stage.PHOTO)),
                "efficientnet_lite0",
                "",
                "",
                "crop",
                "jet",
                0.5,
                "positive",
                api_name="/explain",
            )
            return answering, time.perf_counter() - started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Ask for the page until it is there.

    Raises:
        RuntimeError: the process ended, or `PATIENCE` is over.
    """
    end = time.perf_counter() + PATIENCE
    while time.perf_counter() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise RuntimeError(f"app.py does not answer at {address}")


def _import(name: str) -> float:
    """Seconds that the import takes in a fresh process, after what it stands on."""
    timed = (
        f"{IMPORTS[name]}\nimport time; start = time.perf_counter()\n"
        f"import {name}; print(time.perf_counter() - start)"
    )
    return median(float(_python(timed)) for _ in range(RUNS))


def _steps() -> dict[str, float]:
    return json.loads(_python(STEPS, get_image(stage.PHOTO)).splitlines()[-1])


def _python(code: str, *arguments: str) -> str:
    """What a fresh Python prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(f"{code}\nended with:\n{ran.stderr}")
    return ran.stdout


def _environment() -> dict[str, str]:
    # With the model named, nobody waits for a download that may never come.
    return os.environ | {"CAMDEMO_MODEL": "efficientnet_lite0"}
