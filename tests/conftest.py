"""What holds for all tests."""

from __future__ import annotations

import os

# Two test processes share the machine, and servers and browsers that they start: torch's threads
# would wait for each other, which takes ten times as long. Set before anything imports torch.
os.environ["OMP_NUM_THREADS"] = "1"
