"""Frozen records that pass between the modules, and how people read them."""

from __future__ import annotations

import math
import numbers
import operator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import CamdemoError, RegionError, shorten

Evidence = Literal["positive", "signed", "minmax"]
LookName = Literal["glow", "notebook"]
Fill = Literal["blur", "mean", "noise"]
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Activation = Literal["softmax", "sigmoid"]  # how logits become probabilities
INPUT = "input"  # the name, among those of layers, of what a network is given

# How the names of photos end, in folders.
PHOTO_ENDINGS = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One label and the probability (0 to 1) that the model gives it."""

    index: int
    label: str
    probability: float

    @property
    def text(self) -> str:
        """Label and probability as the page prints them: "lion · 90 %"."""
        return f"{self.label} · {percent(self.probability)}"


SHOWN = 5  # labels that are told of each photo: the most probable


@dataclass(frozen=True, slots=True)
class Rivals:
    """The labels that one is held against: the mean of their logits is subtracted from its own.

    Zhang et al. 2025, "Finer-CAM: Spotting the Difference Reveals Finer Details for Visual
    Explanation", section 3: z_target - strength * mean(z_rivals).

    Attributes:
        labels: their indices; None for the others of the `SHOWN` most probable labels, which only
            the answer tells, see `among`.
        strength: how much of the mean is subtracted, 0 to 1.
    """

    labels: tuple[int, ...] | None
    strength: float = 1.0

    def among(self, logits: np.ndarray, target: int) -> Rivals:
        """The same with all labels by their indices. Args: float32 (labels,), what was answered."""
        if self.labels is not None:
            return self
        best = np.argsort(-logits, kind="stable")[:SHOWN]
        return Rivals(tuple(int(label) for label in best if label != target), self.strength)

    def subtracted(self, values: np.ndarray) -> np.ndarray:
        """What is subtracted of values (..., labels): (...)."""
        return self.strength * values[..., list(self.labels or ())].mean(axis=-1)


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels of the upright image, left and top inclusive, right and bottom exclusive.

    Raises:
        RegionError: an edge that is no integer. NumPy's integers become Python's.
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        for name in self.__slots__:
            edge = as_integer(getattr(self, name))
            if edge is None:
                raise RegionError(
                    f"The {name} edge {shorten(getattr(self, name))} is not a whole number. "
                    "Give left, top, right and bottom as integers, in pixels."
                )
            object.__setattr__(self, name, edge)

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def within(self, width: int, height: int) -> Box:
        """What of it lies on a picture of this size."""
        left, top = max(self.left, 0), max(self.top, 0)
        return Box(left, top, min(self.right, width), min(self.bottom, height))

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and its columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def text(self) -> str:
        """The four edges as the API, the command line and links write them: "12,0,345,333"."""
        return f"{self.left},{self.top},{self.right},{self.bottom}"


# What the model is shown: the middle, as its weights were validated; the whole photo, squeezed,
# or letterboxed; or a frame of one's own.
Framing = Literal["crop", "whole", "fit"] | Box


@dataclass(frozen=True, slots=True)
class Transform:
    """The input transform that belongs to a set of weights.

    The photo's shorter side is resized to `resize` pixels with the named interpolation
    (antialiased), the central `crop` x `crop` pixels are taken, scaled to 0..1, and
    normalised with `mean` and `std` for each of red, green and blue; for one channel, the photo's
    greys; for four, red, green, blue and opacity, which is 1.

    Of an input that is no square `crop` is its height and width; `resize` may then be a height and
    a width, too, which the resized photo covers.
    """

    resize: int | tuple[int, int]
    crop: int | tuple[int, int]
    interpolation: Interpolation
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the network's input."""
        height, width = self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)
        return len(self.mean), height, width


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
        activation: how its logits become probabilities: "softmax", one label excludes the others,
            or "sigmoid", each label is there or not.
        vocabulary: what its labels are called together. Models of one vocabulary have the same
            labels, so that whoever changes the model may keep the label.
        note: what people should know of how it came here; often empty.
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
    activation: Activation = "softmax"
    vocabulary: str = "ImageNet"
    note: str = ""


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """A layer that can be explained: its name in the network and the shape of its grid.

    Attributes:
        stage: whether it is a building block of the network (what the page offers first), or a
            finer layer inside one.
        pooled: whether all that reads it is a mean over its cells and one linear layer.
        parts: the layers of which this is the mean, see `methods.fused`; none for a layer.
    """

    name: str
    channels: int
    height: int
    width: int
    stage: bool = True
    pooled: bool = False
    parts: tuple[LayerInfo, ...] = ()

    @property
    def is_input(self) -> bool:
        """Whether this is no layer, but what the network is given: where pixel methods look."""
        return self.name == INPUT

    @property
    def text(self) -> str:
        """Name and shape as the page prints them: "features.18 · 1280 x 7 x 7"."""
        if self.is_input:
            return f"{self.name} · {self.height} x {self.width} pixels"
        if self.parts:
            names = ", ".join(part.name for part in self.parts)
            return f"{self.name} · {self.height} x {self.width} of {names}"
        return f"{self.name} · {self.channels} x {self.height} x {self.width}"


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What a network is made of, as far as methods ask.

    Attributes:
        activations: the kinds of its nonlinear functions, sorted: ("ReLU",), ("GELU",).
        gates: whether it multiplies by what it computed: by sigmoids, or by attention.
        attends: in how many layers each patch looks at all others, behind a class token; 0 where
            it is not that kind of transformer.
    """

    activations: tuple[str, ...]
    gates: bool
    attends: int

    @property
    def has_only_relus(self) -> bool:
        """Whether ReLUs, maybe with an upper end, are all that turns."""
        return bool(self.activations) and set(self.activations) <= {"ReLU", "ReLU6"}


@dataclass(frozen=True, slots=True)
class Occlusion:
    """What the model answers when a part of what it saw is hidden.

    Attributes:
        predictions: the five most probable labels now, best first.
        before: the explained label, with the probability that it had.
        after: the same label, with the probability that is left.
        elsewhere: the same, on average over patches of that size and shape at random places:
            the yardstick. What this region did beyond that is due to where it lies.
        elsewhere_error: the standard error of that average, since it comes from few places.
        overlap: how much of the region the random patches cover on average, 0 to 1. They avoid
            it; a large region leaves them no room.
        share: how much of the seen area is hidden, 0 to 1.
        keep: whether the regions are what was kept, and the rest was hidden.
    """

    predictions: tuple[Prediction, ...]
    before: Prediction
    after: Prediction
    elsewhere: Prediction
    elsewhere_error: float
    overlap: float
    share: float
    keep: bool = False

    @property
    def margin(self) -> float:
        """How far off the average may be: two standard errors, which hold 19 times in 20."""
        return 2 * self.elsewhere_error

    @property
    def is_clear(self) -> bool:
        """Whether the region did something else than random patches do, beyond that margin."""
        return abs(self.after.probability - self.elsewhere.probability) > self.margin

    @property
    def text(self) -> str:
        """What happened, in two or three sentences, as the page prints them."""
        act, patch = ("Keeping only", "Keeping") if self.keep else ("Hiding", "Hiding")
        before, after, elsewhere = (
            percent(each.probability) for each in (self.before, self.after, self.elsewhere)
        )
        verdict = "" if self.is_clear else ": no clear difference"
        sentences = [
            f"{act} this: {self.before.label} {before} to {after}.",
            f"{patch} a random patch of this size: {before} to {elsewhere} on average, "
            f"give or take {percent(self.margin)}{verdict}.",
        ]
        if self.overlap >= 0.005:
            sentences.append(f"The random patches overlap this one by {percent(self.overlap)}.")
        return " ".join(sentences)


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the milliseconds of one explanation went."""

    decode: float
    prepare: float
    explain: float

    @property
    def total(self) -> float:
        return self.decode + self.prepare + self.explain


