"""Turns: photos are decoded and explained a few at a time, in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...engine.protocol import Asker
from ...errors import Abandoned, CamdemoError

_FULL = "Many are asking at the moment. Try again in a minute."
_GLANCE = 0.5  # seconds between two looks whether whoever waits is still there


class Turns:
    """So many at a time, and so many who wait. Safe to share between threads.

    Args:
        at_once: how many have their turn at the same time: so many photos are in memory.
        most: how many may wait.
    """

    def __init__(self, at_once: int, most: int) -> None:
        self._most = most
        self._free = at_once
        self._waiting: list[Asker] = []
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, who: Asker | None) -> Iterator[None]:
        """Wait for a turn, and have it.

        Raises:
            CamdemoError: too many wait already.
            Abandoned: whoever waits has gone.
        """
        mine = who or Asker("", threading.Event())
        with self._changed:
            if len(self._waiting) >= self._most:
                raise CamdemoError(_FULL)
            self._waiting.append(mine)
            try:
                while not (self._free and self._waiting[0] is mine):
                    self._changed.wait(_GLANCE)
                    if mine.gone.is_set():
                        raise Abandoned
                self._free -= 1
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def before(self, who: Asker | None) -> int:
        """How many wait before this visitor; 0 for one who does not wait."""
        with self._changed:
            names = [one.name for one in self._waiting]
        return names.index(who.name) if who and who.name in names else 0
