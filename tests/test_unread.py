"""Answers that nobody fetches: bounded in number, in bytes and in age."""

from __future__ import annotations

import pytest

from camdemo.ui.server import unread
from camdemo.ui.server.unread import Unread


class Sessions:
    """What waits, and what was forgotten."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.forgotten: list[str] = []
        self.now = 0.0
        self.unread = Unread(self.waiting.__contains__, self._forget, lambda: self.now)

    def _forget(self, session: str) -> None:
        self.forgotten.append(session)
        self.waiting.discard(session)

    def answer(self, session: str, size: int = 10, address: str = "") -> None:
        """A while after the one before."""
        self.now += 10
        self.unread.add(session, size, address)
        self.waiting.add(session)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


def test_the_oldest_is_forgotten_when_they_are_too_many(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "_MOST", 2)
    for name in "abcd":
        sessions.answer(name)
    assert sessions.forgotten == ["a", "b"]


def test_the_oldest_are_forgotten_when_they_are_too_large(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "_BYTES", 100)
    for name, size in (("a", 40), ("b", 40), ("c", 90)):
        sessions.answer(name, size)
    assert sessions.forgotten == ["a", "b"]


def test_who_leaves_many_loses_no_others_answer(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor by a new session for each."""
    monkeypatch.setattr(unread, "_MOST", 2)
    sessions.answer("fair", address="10.0.0.1")
    for name in "abcd":
        sessions.answer(name, address="10.0.0.2")
    assert sessions.forgotten == ["a", "b", "c"]


def test_what_is_old_is_forgotten_and_what_was_fetched_counts_no_more(sessions: Sessions) -> None:
    for name in "abc":
        sessions.answer(name)
    sessions.waiting.discard("a")
    sessions.now = 20 + unread._OLD
    sessions.unread.tidy()
    assert sessions.forgotten == []
    sessions.now += 1
    sessions.unread.tidy()
    assert sessions.forgotten == ["b"]
    assert [one.session for one in sessions.unread._answers] == ["c"]


def test_an_answer_on_its_way_is_no_answer_that_was_fetched(sessions: Sessions) -> None:
    sessions.unread.add("a", 10)
    sessions.unread.tidy()
    assert [one.session for one in sessions.unread._answers] == ["a"]
    sessions.now = unread._NEW + 1
    sessions.unread.tidy()
    assert sessions.unread._answers == []
