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


def gradcam(activation: Tensor, gradient: Tensor) -> Tensor:
    """Each channel counts with the mean of its gradient over all cells.

    Selvaraju et al. 2017, "Grad-CAM", section 3, equations 1 and 2.
    """
    weights = gradient.mean(dim=(2, 3)).unsqueeze(1)  # (N, 1, C)
    return (weights @ activation.flatten(2)).squeeze(1).unflatten(1, activation.shape[2:])


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