def in_channels(colours: np.ndarray, count: int) -> np.ndarray:
    """Colours, float32 (..., 3), as a network has them: 1 for greys, 3, or 4 with opacity, 1."""
    if count == 1:  # as ITU-R 601 weighs them, and Pillow
        return (colours @ np.array([0.299, 0.587, 0.114], np.float32))[..., np.newaxis]
    if count == 4:
        return np.concatenate([colours, np.ones_like(colours[..., :1])], axis=-1)
    return colours


def common_lengths(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much of each piece between some edges lies in each between others, along one line.

    Args:
        edges, others: float64 (n + 1,) and (m + 1,), ascending.

    Returns:
        float64 (n, m), lengths.
    """
    end = np.minimum.outer(edges[1:], others[1:])
    return np.maximum(end - np.maximum.outer(edges[:-1], others[:-1]), 0)


def as_integer(value: object) -> int | None:
    """Any integer, NumPy's too, as Python's; None for what is none, and for True and False."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def is_number(value: object) -> bool:
    """Whether it is a number and neither True nor False; NumPy's are numbers, too."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def finite(answer: np.ndarray) -> np.ndarray:
    """What a network answers, if it is numbers. What follows from others looks like a finding.

    Raises:
        CamdemoError: one of them is NaN or infinite.
    """
    if not np.isfinite(answer).all():
        raise CamdemoError(
            "The model's answer to this is not a number (NaN or infinite). Its weights may be "
            "damaged: choose another model, or delete the file of its weights."
        )
    return answer


def percent(share: float) -> str:
    """A share (0 to 1) for people: "90 %", "0.4 %", "<0.1 %".

    Halves are rounded up, and not to the even number as Python does it, so that the viewer's
    JavaScript can do the same.
    """
    points = 100 * share
    if points >= 9.95:
        return f"{math.floor(points + 0.5)} %"
    return f"{math.floor(10 * points + 0.5) / 10:.1f} %" if points >= 0.05 else "<0.1 %"
