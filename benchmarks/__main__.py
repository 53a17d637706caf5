"""All measurements in one run: `python -m benchmarks`, or `make bench`. About six minutes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import torch

from . import core, folder, replicas, stage, start, sweeping, whole

CORE_SECONDS = 18.0  # a model
WHOLE_SECONDS = 12.0  # a row
SWEEP_SECONDS = 12.0  # a model
REPLICA_SECONDS = 10.0  # a job


def main() -> None:
    """Print one Markdown table a part."""
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads on the CPU. Medians of interleaved rounds."
    )
    if os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1):
        print("Other programs keep this machine busy: expect more milliseconds, and rough ratios.")
    # Apart, for all that follows is of the CPU.
    beside = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"], stdout=subprocess.PIPE, text=True, check=True
    )
    _print("On a GPU beside the CPU", beside.stdout.strip())
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ["HIP_VISIBLE_DEVICES"] = ""
    # First, while nothing else of this process is in memory or running.
    _print("Start", start.measure())
    names = list(core.CASES)
    with stage.weights_at_hand(list({*names, *folder.MODELS})) as random:
        if random:
            print(f"\nRandom weights, which take the same time: {', '.join(random)}.")
        _print("Core: preprocessed tensor to map and top five", core.measure(CORE_SECONDS))
        _print("Sweep: the maps of every stage for five labels", sweeping.measure(SWEEP_SECONDS))
        _print("Whole: bytes of a photo to overlay and top five", whole.measure(WHOLE_SECONDS))
        _print(
            "Over Ray: jobs in a replica beside this machine's", replicas.measure(REPLICA_SECONDS)
        )
        _print(f"Folder: {folder.PHOTOS} photos from files to maps and labels", folder.measure())


def _print(title: str, tables: str) -> None:
    print(f"\n## {title}\n\n{tables}", flush=True)


if __name__ == "__main__":
    main()
