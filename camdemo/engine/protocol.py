"""What runs networks: jobs go in, answers come out, and nothing else crosses.

A job is a frozen record of names and arrays, an answer is arrays: both can be pickled, so that an
engine may be on this machine, in another process or on many machines. No module of a network ever
crosses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from ..errors import CamdemoError
from ..models import Catalogue
from ..records import Anatomy, LayerInfo, Rivals

Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)
# Bytes that have arrived, bytes in all (0: unknown); of a `PixelMap`, forwards.
Progress = Callable[[int, int], None]
LabelMaps = dict[tuple[str, str], np.ndarray]  # (method, layer): signed map, float32 (h, w)
Maps = dict[tuple[str, str, int], np.ndarray]  # (method, layer, target): the same


class Rank(IntEnum):
    """What goes first when several wait."""

    FIRST_MAP = 0  # somebody sees nothing yet
    ANSWER = 1  # somebody has asked for this very thing
    SWEEP = 2  # the other maps, which may never be looked at; and a camera's frames, without end
    YARDSTICK = 3


# -- who asks


class Gone(Protocol):
    """Whether whoever asked has gone; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class Asker:
    """Who asks, so that all get their share, and nothing is computed for nobody.

    Attributes:
        name: the same for all questions of one person.
        gone: set when nobody waits for this question's answer any more.
        address: from where it was asked, as far as that is known.
    """

    name: str
    gone: Gone
    address: str = ""


# Set by who serves a request, for what is asked while it is served.
asker: ContextVar[Asker | None] = ContextVar("asker", default=None)
NOBODY = Asker("", threading.Event())  # whoever has no name, such as a program of one's own


# -- what is asked


