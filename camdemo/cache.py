"""The networks in memory: each loaded once, the least recently used out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .records import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Loaded:
    """A network in memory. The lock is held while it runs, for a hook may be on it."""

    network: nn.Module
    lock: threading.Lock


class ModelCache:
    """Up to `limit` networks. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()  # of the two dictionaries

    def find(self, spec: ModelSpec) -> Loaded | None:
        """The network if it is in memory; it is then the most recently used one."""
        with self._lock:
            if spec.name in self._loaded:
                self._loaded.move_to_end(spec.name)
            return self._loaded.get(spec.name)

    def load(self, spec: ModelSpec) -> Loaded:
        """The network, from memory or from its file. Two who ask at once load it once.

        Raises:
            WeightsError: see `networks.load`.
        """
        from . import networks

        with self._lock:
            loading = self._loading.setdefault(spec.name, threading.Lock())
        with loading:
            if found := self.find(spec):
                return found
            loaded = Loaded(networks.load(spec), threading.Lock())
            with self._lock:
                self._loaded[spec.name] = loaded
                while len(self._loaded) > self._limit:
                    self._loaded.popitem(last=False)
            return loaded
