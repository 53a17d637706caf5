"""app.py as it is started for good: by its flags, in a folder of its own, until it is ready."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

Result = TypeVar("Result")
Server = TypeVar("Server", bound=ThreadingHTTPServer)

ROOT = Path(__file__).parent.parent
APP = (sys.executable, str(ROOT / "app.py"))
SECRET = "sesame"  # in the server's environment; nobody may ever read it


def run(visit: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, on a thread of its own: after a browser test this one has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, visit).result()


def arguments(config: dict, image: Any, **changed: Any) -> list[Any]:
    """What /explain takes, in its order: the defaults but for those given."""
    event = next(one for one in config["dependencies"] if one["api_name"] == "explain")
    fields = {one["id"]: one["props"] for one in config["components"]}
    asked = {fields[each]["label"]: fields[each].get("value") for each in event["inputs"]}
    assert changed.keys() <= asked.keys()
    return list((asked | {"image": image} | changed).values())


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    address: str
    process: subprocess.Popen
    folder: Path

    @property
    def uploads(self) -> Path:
        """Where what visitors send lies."""
        return self.folder / "uploads"

    def log(self) -> list[dict]:
        """The lines about requests so far."""
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"request"')]


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Let it serve until the end, and then close its port."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def canary() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine that must never be asked: its address, and who asked."""
    asked: list[str] = []

    class Canary(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Canary)) as server:
        yield f"http://127.0.0.1:{server.server_port}", asked


@contextmanager
def served(
    folder: Path, *flags: str, command: Sequence[str] = APP, seconds: float = 60
) -> Iterator[Served]:
    """Start it, wait until it is ready, so many seconds at most, and end it."""
    port = free_port()
    environment = os.environ | {
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "SECRET_OF_THE_HOST": SECRET,
    }
    own = ["--host", "127.0.0.1", "--port", str(port), "--model", "efficientnet_lite0"]
    log, out = (folder / "log").open("w"), (folder / "out").open("w")
    process = subprocess.Popen(
        [*command, *own, *flags],
        cwd=folder,
        env=environment,
        stdout=out,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        seen = set()
        for _ in range(round(10 * seconds)):
            try:
                seen.add(httpx.get(f"{address}/health", timeout=5).status_code)
            except httpx.TransportError:
                assert process.poll() is None, (folder / "log").read_text()
            if 200 in seen:
                break
            time.sleep(0.1)
        assert 200 in seen
        assert seen <= {200, 503}
        yield Served(address, process, folder)
    finally:
        process.kill()
        process.wait()
        log.close()
        out.close()
