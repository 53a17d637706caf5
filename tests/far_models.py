"""Networks for tests elsewhere: one writes down what it does, since nobody can look into it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from torch import Tensor

from .tiny_models import Small


class Noting(Small):
    """Adds an f to a file for each forward, and a b for each backward."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = Path(file)

    def _note(self, what: str) -> None:
        with self._file.open("a") as file:
            file.write(what)

    def forward(self, x: Tensor) -> Tensor:
        self._note("f")
        time.sleep(0.01)  # so that what is long takes long
        grid = self.second(self.first(x))
        if grid.requires_grad:
            grid.register_hook(lambda _: self._note("b"))
        return self.head(grid.mean(dim=(2, 3)))


class Mortal(Small):
    """Kills its process once, where a file has another one's number; and takes the file away."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = Path(file)

    def forward(self, x: Tensor) -> Tensor:
        if self._file.exists() and int(self._file.read_text()) != os.getpid():
            self._file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)
