"""The notebook's way of making the picture, written as such notebooks are.

A model as the library hands it over (parameters ask for gradients, contiguous memory), one
forward for the five labels, Captum's LayerGradCam on the bare layer, min-max scaling, and
OpenCV for the picture. Where notebooks differ, the faster habit is taken: `no_grad` for the
prediction, and OpenCV's blend where many blend with NumPy in float64.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import torch
from captum.attr import LayerGradCam
from PIL import Image
from torch import Tensor, nn

from camdemo.models import weights
from camdemo.records import ModelSpec


def load(spec: ModelSpec) -> tuple[nn.Module, Callable[[Image.Image], Tensor]]:
    """The model with its weights, which must be on this machine, and its input transform."""
    path = weights.path_of(spec)
    if spec.source == "torchvision":
        import torchvision

        model = torchvision.models.get_model(spec.name)
        model.load_state_dict(torch.load(path, weights_only=True))
        published = torchvision.models.get_model_weights(spec.name).IMAGENET1K_V1
        return model.eval(), published.transforms()
    import timm

    prefix = "tf_" if spec.source == "bundled" else ""
    model = timm.create_model(prefix + spec.name, pretrained=False)
    # The bundled files have timm's entries under other names, in the same order.
    state = torch.load(path, weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
    settings = timm.data.resolve_model_data_config(model)
    return model.eval(), timm.data.create_transform(**settings)


def predict(model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The five highest probabilities and their indices, each of shape (5,)."""
    with torch.no_grad():
        probabilities = model(inputs).softmax(dim=1)
    values, indices = probabilities[0].topk(5)
    return values, indices


def grad_cam(model: nn.Module, layer: nn.Module, inputs: Tensor, target: int) -> np.ndarray:
    """The signed map, float32 (h, w). Captum runs its own forward, and the whole backward."""
    cam = LayerGradCam(model, layer).attribute(inputs, target=target)
    return cam[0, 0].detach().numpy()


def explain(
    data: bytes, model: nn.Module, layer: nn.Module, transform: Callable[[Image.Image], Tensor]
) -> tuple[np.ndarray, Tensor, np.ndarray]:
    """From the bytes of a photo to the overlay, the indices of the top five, and the map.

    Returns:
        uint8 (H, W, 3), RGB; int64 (5,); float32 (h, w).
    """
    image = Image.open(io.BytesIO(data)).convert("RGB")
    inputs = transform(image).unsqueeze(0)
    _values, indices = predict(model, inputs)
    cam = grad_cam(model, layer, inputs, int(indices[0]))
    return overlay(np.array(image), cam), indices, cam


def overlay(photo: np.ndarray, cam: np.ndarray) -> np.ndarray:
    """The map stretched over the whole photo, in jet, half and half. uint8 (H, W, 3), RGB."""
    values = (cam - cam.min()) / (cam.max() - cam.min() + 1e-8)
    large = cv2.resize(values, (photo.shape[1], photo.shape[0]))
    heat = cv2.applyColorMap(np.uint8(255 * large), cv2.COLORMAP_JET)
    return cv2.addWeighted(photo, 0.5, cv2.cvtColor(heat, cv2.COLOR_BGR2RGB), 0.5, 0)
