"""What crosses between a page and the replicas that run its networks.

Jobs go there, and messages come back one after the other, the last of which has the answer or the
refusal. Both are pickled here, so that arrays arrive as one's own, which can be written to. They
pass between processes of one operator: whoever can write to them is in already, see SECURITY.md.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, cast

from ..engine.protocol import Examine, FindLayers, Job, LabelMaps
from ..errors import CamdemoError

APP = "camdemo"  # the name of the application on a cluster


@dataclass(frozen=True, slots=True)
class Fetch(Job[None]):
    """`Engine.fetch` as a job."""

    model: str


@dataclass(frozen=True, slots=True)
class Names(Job[tuple[str, ...]]):
    """The names of the models that the replicas know."""


def weights_of(job: Job[Any]) -> str:
    """The model whose weights a job needs; empty for none."""
    return "" if isinstance(job, FindLayers | Examine | Names) else cast(Any, job).model


@dataclass(frozen=True, slots=True)
class Done:
    """How far a download or a map of pixels is; see `protocol.Progress`."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Label:
    """The maps of the next label of a sweep."""

    target: int
    maps: LabelMaps


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of it, with the answer; None for a sweep, whose labels have come."""

    value: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The end of it, with an error of ours."""

    error: CamdemoError


Message = Done | Label | Answer | Refusal
HERE = b""  # comes before all messages: a replica has the job


def pack(what: Job[Any] | Message) -> bytes:
    """A job or a message as it travels."""
    return pickle.dumps(what, protocol=pickle.HIGHEST_PROTOCOL)


def unpack(packed: bytes) -> Any:
    """The same again."""
    return pickle.loads(packed)
