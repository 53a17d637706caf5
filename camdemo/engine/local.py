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
from . import devices
from .batches import Batches
from .devices import CPU
from .lanes import Lanes, cores
from .memory import Networks, use_large_pages
from .overflow import Overflow
from .protocol import (
    Answer,
    Examine,
    FindLayers,
    FirstMap,
    FirstMaps,
    Job,
    LabelMaps,
    MapAndLogits,
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


_WIDTH = 8  # photos in a forward on an accelerator


def on_all_cores(settings: Settings) -> Settings:
    """The settings with a lane for each core, or one for an accelerator, unless they say how many.

    Raises:
        SettingError, ChoiceError: as `devices.find`.
    """
    if settings.lanes:
        return settings
    return replace(settings, lanes=cores() if devices.find(settings.device) == CPU else 1)


class LocalEngine:
    """An `Engine`: up to `settings.lanes` jobs at the same time, and 0 is one on all cores.

    Up to `settings.cache_models` networks stay in memory, least recently used out first. On an
    accelerator first maps that wait are computed together: a lane takes along those that are like
    the one whose turn it is. Their own turns then find nothing to do. Ranks and shares are those
    of turns, so that nobody is waited for who would not have been anyway; a batch is charged to
    whoever leads it, since it takes about as long as one.

    Attributes:
        width: see `protocol.width`.

    Raises:
        SettingError, ChoiceError: there is no such device; see `devices.find`.
    """

    def __init__(self, catalogue: Catalogue = CATALOGUE, settings: Settings | None = None) -> None:
        use_large_pages()
        settings = settings or Settings()
        self._catalogue = catalogue
        self._device = devices.find(settings.device)
        self._title = ""
        if self._device != CPU:
            devices.settle(self._device)
            self._title = devices.title(self._device)
        self.width = 1 if self._device == CPU else _WIDTH
        self._batches = Batches(self.width)
        self._lanes = Lanes(settings.lanes or 1)
        pause = self._lanes.pause
        self._networks = Networks(catalogue, settings.cache_models, pause, self._device)
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
            return self._asked(spec, job, watching)
        except WeightsError as error:
            self._mend(spec, error, fetching)
        return self._asked(spec, job, watching)

    def _asked(self, spec: ModelSpec, job: Single, watching: Progress | None) -> Any:
        if self.width > 1 and isinstance(job, FirstMap):
            return self._together(spec, job)
        return self._in_lanes(spec, job, watching)

    def _together(self, spec: ModelSpec, job: FirstMap) -> MapAndLogits:
        """A first map, from its own turn or from that of one which took it along."""
        mine = self._batches.join(job)

        def together(jobs: tuple[FirstMap, ...]) -> tuple[MapAndLogits, ...]:
            with self._networks.borrowed(spec) as network:
                if len(jobs) == 1:
                    return (self._answer(jobs[0], network, spec),)
                return self._answer(FirstMaps(jobs), network, spec)

        def turn() -> None:
            if batch := self._batches.take(mine):
                self._batches.answer(batch, together)

        def end(future: Future[None]) -> None:
            if self._batches.leave(mine):  # whoever asked had gone before his turn
                mine.future.set_exception(future.exception() or Abandoned())

        self._lanes.submit(job.rank, turn).add_done_callback(end)
        return mine.future.result()

    def _in_lanes(self, spec: ModelSpec, job: Single, watching: Progress | None) -> Any:
        """One question of many parts has all lanes that nobody else needs."""
        from . import perform

        def turn(part: Single) -> Future[Any]:
            def work(network: nn.Module) -> Any:
                return self._answer(part, network, spec, watching)

            return self._lanes.submit(part.rank, self._with_network(spec, work))

        turns = [turn(part) for part in perform.parts(job, self._lanes.count)]
        wait(turns)  # what fails is told when nothing of it runs any more
        return perform.whole([one.result() for one in turns])

    def _answer(
        self, job: Single, network: nn.Module, spec: ModelSpec, watching: Progress | None = None
    ) -> Any:
        """The answer of a network that this lane has; on an accelerator that is full, the CPU's."""
        from . import perform

        def run(job: Single, network: nn.Module, device: str) -> Any:
            answer = perform.answer(job, network, spec, self._lanes.give_way, watching)
            return perform.told(answer, device)

        def on_cpu(job: Single) -> Any:
            with self._networks.borrowed(spec, CPU) as other:
                return run(job, other, f"CPU: {devices.FULL}")

        if self._device == CPU:
            return run(job, network, "")
        reason = self._networks.reason(spec)
        device = f"CPU: {reason}" if reason else self._title
        return self._overflow(spec).answer(job, lambda job: run(job, network, device), on_cpu)

    def _overflow(self, spec: ModelSpec) -> Overflow:
        return Overflow(lambda: self._networks.make_room(spec), spec.title)

    def _labels(self, spec: ModelSpec, job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
        """The labels as a lane brings them."""
        from . import perform

        arrived: SimpleQueue[tuple[int, LabelMaps] | None] = SimpleQueue()
        closed = threading.Event()

        def between() -> None:
            self._lanes.give_way()
            if closed.is_set():
                raise Abandoned

        def on_cpu(job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
            with self._networks.borrowed(spec, CPU) as network:
                yield from perform.labels(job, network, between)

        def work(network: nn.Module) -> None:
            def there(job: Sweep) -> Iterator[tuple[int, LabelMaps]]:
                return perform.labels(job, network, between)

            here = self._device == CPU
            for label in there(job) if here else self._overflow(spec).labels(job, there, on_cpu):
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
