"""Maps by other means than ours, to compare with; nothing here uses camdemo's own hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torch.nn import functional

from camdemo.records import LayerInfo


def captum(model: nn.Module, layer: LayerInfo, inputs: Tensor, target: int) -> Tensor:
    """Captum's LayerGradCam, (h, w), of a layer whose output is N x C x H x W.

    Captum is given a module that gets the layer's output, while what follows gets a copy: else an
    in-place ReLU would overwrite what Captum reads.
    """
    identity = nn.Identity()

    def hook(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
        return identity(output.detach().requires_grad_()).clone()

    handle = model.get_submodule(layer.name).register_forward_hook(hook)
    try:
        return LayerGradCam(model, identity).attribute(inputs, target)[0, 0].detach()
    finally:
        handle.remove()


def seen_by_autograd(
    model: nn.Module, layer: LayerInfo, inputs: Tensor, target: int
) -> tuple[Tensor, Tensor]:
    """The activation of a layer and the gradient of a logit, both (C, h, w), by autograd alone."""
    return all_seen_by_autograd(model, [layer], inputs, target)[layer.name]


def all_seen_by_autograd(
    model: nn.Module, layers: Sequence[LayerInfo], inputs: Tensor, target: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """The same of several layers, by their names: all gradients of one pass.

    Outputs of another shape are folded here, by hand; of a tuple, as attention returns it, the
    first is what goes on.
    """
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable:
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor | tuple) -> Tensor | tuple:
            first, *more = output if isinstance(output, tuple) else (output,)
            kept[name] = first
            return (first.clone(), *more) if isinstance(output, tuple) else first.clone()

        return hook

    handles = [
        model.get_submodule(layer.name).register_forward_hook(keep(layer.name)) for layer in layers
    ]
    try:
        with torch.enable_grad():
            logit = model(inputs.clone().requires_grad_())[0, target]
            gradients = torch.autograd.grad(logit, [kept[layer.name] for layer in layers])
    finally:
        for handle in handles:
            handle.remove()
    return {
        layer.name: (_fold(kept[layer.name].detach()[0], layer), _fold(gradient[0], layer))
        for layer, gradient in zip(layers, gradients, strict=True)
    }


def _fold(values: Tensor, layer: LayerInfo) -> Tensor:
    shape = (layer.channels, layer.height, layer.width)
    if tuple(values.shape) == shape:
        return values
    if values.dim() == 3:  # H x W x C, as Swin has it
        assert tuple(values.shape) == (*shape[1:], shape[0])
        return values.permute(2, 0, 1)
    patches = values[-layer.height * layer.width :]  # the class token stands before them
    return torch.stack([patches[:, channel].reshape(shape[1:]) for channel in range(shape[0])])


def gradcam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Each channel, weighted with its mean gradient. All (C, h, w) -> (h, w), in float64."""
    weights = gradient.double().mean(dim=(1, 2))
    return torch.einsum("c,chw->hw", weights, activation.double())


def hirescam(activation: Tensor, gradient: Tensor) -> Tensor:
    return torch.einsum("chw,chw->hw", gradient.double(), activation.double())


def layercam(activation: Tensor, gradient: Tensor) -> Tensor:
    positive = torch.where(gradient > 0, gradient, torch.zeros(()))
    return torch.einsum("chw,chw->hw", positive.double(), activation.double())


def gradcampp(activation: Tensor, gradient: Tensor) -> Tensor:
    """As the paper writes it, but for negative sums: there alpha is at most 1."""
    a, g = activation.double(), gradient.double()
    below = 2 * g**2 + a.sum(dim=(1, 2), keepdim=True) * g**3
    alpha = torch.where(g > 0, g**2 / torch.maximum(below, g**2), 0)
    weights = (alpha * torch.where(g > 0, g, 0)).sum(dim=(1, 2))
    return torch.einsum("c,chw->hw", weights, a)


def xgradcam(activation: Tensor, gradient: Tensor) -> Tensor:
    a, g = activation.double(), gradient.double()
    total = torch.einsum("chw->c", a)
    cancels = total.abs() <= 1e-2 * torch.einsum("chw->c", a.abs())
    weights = torch.where(cancels, 0, torch.einsum("chw,chw->c", g, a) / total)
    return torch.einsum("c,chw->hw", weights, a)


def cam(activation: Tensor, gradient: Tensor) -> Tensor:
    return torch.einsum("cij,chw->hw", gradient.double(), activation.double())


def eigencam(activation: Tensor, _gradient: Tensor) -> Tensor:
    """By the singular values of the cells, of which none is squared."""
    a = activation.double().flatten(1).T
    _, _, directions = torch.linalg.svd(a - a.mean(dim=0), full_matrices=False)
    found = (a - a.mean(dim=0)) @ directions[0]
    amount = (a**2).sum(dim=1)
    sign = torch.sign(((amount - amount.mean()) * found).sum())
    return (sign * found).unflatten(0, activation.shape[1:])


METHODS = {
    **{"gradcam": gradcam, "hirescam": hirescam, "layercam": layercam},
    **{"gradcampp": gradcampp, "xgradcam": xgradcam, "cam": cam, "eigencam": eigencam},
}


def without_in_place(model: nn.Module, patch: pytest.MonkeyPatch) -> nn.Module:
    """Make a network whose ReLUs overwrite nothing, neither as modules nor as functions."""
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    patch.setattr(functional, "relu", lambda x, inplace=False: torch.relu(x))
    return model
