"""The networks in memory: loaded once, lent to one job at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import CamdemoError
from ..models import Catalogue
from ..records import ModelSpec

if TYPE_CHECKING:
    from torch import nn


class Networks:
    """Up to `limit` networks, least recently used out first. Safe to share between threads."""

    def __init__(self, catalogue: Catalogue, limit: int) -> None:
        self._catalogue = catalogue
        self._limit = limit
        self._loaded: OrderedDict[str, list[nn.Module]] = OrderedDict()  # each with its free twins
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._alone = threading.RLock()  # for networks that can't be copied

    def offer(self, catalogue: Catalogue) -> None:
        """Know these models from now on."""
        self._catalogue = catalogue

    def __contains__(self, spec: ModelSpec) -> bool:
        return spec.name in self._loaded

    @contextmanager
    def borrowed(self, spec: ModelSpec) -> Iterator[nn.Module]:
        """A network that nobody else runs meanwhile: hooks on it are one caller's alone.

        Of one that can't be copied there is a single one, for which others wait. All such share one
        lock: who gives way to another in the same thread may have that one's, too, and nobody
        waits for somebody who waits for him.

        Raises:
            WeightsError: the file of its weights is missing or damaged.
        """
        from ..models import networks

        twins = self._twins(spec)
        with self._lock:  # one always stays, to be copied
            network = twins.pop() if len(twins) > 1 else None
        if network is None:
            try:
                network = networks.twin(twins[0])
            except CamdemoError:
                with self._alone:
                    yield twins[0]
                return
        try:
            yield network
        finally:
            twins.append(network)

    def _twins(self, spec: ModelSpec) -> list[nn.Module]:
        """The network and those twins that nobody runs, from memory or from its file."""

        with self._lock:
            if spec.name in self._loaded:
                self._loaded.move_to_end(spec.name)
                return self._loaded[spec.name]
        with self._loading:  # others go on with what is in memory meanwhile
            twins = self._loaded.get(spec.name) or [self._load(spec)]
            with self._lock:
                self._loaded[spec.name] = twins
                while len(self._loaded) > self._limit:
                    self._loaded.popitem(last=False)
            return twins

    def _load(self, spec: ModelSpec) -> nn.Module:
        from .. import methods
        from ..models import networks

        return methods.prepare(networks.load(spec, self._catalogue), spec.transform.shape)
