"""What can be set from outside: each once, as a flag of app.py and an environment variable.

README.md's table is made of this list, and a test holds it to that.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import SettingError, shorten
from .models import CATALOGUE


def _setting(default: Any, meaning: str, otherwise: str = "", most: int = 10**9) -> Any:
    """A setting with its default.

    Args:
        meaning: what it sets, for people.
        otherwise: what happens by default, where the default alone does not say it.
        most: the largest number; the smallest is 1.
    """
    return field(
        default=default, metadata={"meaning": meaning, "otherwise": otherwise, "most": most}
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs; see `table` for what each means."""

    model: str = _setting(
        "",
        "the model that the page opens with",
        "MobileNetV2 when its weights are here or arrive within 5 s, else EfficientNet-Lite0",
    )
    cache_models: int = _setting(6, "how many models stay loaded, least recently used out first")
    lanes: int = _setting(
        0,
        "how many networks run at the same time, on a core each; with 1, one runs on all cores",
        "as many as there are cores",
        most=256,
    )
    max_upload: int = _setting(20, "MB of the largest upload")
    max_megapixels: int = _setting(50, "megapixels of the largest photo", most=1000)
    max_disk: int = _setting(2000, "MB that uploads and results may take; the oldest go first")
    max_queue: int = _setting(200, "how many questions may wait; the next one is told to come back")
    host: str = _setting("", "the address that is served", "GRADIO_SERVER_NAME, else 127.0.0.1")
    port: int = _setting(
        0, "its port", "GRADIO_SERVER_PORT, else the first free one from 7860", most=65535
    )
    root_path: str = _setting("", "the path under which a proxy shows the page", "GRADIO_ROOT_PATH")

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] = os.environ,
        flags: argparse.Namespace | None = None,
    ) -> Settings:
        """The settings of the given environment, and of flags (see `add_flags`) before it.

        Raises:
            SettingError: a number that is none, or a model that is not in the catalogue.
        """
        given: dict[str, Any] = {}
        for option in fields(cls):
            name, text = _variable(option.name), environment.get(_variable(option.name), "").strip()
            flag = getattr(flags, option.name, None)
            if flag is not None:
                name, text = _flag(option.name), flag.strip()
            if text:
                given[option.name] = _parse(option, name, text)
        return cls(**given)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """A flag for each setting."""
    for option in fields(Settings):
        parser.add_argument(
            _flag(option.name),
            metavar="TEXT" if isinstance(option.default, str) else "N",
            help=f"{option.metadata['meaning']}; default: {_default(option)}",
        )


def table() -> str:
    """The settings as a Markdown table for README.md."""
    rows = ["| Flag | Environment variable | Meaning | Default |", "|---|---|---|---|"]
    for option in fields(Settings):
        rows.append(
            f"| `{_flag(option.name)}` | `{_variable(option.name)}` "
            f"| {option.metadata['meaning']} | {_default(option)} |"
        )
    return "\n".join(rows)


def _default(option: Any) -> str | int:
    """What happens unless it is set, for people."""
    return option.metadata["otherwise"] or option.default


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _variable(name: str) -> str:
    return f"CAMDEMO_{name.upper()}"


def _parse(option: Any, name: str, text: str) -> str | int:
    """The value of a setting; `name` is where it was given."""
    if isinstance(option.default, str):
        if option.name == "model" and text not in CATALOGUE.names:
            allowed = ", ".join(CATALOGUE.names)
            raise SettingError(f"{name}={shorten(text)}: choose one of {allowed}.")
        return text
    most = option.metadata["most"]
    # int() itself raises on more than 4300 digits.
    if not (text.isascii() and text.isdigit() and len(text) < 11 and 1 <= int(text) <= most):
        raise SettingError(
            f"{name}={shorten(text)}: give a whole number, 1 or more (at most {most})."
        )
    return int(text)
