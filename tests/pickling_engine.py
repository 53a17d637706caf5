"""An engine that lets through what can travel, and nothing else: every job and answer is pickled.

Explainer(settings, engine=PicklingEngine(LocalEngine(settings=settings)))
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import torch

from camdemo.engine import Engine, FirstMap, Job, LabelMaps, Progress, Sweep
from camdemo.engine.protocol import Answer
from camdemo.records import LayerInfo, Rivals

# What a job may be made of, and an answer; see `engine.protocol`.
_PLAIN = (str, int, float, type(None), np.ndarray)


class PicklingEngine:
    """Stands before another engine, as a network or another process would."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self.jobs: list[str] = []  # the names of all jobs so far

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """See `Engine.run`."""
        return travelled(self._engine.run(self._received(job), progress))

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """See `Engine.stream`."""
        for label in self._engine.stream(self._received(job)):
            yield travelled(label)

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """See `Engine.fetch`."""
        self._engine.fetch(travelled(model), progress)

    def _received(self, job: Job) -> Job:
        check_plain([getattr(job, one.name) for one in fields(job)])
        with self._lock:
            self.jobs.append(type(job).__name__)
        return travelled(job)


def travelled(value: Answer) -> Answer:
    """A copy that shares nothing with what was sent."""
    assert not isinstance(value, torch.nn.Module | torch.Tensor)
    return pickle.loads(pickle.dumps(value))


def check_plain(value: object) -> None:
    """Names, numbers and arrays, and what is made of them."""
    if isinstance(value, tuple | list):
        for one in value:
            check_plain(one)
    elif isinstance(value, LayerInfo | Rivals | FirstMap):
        check_plain([getattr(value, one.name) for one in fields(value)])
    else:
        assert isinstance(value, _PLAIN), f"{value!r} can't be sent everywhere"
