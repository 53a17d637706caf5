"""Admission: whatever computes passes here, whichever way it was asked.

Each kind of question has places of its own, so that no first map waits for others' sweeps, and a
line of those who wait. The line goes round by round: everybody's first question before anybody's
second. Where it is full, the last of it is told to come back.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from PIL import Image

from ...engine.protocol import NOBODY, Asker, asker
from ...errors import Abandoned, Busy
from ...settings import Settings

_MEMORY = 600_000_000  # bytes of photos that are decoded at the same time, unless one is larger
_GLANCE = 0.5  # seconds between two looks whether whoever waits is still there
_SILENT = 50.0  # seconds that a request may wait: proxies end what says nothing for a minute
_WATCHED = 600.0  # seconds that one may which is told how it goes
_PIXEL = 6  # bytes: while a photo is turned or laid over white, there are two of it
_QUICK = ("JPEG", "PNG", "WEBP")  # whose size is read in no time, whatever else is in the file
_HEAD = 200_000  # so far it is looked for; a PNG or a JPEG may have a million parts before it

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Kind:
    """What is asked.

    Attributes:
        places: how many are at work at the same time, for each lane.
        line: how many may wait, as a multiple of what `Admission` is told.
        age: seconds after which whoever still waits is told to come back.
    """

    places: int
    line: float
    age: float


PHOTO = Kind(2, 1, _SILENT)  # while one is computed, another is read
PROGRAM = Kind(1, 1, _WATCHED)  # the API and agents, which have half of the decoders at most
ANSWER = Kind(4, 4, _SILENT)
MAPS = Kind(4, 4, _SILENT)  # a page asks for those of two labels at once, of a comparison for four
FRAME = Kind(2, 1, _SILENT)  # of a camera
PIXELS = Kind(1, 0.25, _WATCHED)  # who waits for one has a thread
TEST = Kind(1, 0.25, _WATCHED)  # the same
DOWNLOAD = Kind(16, 0, _SILENT)  # nothing is computed, but each has a thread
_IN_TURN = (PHOTO, ANSWER, MAPS, FRAME, DOWNLOAD, TEST, PIXELS, PROGRAM)  # who has bytes first


@dataclass(eq=False)
class _Place:
    """Somebody who is at work, or waits for it."""

    kind: Kind
    who: Asker
    size: int
    since: float
    came: Future[bool] = field(default_factory=Future)  # False: there is no room any more


class Admission:
    """So many at work of each kind, and so many who wait. Safe to share between threads.

    No visitor has more than half of a kind's places, or of its line.

    Args:
        settings: `lanes` and `max_queue` count here, and `max_megapixels`.
        clock: seconds, for tests.
        width: how many first maps a lane computes in one, see `engine.protocol.width`: so many
            times as many photos are at work.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        width: int = 1,
    ) -> None:
        self._lanes = settings.lanes or 1
        self._width = width
        self._most = settings.max_queue
        self._pixels = 10**6 * settings.max_megapixels
        self._clock = clock
        self._waiting: list[_Place] = []  # in the order in which they came
        self._working: list[_Place] = []
        self._lock = threading.Lock()
        self._threads = CapacityLimiter(10**6)  # they are counted here

    @contextmanager
    def place(self, kind: Kind, size: int = 0) -> Iterator[None]:
        """Wait for a place, and have it. Who asks is the `asker`.

        Args:
            size: bytes that will be taken meanwhile, where it is worth counting them.

        Raises:
            Busy: too many wait already, or it took too long.
            Abandoned: whoever waits has gone.
        """
        mine = self._join(kind, size)
        try:
            while not wait([mine.came], _GLANCE).done:
                self._check(mine)
            if not mine.came.result():
                raise Busy
            yield
        finally:
            self._leave(mine)

    async def run(
        self,
        kind: Kind,
        size: int,
        function: Callable[Given, Answer],
        *given: Given.args,
        **named: Given.kwargs,
    ) -> Answer:
        """The same for a function, in a thread which it has only while it is at work."""
        mine = self._join(kind, size)
        try:
            came = asyncio.wrap_future(mine.came)
            while not (await asyncio.wait([came], timeout=_GLANCE))[0]:
                self._check(mine)
            if not mine.came.result():
                raise Busy
        except BaseException:
            self._leave(mine)
            raise

        def work() -> Answer:
            try:
                return function(*given, **named)
            finally:
                self._leave(mine)

        # Whoever cancels the question does not end the thread, which has its place to the end.
        working = asyncio.ensure_future(to_thread.run_sync(work, limiter=self._threads))
        working.add_done_callback(lambda _: self._leave(mine))  # if there was no thread to be had
        return await asyncio.shield(working)

    @property
    def largest(self) -> int:
        """The bytes that the largest photo takes while it is decoded."""
        return _PIXEL * self._pixels

    def size_of(self, path: str) -> int:
        """The bytes that the photo of a file takes while it is decoded, at most."""
        pixels = self._pixels
        with suppress(Exception):  # whoever decodes it says what is wrong
            with open(path, "rb") as file:
                head = file.read(_HEAD)
                if head.startswith(b"RIFF"):  # WebP, which is looked at as a whole, by libwebp
                    head += file.read()
            with Image.open(io.BytesIO(head), formats=_QUICK) as image:
                pixels = min(pixels, image.width * image.height)
        return _PIXEL * pixels

    def before(self, who: Asker | None) -> int:
        """How many photos come before this visitor's; 0 for one who does not wait."""
        with self._lock:
            names = [one.who.name for one in self._line(PHOTO)]
        return names.index(who.name) if who and who.name in names else 0

    def _join(self, kind: Kind, size: int) -> _Place:
        """Stand in line, or be at work at once."""
        mine = _Place(kind, asker.get() or NOBODY, size, self._clock())
        with self._lock:
            self._waiting.append(mine)
            self._admit()
            line, most = self._line(kind), int(kind.line * self._most)
            if mine in line and self._has(mine.who, line) > _half(most):
                self._refuse(mine)
            elif mine in line and len(line) > most:
                self._refuse(line[-1])
        return mine

    def _has(self, who: Asker, those: list[_Place]) -> int:
        """How many of those are this visitor's; nobody's are not counted."""
        return sum(one.who.name == who.name for one in those) if who.name else 0

    def _refuse(self, one: _Place) -> None:
        self._waiting.remove(one)
        one.came.set_result(False)

    def _check(self, mine: _Place) -> None:
        """Raise what ends the wait."""
        if mine.who.gone.is_set():
            raise Abandoned
        if self._clock() - mine.since > mine.kind.age:
            raise Busy

    def _leave(self, mine: _Place) -> None:
        with self._lock:
            for those in (self._waiting, self._working):
                if mine in those:
                    those.remove(mine)
            self._admit()

    def _admit(self) -> None:
        """Give the places that are free to those who are next."""
        for kind in _IN_TURN:
            working = [one for one in self._working if one.kind is kind]
            places = kind.places * self._lanes * (self._width if kind is PHOTO else 1)
            for one in self._line(kind) if len(working) < places else ():
                if len(working) >= places or not self._has_room(one):
                    break
                if self._has(one.who, working) < _half(places):
                    self._waiting.remove(one)
                    for those in (self._working, working):
                        those.append(one)
                    one.came.set_result(True)

    def _has_room(self, one: _Place) -> bool:
        """Whether its bytes have room beside those of others: half of it is for visitors alone."""

        def fits(others: list[_Place], most: int) -> bool:
            taken = sum(other.size for other in others)
            return not (one.size and taken) or taken + one.size <= most

        programs = [other for other in self._working if other.kind is PROGRAM]
        return fits(self._working, _MEMORY) and (
            one.kind is not PROGRAM or fits(programs, _MEMORY // 2)
        )

    def _line(self, kind: Kind) -> list[_Place]:
        """Those who wait, in the order in which their turn comes.

        Round by round of the addresses from which they ask, and at one address of the visitors.
        """
        waiting = [one for one in self._waiting if one.kind is kind]
        working = [one for one in self._working if one.kind is kind]
        by_visitor = _by_rounds(waiting, working, lambda one: one.who.name)
        return _by_rounds(by_visitor, working, lambda one: one.who.address)


def threads(settings: Settings, width: int = 1) -> int:
    """How many threads of others may wait for their place, or have one; see `Admission`."""
    places = (settings.lanes or 1) * (width * PHOTO.places + DOWNLOAD.places)
    return int(PHOTO.line * settings.max_queue) + places


def _by_rounds(
    waiting: list[_Place], working: list[_Place], whose: Callable[[_Place], str]
) -> list[_Place]:
    """Everybody's first, then everybody's second; what is at work counts as an earlier one."""
    seen = Counter(map(whose, working))
    rounds = {}
    for one in waiting:
        rounds[one] = seen[whose(one)]
        seen[whose(one)] += 1
    return sorted(waiting, key=rounds.__getitem__)


def _half(count: int) -> int:
    return max(1, count // 2)
