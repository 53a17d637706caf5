"""What strangers can do to the page: `python -m benchmarks.attack`, or `make attack`.

Attackers throw files, floods and tricks at the running page, group after group, while somebody
else comes now and then and asks for the first map of a photo of theirs. Attackers have one address
and as many sessions as they like; from elsewhere they would take none of the server's processors,
and so they have the lowest priority here. All traffic stays on this machine: the server is kept
from reaching any other (see besieged.py). Linux only, whose loopback has many addresses, and which
tells memory and threads in /proc. Exits with 1 if an aim is missed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests import hostile
from tests.served import ROOT, Served, canary, served

from . import bombs, floods, tricks
from .light import Visit, p95, visit_now_and_then
from .timing import table
from .toll import LARGE, MODEL, PATIENCE, SLOW, Field, Toll
from .watched import Watched

ALONE = 15.0  # seconds in which the light visitor is alone
DISK = 60  # MB that uploads and results may take
AIM = 3.0  # times what a first map takes without attackers
_WEIGHTS = ("download.pytorch.org", "github.com", "huggingface.co")  # asked for by downloads
BACK = 500.0  # MB by which the memory may have grown when all is over
_QUIET = 0.5  # processors; less than that is the light visitor
_LONGEST = 90.0  # seconds after which a group is broken off
_REST = 25.0  # seconds for which what it has left is waited for

Group = Callable[[Field], Awaitable[None]]


async def corpus(field: Field) -> None:
    """Damaged and odd files, four at a time."""
    left = iter(hostile.corpus().items())

    async def some() -> None:
        for name, photo in left:
            await field.toll.put(name, field.opened(photo, model=MODEL))

    await asyncio.gather(*(some() for _ in range(4)))


async def time_bombs(field: Field) -> None:
    """Each alone, then four at once; honest giants must be explained."""
    made = dict(bombs.bombs())
    for number, (name, photo) in enumerate(hostile.huge()):
        asked = field.opened(photo, model=MODEL)
        await field.toll.alone(name, asked, honest=number < 3)
    for name, photo in made.items():
        await field.toll.alone(name, field.opened(photo, model=MODEL))
    some = list(made.items())[:4]
    await field.toll.together((name, field.opened(photo)) for name, photo in some)


GROUPS: dict[str, Group] = {
    "strange requests": tricks.requests,
    "names and addresses": tricks.proxies,
    "the log": tricks.log,
    "the disk": tricks.disk,
    "damaged files": corpus,
    "time bombs": time_bombs,
    "giants by the API": floods.api,
    "answers nobody reads": floods.unread,
    "photos": floods.photos,
    "reframings": floods.reframings,
    "sweeps": floods.maps,
    "tests and pixels": floods.tests,
    "cameras": floods.frames,
    "downloads": floods.downloads,
    "agents": floods.agents,
    "idle connections": floods.idle,
}


@contextmanager
def besieged(folder: Path) -> Iterator[tuple[Served, Watched]]:
    """The page, without other weights than the bundled; `folder/reached` has whom it wanted."""
    temporary = folder / "temporary"
    temporary.mkdir()
    os.environ |= {"TMPDIR": str(temporary), "TORCH_HOME": str(folder / "torch")}
    command = (sys.executable, str(ROOT / "benchmarks" / "besieged.py"), str(folder / "reached"))
    with served(folder, "--max-disk", str(DISK), "--mcp", command=command) as page:
        watched = Watched(page.process.pid, (page.uploads, temporary), folder / "log")
        with watched.measured():
            yield page, watched


async def attack(page: Served, server: Watched, group: Group, trap: str) -> Toll:
    """One group, until the server rests again."""
    toll = Toll(server)
    # A connection each: one that the server has closed meanwhile would look like a crash.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    way = httpx.AsyncHTTPTransport(limits=limits, local_address=floods.HOME)
    async with httpx.AsyncClient(base_url=page.address, timeout=PATIENCE, transport=way) as http:
        config = (await http.get("/config")).json()
        try:
            async with asyncio.timeout(_LONGEST):
                await group(Field(http, config, toll, trap))
        except (Exception, asyncio.CancelledError) as error:  # what the attack itself needed
            toll.crashed += 1
            toll.wrong.insert(0, f"broke off: {type(error).__name__} {error}"[:200])
    return toll


def rest(server: Watched) -> None:
    """Wait until the server has little to do, or for some time."""
    end = time.monotonic() + _REST
    while time.monotonic() < end:
        before = server.seconds()
        time.sleep(1)
        if server.seconds() - before < _QUIET:
            return


@dataclass(frozen=True)
class Row:
    """What became of a group: its toll, and what was measured meanwhile and after it."""

    name: str
    toll: Toll
    began: float
    ended: float
    megabytes: float  # growth of the memory, at the most
    left: int  # bytes on the disk
    threads: int

    def visits(self, visits: list[Visit]) -> list[Visit]:
        """Those that began meanwhile."""
        return [one for one in visits if self.began <= one.began < self.ended]


def besiege(page: Served, server: Watched, trap: str, groups: dict[str, Group]) -> Iterator[Row]:
    """Group after group."""
    for name, group in groups.items():
        began = time.monotonic()
        toll = asyncio.run(attack(page, server, group, trap))
        rest(server)
        more = server.growth(began)
        if more > LARGE and not toll.lone:
            toll.large = 1
            toll.wrong.append(f"all together: {more:.0f} MB")
        ended = time.monotonic()
        came = f"{toll.tried} tried, {toll.crashed} crashed, {ended - began:.0f} s"
        print(f"{name}: {came}", file=sys.stderr, flush=True)  # the table comes at the end
        yield Row(name, toll, began, ended, more, server.left(), server.threads())


def printed(rows: list[Row], visits: list[Visit], alone: float) -> str:
    """The table."""
    header = ["", "tried", "answered", "refused in words", "crashed", f"over {SLOW:.0f} s"]
    header += [f"over {LARGE:.0f} MB", "memory, MB more", "on disk, MB", "threads"]
    header += ["light visitor's p95"]
    body = []
    for row in rows:
        toll = row.toll
        counts = (toll.tried, toll.answered, toll.refused, toll.crashed, toll.slow, toll.large)
        measured = (f"{row.megabytes:.0f}", f"{row.left / 1e6:.0f}", str(row.threads))
        times = p95(row.visits(visits)) / alone
        body.append([row.name, *map(str, counts), *measured, f"{times:.1f} times"])
    return table(header, body)


def what_went_wrong(rows: list[Row], visits: list[Visit], each: int = 8) -> Iterator[str]:
    """Lines about it, of each group some, and how many there are."""
    for row in rows:
        seen = Counter(one.wrong for one in row.visits(visits) if one.wrong)
        wrong = row.toll.wrong + [f"light visitor, {n} times: {what}" for what, n in seen.items()]
        if wrong:
            yield f"{row.name}, {len(wrong)}:"
            yield from (f"    {one}" for one in wrong[:each])


def main() -> int:
    """Print the tables. Returns 0, or 1 if an aim is missed."""
    names = sys.argv[1:] or list(GROUPS)
    groups = {name: GROUPS[name] for name in names}
    context = multiprocessing.get_context("spawn")
    over, (got, sent) = context.Event(), context.Pipe(duplex=False)
    with (
        tempfile.TemporaryDirectory(prefix="camdemo-attack-") as name,
        canary() as (trap, asked),
        besieged(Path(name)) as (page, server),
    ):
        light = context.Process(
            target=visit_now_and_then, args=(page.address, over, sent), daemon=True
        )
        light.start()
        sent.close()  # else nobody would notice that it died
        try:
            time.sleep(3)  # it begins, and the first visits find nothing warm
            began, before = time.monotonic(), server.megabytes()
            time.sleep(ALONE)
            quiet = time.monotonic()
            os.nice(19)  # of this thread, and of no other
            rows = list(besiege(page, server, f"{trap}/photo.jpg", groups))
            rest(server)
            back = server.megabytes() - before
        finally:
            over.set()
            visits: list[Visit] = got.recv()
            light.join()
        health = httpx.get(f"{page.address}/health", timeout=PATIENCE).status_code
        log, stray = server.log.read_text(errors="replace"), server.stray_lines()
        reached = Path(name, "reached").read_text().splitlines()
    alone = p95([one for one in visits if began <= one.began < quiet])
    meanwhile = [visit for row in rows for visit in row.visits(visits)]
    print(printed(rows, visits, alone))
    print(f"\nThe light visitor's first map, p95: {1000 * alone:.0f} ms alone.")
    print(*what_went_wrong(rows, visits), sep="\n")
    print(*(f"not a line about a request: {line[:160]}" for line in stray[:8]), sep="\n")
    hits = [one for one in reached if not any(host in one for host in _WEIGHTS)] + asked
    print(*(f"asked another host: {one}" for one in hits[:8]), sep="\n")
    largest = max(row.left for row in rows) / 1e6
    aims = [
        ("crashed", sum(row.toll.crashed for row in rows), 0),
        (f"over {SLOW:.0f} s", sum(row.toll.slow for row in rows), 0),
        (f"over {LARGE:.0f} MB", sum(row.toll.large for row in rows), 0),
        ("requests to another host", len(hits), 0),
        ("MB on disk", round(largest), DISK),
        ("lines of the log that are none about a request", len(stray), 0),
        ("names in the log", log.count(tricks.MARK), 0),
        ("MB more in memory when all is over", round(back), BACK),
        ("times its own time, the light visitor's p95", round(p95(meanwhile) / alone, 1), AIM),
        ("status of /health when all is over", health, 200),
    ]
    for what, count, most in aims:
        print(f"{count} {what} (aim: at most {most:g}: {'met' if count <= most else 'missed'})")
    return 0 if all(count <= most for _, count, most in aims) else 1


if __name__ == "__main__":
    sys.exit(main())
