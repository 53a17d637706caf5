"""Admission: how many at a time, in which order, and what becomes of those who leave."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from PIL import Image

from benchmarks import bombs
from camdemo import Settings
from camdemo.engine.protocol import Asker, asker
from camdemo.errors import Abandoned, Busy
from camdemo.ui.server import admission
from camdemo.ui.server.admission import ANSWER, MAPS, PHOTO, PROGRAM, TEST, Admission, Kind

from .served import run


class Visitors:
    """Each asks for a place on a thread, and keeps it until `done`.

    "ann", "ann.2" and "ann.3" are one visitor; "ann@home" asks from there.
    """

    def __init__(self, admitted: Admission) -> None:
        self.admission = admitted
        self.came: list[str] = []  # who got a place, in order
        self.gone: dict[str, threading.Event] = {}
        self._done: dict[str, threading.Event] = {}
        self._ended: dict[str, Future] = {}
        self._pool = ThreadPoolExecutor(30)

    def ask(self, *names: str, kind: Kind = PHOTO, size: int = 0) -> None:
        """Returns when they have their place, or wait, or have been refused."""
        for name in names:
            self.gone[name], self._done[name] = threading.Event(), threading.Event()
            self._ended[name] = self._pool.submit(self._visit, name, kind, size)
            until(lambda name=name: name in self.came or self.waits(name) or self.ended(name))

    def waits(self, name: str) -> bool:
        return any(one.who.gone is self.gone[name] for one in self.admission._waiting)

    def ended(self, name: str) -> bool:
        return self._ended[name].done()

    def asker(self, name: str) -> Asker:
        who, _, where = name.partition("@")
        return Asker(who.partition(".")[0], self.gone[name], where)

    def _visit(self, name: str, kind: Kind, size: int) -> None:
        asker.set(self.asker(name))
        with self.admission.place(kind, size):
            self.came.append(name)
            assert self._done[name].wait(60)

    def done(self, name: str) -> None:
        self._done[name].set()
        self._ended[name].result(10)

    def error(self, name: str) -> BaseException | None:
        return self._ended[name].exception(10)

    def before(self, name: str) -> int:
        return self.admission.before(self.asker(name))

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
def visitors() -> Iterator[Visitors]:
    """Two photos at a time, and four may wait."""
    found = Visitors(Admission(Settings(lanes=1, max_queue=4)))
    yield found
    found.close()


def test_so_many_at_a_time_in_the_order_in_which_they_came(visitors: Visitors) -> None:
    visitors.ask(*"abcde")
    assert visitors.came == ["a", "b"]
    assert [visitors.before(name) for name in "abcde"] == [0, 0, 0, 1, 2]
    visitors.done("b")
    until(lambda: len(visitors.came) == 3)
    time.sleep(0.05)  # one place, one visitor
    assert visitors.came == ["a", "b", "c"]
    assert [visitors.before(name) for name in "cde"] == [0, 0, 1]
    visitors.done("a")
    until(lambda: len(visitors.came) == 4)
    visitors.done("c")
    until(lambda: len(visitors.came) == 5)
    assert visitors.came == list("abcde")


def test_a_full_house_is_refused_in_words_at_once_and_has_room_again(visitors: Visitors) -> None:
    visitors.ask(*"abcdefg")
    refused = visitors.error("g")
    assert type(refused) is Busy
    assert str(refused) == "Many are asking at the moment. Try again in a minute."
    visitors.done("a")
    until(lambda: "c" in visitors.came)
    visitors.ask("h")
    assert visitors.before("h") == 3  # after d, e and f


def test_who_leaves_loses_the_place(visitors: Visitors) -> None:
    visitors.ask(*"abcde")
    visitors.gone["c"].set()
    assert isinstance(visitors.error("c"), Abandoned)
    assert visitors.before("d") == 0
    visitors.done("a")
    until(lambda: len(visitors.came) == 3)
    assert visitors.came == ["a", "b", "d"]


def test_first_maps_wait_for_no_others(visitors: Visitors) -> None:
    many = [f"m{number}" for number in range(12)]
    visitors.ask(*many, kind=MAPS)
    assert len(visitors.came) == 4
    visitors.ask("a", "b")
    visitors.ask("t", kind=TEST)
    visitors.ask("h", kind=ANSWER)
    assert visitors.came[4:] == ["a", "b", "t", "h"]


def test_everybodys_first_comes_before_anybodys_second(visitors: Visitors) -> None:
    """At once and in turns; and one visitor never has all places."""
    visitors.ask("a.1", "a.2", "a.3")
    assert visitors.came == ["a.1"]
    visitors.ask("b", "c", "d")
    assert visitors.came == ["a.1", "b"]
    assert [visitors.before(name) for name in ("c", "d", "a.2")] == [0, 1, 2]
    visitors.done("a.1")
    until(lambda: len(visitors.came) == 3)
    assert visitors.came == [
        "a.1",
        "b",
        "a.2",
    ]  # which came before c, and nothing of a's is at work


def test_one_visitor_can_keep_nobody_out(visitors: Visitors) -> None:
    visitors.ask("x", "y", "a.1", "a.2", "a.3")
    assert isinstance(visitors.error("a.3"), Busy)  # half of the line is enough
    visitors.ask("b.1", "b.2", "c")  # full before c came
    assert isinstance(visitors.error("b.2"), Busy)
    visitors.ask("d")
    assert isinstance(visitors.error("a.2"), Busy)
    assert [visitors.before(name) for name in ("a.1", "b.1", "c", "d")] == [0, 1, 2, 3]
    visitors.ask("e")
    assert isinstance(visitors.error("e"), Busy)


def test_who_writes_many_sessions_keeps_nobody_elsewhere_out(visitors: Visitors) -> None:
    visitors.ask(*(f"bot{number}@there" for number in range(6)))
    visitors.ask("ann@home")
    assert isinstance(visitors.error("bot5@there"), Busy)
    assert visitors.before("ann@home") == 0
    visitors.done("bot0@there")
    until(lambda: len(visitors.came) == 3)
    assert visitors.came[-1] == "ann@home"


def test_photos_are_bounded_in_bytes_and_one_that_is_larger_comes_alone(visitors: Visitors) -> None:
    visitors.ask("a", size=400_000_000)
    visitors.ask("b", size=300_000_000)
    assert visitors.came == ["a"]
    visitors.ask("m", kind=MAPS)
    assert visitors.came == ["a", "m"]
    visitors.done("a")
    until(lambda: "b" in visitors.came)
    visitors.ask("c", size=5_000_000_000)
    assert "c" not in visitors.came
    visitors.done("b")
    until(lambda: "c" in visitors.came)


def test_photos_of_visitors_have_bytes_before_those_of_programs(visitors: Visitors) -> None:
    visitors.ask("p", "q", kind=PROGRAM, size=500_000_000)
    visitors.ask("a", size=300_000_000)
    assert visitors.came == ["p"]
    visitors.done("p")
    until(lambda: len(visitors.came) == 2)
    assert visitors.came == ["p", "a"]


def test_programs_leave_half_of_the_bytes_to_visitors() -> None:
    found = Visitors(Admission(Settings(lanes=2, max_queue=4)))
    try:
        found.ask("p", "q", kind=PROGRAM, size=300_000_000)
        found.ask("a", size=300_000_000)
        found.ask("r", kind=PROGRAM)  # after q
        assert found.came == ["p", "a"]
        found.done("p")
        until(lambda: len(found.came) == 4)  # each tells of itself, in any order
    finally:
        found.close()


def test_programs_leave_half_of_the_decoders_to_visitors(visitors: Visitors) -> None:
    """Of which there are two for a lane."""
    visitors.ask("p", "q", kind=PROGRAM)
    assert visitors.came == ["p"]


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    found = Visitors(Admission(Settings(lanes=1, max_queue=4), clock=lambda: now[0]))
    try:
        found.ask(*"abc")
        now[0] = PHOTO.age
        time.sleep(0.05)
        assert found.waits("c")
        now[0] += 1
        assert isinstance(found.error("c"), Busy)
    finally:
        found.close()


def test_a_place_is_given_back_after_an_error_too() -> None:
    admitted = Admission(Settings(lanes=1, max_queue=1))
    for _ in range(3):
        with pytest.raises(ValueError, match="mistake"), admitted.place(PHOTO):
            raise ValueError("a mistake")
    assert admitted._waiting == admitted._working == []


def test_who_has_no_name_waits_like_everybody_and_has_no_place_of_theirs(
    visitors: Visitors,
) -> None:
    visitors.ask("", "@a", "@b")
    assert visitors.came == ["", "@a"]
    visitors.ask("ann")
    assert visitors.before("ann") == 1
    assert visitors.admission.before(None) == 0
    assert visitors.admission.before(Asker("ben", threading.Event())) == 0


# --- without a thread ---


def test_who_waits_has_no_thread_and_whoever_leaves_ends_none() -> None:
    """A question that was cancelled has its place until its thread has ended."""
    admitted = Admission(Settings(lanes=1, max_queue=50))
    go, at_work = threading.Event(), []

    def work(number: int) -> int:
        at_work.append((number, threading.get_ident()))
        assert go.wait(60)
        if number == 7:
            raise ValueError("a mistake")
        return number

    async def crowd() -> list:
        asked = [asyncio.create_task(admitted.run(MAPS, 0, work, number)) for number in range(20)]
        before = threading.active_count()
        while len(at_work) < 4:
            await asyncio.sleep(0.01)
        asked[0].cancel()
        asked[10].cancel()
        await asyncio.sleep(0.1)
        assert len(at_work) == 4
        assert threading.active_count() <= before + 4
        go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = run(crowd())
    ended = [type(one) for one in answers]
    assert ended.count(asyncio.CancelledError) == 2
    assert [one for one in answers if isinstance(one, int)] == [
        number for number in range(1, 20) if number not in (7, 10)
    ]
    assert ended[7] is ValueError
    assert 10 not in [number for number, _ in at_work]
    until(lambda: admitted._waiting == admitted._working == [])  # of the cancelled one, too


def test_without_a_thread_one_is_refused_and_leaves_as_with_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "_GLANCE", 0.01)
    admitted, gone = Admission(Settings(lanes=1, max_queue=1)), threading.Event()

    async def crowd() -> None:
        with admitted.place(PHOTO), admitted.place(PHOTO):
            asker.set(Asker("ann", gone))
            waits = asyncio.create_task(admitted.run(PHOTO, 0, time.sleep, 0))
            await asyncio.sleep(0.05)
            with pytest.raises(Busy):
                await admitted.run(PHOTO, 0, time.sleep, 0)
            assert not waits.done()
            gone.set()
            with pytest.raises(Abandoned):
                await waits

    run(crowd())
    assert admitted._waiting == admitted._working == []


def test_where_no_thread_can_be_had_the_place_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admitted = Admission(Settings(lanes=1, max_queue=1))

    async def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(admission.to_thread, "run_sync", refuse)
    for _ in range(5):  # more than there are places
        with pytest.raises(RuntimeError, match="thread"):
            run(admitted.run(MAPS, 0, int))
    assert admitted._waiting == admitted._working == []


# --- how large a photo is ---


def picture(kind: str, size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_counts_as_much_as_it_takes(kind: str, tmp_path) -> None:
    (tmp_path / "photo").write_bytes(picture(kind, (300, 200)))
    assert Admission(Settings()).size_of(str(tmp_path / "photo")) == 300 * 200 * 6


@pytest.mark.parametrize(
    "content",
    [picture("GIF", (3, 2)), picture("TIFF", (3, 2)), b"", b"x", bombs.png_of_chunks(100_000)],
    ids=["GIF", "TIFF", "nothing", "no photo", "PNG of chunks"],
)
def test_what_does_not_say_it_quickly_counts_as_the_largest(content: bytes, tmp_path) -> None:
    """A GIF's comments, a TIFF's strips and a PNG's chunks take seconds to open."""
    (tmp_path / "photo").write_bytes(content)
    admitted = Admission(Settings(max_megapixels=7))
    assert admitted.size_of(str(tmp_path / "photo")) == 7_000_000 * 6
