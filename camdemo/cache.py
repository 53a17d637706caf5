"""The networks in memory: each loaded once, the least recently used out first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .records import ModelSpec

if TYPE_CHECKING:
    from torch import nn


class ModelCache:
    """Up to `limit` networks. For one thread, the worker's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loaded: OrderedDict[str, nn.Module] = OrderedDict()

    def __contains__(self, spec: ModelSpec) -> bool:
        return spec.name in self._loaded

    def load(self, spec: ModelSpec) -> nn.Module:
        """The network, from memory or from its file.

        Raises:
            WeightsError: see `networks.load`.
        """
        from . import networks

        if spec.name not in self._loaded:
            self._loaded[spec.name] = networks.load(spec)
        self._loaded.move_to_end(spec.name)
        while len(self._loaded) > self._limit:
            self._loaded.popitem(last=False)
        return self._loaded[spec.name]
