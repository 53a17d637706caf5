"""The class activation maps: what each makes of a layer's activation and its gradient.

Each takes the activation A of a layer and the gradient G of what is explained with respect to it,
both float (N, C, H, W), and returns a map (N, H, W). A cell is positive where it speaks for the
label and negative where it speaks against it: unlike the papers, none of them ends with a ReLU,
since display decides what is shown. They raise nothing, and change neither A nor G.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_NOTHING = 1e-3  # of the largest term: more than is left of a thousand that add up to 0
_CANCELLED = 1e-2  # of what is there: divided by less, rounding would be seen


def gradcam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Each channel counts with the mean of its gradient over all cells.

    Selvaraju et al. 2017, "Grad-CAM", section 3, equations 1 and 2.
    """
    return _weighted(gradient.mean(dim=(2, 3)), activation)


def hirescam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Each channel counts, in each cell, with its gradient there.

    Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks", section 3. Where the gradient is the same in all cells, as in
    front of a global average and a linear classifier, this is Grad-CAM. Where all that reads the
    activation is layer normalisation, which does not heed its scale, the sum is 0 in each cell
    whatever the photo (ConvNeXt's and ViT's blocks, Swin's last): then what rounding leaves of it
    is no evidence, and the map is made 0.
    """
    terms = gradient * activation
    cam = terms.sum(dim=1)
    largest = terms.abs_().amax(dim=(1, 2, 3))
    is_evidence = cam.abs().amax(dim=(1, 2)) > _NOTHING * largest
    return cam.where(is_evidence[:, None, None], 0)


def layercam(activation: Tensor, gradient: Tensor) -> Tensor:
    """As HiResCAM, but of the gradient only what is positive.

    Jiang et al. 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization",
    section III-B, equations 6 and 7. A cell is negative only where its activation is.
    """
    return gradient.relu().mul_(activation).sum(dim=1)


def gradcampp(activation: Tensor, gradient: Tensor) -> Tensor:
    """As Grad-CAM, but of the gradient only what is positive, the weaker the more there is of A.

    Chattopadhay et al. 2018, "Grad-CAM++", section 3, equations 5, 7 and 19, for the exponential of
    the logit, whose second and third derivatives are powers of G. With S, the sum of A over all
    cells, the equation's G^2 / (2 G^2 + S G^3) is 1 / (2 + S G): at most 1/2, since the paper's A
    is what a ReLU left. Where A is negative, too, it could have any size; here it is at most 1.
    """
    total = activation.sum(dim=(2, 3), keepdim=True)
    weights = (gradient.relu() / (2 + total * gradient).clamp(min=1)).sum(dim=(2, 3))
    return _weighted(weights, activation)


def xgradcam(activation: Tensor, gradient: Tensor) -> Tensor:
    """As Grad-CAM, but in the mean of the gradient each cell counts with its activation.

    Fu et al. 2020, "Axiom-based Grad-CAM", section 3, equation 8. So the map adds up to what G A
    does. A channel whose cells cancel each other has no such mean, and counts nothing.
    """
    total = activation.sum(dim=(2, 3))
    has_mean = total.abs() > _CANCELLED * activation.abs().sum(dim=(2, 3))
    weights = (gradient * activation).sum(dim=(2, 3)) / total.where(has_mean, 1)
    return _weighted(weights.where(has_mean, 0), activation)


def cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Each channel counts with its weight in the linear layer behind the mean over all cells.

    Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", section 2, equation
    2. Where nothing but these two reads A, the gradient is the weight divided by the number of
    cells, in each of them: so their sum is the weight.
    """
    return _weighted(gradient.sum(dim=(2, 3)), activation)


def eigencam(activation: Tensor, _gradient: Tensor) -> Tensor:
    """What changes most from cell to cell: the first principal component of A. It knows no label.

    Muhammad and Yeasin 2020, "Eigen-CAM", section III. As in pytorch-grad-cam each channel's mean
    is subtracted before. A component has no sign of its own: it gets the one with which it is
    larger where there is more of A.
    """
    from torch.linalg import eigh

    channels = activation.flatten(2).cpu().double()  # (N, C, cells); some GPUs have no float64
    centred = channels - channels.mean(dim=2, keepdim=True)
    few, cells = centred.shape[1:]
    if few < cells:  # the smaller of the two matrices of products has the same component
        _, vectors = eigh(centred @ centred.mT)
        component = (vectors[:, None, :, -1] @ centred)[:, 0]
    else:
        sizes, vectors = eigh(centred.mT @ centred)
        component = vectors[..., -1] * sizes[:, -1:].clamp(min=0).sqrt()
    amount = channels.square().sum(dim=1)
    agrees = ((amount - amount.mean(dim=1, keepdim=True)) * component).sum(dim=1, keepdim=True)
    signed = component.where(agrees >= 0, -component)
    return signed.to(activation).unflatten(1, activation.shape[2:])


def _weighted(weights: Tensor, activation: Tensor) -> Tensor:
    """The sum of the channels, each with its weight, (N, C)."""
    cam = weights.unsqueeze(1) @ activation.flatten(2)  # (N, 1, cells)
    return cam.squeeze(1).unflatten(1, activation.shape[2:])
