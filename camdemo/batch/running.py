"""From photos to the folder of results: decoding, forwards and drawing side by side.

A thread takes a photo all the way, from its file to its row, and holds nothing of it then. Their
first maps gather before the networks (`GatheringEngine`), while the others decode and draw.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .. import methods
from ..engine import GatheringEngine, LocalEngine, Progress, on_all_cores, width
from ..errors import CamdemoError, ImageError, WeightsError
from ..explainer import Explainer
from ..explanation import Explanation
from ..question import Look
from ..settings import Settings
from . import expected as expectations
from . import listing, pages, shards, sheet
from .listing import Listed
from .table import TOP, BatchRow, Table, row_of

_GATHERED = 4  # photos that wait for each lane, so that its next forward is ready
_BESIDE = 2  # threads that decode and draw meanwhile
_ROWS = 256  # that are written together, or what came in ...
_FACTS = "batch.json"  # in the folder of results: what was asked
_SECONDS = 20.0  # ... this time: so much of the work a kill can cost

Found = tuple[BatchRow, np.ndarray | None]  # a photo's row, and its map


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted beside the table.

    Attributes:
        sheet: the contact sheet, with a page for each photo.
        overlay: the overlays at the photos' own sizes.
        maps: the maps, as files of NumPy's.
        look: how overlays are painted; the sheet glows unless it says otherwise.
        expected: a file of names and labels, see `expected.read`.
    """

    sheet: bool = True
    overlay: bool = False
    maps: bool = False
    look: Look | None = None
    expected: str | os.PathLike[str] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One run: what is asked of which photos, and where the answers go."""

    explainer: Explainer
    question: Mapping[str, Any]
    output: Path
    wanted: Wanted
    expected: Mapping[str, int] = field(default_factory=dict)

    def one(self, number: int, photo: Listed) -> Found:
        """The row of a photo and its map, and its files written; a broken one is a row, too.

        Raises:
            WeightsError: the model can't be had: then all photos are the same.
            CamdemoError: a file can't be written.
        """
        expected = self.expected.get(photo.name)
        try:
            found = self.explainer.explain(photo.path, **self.question)
            row = row_of(number, photo.name, found, expected)
        except WeightsError:
            raise
        except CamdemoError as error:
            return BatchRow(number=number, file=photo.name, error=str(error)), None
        except (RuntimeError, MemoryError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return BatchRow(number=number, file=photo.name, error=reason), None
        try:
            self._draw(number, photo.name, found, expected)
        except OSError as error:
            raise CamdemoError(
                f"{self.output} can't be written to: {error.strerror}. Make room there; the same "
                "command then goes on."
            ) from error
        return row, found.cam

    def _draw(self, number: int, name: str, found: Explanation, expected: int | None) -> None:
        look = self.wanted.look
        if self.wanted.overlay:
            pages.write_overlay(self.output, number, found, look or Look())
        if self.wanted.sheet:
            pages.write(self.output, number, name, found, look or Look(look="glow"), expected)


def job_of(
    explainer: Explainer,
    question: Mapping[str, Any],
    output: Path,
    wanted: Wanted,
    expected: Mapping[str, int],
) -> Job:
    """The run of a question that was checked: its photos gather before the explainer's networks."""
    # The labels of a page beside the one that is explained come from the same forward.
    is_pixel = methods.find(question.get("method") or methods.DEFAULT).is_pixel
    at_hand = wanted.sheet and not is_pixel and question.get("layer") != methods.FUSED
    top = TOP if at_hand else 0
    engine = GatheringEngine(explainer.engine, explainer.settings.lanes or 1, top)
    gathering = Explainer(explainer.settings, explainer.catalogue, engine)
    return Job(gathering, question, output, wanted, expected)


def in_threads(job: Job, photos: Sequence[Listed], first: int) -> Generator[Found, None, None]:
    """What is found of each photo, in their order, a few of which are under way.

    Args:
        first: the number of the first photo's row.
    """
    lanes = job.explainer.settings.lanes or 1
    threads = lanes * max(_GATHERED, width(job.explainer.engine)) + _BESIDE
    under_way: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for number, photo in enumerate(photos, first):
                under_way.append(pool.submit(job.one, number, photo))
                if len(under_way) >= 2 * threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def explain_many(
    photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    explainer: Explainer | None = None,
    by: Callable[[Job, Sequence[Listed], int], Generator[Found, None, None]] = in_threads,
    sheet: bool = True,
    overlay: bool = False,
    maps: bool = False,
    look: Look | None = None,
    expected: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **question: Any,
) -> list[BatchRow]:
    """Explain many photos, and write a table, a contact sheet, and what else is wanted.

    What is in `output` already is not computed again: a run that was stopped goes on. A photo that
    can't be read is a row that says why.

    Args:
        photos: a folder, a pattern, a list or a photo, or several of them; see `listing.photos_of`.
        output: a folder: a new or an empty one, or that of the same question.
        explainer: whose models answer; None for one that uses all cores.
        by: who goes through the photos: threads here, or `cluster.folder.OverRay`.
        sheet: write `index.html`, with a page for each photo.
        overlay: write overlays at the photos' own sizes.
        maps: write the maps as files of NumPy's.
        look: how overlays and the sheet are painted; None for the defaults of each.
        expected: a file with a line "file,label" for each photo.
        progress: called while weights are downloaded.
        question: what `Explainer.explain` takes: model, layer, method, target and so on.

    Returns:
        The rows of the table, those of earlier runs too.

    Raises:
        CamdemoError: what `Explainer.explain` refuses whatever the photo; photos or labels that
            can't be found; a folder with the answers to something else; WeightsError.
    """
    folder = Path(output)
    wanted = Wanted(sheet, overlay, maps, look, expected)
    if _is_taken(folder):
        raise CamdemoError(
            f"{folder} is no empty folder, and none of an earlier run. Choose another."
        )
    what = [photos] if isinstance(photos, str | os.PathLike) else list(photos)
    listed = listing.photos_of(what, apart=folder)
    job = _job(explainer, question, folder, wanted, listed, progress)
    table = _opened(job)
    done = {row.file for row in table.rows}
    left = [photo for photo in listed if photo.name not in done]
    shown = tqdm(total=len(listed), initial=len(listed) - len(left), unit=" photos", disable=None)
    try:
        with shown, closing(by(job, left, len(table.rows))) as found:
            _write(job, table, found, shown)
    finally:
        if wanted.sheet and table.rows:
            _write_sheet(job, table.rows)
    return table.rows


