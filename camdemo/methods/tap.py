"""The tap: reads layers while a network runs, and lets the recording start at the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ..records import LayerInfo


@contextmanager
def tap(
    model: nn.Module, layers: Sequence[LayerInfo], behind: AbstractContextManager | None = None
) -> Iterator[dict[str, Tensor]]:
    """Within this context, one forward pass fills the dictionary that is yielded.

    It then holds the activation of each layer by its name, N x C x H x W, in the order of
    execution; gradients with respect to them can be asked for. Three things happen on the way:
    nothing before the first layer is recorded, so that a backward ends there; what follows a layer
    gets a copy, so that an in-place ReLU can't overwrite the activation (Captum's issue 156); and
    outputs of another shape are brought to a grid and back. The model is left as it was found,
    whatever happens.

    Args:
        model: the network that will run.
        layers: which to read; at least one of them runs.
        behind: a context for what runs from the first layer on.
    """
    grids: dict[str, Tensor] = {}
    entered = ExitStack()

    def hook_of(layer: LayerInfo) -> Callable[[nn.Module, tuple, Tensor], Tensor]:
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
            if behind is not None and not grids:
                entered.enter_context(behind)
            if output.is_inference():
                output = output.clone()
            if not grids or not output.requires_grad:  # the second is another branch's first
                output = output.detach().requires_grad_()
            grid, prefix = _to_grid(output, layer)
            grids[layer.name] = grid
            return _from_grid(grid, prefix, output).clone()

        return hook

    handles = [model.get_submodule(one.name).register_forward_hook(hook_of(one)) for one in layers]
    try:
        with entered:
            yield grids
    finally:
        for handle in handles:
            handle.remove()


def _to_grid(output: Tensor, layer: LayerInfo) -> tuple[Tensor, Tensor | None]:
    """The output as N x C x H x W, and the tokens that belong to no cell."""
    if output.dim() == 4:
        is_grid = output.shape[1:] == (layer.channels, layer.height, layer.width)
        return (output if is_grid else output.permute(0, 3, 1, 2)), None
    cells = layer.height * layer.width
    prefix = output[:, : output.shape[1] - cells]
    patches = output[:, output.shape[1] - cells :].transpose(1, 2)
    return patches.reshape(-1, layer.channels, layer.height, layer.width), prefix


def _from_grid(grid: Tensor, prefix: Tensor | None, output: Tensor) -> Tensor:
    """The inverse of `_to_grid`."""
    if prefix is not None:
        return torch.cat([prefix, grid.flatten(2).transpose(1, 2)], dim=1)
    return grid if grid.shape == output.shape else grid.permute(0, 2, 3, 1)
