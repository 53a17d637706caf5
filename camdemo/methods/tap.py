"""The tap: reads layers while a network runs, and lets the recording start at the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from ..records import LayerInfo
from .grids import from_grid, read, replaced, to_grid


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

    def hook_of(layer: LayerInfo) -> Callable[[nn.Module, tuple, Any], Any]:
        def hook(_module: nn.Module, _inputs: tuple, whole: Any) -> Any:
            output = read(whole, layer)
            if behind is not None and not grids:
                entered.enter_context(behind)
            if output.is_inference():
                output = output.clone()
            if not grids or not output.requires_grad:  # the second is another branch's first
                output = output.detach().requires_grad_()
            grid, prefix = to_grid(output, layer)
            grids[layer.name] = grid
            return replaced(whole, layer, from_grid(grid, prefix, output).clone())

        return hook

    handles = [model.get_submodule(one.name).register_forward_hook(hook_of(one)) for one in layers]
    try:
        with entered:
            yield grids
    finally:
        for handle in handles:
            handle.remove()