def all_cores(settings: Settings | None = None) -> Explainer:
    """An explainer of the environment's settings, or others, with a lane for each core."""
    settings = on_all_cores(settings or Settings.from_environment())
    return Explainer(settings, engine=LocalEngine(settings=settings))


def _job(
    explainer: Explainer | None,
    question: Mapping[str, Any],
    folder: Path,
    wanted: Wanted,
    listed: Sequence[Listed],
    progress: Progress | None,
) -> Job:
    """The run, once all of it is checked and the model is here."""
    if explainer is None:
        explainer = all_cores()
    model = question.get("model") or explainer.default_model()
    asked = {**question, "model": model}
    with suppress(ImageError):
        explainer.explain(b"", **asked)  # refused for what is asked, or else for the photo
    known: dict[str, int] = {}
    if wanted.expected is not None:
        known = expectations.read(Path(wanted.expected), listed, explainer.labels(model))
    explainer.fetch(model, progress)
    return job_of(explainer, asked, folder, wanted, known)


def _is_taken(folder: Path) -> bool:
    """Whether there is something in its place that no run has left."""
    if not folder.exists() or (folder / _FACTS).exists():
        return False
    return not folder.is_dir() or any(folder.iterdir())


def _opened(job: Job) -> Table:
    """The table of this question, new or from an earlier run."""
    wanted, facts = job.wanted, job.output / _FACTS
    told = {name: _plain(value) for name, value in job.question.items() if value is not None}
    asked = {
        **told,
        **{name: getattr(wanted, name) for name in ("sheet", "overlay", "maps")},
        "look": asdict(wanted.look) if wanted.look else None,
        "expected": _digest(job.expected),
    }
    if not facts.exists():
        try:
            job.output.mkdir(parents=True, exist_ok=True)
            facts.write_text(json.dumps(asked, indent=1), "utf-8")
        except OSError as error:
            raise CamdemoError(f"{job.output} can't be written to: {error.strerror}.") from error
    else:
        before = json.loads(facts.read_text("utf-8"))
        names = [name for name in asked | before if asked.get(name) != before.get(name)]
        if names:
            now = ", ".join(f"{name} {asked.get(name)!r}" for name in names)
            then = ", ".join(f"{name} {before.get(name)!r}" for name in names)
            raise CamdemoError(
                f"{job.output} has the answers to another question: {then}, and not {now}. "
                "Choose another folder, or delete that one."
            )
    if wanted.sheet:
        pages.write_shared(job.output)
    return Table(job.output / "table.csv")


def _write(job: Job, table: Table, found: Iterator[Found], shown: Any) -> None:
    """Write the rows in their order, some at a time."""
    rows: list[BatchRow] = []
    cams: list[np.ndarray] = []
    written = time.monotonic()

    def commit() -> None:
        if job.wanted.maps:
            shards.write(job.output / "maps", rows, cams)
        table.append(rows)  # last: a row that is there has all that belongs to it
        rows.clear()
        cams.clear()

    try:
        for row, cam in found:
            rows.append(row)
            if cam is not None and job.wanted.maps:
                cams.append(cam)
            shown.update()
            if len(rows) >= _ROWS or time.monotonic() - written > _SECONDS:
                commit()
                written = time.monotonic()
    finally:
        if rows:
            commit()


def _write_sheet(job: Job, rows: Sequence[BatchRow]) -> None:
    spec = job.explainer.catalogue.find(job.question["model"])
    method = methods.find(job.question.get("method") or methods.DEFAULT)
    layer = job.question.get("layer") or job.explainer.default_layer(spec.name).name
    where = "all layers" if layer == methods.FUSED else layer
    facts = [spec.title, *([] if method.is_pixel else [where]), method.title]
    (job.output / "index.html").write_text(sheet.page(rows, facts), "utf-8")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _digest(expected: Mapping[str, int]) -> str:
    text = json.dumps(sorted(expected.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12] if expected else ""
