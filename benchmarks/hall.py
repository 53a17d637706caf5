"""A hall full of people before the page, simulated: who waits how long, without anybody there.

A discrete-event model (SimPy) of one page process: cores that several share, the part of an answer
that one thread has at a time, the places of the admission, and the lanes with ranks and giving way.
What everything takes is handed in; `benchmarks.sizing` measures it, and holds the model to a crowd
that was there.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import simpy

FIRST_MAP, ANSWER, SWEEP = range(3)  # ranks, as in `engine.protocol.Rank`
SLICE = 0.01  # seconds of work between two pauses of a network
DEEPEST = 2  # jobs in a lane that wait for more urgent ones
HALF = 10.0  # seconds after which what somebody has used counts half
SHOWN, NEXT, REST = 1, 2, 2  # labels in a viewer's questions
NICE = 0.1  # the weight of a lane beside that of a thread that answers browsers

Process = Iterator[simpy.Event]


@dataclass(frozen=True)
class Costs:
    """Seconds of a core that each step takes: of the page's threads, of a client, of a lane."""

    upload: float
    opening: float  # a photo, without its map
    question: float  # about maps or a hidden part, without the network
    client: float  # a question, in the process of the crowd; 0 where that is on other machines
    first_map: float
    other_map: float  # of another model
    forward: float  # of a sweep
    label: float
    hide: float


@dataclass(eq=False)
class _Task:
    left: float
    weight: float
    done: simpy.Event
    rate: float = 0.0


class Cores:
    """Work shares the cores by its weight, and has one of them at most.

    Args:
        others: how many of the cores what else runs on the machine has.
    """

    def __init__(self, env: simpy.Environment, count: int, others: float = 0.0) -> None:
        self.env, self._free = env, count - others
        self.had = 0.0  # seconds of a core that were asked for
        self._tasks: list[_Task] = []
        self._since = 0.0
        self._version = 0

    def work(self, seconds: float, weight: float = 1.0) -> simpy.Event:
        """An event that comes when so many seconds of a core have been had."""
        self._advance()
        self.had += seconds
        task = _Task(seconds, weight, self.env.event())
        self._tasks.append(task)
        self._share()
        return task.done

    def _advance(self) -> None:
        for task in self._tasks:
            task.left -= task.rate * (self.env.now - self._since)
        self._since = self.env.now
        for task in [one for one in self._tasks if one.left <= 1e-9]:
            self._tasks.remove(task)
            task.done.succeed()

    def _share(self) -> None:
        free, tasks = self._free, sorted(self._tasks, key=lambda one: -one.weight)
        weights = sum(one.weight for one in tasks)
        for task in tasks:  # who would have more than a core leaves the rest to the others
            share = min(1.0, free * task.weight / weights)
            free, weights = free - share, weights - task.weight
            task.rate = share
        self._version += 1
        if tasks:
            self.env.process(self._next(min(one.left / one.rate for one in tasks), self._version))

    def _next(self, seconds: float, version: int) -> Process:
        yield self.env.timeout(seconds)
        if version == self._version:
            self._advance()
            self._share()


@dataclass(eq=False)
class Job:
    """What a lane runs: parts with an event each, and whether anybody still waits."""

    rank: int
    who: int
    parts: list[tuple[float, simpy.Event]]
    is_dropped: Callable[[], bool] = lambda: False
    arrival: int = 0


class Lanes:
    """As many networks at a time as there are lanes; see `camdemo.engine.lanes`."""

    def __init__(self, env: simpy.Environment, cores: Cores, count: int) -> None:
        self.env, self._cores = env, cores
        self._waiting: list[Job] = []
        self._arrivals = itertools.count()
        self._used: dict[int, tuple[float, float]] = {}
        self._came = env.event()
        for _ in range(count):
            env.process(self._lane())

    def submit(self, job: Job) -> simpy.Event:
        """Put it in line; the event of its last part."""
        job.arrival = next(self._arrivals)
        self._waiting.append(job)
        self._came.succeed()
        self._came = self.env.event()
        return job.parts[-1][1]

    def _lane(self) -> Process:
        while True:
            while not self._waiting:
                yield self._came
            yield from self._do(self._take(self._waiting), 0)

    def _do(self, job: Job, depth: int) -> Process:
        for seconds, done in job.parts:
            left = seconds
            while left > 1e-9 and not job.is_dropped():
                piece = min(left, SLICE)
                yield self._cores.work(piece, NICE)
                self._charge(job.who, piece)
                left -= piece
                while depth < DEEPEST and (urgent := self._before(job)):
                    yield from self._do(self._take(urgent), depth + 1)
            done.succeed()

    def _before(self, job: Job) -> list[Job]:
        return [one for one in self._waiting if one.rank < job.rank]

    def _take(self, those: list[Job]) -> Job:
        first = min(those, key=lambda one: (one.rank, self._use(one.who), one.arrival))
        self._waiting.remove(first)
        return first

    def _use(self, who: int) -> float:
        seconds, when = self._used.get(who, (0.0, self.env.now))
        return seconds * 0.5 ** ((self.env.now - when) / HALF)

    def _charge(self, who: int, seconds: float) -> None:
        self._used[who] = self._use(who) + seconds, self.env.now


