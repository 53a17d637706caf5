"""Whether what looks like a grid of cells is one: tried out on the network itself.

A tensor's shape does not say what its axes are. Attention weights are squares, channels may be as
many as cells, and some networks keep their patches in an order of their own. A map of such a layer
would be drawn as if it lay on the photo. So each quarter of the input is changed in turn: in a grid
that lies on the photo, what changes then lies more in that quarter than elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn

from ..records import LayerInfo
from .grids import read, to_grid
from .tap import tap

_LEAST = 0.05  # of the side: how far the change must move when what is changed moves half a side


def noise(model: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Normal noise where the network's numbers are; the same numbers wherever that is."""
    first = next(model.parameters(), torch.empty(0))
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(first.device)


def lie_on_photo(
    model: nn.Module, layers: Sequence[LayerInfo], size: tuple[int, int, int]
) -> set[str]:
    """The names of those layers whose cells lie on the photo as a grid's should.

    Args:
        model: with its numbers, in evaluation mode. It runs five times.
        layers: of grids, by their shapes.
        size: channels, height and width of the input.
    """
    base, other = noise(model, (2, 1, *size))
    before = _grids(model, layers, base)
    centres: dict[str, list[tuple[float, float]]] = {name: [] for name in before}
    half = [side // 2 for side in size[1:]]
    for down in (slice(None, half[0]), slice(half[0], None)):
        for across in (slice(None, half[1]), slice(half[1], None)):
            changed = base.clone()
            changed[..., down, across] = other[..., down, across]
            for name, grid in _grids(model, layers, changed).items():
                centres[name].append(_centre(grid - before[name]))
    return {name for name, found in centres.items() if _moves(found)}


def _grids(model: nn.Module, layers: Sequence[LayerInfo], inputs: Tensor) -> dict[str, Tensor]:
    """What the layers make of an input, each float (1, C, H, W)."""
    found: dict[str, Tensor] = {}

    def keep(layer: LayerInfo, output: object) -> None:
        found[layer.name] = to_grid(read(output, layer), layer)[0].clone()

    handles = [
        model.get_submodule(layer.name).register_forward_hook(
            lambda _module, _inputs, output, layer=layer: keep(layer, output)
        )
        for layer in layers
    ]
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _centre(change: Tensor) -> tuple[float, float]:
    """Where the change of a grid (1, C, H, W) lies on average: y and x, each 0 to 1."""
    amount = change[0].cpu().double().square().sum(dim=0)
    total = amount.sum()
    if not total > 0:
        return (0.5, 0.5)
    y, x = ((torch.arange(cells) + 0.5) / cells for cells in amount.shape)
    return float(amount.sum(dim=1) @ y.double() / total), float(
        amount.sum(dim=0) @ x.double() / total
    )


def _moves(centres: Sequence[tuple[float, float]]) -> bool:
    """Whether it follows the quarters: upper left, upper right, lower left, lower right."""
    upper_left, upper_right, lower_left, lower_right = centres
    down = [lower_left[0] - upper_left[0], lower_right[0] - upper_right[0]]
    across = [upper_right[1] - upper_left[1], lower_right[1] - lower_left[1]]
    aside = [upper_right[0] - upper_left[0], lower_right[0] - lower_left[0]]
    aside += [lower_left[1] - upper_left[1], lower_right[1] - upper_right[1]]
    least = min(*down, *across)
    return least > _LEAST and max(map(abs, aside)) < least


def are_read(model: nn.Module, layers: Sequence[LayerInfo], size: tuple[int, int, int]) -> set[str]:
    """The names of those layers from whose cells anything goes on to the answer.

    In a transformer that reads its class token alone, the patches of what is behind the last
    attention are read by nobody: their gradient is exactly zero. Left out is also what can't be
    tapped: the network then fails, or answers something else.
    """
    inputs = noise(model, (1, *size))
    with torch.no_grad():
        answer = model(inputs)
    if not answer.isfinite().all():  # nothing can be told of it here; who asks it is told why
        return {layer.name for layer in layers}
    with suppress(Exception):
        return _with_gradient(model, layers, inputs, answer)
    found: set[str] = set()
    for layer in layers:  # one of them can't be: the others by themselves
        with suppress(Exception):
            found |= _with_gradient(model, [layer], inputs, answer)
    return found


def _with_gradient(
    model: nn.Module, layers: Sequence[LayerInfo], inputs: Tensor, answer: Tensor
) -> set[str]:
    with torch.enable_grad(), tap(model, layers) as grids:
        found = model(inputs)
    if not torch.allclose(found, answer, rtol=1e-3, atol=1e-3 * float(answer.abs().max())):
        raise ValueError("a network that is tapped answers something else")
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).to(found.device)
    gradients = torch.autograd.grad(
        found, list(grids.values()), weights, allow_unused=True, materialize_grads=True
    )
    return {
        name
        for (name, grid), gradient in zip(grids.items(), gradients, strict=True)
        if gradient.isfinite().all() and (gradient * grid).abs().amax() > 0
    }
