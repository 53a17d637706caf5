"""Questions under way elsewhere: each ends when whoever asked has gone, or when nobody takes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ..engine.protocol import Gone

_EVERY = 0.05  # seconds


class Cancellable(Protocol):
    """A response of Serve's."""

    def cancel(self) -> None: ...


@dataclass(eq=False)
class Question:
    """One that is under way.

    Attributes:
        taken: whether a replica has it.
        left: whether it was given up since nobody took it.
    """

    response: Cancellable
    gone: Gone
    since: float = field(default_factory=time.monotonic)
    taken: bool = False
    left: bool = False


class Watch:
    """One thread that looks after all of them: those who wait can't, they wait.

    Args:
        patience: seconds in which a replica must have taken a question.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._questions: list[Question] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._look, name="watch", daemon=True).start()

    @contextmanager
    def over(self, response: Cancellable, gone: Gone) -> Iterator[Question]:
        """Look after a question within this context."""
        question = Question(response, gone)
        with self._changed:
            self._questions.append(question)
            self._changed.notify_all()
        try:
            yield question
        finally:
            with self._changed:
                self._questions.remove(question)
                self._changed.notify_all()

    def leave_all(self, seconds: float) -> None:
        """Give up whatever is under way, and wait until nobody waits for it any more."""
        with self._changed:
            for question in tuple(self._questions):
                question.left = True
                question.response.cancel()
            self._changed.wait_for(lambda: not self._questions, seconds)

    def _look(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._questions))
                questions = tuple(self._questions)
            now = time.monotonic()
            for question in questions:
                late = not question.taken and now - question.since > self._patience
                question.left = question.left or late
                if late or question.gone.is_set():
                    question.response.cancel()  # once more does nothing
            time.sleep(_EVERY)
