"""Every layer x every label, from one forward pass.

Captum explains one layer and one target a call, with a forward each. Here the graph is kept
from the earliest layer on, and one backward a label brings the gradients of all layers at once.
The maps are Captum's: tests/test_sweep.py holds them to it, network by network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor, nn

from ..records import LayerInfo
from .layers import tap_many
from .norms import FrozenNorms


def sweep(
    model: nn.Module,
    layers: Sequence[LayerInfo],
    inputs: Tensor,
    targets: Sequence[int],
    between: Callable[[], None] = lambda: None,
) -> dict[tuple[str, int], np.ndarray]:
    """The Grad-CAM maps of all `layers` for all `targets`; see `attribution.grad_cam`.

    Args:
        model: the network, in evaluation mode. It is left as it was found.
        layers: in the order of execution.
        inputs: float32 (1, 3, side, side).
        targets: indices of labels.
        between: called before each label: a sweep is long, and others may be in a hurry. The
            network is as it was found then, and may be run.

    Returns:
        {(name of the layer, target): float32 (layer.height, layer.width)}, signed.
    """
    maps: dict[tuple[str, int], np.ndarray] = {}
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        grids = stack.enter_context(tap_many(model, layers))
        stack.enter_context(FrozenNorms())
        logits = model(inputs)
    for target in targets:
        between()
        gradients = torch.autograd.grad(
            logits[0, target], list(grids.values()), retain_graph=True, materialize_grads=True
        )
        for name, grid, gradient in zip(grids, grids.values(), gradients, strict=True):
            weights = gradient.mean(dim=(2, 3), keepdim=True)
            cam = (weights * grid.detach()).sum(dim=1)[0]
            maps[name, target] = cam.numpy().astype(np.float32)
    return maps
