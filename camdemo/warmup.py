"""The start of a process: which model answers by default, and whether it is ready to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from .engine.protocol import Engine
from .errors import CamdemoError
from .models import BUNDLED_DEFAULT, NOTEBOOK_DEFAULT, Catalogue, weights

_PATIENCE = 5.0  # seconds that the start waits for the notebook's weights
_SORRY = "The first model could not be made ready"
log = logging.getLogger("camdemo")


@dataclass(frozen=True, slots=True)
class State:
    """How far the start is.

    Attributes:
        name: "cold" (nobody has asked for it), "starting", "ready" (the next explanation finds
            everything in memory) or "failed".
        reason: why it failed, in a sentence.
    """

    name: Literal["cold", "starting", "ready", "failed"]
    reason: str = ""


class WarmUp:
    """Chooses the default model, once, and does before the first request what would slow it.

    Args:
        model: the default model, if it is set; empty if it is to be chosen.
    """

    def __init__(self, model: str, catalogue: Catalogue, engine: Engine) -> None:
        self._set = model
        self._catalogue = catalogue
        self._engine = engine
        self._default = model
        self._lock = threading.Lock()
        self._may_decide = threading.Event()  # cleared while the notebook's weights are awaited
        self._may_decide.set()
        self._settled = threading.Event()
        self._settled.set()
        self.state = State("cold")

    def offer(self, catalogue: Catalogue, model: str) -> None:
        """Know these models from now on; this one answers by default if none was chosen yet."""
        self._catalogue = catalogue
        with self._lock:
            if not self._default:
                self._default = self._set = model

    def default_model(self) -> str:
        """The model that answers unless another is asked for; it stays the same.

        It is the notebook's if its weights are here, else what came with the installation. While
        `run` waits for the notebook's weights, this waits for its decision.
        """
        if not self._default:
            self._may_decide.wait(2 * _PATIENCE)
            with self._lock:
                self._default = self._default or self._choose()
        return self._default

    def note(self) -> str:
        """What a visitor must know of the start; empty if all is as wanted."""
        if self.state.name == "failed":
            return self.state.reason
        default = self.default_model()
        if known := self._catalogue.find(default).note:
            return known
        if self._set or default != BUNDLED_DEFAULT or NOTEBOOK_DEFAULT not in self._catalogue.names:
            return ""
        wanted, opened = map(self._catalogue.find, (NOTEBOOK_DEFAULT, default))
        return (
            f"{wanted.title}'s weights are not on this machine, so {opened.title} answers; "
            "its own came with the installation."
        )

    def run(self, first: Callable[[], object]) -> None:
        """Choose, load and run the default model; how it went is in `state`.

        The notebook's weights are waited for a few seconds; a download that takes longer goes on,
        for those who ask for that model.

        Args:
            first: explains something with the default model.
        """
        self._settled.clear()
        self.state = State("starting")
        end = State("failed", f"{_SORRY}.")
        try:
            self._await_notebook()
            first()
            end = State("ready")
        except CamdemoError as error:
            end = State("failed", str(error))
        except Exception as error:
            log.exception(_SORRY)
            end = State("failed", f"{_SORRY} ({type(error).__name__}).")
        finally:
            self.state = end
            self._settled.set()

    def wait(self, seconds: float) -> None:
        """Wait for the end of `run`, but not longer."""
        self._settled.wait(seconds)

    def _await_notebook(self) -> None:
        if self._default or NOTEBOOK_DEFAULT not in self._catalogue.names:
            return
        self._may_decide.clear()
        try:
            attempt = threading.Thread(target=self._fetch_notebook, daemon=True)
            attempt.start()
            attempt.join(_PATIENCE)
        finally:
            self._may_decide.set()
        self.default_model()

    def _fetch_notebook(self) -> None:
        with suppress(CamdemoError):
            self._engine.fetch(NOTEBOOK_DEFAULT)

    def _choose(self) -> str:
        names = self._catalogue.names
        wanted = [name for name in (NOTEBOOK_DEFAULT, BUNDLED_DEFAULT) if name in names]
        for name in (*wanted, *names):
            if weights.is_ready(self._catalogue.find(name), self._catalogue):
                return name
        return names[0]
