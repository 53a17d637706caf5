"""The networks in memory: fetched where they are missing, loaded once, and run by rank."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ..errors import WeightsError
from ..models import weights
from ..records import ModelSpec
from .lanes import Rank, Worker

if TYPE_CHECKING:
    from torch import nn

Result = TypeVar("Result")


class ModelCache:
    """Up to `limit` networks, least recently used out first. Safe to share between threads.

    Up to `lanes` functions run at the same time; see `Worker`.
    """

    def __init__(self, limit: int, lanes: int = 1) -> None:
        self._limit = limit
        self._loaded: OrderedDict[str, list[nn.Module]] = OrderedDict()  # each with its free twins
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._worker = Worker(lanes)

    def fetch(self, spec: ModelSpec, progress: weights.Progress | None = None) -> None:
        """Make sure that the weights are on this machine; see `weights.fetch`.

        Raises:
            WeightsError: they can't be had.
        """
        if not weights.is_ready(spec):
            from ..models import networks

            networks.fetch(spec, progress)

    def run(
        self,
        spec: ModelSpec,
        rank: Rank,
        function: Callable[[nn.Module], Result],
        progress: weights.Progress | None = None,
    ) -> Result:
        """Run a function of the network in one of the worker's lanes, where it is loaded, too.

        Only a download, which can take minutes, is waited for by whoever asked. A file that was
        damaged after its download is moved aside, and fetched once more.

        Raises:
            WeightsError: the weights can't be had.
        """

        def work() -> Result:
            with self._borrowed(spec) as network:
                return function(network)

        if spec.name not in self._loaded:
            self.fetch(spec, progress)
        try:
            return self._worker.run(rank, work)
        except WeightsError:
            kept = weights.set_aside(spec)
            if kept is None:
                raise
        try:
            self.fetch(spec, progress)
        except WeightsError as error:
            raise WeightsError(
                f"The weights file of {spec.title} was damaged, and is kept as {kept}. {error}"
            ) from error
        return self._worker.run(rank, work)

    def give_way(self, rank: Rank) -> None:
        """Within a long function of that rank, run what is more urgent; see `Worker`."""
        self._worker.give_way(rank)

    @contextmanager
    def _borrowed(self, spec: ModelSpec) -> Iterator[nn.Module]:
        """A network that nobody else runs meanwhile: hooks on it are one caller's alone."""
        from ..models import networks

        twins = self._twins(spec)
        with self._lock:  # one always stays, to be copied
            network = twins.pop() if len(twins) > 1 else None
        network = network or networks.twin(twins[0])
        try:
            yield network
        finally:
            twins.append(network)

    def _twins(self, spec: ModelSpec) -> list[nn.Module]:
        """The network and those twins that nobody runs, from memory or from its file."""
        from ..models import networks

        with self._lock:
            if spec.name in self._loaded:
                self._loaded.move_to_end(spec.name)
                return self._loaded[spec.name]
        with self._loading:  # others go on with what is in memory meanwhile
            twins = self._loaded.get(spec.name) or [networks.load(spec)]
            with self._lock:
                self._loaded[spec.name] = twins
                while len(self._loaded) > self._limit:
                    self._loaded.popitem(last=False)
            return twins
