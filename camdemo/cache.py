"""The networks in memory: fetched where they are missing, loaded once, and run in turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from . import weights
from .errors import WeightsError
from .records import ModelSpec
from .worker import Rank, Worker

if TYPE_CHECKING:
    from torch import nn

Result = TypeVar("Result")


class ModelCache:
    """Up to `limit` networks, least recently used out first. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loaded: OrderedDict[str, nn.Module] = OrderedDict()  # changed by the worker alone
        self._worker = Worker()

    def fetch(self, spec: ModelSpec, progress: weights.Progress | None = None) -> None:
        """Make sure that the weights are on this machine; see `weights.fetch`.

        Raises:
            WeightsError: they can't be had.
        """
        if not weights.is_ready(spec):
            from . import networks

            networks.fetch(spec, progress)

    def run(
        self,
        spec: ModelSpec,
        rank: Rank,
        function: Callable[[nn.Module], Result],
        progress: weights.Progress | None = None,
    ) -> Result:
        """Run a function of the network on the worker's thread, where it is loaded, too.

        Only a download, which can take minutes, is waited for by whoever asked. A file that was
        damaged after its download is moved aside, and fetched once more.

        Raises:
            WeightsError: the weights can't be had.
        """

        def work() -> Result:
            return function(self._load(spec))

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

    def _load(self, spec: ModelSpec) -> nn.Module:
        """The network, from memory or from its file."""
        from . import networks

        if spec.name not in self._loaded:
            self._loaded[spec.name] = networks.load(spec)
        self._loaded.move_to_end(spec.name)
        while len(self._loaded) > self._limit:
            self._loaded.popitem(last=False)
        return self._loaded[spec.name]
