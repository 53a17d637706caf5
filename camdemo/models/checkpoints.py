"""Checkpoints of one's own: read without running anything in them, and put into a network.

What does not fit is told in words: how many entries fit, which don't, and what was expected.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CamdemoError

# Under which a checkpoint may keep its numbers, and what training puts before their names.
_KEPT = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "weights")
_BEFORE = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.")
_SHOWN = 4  # entries that an error names
_MOST_GROUPS = 6  # outermost names of which every order is tried
_ORDER = ("weight", "bias", "running_mean", "running_var")  # as layers register them


def read(path: str | Path) -> dict[str, Tensor]:
    """The numbers of a checkpoint by their names: safetensors, or what torch.save wrote.

    Raises:
        CamdemoError: no such file, a damaged one, or one that holds more than numbers.
    """
    file = Path(path)
    if not file.is_file():
        raise CamdemoError(f"There is no checkpoint {path}.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # both raise many kinds
        raise CamdemoError(
            f"The checkpoint {path} can't be read as numbers alone: it is damaged, or a whole "
            "pickled model, which would have to be run. Save model.state_dict(), best as "
            "safetensors."
        ) from error
    for name in _KEPT:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    numbers = {str(name): value for name, value in dict(found).items() if torch.is_tensor(value)}
    if not numbers:
        raise CamdemoError(f"The checkpoint {path} holds no numbers.")
    return numbers


def put(network: nn.Module, state: Mapping[str, Tensor], file: str, title: str) -> str:
    """Give a network a checkpoint's numbers.

    Names are those of the network, or what training puts before them is taken away. Where hardly a
    name fits, but all shapes do, in their order, entries go by that.

    Args:
        file, title: what people call the two.

    Returns:
        What people should know; empty if all fitted by name.

    Raises:
        CamdemoError: an entry is missing, or has another shape.
    """
    expected = {name: value for name, value in network.state_dict().items() if _counts(name)}
    named = _without_prefix({name: state[name] for name in state if _counts(name)}, expected)
    fitting = {name for name in expected if name in named and _same(named[name], expected[name])}
    note = ""
    if len(fitting) < len(expected):
        by_place = _by_place(named, expected) if len(fitting) < len(expected) / 2 else None
        if by_place is None:
            raise CamdemoError(_mismatch(named, expected, fitting, file, title))
        named = by_place
        note = (
            f"The names in {file} are others than those of {title}, but all {len(expected)} shapes "
            "agree in their order: entries went by that. See whether the answers make sense."
        )
    left = [name for name in named if name not in expected]
    if left:
        note = f"{len(left)} entries of {file} are not used: {_some(left)}."
    chosen = {name: named[name].to(value.dtype) for name, value in expected.items()}
    network.load_state_dict(chosen, strict=False, assign=True)
    return note


def _counts(name: str) -> bool:
    """Whether an entry changes an answer: all, but for what counts the batches of a training."""
    return not name.endswith("num_batches_tracked")


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape


def _without_prefix(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The entries without what stands before all their names, where more of them fit so."""
    best = dict(state)
    fits = len(best.keys() & expected.keys())
    for prefix in _BEFORE:
        kept = {n.removeprefix(prefix): each for n, each in state.items() if n.startswith(prefix)}
        if len(kept.keys() & expected.keys()) > fits:
            best, fits = kept, len(kept.keys() & expected.keys())
    return best


def _mismatch(
    state: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    fitting: Iterable[str],
    file: str,
    title: str,
) -> str:
    text = f"{file} does not fit {title}: {len(set(fitting))} of {len(expected)} entries do."
    missing = [name for name in expected if name not in state]
    left = [name for name in state if name not in expected]
    other = [n for n in expected if n in state and not _same(state[n], expected[n])]
    if missing:
        text += f" Not in the file: {_some(missing)}."
    if left:
        text += f" Not in the network: {_some(left)}."
    if other:
        sizes = [f"{n} is {_size(state[n])}, not {_size(expected[n])}" for n in other[:_SHOWN]]
        text += f" Of another size in the file: {'; '.join(sizes)}{_more(other)}."
        last = state[other[-1]]
        if len(other) <= 2 and not missing and len(last) != len(expected[other[-1]]):
            text += f" For as many labels as the file has, add ?num_classes={len(last)}."
    return text


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + _more(names)


def _more(names: list[str]) -> str:
    return f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""


def _size(value: Tensor) -> str:
    return " x ".join(map(str, value.shape)) or "one number"


def _by_place(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """The entries under the network's names by their order, if all shapes agree in one.

    The file's order, or, since some formats sort by the alphabet, that of the numbers in the names;
    the outermost parts of a network ("classifier", "features") then in every order.
    """
    if len(state) != len(expected):
        return None
    groups: dict[str, list[str]] = {}
    for name in sorted(state, key=_place):
        groups.setdefault(name.partition(".")[0], []).append(name)
    orders: list[list[str]] = [list(state)]
    if len(groups) <= _MOST_GROUPS:
        orders += [
            list(itertools.chain(*order)) for order in itertools.permutations(groups.values())
        ]
    for order in orders:
        pairs = list(zip(expected, order, strict=True))
        if all(_same(expected[name], state[other]) for name, other in pairs):
            return {name: state[other] for name, other in pairs}
    return None


def _place(name: str) -> list[tuple[int, str]]:
    """Where a name comes: numbers by their size, a layer's own numbers as layers register them."""
    path, _, last = name.rpartition(".")
    pieces = [(int(each), "") if each.isdigit() else (-1, each) for each in re.split(r"\.", path)]
    rank = _ORDER.index(last) if last in _ORDER else len(_ORDER)
    return [*pieces, (rank, last)]