class Job(Generic[Answer_co]):
    """What all jobs have in common: the answer's type, and the model that is asked."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FindLayers(Job[tuple[LayerInfo, ...]]):
    """The layers of a model that can be explained; its weights need not be here."""

    model: str


@dataclass(frozen=True, slots=True)
class Examine(Job[Anatomy]):
    """What a model is made of, as far as methods ask; its weights need not be here."""

    model: str


@dataclass(frozen=True, slots=True, eq=False)
class MapAndLogits:
    """The answer to `FirstMap`.

    Attributes:
        map: float32 (h, w), signed.
        logits: float32 (labels,).
        target: index of the label that the map explains.
        milliseconds: what the network took, without the wait for its turn.
        others: maps of further labels, {index: float32 (h, w)}; only of `FirstMaps`.
        device: what ran the network, in words; empty where that goes without saying: the CPU of an
            engine that has no accelerator.
    """

    map: np.ndarray
    logits: np.ndarray
    target: int
    milliseconds: float
    others: dict[int, np.ndarray] = field(default_factory=dict)
    device: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FirstMap(Job[MapAndLogits]):
    """One map, and the logits of all labels.

    Attributes:
        inputs: float32 (1, 3, h, w), as the weights want them.
        target: index of the label to explain; None for the most probable one (but `versus`).
        versus: labels to compare with: the map is that of its logit less the mean of theirs. Who
            they are may be left to the answer, see `Rivals.labels`.
        passing: whether nobody will ask for it again, so that no engine need keep the answer.
    """

    model: str
    layer: LayerInfo
    method: str
    inputs: np.ndarray
    target: int | None
    versus: Rivals | None
    rank: Rank
    passing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FirstMaps(Job[tuple[MapAndLogits, ...]]):
    """First maps of several photos from one forward, each as if it had been asked alone.

    A photo whose logits are not finite is answered with them; whoever asked refuses it.

    Attributes:
        jobs: at least one, all of one model, layer and method.
        top: of how many of its most probable labels each photo gets a map besides; `others`.
    """

    jobs: tuple[FirstMap, ...]
    top: int = 0

    @property
    def model(self) -> str:
        return self.jobs[0].model

    @property
    def rank(self) -> Rank:
        return min(job.rank for job in self.jobs)


@dataclass(frozen=True, slots=True, eq=False)
class Sweep(Job[Maps]):
    """The maps of several layers for several labels by several methods, from one forward.

    Attributes:
        layers: in the order of execution.
        targets: indices of labels, in the order in which they are wanted.
        inputs: float32 (1, 3, h, w).
        versus: labels; the mean of their logits is then subtracted from that of every target.
        more: labels that will be asked for next. An engine that keeps answers goes on with them
            from the same forward; the others pay no heed, and the answer has none of them.
    """

    model: str
    layers: tuple[LayerInfo, ...]
    methods: tuple[str, ...]
    targets: tuple[int, ...]
    inputs: np.ndarray
    versus: Rivals | None
    rank: Rank
    more: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PixelAnswer(MapAndLogits):
    """The answer to `PixelMap`: as to `FirstMap`, and the map is as large as the input.

    Attributes:
        gap: what the map's sum lacks of the difference between the scores of the input and of the
            baseline, where the method promises that; else None.
    """

    gap: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PixelMap(Job[PixelAnswer]):
    """A map of the input by a pixel method, which may take thousands of forwards.

    It gives way between them, and ends when whoever asked has gone. `Engine.run` then calls its
    `progress` with how many forwards are done, and how many there are.

    Attributes:
        inputs: float32 (1, 3, h, w).
        target: index of the label to explain; None for the most probable one (but `versus`).
        versus: labels; the mean of their logits is then subtracted from the target's.
        settings: names and values, checked: all those of the method.
    """

    model: str
    method: str
    inputs: np.ndarray
    target: int | None
    versus: Rivals | None
    settings: tuple[tuple[str, Any], ...]
    rank: Rank


@dataclass(frozen=True, slots=True, eq=False)
class Score(Job[np.ndarray]):
    """What the model answers each input of a batch: float32 (n, labels), logits.

    Attributes:
        batch: float32 (n, 3, h, w).
    """

    model: str
    batch: np.ndarray
    rank: Rank


@dataclass(frozen=True, slots=True, eq=False)
class RandomMaps:
    """The answer to `Randomised`.

    Attributes:
        behind: the stage behind which all weights were random, for each map; "" for all weights.
        maps: float32 (len(seeds), len(behind), h, w), signed.
    """

    behind: tuple[str, ...]
    maps: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Randomised(Job[RandomMaps]):
    """A map once more, from networks of which more and more has random weights.

    The model itself is left as it is. See `methods.randomising.cascade`.

    Attributes:
        inputs: float32 (1, 3, h, w).
        versus: labels; the mean of their logits is then subtracted from the target's.
        stages: names of the model's stages, in the order of execution.
        steps: how many maps at most, from the last weights alone to all of them.
        seeds: of the random numbers: all maps are made once for each.
        settings: those of a pixel method.
    """

    model: str
    layer: LayerInfo
    method: str
    inputs: np.ndarray
    target: int
    versus: Rivals | None
    stages: tuple[str, ...]
    steps: int
    seeds: tuple[int, ...]
    rank: Rank
    settings: tuple[tuple[str, Any], ...] = ()


def offer(engine: object, catalogue: Catalogue) -> None:
    """Let an engine know these models from now on.

    Raises:
        CamdemoError: it can't be told: its networks are elsewhere.
    """
    tell = getattr(engine, "offer", None)
    if tell is None:
        raise CamdemoError(
            "This engine runs the models of its own catalogue: a network can't be handed to it. "
            "Use Explainer() without an engine, or give the engine a catalogue with the model."
        )
    tell(catalogue)


def width(engine: object) -> int:
    """How many first maps an engine answers in about the time of one; 1 unless it says more."""
    return getattr(engine, "width", 1)


def together(labels: Iterator[tuple[int, LabelMaps]]) -> Maps:
    """The answer to a sweep from what `Engine.stream` yields."""
    return {
        (method, layer, target): cam
        for target, maps in labels
        for (method, layer), cam in maps.items()
    }


# -- who answers


class Engine(Protocol):
    """Runs jobs. Safe to share between threads."""

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """Wait for the job's turn, and return its answer.

        Args:
            progress: called while the weights are downloaded, if they must be; with a `PixelMap`
                as its forwards go, and of a download it then hears nothing.

        Raises:
            WeightsError: the weights can't be had.
            Abandoned: whoever asked had gone before it was done.
        """
        ...

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """The same label by label, in the order of `job.targets`.

        To close the iterator is to want no more: what is left is then not computed.
        """
        ...

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """Make sure that the weights of a model are where the engine needs them.

        Raises:
            ChoiceError: no such model.
            WeightsError: they can't be had.
        """
        ...
