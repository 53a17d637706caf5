"""The engine whose networks run in replicas, on any machine that Ray has joined."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, cast

from ..engine.protocol import (
    NOBODY,
    Answer,
    Examine,
    FindLayers,
    Job,
    LabelMaps,
    Progress,
    Sweep,
    asker,
    together,
)
from ..errors import Abandoned, CamdemoError, Unreachable
from ..models import Catalogue
from . import messages
from .messages import Done, Fetch, Label, Message, Names, Refusal
from .watching import Question, Watch

log = logging.getLogger("camdemo")

_TRIES = 4  # of a question whose replica dies amid it
_PAUSE = 0.5  # seconds before the second try; each further one waits as long again
_PATIENCE = 90.0  # seconds until a replica has taken a question: new ones must start, and load
_BEAT = 2.0  # seconds between two looks at the head
_AGAIN = 8.0  # seconds more, until a lost one is looked for
_MISSES = 3  # of these, one after the other, and the head is lost
_LAST_SECONDS = 3.0  # for those who wait to hear that it is


@dataclass(frozen=True)
class Link:
    """The way to the replicas.

    Attributes:
        handle: Serve's, of the application.
        alive: whether the head can be reached.
        end: lets go of it: what was started by us ends.
    """

    handle: Any
    alive: Callable[[], bool]
    end: Callable[[], None]


class RayEngine:
    """An `Engine` over Ray Serve.

    A job goes to a replica that has its weights, if one has time; ranks and shares hold within a
    replica. What a replica had when it died is asked again, a sweep for the labels that are left.
    A head that is lost is looked for until it is back.

    Args:
        connect: makes the way to the replicas, whenever there is none.
        link: the one that there is.
    """

    def __init__(self, connect: Callable[[], Link], link: Link | None) -> None:
        self._connect = connect
        self._link = link
        self._wanted: tuple[str, ...] = ()  # the models that were offered
        self._watch = Watch(_PATIENCE)
        self._known: dict[Job, Any] = {}  # what never changes
        self._closed = threading.Event()
        threading.Thread(target=self._keep, name="beat", daemon=True).start()

    def offer(self, catalogue: Catalogue) -> None:
        """See `protocol.offer`: the replicas must know all of its models already."""
        self._wanted = catalogue.names
        self._check_names()

    def _check_names(self) -> None:
        there = self.run(Names())
        if missing := [name for name in self._wanted if name not in there]:
            raise CamdemoError(
                f"The replicas have no model {missing[0]!r}, and a network can't be handed to "
                "them. Name it where they are deployed, with --add or under add in serve.yaml, "
                "or let this machine answer, with --engine local."
            )

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """See `Engine.fetch`: to a replica's machine, from where all that share its disk have
        them. Others fetch for themselves when they are asked."""
        self.run(Fetch(model), progress)

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """See `Engine.run`.

        Raises:
            Unreachable: no replica has answered.
        """
        if isinstance(job, Sweep):
            return cast(Answer, together(self.stream(job)))
        if job in self._known:
            return cast(Answer, self._known[job])
        asking = self._ask(job, progress)
        try:
            next(asking)
        except StopIteration as end:
            if isinstance(job, FindLayers | Examine):
                self._known[job] = end.value
            return cast(Answer, end.value)
        raise RuntimeError("A job with one answer has none of labels.")

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """See `Engine.stream`."""
        yield from self._ask(job, None)

    def close(self) -> None:
        """End what was started, and ask nobody any more."""
        self._closed.set()
        if self._link:
            link, self._link = self._link, None
            link.end()

    # -- a question

    def _ask(
        self, job: Job, progress: Progress | None
    ) -> Generator[tuple[int, LabelMaps], None, Any]:
        """The labels as they come, and the answer in the end."""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(attempt * _PAUSE)
            try:
                for message in self._messages(job):
                    if isinstance(message, Done):
                        if progress:
                            progress(message.done, message.total)
                    elif isinstance(message, Refusal):
                        raise message.error
                    elif isinstance(message, Label):
                        job = replace(cast(Sweep, job), targets=cast(Sweep, job).targets[1:])
                        yield message.target, message.maps
                    else:
                        return message.value
            except _Died:
                if isinstance(job, Sweep) and not job.targets:
                    return None
        raise Unreachable(
            "The machine that explained this photo has failed, and so have those that were asked "
            "instead. Try again in a minute."
        )

    def _messages(self, job: Job) -> Iterator[Message]:
        """What one replica says.

        Raises:
            _Died: no more of it.
        """
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import RayServeException, RequestCancelledError

        who, link = asker.get() or NOBODY, self._link
        if who.gone.is_set():
            raise Abandoned
        if link is None:
            raise Unreachable(_LOST)
        handle = link.handle.options(stream=True, multiplexed_model_id=messages.weights_of(job))
        response = handle.ask.remote(messages.pack(job), who.name, who.address)
        over = False
        with self._watch.over(response, who.gone) as question:
            try:
                for packed in _said(response):
                    question.taken = True
                    if packed != messages.HERE:
                        message = messages.unpack(packed)
                        over = isinstance(message, messages.Answer | Refusal)
                        yield message
                over = True
            except RequestCancelledError as error:
                self._check(question)
                raise _Died from error
            except RayTaskError:  # what a network raised, or a fault of ours: it would again
                raise
            except (RayError, RayServeException) as error:
                over = True
                self._check(question)
                raise _Died from error
            finally:
                if not over:
                    response.cancel()

    def _check(self, question: Question) -> None:
        """Whether a question that has ended early was ended on purpose."""
        if question.gone.is_set():
            raise Abandoned
        if self._link is None:
            raise Unreachable(_LOST)
        if question.left:
            raise Unreachable(
                f"No machine has taken this question for {_PATIENCE:.0f} seconds. Try again in a "
                "minute."
            )

    # -- the way there

    def _find(self) -> None:
        """The way once more, if what is there knows the models that were offered."""
        try:
            self._link = self._connect()
            self._check_names()
        except Unreachable:
            pass
        except CamdemoError as error:
            log.warning("Ray's machines are back, and not asked: %s", error)
            link, self._link = self._link, None
            if link:
                link.end()
        except Exception:  # of Ray's: it is tried again
            log.exception("Ray's machines can't be joined again")

    def _keep(self) -> None:
        """Look after the head, for good."""
        misses = 0
        while not self._closed.wait(_BEAT):
            link = self._link
            if link is None:
                self._closed.wait(_AGAIN)
                self._find()
            elif link.alive():
                misses = 0
            elif (misses := misses + 1) == _MISSES:
                # Without it no replica is started any more, and Ray would end this process.
                self._link, misses = None, 0
                self._watch.leave_all(_LAST_SECONDS)
                link.end()


def _said(response: Any) -> Iterator[bytes]:
    """What comes. Ray refuses to wait in a thread with a running loop, such as a notebook's."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        yield from response
        return
    answers, end = iter(response), object()
    with ThreadPoolExecutor(1) as other:
        while (packed := other.submit(next, answers, end).result()) is not end:
            yield cast(bytes, packed)


class _Died(Exception):
    """The replica that had a question is there no more."""


_LOST = (
    "The machines that explain photos can't be reached at the moment. Try again in some minutes."
)
