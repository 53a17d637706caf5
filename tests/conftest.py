"""What holds for all tests."""

from __future__ import annotations

import os
import sys

import pytest

# Two test processes share the machine, and servers and browsers that they start: torch's threads
# would wait for each other, which takes ten times as long. Set before anything imports torch.
os.environ["OMP_NUM_THREADS"] = "1"
# Tests are of the CPU, also where there is a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = os.environ["HIP_VISIBLE_DEVICES"] = ""
# A loop that Ray brings along: it connects past Python's sockets, which tests of the gate watch.
sys.modules["uvloop"] = None  # type: ignore[assignment]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One long file comes first: as the last it would leave the other test process idle."""
    items.sort(key=lambda item: item.path.name != "test_wrong_values.py")
