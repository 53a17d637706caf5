"""Networks that have forgotten what they learned, from the last stage on: for the sanity check.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3.1, cascading randomisation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from .folding import Prepared

_Slot = tuple[nn.Module, str, str]  # a module, one of its arrays' names, and the array's full name


def cascade(
    twin: nn.Module,
    explain: Callable[[nn.Module], np.ndarray],
    stages: Sequence[str],
    steps: int,
    seed: int,
    between: Callable[[], None] = lambda: None,
) -> Iterator[tuple[str, np.ndarray]]:
    """The same map with random weights behind the last stage, then behind earlier ones, then all.

    Weights come from a normal distribution of standard deviation sqrt(2 / inputs of a unit), as
    networks with ReLUs are initialised (He et al. 2015, "Delving Deep into Rectifiers", equation
    10), biases are 0, and normalisations do nothing. What is behind a stage is what the network
    registers after it, which in all networks of the catalogue is what runs after it.

    Args:
        twin: a network of one's own: its modules get other arrays. The old ones are not written to.
        explain: from a network to its map, float32 (h, w), signed.
        stages: names of stages in the order of execution. Those behind which nothing has weights
            are left out.
        steps: how many maps at most; of more stages as many are taken in even steps. The first is
            the smallest change, the last the whole network.
        seed: of the weights. What is random in one step has the same numbers in the next.
        between: called before each step: others may go first.

    Yields:
        The stage ("" for none: everything is random), and the map, float32 (h, w), signed.
    """
    network = twin.plain if isinstance(twin, Prepared) else twin
    groups = _groups(network, stages)
    last = len(groups) - 1
    wanted = {round(step * last / max(steps - 1, 1)) for step in range(steps)} | {last}
    if steps == 1:
        wanted = {last}
    generator = torch.Generator().manual_seed(seed)
    for number, (stage, slots) in enumerate(groups):
        for module, name, full_name in slots:
            _forget(module, name, full_name, generator)
        if number in wanted:
            between()
            yield stage, explain(network)


def _groups(network: nn.Module, stages: Sequence[str]) -> list[tuple[str, list[_Slot]]]:
    """The arrays behind each stage up to the next group's, from the last stage to the first."""
    slots: list[_Slot] = []
    ends: dict[int, str] = {}  # by how many arrays there are up to the end of a stage
    modules = dict(network.named_modules())
    for prefix, module in modules.items():
        arrays = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, value in arrays:
            if value is not None and value.is_floating_point():
                slots.append((module, name, f"{prefix}.{name}".lstrip(".")))
    for stage in stages:
        inside = [i for i, (_, _, name) in enumerate(slots) if name.startswith(stage + ".")]
        if inside:
            ends[inside[-1] + 1] = stage
    ends.pop(len(slots), None)  # nothing is behind it
    groups = []
    stop = len(slots)
    for start in sorted(ends, reverse=True):
        groups.append((ends[start], slots[start:stop]))
        stop = start
    return [*groups, ("", slots[:stop])]


def _forget(module: nn.Module, name: str, full_name: str, generator: torch.Generator) -> None:
    """Give a module another array of this name: that of a network that has learned nothing."""
    old = getattr(module, name)
    new = torch.empty_like(old, device="cpu")  # the same random numbers wherever it is
    if old.dim() > 1:
        new.normal_(0, (2 / (old.numel() // len(old))) ** 0.5, generator=generator)
    else:
        new.fill_(1 if full_name.endswith(("weight", "running_var")) else 0)
    new = new.to(old.device)
    if isinstance(old, nn.Parameter):
        new = nn.Parameter(new, requires_grad=False)
    setattr(module, name, new)