@dataclass(eq=False)
class Hall:
    """One page process and those who visit it.

    Attributes:
        first: seconds from each upload to its first map.
        whole: seconds of each visit.
        pause: seconds between two visits of a person, on average; 0 for none.
    """

    env: simpy.Environment
    costs: Costs
    count: int  # cores, and lanes
    others: float = 0.0
    pause: float = 0.0
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        env, lanes = self.env, self.count
        self.cores = Cores(env, self.count, self.others)
        self.lanes = Lanes(env, self.cores, lanes)
        self._thread = simpy.Resource(env)  # Python runs one at a time
        self._client = simpy.Resource(env)
        self._places = {
            "photo": simpy.PriorityResource(env, 2 * lanes),
            "maps": simpy.PriorityResource(env, 4 * lanes),
            "answer": simpy.PriorityResource(env, 4 * lanes),
        }
        self._asked: dict[tuple[str, int], int] = {}
        self._numbers = itertools.count()

    @property
    def visits(self) -> int:
        """How many are over."""
        return len(self.whole)

    def user(self, who: int, until: float) -> Process:
        """Visit after visit, until the time is over."""
        moved, drawn = [0], random.Random(who)
        while True:
            if self.pause:
                yield self.env.timeout(drawn.expovariate(1 / self.pause))
            if self.env.now >= until:
                return
            start = self.env.now
            yield from self._visit(who, next(self._numbers), moved)
            self.whole.append(self.env.now - start)

    def _visit(self, who: int, number: int, moved: list[int]) -> Process:
        costs, start = self.costs, self.env.now
        yield from self._request(costs.upload)
        yield from self._open(who, costs.first_map, moved)
        self.first.append(self.env.now - start)
        mine, event = moved[0], self.env.event
        labels = [event() for _ in range(SHOWN + NEXT + REST)]
        parts = [(costs.label, label) for label in labels]
        parts[0] = (costs.forward + costs.label, labels[0])
        sweep = Job(SWEEP, who, parts, lambda: moved[0] != mine)
        begun: list[Job] = []

        def ask(wanted: list[simpy.Event]) -> Process:
            def compute() -> Process:
                if not begun:
                    begun.append(sweep)
                    self.lanes.submit(sweep)
                yield self.env.all_of(wanted)

            yield from self._request(costs.question, "maps", who, compute)

        shown = self.env.process(ask(labels[:SHOWN]))
        others = self.env.process(ask(labels[SHOWN : SHOWN + NEXT]))
        yield shown
        self.env.process(ask(labels[SHOWN + NEXT :]))
        yield others
        if number % 4 == 1:
            yield from self._open(who, costs.other_map, moved)
        elif number % 4 == 2:
            yield from self._compute(who, "maps", SWEEP, costs.forward + costs.label)
        elif number % 4 == 3:
            yield from self._compute(who, "answer", ANSWER, costs.hide)

    def _open(self, who: int, seconds: float, moved: list[int]) -> Process:
        def compute() -> Process:
            moved[0] += 1  # nobody waits for what is left of the photo before
            yield self.lanes.submit(Job(FIRST_MAP, who, [(seconds, self.env.event())]))

        yield from self._request(self.costs.opening, "photo", who, compute)

    def _compute(self, who: int, kind: str, rank: int, seconds: float) -> Process:
        def compute() -> Process:
            yield self.lanes.submit(Job(rank, who, [(seconds, self.env.event())]))

        yield from self._request(self.costs.question, kind, who, compute)

    def _request(
        self,
        seconds: float,
        kind: str = "",
        who: int = 0,
        compute: Callable[[], Process] | None = None,
    ) -> Process:
        """A question: half of the page's work comes before the network's, half after it."""
        yield from self._alone(self._client, self.costs.client / 2)
        yield from self._alone(self._thread, seconds / 2)
        if compute:
            key = kind, who
            rounds = self._asked[key] = self._asked.get(key, 0) + 1
            with self._places[kind].request(rounds) as place:
                yield place
                yield from compute()
            self._asked[key] -= 1
        yield from self._alone(self._thread, seconds / 2)
        yield from self._alone(self._client, self.costs.client / 2)

    def _alone(self, thread: simpy.Resource, seconds: float) -> Process:
        if seconds:
            with thread.request() as turn:
                yield turn
                yield self.cores.work(seconds)


def simulate(
    costs: Costs,
    cores: int,
    users: int,
    seconds: float,
    others: float = 0.0,
    pause: float = 0.0,
) -> Hall:
    """So many users for so many seconds; all that they began is finished."""
    env = simpy.Environment()
    hall = Hall(env, costs, cores, others, pause)
    people = [env.process(hall.user(who, seconds)) for who in range(users)]
    env.run(env.all_of(people))
    return hall
