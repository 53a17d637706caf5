"""Runs the tests of an accelerator in a process of their own.

Torch counts the devices when it first goes backward: a device that is made up later has no thread
for that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_an_accelerator() -> None:
    tests = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*command, str(tests / "on_a_device.py")],
        cwd=tests.parent,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]
