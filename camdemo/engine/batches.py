"""First maps that wait, and which of them go together in one forward.

Photos of a batch don't influence each other, so that each is answered as if it had been asked
alone. Of a model where they do, or that takes no batch, that shows at the first batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from .protocol import NOBODY, Asker, FirstMap, MapAndLogits, Rank, asker

Jobs = tuple[FirstMap, ...]
Answers = tuple[MapAndLogits, ...]
Together = Callable[[Jobs], Answers]
_Kind = tuple[str, str, str]
_SAME = 1e-4  # of the range of the logits: alone and in a batch they differ by rounding


@dataclass(eq=False)
class Waiting:
    """A question that waits for its answer."""

    job: FirstMap
    who: Asker = field(default_factory=lambda: asker.get() or NOBODY)
    future: Future[MapAndLogits] = field(default_factory=Future)

    @property
    def kind(self) -> _Kind:
        """What must agree for one forward."""
        return self.job.model, self.job.layer.name, self.job.method

    @property
    def likeness(self) -> tuple[_Kind, Rank]:
        """The same, and that nobody goes before those who are more urgent."""
        return self.kind, self.job.rank


class Batches:
    """Those who wait. Safe to share between threads.

    Args:
        most: photos in a forward.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._alone: dict[_Kind, bool] = {}  # whether a kind must be asked singly

    def join(self, job: FirstMap) -> Waiting:
        """Wait from now on."""
        mine = Waiting(job)
        with self._lock:
            self._waiting.append(mine)
        return mine

    def leave(self, mine: Waiting) -> bool:
        """Wait no more; False for who does not wait any longer, since somebody took him along."""
        with self._lock:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def take(self, mine: Waiting) -> list[Waiting]:
        """This one and those who can go with him, who then wait no more; none where he does not.

        Those whose asker has gone are left: they are told so in their own turn.
        """
        with self._lock:
            if mine not in self._waiting:
                return []
            most = 1 if self._alone.get(mine.kind) else self._most
            like = [
                each
                for each in self._waiting
                if each is not mine
                and each.likeness == mine.likeness
                and not each.who.gone.is_set()
            ]
            batch = [mine, *like[: most - 1]]
            self._waiting = [each for each in self._waiting if each not in batch]
            return batch

    def answer(self, batch: list[Waiting], together: Together) -> None:
        """Answer all of them, or let them all fail.

        Args:
            together: from several questions to their answers, by one forward.
        """
        try:
            for each, answer in zip(batch, self._answers(batch, together), strict=True):
                each.future.set_result(answer)
        except BaseException as error:
            for each in batch:
                if not each.future.done():
                    each.future.set_exception(error)

    def _answers(self, batch: list[Waiting], together: Together) -> Answers:
        jobs, kind = tuple(each.job for each in batch), batch[0].kind
        if len(jobs) == 1 or kind in self._alone:
            return _singly(jobs, together) if self._alone.get(kind) else together(jobs)
        singly = _singly(jobs, together)
        self._alone[kind] = not _agrees(jobs, singly, together)
        return singly


def _singly(jobs: Jobs, together: Together) -> Answers:
    return tuple(answer for job in jobs for answer in together((job,)))


def _agrees(jobs: Jobs, singly: Answers, together: Together) -> bool:
    """Whether a batch of these gives what each of them gives alone."""
    try:
        found = together(jobs)
    except (RuntimeError, ValueError, TypeError, IndexError):  # whatever a network raises
        return False
    return all(
        one.logits.shape == other.logits.shape
        and bool(np.abs(one.logits - other.logits).max() <= _SAME * np.ptp(other.logits))
        for one, other in zip(found, singly, strict=True)
    )
