"""A replica: a process somewhere with an engine of its own, lanes and all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence

from ray import serve

from .. import adding
from ..engine.protocol import Asker, Engine, Job, Sweep, asker
from ..errors import CamdemoError
from ..explainer import Explainer
from ..settings import Settings
from .messages import (
    HERE,
    Answer,
    Done,
    Fetch,
    Label,
    Message,
    Names,
    Refusal,
    pack,
    unpack,
    weights_of,
)

_OFTEN = 0.05  # seconds between two messages of how far something is


class Replica:
    """Answers jobs as the local engine does: the same ranks, shares and errors.

    Which networks are in memory is the local engine's business; `serve.multiplexed` counts along,
    so that Serve knows to whom it sends a job (see `routing`).

    Args:
        lanes: networks at the same time.
        cache_models: networks in memory.
        add: models beside those of the catalogue, see `models.specs`.
    """

    def __init__(self, lanes: int, cache_models: int, add: Sequence[str]) -> None:
        explainer = Explainer(Settings(lanes=lanes, cache_models=cache_models, device="cpu"))
        adding.add_texts(explainer, add)
        self._engine: Engine = explainer.engine
        self._names = explainer.catalogue.names

        async def used(model: str) -> str:
            return model

        self._used = serve.multiplexed(max_num_models_per_replica=cache_models)(used)

    async def ask(self, packed: bytes, name: str, address: str) -> AsyncIterator[bytes]:
        """The messages that answer a job. To cancel this is to want no more.

        Args:
            name, address: of whoever asks, see `Asker`.
        """
        job: Job = unpack(packed)
        yield HERE
        if model := weights_of(job):
            await self._used(model)
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Message | BaseException] = asyncio.Queue()
        who = Asker(name, threading.Event(), address)

        def tell(message: Message | BaseException) -> None:
            loop.call_soon_threadsafe(arrived.put_nowait, message)

        threading.Thread(target=self._work, args=(job, who, tell), daemon=True).start()
        try:
            while True:
                message = await arrived.get()
                if isinstance(message, BaseException):
                    raise message
                yield pack(message)
                if isinstance(message, Answer | Refusal):
                    return
        finally:
            who.gone.set()  # type: ignore[attr-defined]

    def _work(self, job: Job, who: Asker, tell: Callable[[Message | BaseException], None]) -> None:
        asker.set(who)  # for this thread alone
        try:
            tell(Answer(self._answer(job, tell)))
        except CamdemoError as error:
            tell(Refusal(error))
        except BaseException as error:
            tell(error)

    def _answer(self, job: Job, tell: Callable[[Message], None]) -> object:
        told = -_OFTEN

        def progress(done: int, total: int) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told >= _OFTEN or done == total:
                told = now
                tell(Done(done, total))

        if isinstance(job, Names):
            return self._names
        if isinstance(job, Fetch):
            self._engine.fetch(job.model, progress)
            return None
        if isinstance(job, Sweep):
            for label in self._engine.stream(job):
                tell(Label(*label))
            return None
        return self._engine.run(job, progress)
