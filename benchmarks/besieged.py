"""The page as `make attack` starts it: `python benchmarks/besieged.py FILE FLAG ...`.

It reaches nothing but this machine, whatever it is asked: each attempt fails, and FILE gets a line.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent)  # where camdemo is, and not this folder

from camdemo.cli import main  # noqa: E402


def _is_here(host: Any) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or host == "0.0.0.0"
    except ValueError:
        return False


def stay_here(file: str) -> None:
    """From now on this process reaches no other machine, and tells the file which it wanted.

    Python tells its audit hooks of every look-up and every connection, whichever library asks.
    """
    reached = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        if not _is_here(host):
            os.write(reached, f"{event} {host!r}\n".encode())
            raise socket.gaierror(socket.EAI_NONAME, "This machine is alone.")

    sys.addaudithook(hook)


if __name__ == "__main__":
    stay_here(sys.argv[1])
    sys.exit(main(["serve", *sys.argv[2:]]))
