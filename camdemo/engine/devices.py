"""What networks run on: the CPU, or an accelerator where torch sees one.

Torch takes seconds to import. Where no driver of a GPU is to be seen, it need not be asked.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from pathlib import Path
from typing import Any

from ..errors import SettingError
from ..options import find as find_option
from ..settings import Settings

CPU = "cpu"
FULL = "the GPU's memory is full"
log = logging.getLogger("camdemo")
# What a driver leaves: NVIDIA's, AMD's and Windows' own within Linux, and NVIDIA's on Windows.
_TRACES = tuple(
    map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg", r"C:\Windows\System32\nvcuda.dll"))
)


def find(wanted: str) -> str:
    """The device that a setting means: "auto" is the best one that is there.

    Raises:
        ChoiceError: no name of a device.
        SettingError: torch sees none of that name here.
    """
    wanted = find_option(Settings, "device").check(wanted)
    if wanted == CPU or (wanted == "auto" and not _may_be_there()):
        return CPU
    seen = there()
    if wanted == "auto":
        return seen[0]
    if wanted not in seen:
        raise SettingError(
            f"There is no device {wanted!r} that PyTorch could use here; there is "
            f"{' and '.join(seen)}. Choose with --device, CAMDEMO_DEVICE or Settings(device=...), "
            "or leave it to auto."
        )
    return wanted


def _may_be_there() -> bool:
    return sys.platform == "darwin" or any(map(os.path.exists, _TRACES))


def there() -> tuple[str, ...]:
    """The devices that torch sees, the best one first; the last is the CPU."""
    import torch

    found = (("cuda", torch.cuda.is_available), ("mps", torch.backends.mps.is_available))
    return (*(name for name, is_there in found if is_there()), CPU)


def title(device: str) -> str:
    """What people call it: "NVIDIA H100 80GB HBM3"."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return {CPU: "CPU", "mps": "Apple GPU"}.get(device, device)


def settle(device: str) -> None:
    """Before it is used: its float32 is float32.

    TF32, with which NVIDIA's convolutions are computed otherwise, has 10 bits of a number's 23: by
    that a thousandth of a map's range is not kept.
    """
    if device == "cuda":
        import torch

        backends: Any = torch.backends
        for kind in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul):
            kind.fp32_precision = "ieee"
    log.info("Networks run on %s (%s)", title(device), device)


def is_full(error: BaseException) -> bool:
    """Whether an error says that the device has no memory left.

    Not all that allocates raises torch's own error: Apple's part says it in words, and so do
    libraries of NVIDIA's.
    """
    import torch

    words = isinstance(error, RuntimeError) and "out of memory" in str(error).lower()
    return words or isinstance(error, torch.OutOfMemoryError)


def give_back(device: str) -> None:
    """Give what torch keeps for later, and nothing uses, back to the device."""
    import torch

    gc.collect()
    if device in ("cuda", "mps"):
        getattr(torch, device).empty_cache()
