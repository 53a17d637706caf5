"""Finds a Chromium for the tests, or gets one: Playwright's own, the system's, or apt's.

python tests/browser/chromium.py      prints its path, or says why there is none
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find(playwright: Playwright) -> str | None:
    """The path of a Chromium that is installed here."""
    own = playwright.chromium.executable_path
    if Path(own).exists():
        return own
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def find_or_install(playwright: Playwright) -> str | None:
    """The same; where there is none, install one by whichever way works on this machine."""
    if find(playwright) is None:
        _try(sys.executable, "-m", "playwright", "install", "chromium")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if find(playwright) is None and is_root and shutil.which("apt-get"):
        _try("apt-get", "update", "-q")
        _try("apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium")
    return find(playwright)


def _try(*command: str) -> None:
    try:
        subprocess.run(command, timeout=600, check=False, stdout=sys.stderr)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"{' '.join(command)}: {error}", file=sys.stderr)


if __name__ == "__main__":
    with sync_playwright() as started:
        path = find_or_install(started)
    if path is None:
        sys.exit(
            "The browser tests need Chromium, and none could be installed. Install the package "
            "'chromium' of your system, or run 'python -m playwright install chromium'."
        )
    print(f"Chromium: {path}")
