"""Many photos over Ray Data: each is the batch's own job, in actors with an explainer each."""

from __future__ import annotations

import logging
import os
import pickle
import platform
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import adding
from ..batch.listing import Listed
from ..batch.running import Found, Job, Wanted, job_of
from ..errors import CamdemoError, Unreachable
from ..explainer import Explainer
from ..settings import Settings
from . import joining
from .joining import Cluster

_A_BLOCK = 4  # photos that an actor is given at once


@dataclass(frozen=True, slots=True)
class _Told:
    """What an actor is told once: all of the `Job` that can travel."""

    settings: Settings
    add: Sequence[str]
    question: Mapping[str, Any]
    output: Path
    wanted: Wanted
    expected: Mapping[str, int]


class OverRay:
    """Goes through the photos of `explain_many` on the machines of a cluster, in their order.

    A process for each core of the cluster takes photo after photo, on one thread. One that dies is
    started again, and does its photos again.

    Args:
        add: models of one's own, see `adding.texts`.
        enter: joins a cluster or starts one.

    Raises:
        CamdemoError: Ray is not installed, or RAY_ADDRESS has a form that can't be used.
    """

    def __init__(self, add: Sequence[str] = (), enter: Callable[[], Cluster] | None = None) -> None:
        self._add = add
        self._enter = enter or joining.way()

    def __call__(
        self, job: Job, photos: Sequence[Listed], first: int
    ) -> Generator[Found, None, None]:
        """See `running.in_threads`.

        Raises:
            Unreachable: no cluster, or it is lost on the way.
            CamdemoError: what `Job.one` raises; a machine that sees not all of the files.
        """
        if not photos:
            return
        settings = replace(job.explainer.settings, lanes=1, device="cpu")
        output = Path(os.path.abspath(job.output))
        told = _Told(settings, self._add, job.question, output, job.wanted, job.expected)
        cluster = self._enter()
        try:
            yield from _found(told, photos, first)
        finally:
            cluster.end()


def _found(told: _Told, photos: Sequence[Listed], first: int) -> Generator[Found, None, None]:
    import ray
    from ray import data

    _hush(data.DataContext.get_current())
    items = [{"photo": _packed(number, photo)} for number, photo in enumerate(photos, first)]
    blocks = -(-len(items) // _A_BLOCK)
    most = max(1, min(blocks, int(ray.cluster_resources().get("CPU", 1))))
    explained = data.from_items(items, override_num_blocks=blocks).map_batches(
        Explaining,
        fn_constructor_args=(told,),
        batch_size=None,
        batch_format="numpy",
        compute=data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
        num_cpus=1,
    )
    try:
        for row in explained.iter_rows():
            found = pickle.loads(row["found"])
            if isinstance(found, CamdemoError):
                raise found
            yield found
    except ray.exceptions.RayError as error:
        last = joining.last_line(error)
        raise Unreachable(f"Ray stopped: {last} The same command goes on from here.") from error


class Explaining:
    """An actor: what is found of the photos of a block, or the error that ends the run."""

    def __init__(self, told: _Told) -> None:
        self._told = told

    def __call__(self, block: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = [pickle.dumps(self._one(*pickle.loads(each))) for each in block["photo"]]
        return {"found": np.array(found, dtype=object)}

    def _one(self, number: int, photo: Listed, is_there: bool) -> Found | CamdemoError:
        try:
            for path in [*([photo.path] if is_there else []), self._told.output]:
                if not path.exists():
                    raise CamdemoError(
                        f"{platform.node()} does not see {path}. Photos and results must lie where "
                        "all machines of the cluster see them by the same path."
                    )
            return self._job.one(number, photo)
        except CamdemoError as error:
            return error

    @cached_property
    def _job(self) -> Job:
        told = self._told
        explainer = Explainer(told.settings)
        adding.add_texts(explainer, told.add)
        return job_of(explainer, told.question, told.output, told.wanted, told.expected)


def _packed(number: int, photo: Listed) -> bytes:
    """A photo, by its whole path, and whether it is there: if not, its row says so."""
    is_there = photo.path.exists()
    if is_there:
        photo = replace(photo, path=Path(os.path.abspath(photo.path)))
    return pickle.dumps((number, photo, is_there))


def _hush(context: Any) -> None:
    """Rows come in the order of the photos, and the bar of `explain_many` is the only one."""
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
