"""The networks in memory: loaded once, lent to one job at a time."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..errors import CamdemoError
from ..models import Catalogue
from ..records import ModelSpec
from . import devices
from .devices import CPU

if TYPE_CHECKING:
    from torch import nn

_Key = tuple[str, str]  # the name of a model, and a device
# Whether the lane in which this runs has the lock of networks that can't be copied.
_has_lock: ContextVar[bool] = ContextVar("has_lock", default=False)


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A network in memory.

    Attributes:
        twins: the network itself, which stays as it is, and those twins that nobody runs.
        places: where twins pause, see `pauses`.
        reason: why it is on the CPU, where others are not; see `placing.placed`.
    """

    twins: list[nn.Module]
    places: tuple[str, ...]
    reason: str = ""


def use_large_pages() -> None:
    """Let PyTorch take its memory in pages of 2 MB from Linux, unless the environment forbids it.

    In pages of 4 KB the layers of a forward of four photos may touch ten thousand anew, each
    time, and a quarter of the processor's time goes into clearing them. PyTorch looks for this
    once, when it makes its first tensor: what comes later changes nothing.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


class Networks:
    """Up to `limit` networks, least recently used out first. Safe to share between threads.

    Args:
        pause: called amid the forwards and backwards of networks that are lent, see `pauses`.
        device: where they are, as far as they can be.
    """

    def __init__(
        self, catalogue: Catalogue, limit: int, pause: Callable[[], None], device: str = CPU
    ) -> None:
        self._catalogue = catalogue
        self._limit = limit
        self._pause = pause
        self._device = device
        self._loaded: OrderedDict[_Key, _Loaded] = OrderedDict()
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._alone = threading.Lock()  # for networks that can't be copied

    def offer(self, catalogue: Catalogue) -> None:
        """Know these models from now on."""
        self._catalogue = catalogue

    def __contains__(self, spec: ModelSpec) -> bool:
        return (spec.name, self._device) in self._loaded

    def reason(self, spec: ModelSpec) -> str:
        """Why a model that was lent is not on the device; empty where it is."""
        loaded = self._loaded.get((spec.name, self._device))
        return loaded.reason if loaded else ""

    def make_room(self, spec: ModelSpec) -> bool:
        """Forget what is on the device, but for this model; False where there is nothing else."""
        with self._lock:
            others = [key for key in self._loaded if key[1] != CPU and key[0] != spec.name]
            for key in others:
                del self._loaded[key]
        devices.give_back(self._device)
        return bool(others)

    @contextmanager
    def borrowed(self, spec: ModelSpec, device: str | None = None) -> Iterator[nn.Module]:
        """A network that nobody else runs meanwhile: hooks on it are one caller's alone.

        Of one that can't be copied there is a single one, for which others wait. All such share one
        lock: who gives way to another in the same lane may have that one's, too, and nobody
        waits for somebody who waits for him. It does not pause, for others may be given it then.

        Args:
            device: None for where networks are.

        Raises:
            WeightsError: the file of its weights is missing or damaged.
        """
        from ..models import networks
        from . import pauses

        loaded = self._of(spec, device)
        with self._lock:  # one always stays, to be copied
            network = loaded.twins.pop() if len(loaded.twins) > 1 else None
        if network is None:
            try:
                network = networks.twin(loaded.twins[0])
            except CamdemoError:
                with self._locked():
                    yield loaded.twins[0]
                return
            pauses.add(network, loaded.places, self._pause)
        try:
            yield network
        finally:
            loaded.twins.append(network)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One lane at a time: those in it that have given way to this have the lock already."""
        if _has_lock.get():
            yield
            return
        with self._alone:
            before = _has_lock.set(True)
            try:
                yield
            finally:
                _has_lock.reset(before)

    def _of(self, spec: ModelSpec, device: str | None = None) -> _Loaded:
        """The network, from memory or from its file."""
        device = device or self._device
        key = spec.name, device
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
                return self._loaded[key]
        with self._loading:  # others go on with what is in memory meanwhile
            loaded = self._loaded.get(key) or self._load(spec, device)
            with self._lock:
                self._loaded[key] = loaded
                while len(self._loaded) > self._limit:
                    self._loaded.popitem(last=False)
            return loaded

    def _load(self, spec: ModelSpec, device: str) -> _Loaded:
        from .. import methods
        from ..models import networks
        from . import pauses

        shape = spec.transform.shape
        network, reason = networks.load(spec, self._catalogue), ""
        if device != CPU:
            from .placing import placed

            room = partial(self.make_room, spec)
            network, reason = placed(network, device, shape, spec.title, room)
        network = methods.prepare(network, shape)
        return _Loaded([network], pauses.places(network, shape), reason)
