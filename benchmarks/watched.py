"""A server that is watched: its memory, its threads, what it leaves on the disk and in the log."""

from __future__ import annotations

import json
import os
import threading
import time
from bisect import bisect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

_EACH = 0.1  # seconds between two looks at the memory


def memory(process: int | str) -> dict[str, float]:
    """MB of a process by the kernel's names: VmRSS has all that it has now, VmHWM the most."""
    lines = map(str.split, Path(f"/proc/{process}/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines if words[-1] == "kB"}


@dataclass
class Watched:
    """A server's process with all that it has started, and where it writes.

    Args:
        folders: where its uploads, results and whatever else is temporary lie.
        log: the file of its error output.
    """

    pid: int
    folders: tuple[Path, ...]
    log: Path
    samples: list[tuple[float, float]] = field(default_factory=list)  # when, and how many MB

    def processes(self) -> list[int]:
        """Its own number, and those of its children and theirs."""
        parents = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
                except OSError:  # it has ended meanwhile
                    continue
                parents[int(name)] = int(fields[1])
        found = [self.pid]
        for one in found:
            found += [child for child, parent in parents.items() if parent == one]
        return found

    def megabytes(self) -> float:
        """Memory in use: what each process has for itself, and once what they share."""
        own, shared = 0.0, 0.0
        for process in self.processes():
            try:
                facts = memory(process)
            except OSError:
                continue
            own += facts.get("RssAnon", 0)
            shared = max(shared, facts.get("RssShmem", 0))
        return own + shared

    def threads(self) -> int:
        """How many it has, its children's left out."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("Threads:")[2].split()[0])

    def seconds(self) -> float:
        """Of processors, which its own process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def left(self) -> int:
        """Bytes of disk that lie in its folder."""
        found = 0
        for parent, _folders, names in chain(*map(os.walk, self.folders)):
            for name in names:
                try:
                    found += 512 * os.lstat(Path(parent, name)).st_blocks
                except OSError:
                    continue
        return found

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Take samples of the memory within this context."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(_EACH):
                self.samples.append((time.monotonic(), self.megabytes()))

        self.samples.append((time.monotonic(), self.megabytes()))
        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def growth(self, since: float) -> float:
        """By how many MB the memory has been above what it was then, at the most."""
        place = bisect(self.samples, (since, 0.0))
        before = self.samples[max(0, place - 1)][1]
        return max([before, *(taken for _when, taken in self.samples[place:])]) - before

    def stray_lines(self) -> list[str]:
        """What of the log is no line of JSON about a request, or of a library."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                facts = json.loads(line)
            except ValueError:
                facts = None
            if not (isinstance(facts, dict) and {"request", "log"} & facts.keys()):
                found.append(line)
        return found
