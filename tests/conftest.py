"""What holds for all tests, and the fixtures that several files share."""

from __future__ import annotations

import os

import pytest

# Two test processes share the machine, and servers and browsers that they start: torch's threads
# would wait for each other, which takes ten times as long. Set before anything imports torch.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def one_thread() -> None:
    """Nothing more to do: all of them have one."""
