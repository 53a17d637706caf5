"""The engine on this machine: the networks in memory, and the lanes in which they run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..errors import Abandoned, WeightsError
from ..models import CATALOGUE, Catalogue
from ..records import Anatomy, LayerInfo, ModelSpec
from ..settings import Settings
from .lanes import Lanes, cores
from .memory import Networks, use_large_pages
from .protocol import (
    Answer,
    Examine,
    FindLayers,
    FirstMap,
    FirstMaps,
    Job,
    LabelMaps,
    PixelMap,
    Progress,
    Randomised,
    Score,
    Sweep,
    together,
)

if TYPE_CHECKING:
    from torch import nn

    from .perform import Single

Result = TypeVar("Result")


def on_all_cores(settings: Settings) -> Settings:
    """The settings with a lane for each core, unless they say how many."""
    return replace(settings, lanes=settings.lanes or cores())


class LocalEngine:
    """An `Engine`: up to `settings.lanes` jobs at the same time, and 0 is one on all cores.

    Up to `settings.cache_models` networks stay in memory, least recently used out first.
    """

    def __init__(self, catalogue: Catalogue = CATALOGUE, settings: Settings | None = None) -> None:
        use_large_pages()
        settings = settings or Settings()
        self._catalogue = catalogue
        self._lanes = Lanes(settings.lanes or 1)
        self._networks = Networks(catalogue, settings.cache_models, self._lanes.pause)
        self._layers: dict[str, tuple[LayerInfo, ...]] = {}
        self._anatomies: dict[str, Anatomy] = {}
        self._discovering = threading.Lock()

    def offer(self, catalogue: Catalogue) -> None:
        """See `protocol.offer`."""
        self._catalogue = catalogue
        self._networks.offer(catalogue)

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """See `Engine.fetch`."""
        from ..models import weights

        spec = self._catalogue.find(model)
        if not weights.is_ready(spec, self._catalogue):
            weights.fetch(spec, progress, self._catalogue)

    def run(self, job: Job[Answer], progress: Progress | None = None) -> Answer:
        """See `Engine.run`. The networks are loaded in a lane, too; only a download, which can
        take minutes, is waited for by whoever asked. A file that was damaged after its download
        is moved aside, and fetched once more.
        """
        answer: Any
        if isinstance(job, FindLayers):
            answer = self._find_layers(job.model)
        elif isinstance(job, Examine):
            answer = self._examine(job.model)
        elif isinstance(job, Sweep):
            answer = together(self.stream(job))
        else:
            assert isinstance(job, FirstMap | FirstMaps | PixelMap | Score | Randomised)
            answer = self._perform(job, progress)
        return cast(Answer, answer)

    def stream(self, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """See `Engine.stream`."""
        spec = self._prepared(job.model)
        try:
            yield from self._labels(spec, job)
            return
        except WeightsError as error:  # told before the first label
            self._mend(spec, error)
        yield from self._labels(spec, job)

    def _perform(self, job: Single, progress: Progress | None) -> Any:
        watching = progress if isinstance(job, PixelMap) else None
        fetching = None if watching else progress
        spec = self._prepared(job.model, fetching)
        try:
            return self._in_lanes(spec, job, watching)
        except WeightsError as error:
            self._mend(spec, error, fetching)
        return self._in_lanes(spec, job, watching)

    def _in_lanes(self, spec: ModelSpec, job: Single, watching: Progress | None) -> Any:
        """One question of many parts has all lanes that nobody else needs."""
        from . import perform

        def turn(part: Single) -> Future[Any]:
            def work(network: nn.Module) -> Any:
                return perform.answer(part, network, spec, self._lanes.give_way, watching)

            return self._lanes.submit(part.rank, self._with_network(spec, work))

        turns = [turn(part) for part in perform.parts(job, self._lanes.count)]
        wait(turns)  # what fails is told when nothing of it runs any more
        return perform.whole([one.result() for one in turns])

    def _labels(self, spec: ModelSpec, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """The labels as a lane brings them."""
        from . import perform

        arrived: SimpleQueue[tuple[int, LabelMaps] | None] = SimpleQueue()
        closed = threading.Event()

        def between() -> None:
            self._lanes.give_way()
            if closed.is_set():
                raise Abandoned

        def work(network: nn.Module) -> None:
            for label in perform.labels(job, network, between):
                arrived.put(label)

        future = self._lanes.submit(job.rank, self._with_network(spec, work))
        future.add_done_callback(lambda _: arrived.put(None))
        try:
            while (label := arrived.get()) is not None:
                yield label
            future.result()  # raises what was raised
        finally:
            closed.set()

    def _with_network(
        self, spec: ModelSpec, work: Callable[[nn.Module], Result]
    ) -> Callable[[], Result]:
        def function() -> Result:
            with self._networks.borrowed(spec) as network:
                return work(network)

        return function

    def _prepared(self, model: str, progress: Progress | None = None) -> ModelSpec:
        """The model, with its weights at hand."""
        spec = self._catalogue.find(model)
        if spec not in self._networks:
            self.fetch(model, progress)
        return spec

    def _mend(self, spec: ModelSpec, error: WeightsError, progress: Progress | None = None) -> None:
        """Fetch the weights once more if their file was damaged; else raise the error."""
        from ..models import weights

        kept = weights.set_aside(spec, self._catalogue)
        if kept is None:
            raise error
        try:
            self.fetch(spec.name, progress)
        except WeightsError as failed:
            raise WeightsError(
                f"The weights file of {spec.title} was damaged, and is kept as {kept}. {failed}",
                spec,
            ) from failed.__cause__

    def _find_layers(self, model: str) -> tuple[LayerInfo, ...]:
        spec = self._catalogue.find(model)
        if model not in self._layers:
            from .. import methods
            from ..models import networks

            with self._discovering:
                if model not in self._layers:
                    network = networks.skeleton(spec, self._catalogue)
                    self._layers[model] = methods.discover(
                        network, spec.transform.shape, tried=not networks.is_empty(network)
                    )
        return self._layers[model]

    def _examine(self, model: str) -> Anatomy:
        spec = self._catalogue.find(model)
        if model not in self._anatomies:
            from .. import methods
            from ..models import networks

            with self._discovering:
                if model not in self._anatomies:
                    network = networks.skeleton(spec, self._catalogue)
                    self._anatomies[model] = methods.examine(network, spec.transform.shape)
        return self._anatomies[model]
