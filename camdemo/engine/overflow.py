"""Where the memory of an accelerator is full: room is made, then less is done at once, then here.

"Here" is the CPU, which has the same numbers and takes longer. Nobody's question fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import devices
from .protocol import LabelMaps, Sweep

if TYPE_CHECKING:
    from .perform import Single

log = logging.getLogger("camdemo")
_SAID = "The GPU's memory is full: %s of %s is computed on the CPU."


@dataclass(frozen=True, slots=True)
class Overflow:
    """What to do when a device is full.

    Attributes:
        make_room: frees memory there; False where there was nothing to free.
        title: what people call the model.
    """

    make_room: Callable[[], bool]
    title: str

    def answer(
        self, job: Single, there: Callable[[Single], Any], here: Callable[[Single], Any]
    ) -> Any:
        """The answer to a job: from `there`, whole or in halves; else from `here`."""
        from . import perform

        while True:
            try:
                return there(job)
            except Exception as error:
                if not devices.is_full(error):
                    raise
            # Not within the `except`: the error holds what the forward has made until then.
            if not self.make_room():
                break
        parts = perform.halves(job)
        if len(parts) > 1:
            return perform.whole([self.answer(part, there, here) for part in parts])
        self._say(job)
        return here(job)

    def labels(
        self,
        job: Sweep,
        there: Callable[[Sweep], Iterator[tuple[int, LabelMaps]]],
        here: Callable[[Sweep], Iterator[tuple[int, LabelMaps]]],
    ) -> Iterator[tuple[int, LabelMaps]]:
        """The same of a sweep: those labels that are left."""
        left = list(job.targets)
        while left:
            try:
                for label in there(replace(job, targets=tuple(left))):
                    left.remove(label[0])
                    yield label
                return
            except Exception as error:
                if not devices.is_full(error):
                    raise
            if not self.make_room():
                break
        if left:
            self._say(job)
            yield from here(replace(job, targets=tuple(left)))

    def _say(self, job: object) -> None:
        log.warning(_SAID, type(job).__name__, self.title)
