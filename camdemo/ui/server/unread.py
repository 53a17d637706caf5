"""Answers of the API that nobody has fetched yet: bounded in number, in bytes and in age.

Gradio keeps what an event has answered until its session asks for it, be it for ever.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

_MOST = 400  # messages that an event has begun, and answers
_BYTES = 100_000_000
_OLD = 300.0  # seconds
_NEW = 2.0  # seconds within which an answer is on its way to where it waits


class _Answer(NamedTuple):
    session: str
    address: str  # a session's name is the client's, who may have as many as he likes
    size: int
    when: float


class Unread:
    """The answers that wait, the oldest first. Only for the thread that serves.

    Args:
        waits: whether a session has anything to fetch.
        forget: drops what a session has to fetch.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        waits: Callable[[str], bool],
        forget: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waits = waits
        self._forget = forget
        self._clock = clock
        self._answers: list[_Answer] = []

    def add(self, session: str, size: int, address: str = "") -> None:
        """An answer of so many bytes is about to wait for its session, asked from this address."""
        self._answers.append(_Answer(session, address, size, self._clock()))
        self.tidy()

    async def watch(self) -> None:
        """Look again and again whether something is old."""
        while True:
            await asyncio.sleep(_OLD / 10)
            self.tidy()

    def tidy(self) -> None:
        """Forget what is old, and of what is too much the oldest of the address that has most."""
        now = self._clock()
        left = [one for one in self._answers if now - one.when <= _NEW or self._waits(one.session)]
        total = sum(one.size for one in left)
        while left:
            gone = left[0]
            if now - gone.when <= _OLD:
                if len(left) <= _MOST and total <= _BYTES:
                    break
                gone = _oldest_of_most(left)
                if now - gone.when <= _NEW:
                    break
            left.remove(gone)
            total -= gone.size
            self._forget(gone.session)
        self._answers = left


def _oldest_of_most(answers: list[_Answer]) -> _Answer:
    """The oldest of the address that has most, in bytes and in number."""
    held: Counter[str] = Counter()
    for one in answers:
        held[one.address] += one.size + _BYTES // _MOST
    return max(answers, key=lambda one: held[one.address])
