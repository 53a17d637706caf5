"""What runs networks: the protocol, this machine as an engine, and what is computed once for all.

Importing this loads no torch; the first job does.
"""

from .gathering import GatheringEngine
from .lanes import cores
from .local import LocalEngine, on_all_cores
from .protocol import (
    Asker,
    Engine,
    Examine,
    FindLayers,
    FirstMap,
    FirstMaps,
    Job,
    LabelMaps,
    MapAndLogits,
    Maps,
    PixelAnswer,
    PixelMap,
    Progress,
    Randomised,
    RandomMaps,
    Rank,
    Score,
    Sweep,
    asker,
    offer,
    width,
)
from .shared import SharedEngine

__all__ = [
    "Asker",
    "Engine",
    "Examine",
    "FindLayers",
    "FirstMap",
    "FirstMaps",
    "GatheringEngine",
    "Job",
    "LabelMaps",
    "LocalEngine",
    "MapAndLogits",
    "Maps",
    "PixelAnswer",
    "PixelMap",
    "Progress",
    "RandomMaps",
    "Randomised",
    "Rank",
    "Score",
    "SharedEngine",
    "Sweep",
    "asker",
    "cores",
    "offer",
    "on_all_cores",
    "width",
]
