"""What can be set from outside: each once, as a flag of app.py and an environment variable.

README.md's table is made of this list, and a test holds it to that.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import CamdemoError, SettingError
from .options import Value, of, option

_MOST = 999_999  # of what has no natural end


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs; each field is an option, and see `table` for what each means."""

    model: str = option(
        "",
        "Model",
        "the model that the page opens with",
        kind="name",
        otherwise="the first that was added; else MobileNetV2 when its weights are here or arrive "
        "within 5 s, else EfficientNet-Lite0",
    )
    cache_models: int = option(
        6,
        "Models in memory",
        "how many models stay loaded, least recently used out first",
        kind="whole",
        low=1,
        high=_MOST,
    )
    lanes: int = option(
        0,
        "Lanes",
        "how many networks run at the same time, on a core each; with 1, one runs on all cores",
        kind="whole",
        otherwise="as many as there are cores; on an accelerator 1, which takes photos in batches",
        low=1,
        high=256,
    )
    device: str = option(
        "auto",
        "Device",
        "what this machine's networks run on: cuda (NVIDIA's or AMD's GPUs), mps (Apple's), cpu, "
        "or auto, a GPU where PyTorch sees one",
        values=(
            Value("auto", "The best there is"),
            Value("cpu", "CPU"),
            Value("cuda", "GPU (CUDA)"),
            Value("mps", "GPU (Apple)"),
        ),
    )
    engine: str = option(
        "local",
        "Engine",
        "what runs networks, for `serve` and `batch`: local, this machine's lanes; ray, the "
        "machines of a Ray cluster, that of RAY_ADDRESS or one that is started here",
        values=(Value("local", "This machine"), Value("ray", "Ray Serve")),
    )
    without_ray: str = option(
        "local",
        "Without Ray",
        "what happens where Ray's machines can't be reached: local, this one's lanes answer; "
        "refuse, the page does not start, or says so until they are back",
        values=(Value("local", "This machine answers"), Value("refuse", "Nobody answers")),
    )
    max_upload: int = option(
        20, "Largest upload", "MB of the largest upload", kind="whole", low=1, high=_MOST
    )
    max_megapixels: int = option(
        50, "Largest photo", "megapixels of the largest photo", kind="whole", low=1, high=1000
    )
    max_disk: int = option(
        2000,
        "Space on disk",
        "MB that uploads and results may take; the oldest go first",
        kind="whole",
        low=1,
        high=_MOST,
    )
    max_queue: int = option(
        200,
        "Waiting questions",
        "how many questions of a kind may wait; the next one is told to come back",
        kind="whole",
        low=1,
        high=_MOST,
    )
    host: str = option(
        "",
        "Host",
        "the address that is served",
        kind="name",
        otherwise="GRADIO_SERVER_NAME, else 127.0.0.1",
    )
    port: int = option(
        0,
        "Port",
        "its port",
        kind="whole",
        otherwise="GRADIO_SERVER_PORT, else the first free one from 7860",
        low=1,
        high=65535,
    )
    root_path: str = option(
        "",
        "Root path",
        "the path under which a proxy shows the page",
        kind="name",
        otherwise="GRADIO_ROOT_PATH",
    )
    mcp: bool = option(
        False,
        "Agents",
        "whether agents may ask, by the Model Context Protocol at /mcp",
        kind="switch",
    )

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] = os.environ,
        flags: argparse.Namespace | None = None,
    ) -> Settings:
        """The settings of the given environment, and of flags (`options.add_flags`) before it.

        Raises:
            SettingError: a number that is none. Which models there are is known later.
        """
        given: dict[str, Any] = {}
        for each in of(cls):
            flag = getattr(flags, each.name, None)
            where = _variable(each.name) if flag is None else each.flag
            try:
                given[each.name] = each.read(environment.get(where, "") if flag is None else flag)
            except CamdemoError as error:
                raise SettingError(f"{where}: {error}") from error
        return cls(**given)


def table() -> str:
    """The settings as a Markdown table for README.md."""
    rows = ["| Flag | Environment variable | Meaning | Default |", "|---|---|---|---|"]
    for each in of(Settings):
        facts = (f"`{each.flag}`", f"`{_variable(each.name)}`", each.help, each.default_text)
        rows.append(f"| {' | '.join(facts)} |")
    return "\n".join(rows)


def _variable(name: str) -> str:
    return f"CAMDEMO_{name.upper()}"
