"""Turns: how many at a time, in which order, and what becomes of those who leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from camdemo.engine.protocol import Asker
from camdemo.errors import Abandoned, CamdemoError
from camdemo.ui.server.turns import Turns


class Visitors:
    """Each asks for a turn on a thread, and keeps it until `done`."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.came: list[str] = []  # who got a turn, in order
        self.gone: dict[str, threading.Event] = {}
        self._done: dict[str, threading.Event] = {}
        self._ended: dict[str, Future] = {}
        self._pool = ThreadPoolExecutor(20)

    def ask(self, name: str) -> None:
        """Returns when they have their turn, or wait, or have been refused."""
        self.gone[name], self._done[name] = threading.Event(), threading.Event()
        waiting = len(self.turns._waiting)
        self._ended[name] = self._pool.submit(self._visit, name)
        until(
            lambda: (
                name in self.came or len(self.turns._waiting) > waiting or self._ended[name].done()
            )
        )

    def asker(self, name: str) -> Asker:
        return Asker(name, self.gone[name])

    def _visit(self, name: str) -> None:
        with self.turns.turn(self.asker(name)):
            self.came.append(name)
            assert self._done[name].wait(60)

    def done(self, name: str) -> None:
        self._done[name].set()
        self._ended[name].result(10)

    def error(self, name: str) -> BaseException | None:
        return self._ended[name].exception(10)

    def close(self) -> None:
        for event in self._done.values():
            event.set()
        self._pool.shutdown()


def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


@pytest.fixture
def visitors(request: pytest.FixtureRequest) -> Iterator[Visitors]:
    """Two at a time, and three may wait."""
    found = Visitors(Turns(2, 3))
    yield found
    found.close()


def test_so_many_at_a_time_in_the_order_in_which_they_came(visitors: Visitors) -> None:
    for name in "abcde":
        visitors.ask(name)
    assert visitors.came == ["a", "b"]
    assert [visitors.turns.before(visitors.asker(name)) for name in "abcde"] == [0, 0, 0, 1, 2]
    visitors.done("b")
    until(lambda: len(visitors.came) == 3)
    time.sleep(0.05)  # one place, one visitor
    assert visitors.came == ["a", "b", "c"]
    assert [visitors.turns.before(visitors.asker(name)) for name in "cde"] == [0, 0, 1]
    visitors.done("a")
    until(lambda: len(visitors.came) == 4)
    visitors.done("c")
    until(lambda: len(visitors.came) == 5)
    assert visitors.came == list("abcde")


def test_a_full_house_is_refused_in_words_and_has_room_again(visitors: Visitors) -> None:
    for name in "abcdef":
        visitors.ask(name)
    refused = visitors.error("f")
    assert type(refused) is CamdemoError
    assert str(refused) == "Many are asking at the moment. Try again in a minute."
    visitors.done("a")
    until(lambda: "c" in visitors.came)
    visitors.ask("g")
    assert visitors.turns.before(visitors.asker("g")) == 2  # after d and e


def test_who_leaves_loses_the_place(visitors: Visitors) -> None:
    for name in "abcde":
        visitors.ask(name)
    visitors.gone["c"].set()
    assert isinstance(visitors.error("c"), Abandoned)
    assert visitors.turns.before(visitors.asker("d")) == 0
    visitors.done("a")
    until(lambda: len(visitors.came) == 3)
    assert visitors.came == ["a", "b", "d"]


def test_a_turn_ends_with_an_error_too() -> None:
    turns = Turns(1, 1)
    for _ in range(3):
        with pytest.raises(ValueError, match="mistake"), turns.turn(None):
            raise ValueError("a mistake")
    assert turns._waiting == []


def test_who_has_no_name_waits_like_everybody_and_has_no_place_of_theirs() -> None:
    turns, left = Turns(1, 5), threading.Event()
    nameless = [Asker("", threading.Event()), Asker("ann", threading.Event())]
    with turns.turn(None), ThreadPoolExecutor(2) as pool:
        for who in nameless:
            pool.submit(lambda who=who: turns.turn(who).__enter__())
            until(lambda who=who: who in turns._waiting)
        assert turns.before(nameless[1]) == 1
        assert turns.before(None) == turns.before(Asker("ben", left)) == 0
        for who in nameless:
            who.gone.set()
