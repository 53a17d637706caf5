"""Captum's LayerGradCam: one map for one layer and one target, from one forward."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from ..records import LayerInfo
from .layers import tap


def grad_cam(
    model: nn.Module,
    layer: LayerInfo,
    inputs: Tensor,
    target: int | None = None,
    versus: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The Grad-CAM map of one layer for one label, and the logits of all labels.

    The map is the sum over the channels of the activation, each weighted with the spatial
    mean of the gradient of the target's logit (Selvaraju et al. 2017, "Grad-CAM", section 3,
    equations 1 and 2, without equation 2's ReLU: the sign is kept, and display decides).

    Args:
        model: the network, in evaluation mode. It is left as it was found.
        layer: where to look; one of `layers.discover(model)`.
        inputs: float32 (1, 3, side, side), as the weights want them.
        target: index of the label to explain; None for the most probable one (but `versus`).
        versus: index of a label to compare with. The map then explains the difference of the
            two logits, and is the difference of their maps: both are linear in the gradient.

    Returns:
        The map, float32 (layer.height, layer.width), and the logits, float32 (labels,).
    """
    logits = torch.empty(0)

    def score(batch: Tensor) -> Tensor:
        nonlocal logits
        output = model(batch)
        logits = output.detach()
        # The target is chosen here and not by Captum, because the most probable label is
        # known only after this, the one forward.
        index = best(logits[0].numpy(), versus) if target is None else target
        return output[:, index] if versus is None else output[:, index] - output[:, versus]

    with tap(model, layer) as read, torch.enable_grad():
        cam = LayerGradCam(score, read).attribute(inputs)
    assert isinstance(cam, Tensor)
    return cam[0, 0].detach().numpy().astype(np.float32), logits[0].numpy()


def best(logits: np.ndarray, versus: int | None) -> int:
    """The index of the largest logit, leaving out that of `versus`."""
    order = np.argsort(-logits, kind="stable")
    return int(order[0] if order[0] != versus else order[1])
