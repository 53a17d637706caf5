"""Frozen records that pass between the modules. Nothing here computes more than a property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Framing = Literal["crop", "whole"]
Evidence = Literal["positive", "signed", "minmax"]
Interpolation = Literal["bilinear", "bicubic"]

FRAMINGS: tuple[Framing, ...] = ("crop", "whole")
EVIDENCE: tuple[Evidence, ...] = ("positive", "signed", "minmax")
COLORMAPS = ("jet", "turbo", "viridis", "inferno", "cividis")  # jet is the notebook's


@dataclass(frozen=True, slots=True)
class Prediction:
    """One label and the softmax probability (0 to 1) that the model gives it."""

    index: int
    label: str
    probability: float

    @property
    def text(self) -> str:
        """Label and probability as the page prints them: "lion · 90 %"."""
        return f"{self.label} · {percent(self.probability)}"


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the upright image, left and top inclusive, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Transform:
    """The input transform that belongs to a set of weights.

    The photo's shorter side is resized to `resize` pixels with the named interpolation
    (antialiased), the central `crop` x `crop` pixels are taken, scaled to 0..1, and
    normalised with `mean` and `std` for each of red, green and blue.
    """

    resize: int
    crop: int
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One entry of the catalogue.

    Attributes:
        name: what code and API call it; the name of its builder in torchvision or timm
            (there with the prefix `tf_`).
        title: what people call it.
        source: "bundled" (weights inside an installed package) or "torchvision" (weights
            in the torch hub folder, downloaded on first use).
        weights: file name of the weights; torchvision's ends with the start of its SHA-256.
        parameters: how many numbers the network learned.
        megabytes: size of the weights file in MB (2**20 bytes).
        transform: the preprocessing that these weights were validated with.
        channels_last: whether that memory format is the faster one on a CPU, as measured.
        ready: whether the weights are on this machine now.
    """

    name: str
    title: str
    source: Literal["bundled", "torchvision"]
    weights: str
    parameters: int
    megabytes: float
    transform: Transform
    channels_last: bool = True
    ready: bool = False


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """A layer that can be explained: its name in the network and the shape of its grid.

    `stage` tells the building blocks of the network (what the page offers first) from the
    finer layers inside them.
    """

    name: str
    channels: int
    height: int
    width: int
    stage: bool = True

    @property
    def text(self) -> str:
        """Name and shape as the page prints them: "features.18 · 1280 x 7 x 7"."""
        return f"{self.name} · {self.channels} x {self.height} x {self.width}"


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the milliseconds of one explanation went."""

    decode: float
    prepare: float
    explain: float

    @property
    def total(self) -> float:
        return self.decode + self.prepare + self.explain


def percent(share: float) -> str:
    """A share (0 to 1) for people: "90 %", "0.4 %", "<0.1 %"."""
    points = 100 * share
    if points >= 9.95:
        return f"{points:.0f} %"
    return f"{points:.1f} %" if points >= 0.05 else "<0.1 %"
