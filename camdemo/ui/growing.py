"""Answers that are watched while they grow: one computation for each question, for all who watch.

Whoever watches asks again and again, each time for more than they have, and is answered when there
is more. What nobody watches any more ends soon; what has ended is kept for the next who asks.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

from ..engine.protocol import NOBODY, Asker, asker
from ..errors import Abandoned, CamdemoError
from .server.admission import TEST, Admission
from .server.journal import SORRY, request

_KEPT = 512  # answers, a few KB each
_PATIENCE = 2.0  # seconds without anybody who watches; who does asks again at once
_HELD = 5.0  # seconds for which a question is held when there is nothing new
_WATCHING = 128  # questions that are held: each has a thread

Tell = Callable[[dict[str, Any]], None]  # takes the answer as far as it is


@dataclass(eq=False)
class _Growth:
    """An answer that grows. It is its asker's `gone`, too."""

    answer: dict[str, Any] = field(default_factory=dict)
    version: int = 0  # how often it has changed
    ended: bool = False
    error: Exception | None = None
    watching: list[Asker] = field(default_factory=list)
    left: float = field(default_factory=time.monotonic)  # when the last one stopped watching

    def is_set(self) -> bool:
        """Whether nobody watches any more."""
        watching = tuple(self.watching)
        if watching:
            return all(one.gone.is_set() for one in watching)
        return time.monotonic() - self.left > _PATIENCE


class Growing:
    """Safe to share between threads.

    Args:
        admission: where whatever is computed waits for its place.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._growths: OrderedDict[Hashable, _Growth] = OrderedDict()
        self._changed = threading.Condition()

    def watch(
        self, kind: str, key: Hashable, compute: Callable[[Tell], dict[str, Any]], after: int
    ) -> dict[str, Any]:
        """The answer as far as it is, as soon as there is more than `after`.

        Args:
            kind: what the log calls it.
            key: the same for those who ask the same.
            compute: from a function that is told of each step to the whole answer; called in a
                thread of its own, if nobody has asked yet.
            after: the version that whoever asks has, 0 for none.

        Returns:
            What `compute` told last or returned, with "version", and "state": "running" or
            "ready".

        Raises:
            Abandoned: whoever asks has gone.
            whatever `compute` raises, to all who watch.
        """
        me = asker.get() or NOBODY
        while True:
            with self._changed:
                growth = self._growths.get(key)
                if growth is None:
                    growth = self._begin(kind, key, compute, me)
                self._growths.move_to_end(key)
                self._wait(growth, me, after)
                error, state = growth.error, "ready" if growth.ended else "running"
                answer = {**growth.answer, "version": growth.version, "state": state}
            if error is None:
                return answer
            if not isinstance(error, Abandoned) or me.gone.is_set():
                raise error
            # It was dropped in the moment in which this one came: once more.

    def _wait(self, growth: _Growth, me: Asker, after: int) -> None:
        """Until there is more, or for a while; the lock is held before and after it."""
        held = sum(len(one.watching) for one in self._growths.values())
        growth.watching.append(me)
        try:
            long = _HELD if held < _WATCHING else 0.0
            self._changed.wait_for(lambda: growth.ended or growth.version > after, long)
        finally:
            growth.watching.remove(me)
            growth.left = time.monotonic()

    def ended(self, key: Hashable) -> dict[str, Any] | None:
        """The answer, if it is here and whole."""
        with self._changed:
            growth = self._growths.get(key)
            return growth.answer if growth and growth.ended and growth.error is None else None

    def _begin(
        self, kind: str, key: Hashable, compute: Callable[[Tell], dict[str, Any]], who: Asker
    ) -> _Growth:
        growth = self._growths[key] = _Growth()
        while len(self._growths) > _KEPT:
            self._growths.popitem(last=False)
        what = (kind, key, growth, compute, Asker(who.name, growth, who.address))
        threading.Thread(target=self._compute, args=what, daemon=True).start()
        return growth

    def _compute(
        self,
        kind: str,
        key: Hashable,
        growth: _Growth,
        compute: Callable[[Tell], dict[str, Any]],
        who: Asker,
    ) -> None:
        asker.set(who)  # for this thread alone

        def tell(answer: dict[str, Any]) -> None:
            if growth.is_set():
                raise Abandoned
            with self._changed:
                growth.answer, growth.version = answer, growth.version + 1
                self._changed.notify_all()

        error: Exception | None = None
        try:
            with request(kind), self._admission.place(TEST):  # the first writes it into the log
                tell(compute(tell))
        except CamdemoError as failed:
            error = failed
        except Exception:  # the line in the log has the place
            error = CamdemoError(SORRY)
        with self._changed:
            growth.ended, growth.error = True, error
            if error is not None and self._growths.get(key) is growth:
                del self._growths[key]
            self._changed.notify_all()
