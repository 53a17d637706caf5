"""One visitor beside others' giants: `python -m benchmarks.giants`, a part of `make load`.

A light user asks the smallest bundled model now and then, alone and beside users without a pause,
who ask the largest networks of the catalogue. Weights that are not here are random, which takes the
same time.
"""

from __future__ import annotations

import asyncio
import sys

from . import stage
from .load import LIGHT_RUNS, Rest, Tally, crowd, light_beside, look_around, photos_of_their_own
from .ui_pages import serving
from .visitor import Client

MODELS = ("vgg16", "convnext_tiny", "resnet50")
HEAVY = 3  # users without a pause


async def giant_visit(client: Client, photo: bytes, number: int, _tally: Tally) -> Rest:
    """Upload, first map, the maps of what is looked at: each visit with the next model."""
    file = await client.upload(photo)
    scene = await client.open(file, model=MODELS[number % len(MODELS)])
    return await look_around(client, scene)


def main() -> None:
    """Print how long the light user waits."""
    photos = photos_of_their_own()
    with stage.weights_at_hand(list(MODELS)), serving("app.py") as (address, _):
        # The models are loaded before anything is measured.
        asyncio.run(crowd(address, len(MODELS), giant_visit, photos, Tally(), seconds=10))
        for _ in range(LIGHT_RUNS):
            print(light_beside(address, photos, giant_visit, HEAVY, "of giants"))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
