"""Frozen records that pass between the modules. Nothing here computes more than a property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Evidence = Literal["positive", "signed", "minmax"]
Fill = Literal["blur", "mean", "noise"]
Interpolation = Literal["bilinear", "bicubic"]

FRAMINGS = ("crop", "whole")
FILLS: tuple[Fill, ...] = ("blur", "mean", "noise")
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

    @property
    def text(self) -> str:
        """The four edges as the API, the command line and links write them: "12,0,345,333"."""
        return f"{self.left},{self.top},{self.right},{self.bottom}"


# What the model is shown: the middle, as its weights were validated; the whole photo,
# squeezed; or a frame of one's own.
Framing = Literal["crop", "whole"] | Box


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
        name: what code and API call it; what its source calls it, too.
        title: what people call it.
        source: the name of the source that it comes from, such as "bundled" (weights inside an
            installed package) or "torchvision" (downloaded on first use).
        weights: file name of the weights; that of a download ends with the start of its SHA-256.
        parameters: how many numbers the network learned.
        megabytes: size of the weights file in MB (2**20 bytes).
        transform: the preprocessing that these weights were validated with.
        training_mean: the mean colour of the photos that it was trained on, red, green and blue
            from 0 to 1.
        channels_last: whether that memory format is the faster one on a CPU, as measured.
        ready: whether the weights are on this machine now.
    """

    name: str
    title: str
    source: str
    weights: str
    parameters: int
    megabytes: float
    transform: Transform
    training_mean: tuple[float, float, float]
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
class Occlusion:
    """What the model answers when a part of what it saw is hidden.

    Attributes:
        predictions: the five most probable labels now, best first.
        before: the explained label, with the probability that it had.
        after: the same label, with the probability that is left.
        elsewhere: the same, on average over regions of that size and shape at random places:
            the yardstick. What this region did beyond that is due to where it lies.
        share: how much of the seen area is hidden, 0 to 1.
        keep: whether the regions are what was kept, and the rest was hidden.
    """

    predictions: tuple[Prediction, ...]
    before: Prediction
    after: Prediction
    elsewhere: Prediction
    share: float
    keep: bool = False

    @property
    def text(self) -> str:
        """One sentence for people, as the page prints it."""
        act, patch = ("Keeping only", "Keeping") if self.keep else ("Hiding", "Hiding")
        before, after, elsewhere = (
            percent(each.probability) for each in (self.before, self.after, self.elsewhere)
        )
        return (
            f"{act} this: {self.before.label} {before} to {after}. "
            f"{patch} a random patch of this size: {before} to {elsewhere} on average."
        )


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
