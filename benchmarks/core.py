"""From the preprocessed tensor to the map and the top five, five ways."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from pytorch_grad_cam import GradCAM as PytorchGradCam
from torch import Tensor
from torchcam.methods import GradCAM as TorchCam

from camdemo import methods
from camdemo.models import catalogue, networks

from . import notebook, stage
from .timing import interleaved_medians, table, verdict

# None: the layer that is explained unless another is asked for.
CASES: dict[str, str | None] = {
    "mobilenet_v2": "features.18",
    "resnet50": "layer4",
    "convnext_tiny": "features.7",
    "efficientnet_lite0": None,
}
OF_FORWARD = 0.95  # the aims: ours divided by the plain forward, at most
OF_NOTEBOOK = 0.55

TOLERANCE = 5e-3  # of the map's range, between any two ways

OURS, NOTEBOOK, TORCHCAM = "ours", "notebook's way", "TorchCAM"
PYTORCH_GRAD_CAM, FORWARD = "pytorch-grad-cam", "plain forward"

# What a side returns: its map, and the indices of the five most probable labels, best first.
Answer = tuple[np.ndarray, list[int]]


def measure(seconds: float) -> str:
    """The table: each model, each side, milliseconds and ratios. `seconds` a model."""
    rows = []
    for name, layer in CASES.items():
        rows += _rows(name, layer, seconds)
    header = ["Model, layer", "Way", "ms", "of the forward", "of the notebook's way"]
    return table(header, rows, texts=2)


def _rows(name: str, layer_name: str | None, seconds: float) -> list[list[str]]:
    spec = catalogue.find(name)
    layer = methods.find_layer(
        methods.discover(networks.skeleton(spec), spec.transform.crop), layer_name
    )
    inputs = stage.photo_tensor(spec)
    sides, close = _sides(name, layer.name, inputs)
    try:
        agree({side: run() for side, run in sides.items()})
        # The plain forward makes no map, so it joins after the comparison.
        network = networks.load(spec)

        def forward() -> Tensor:
            with torch.inference_mode():
                return network(inputs)

        times = interleaved_medians({**sides, FORWARD: forward}, seconds)
    finally:
        close()
    rows = []
    for side, milliseconds in times.items():
        of_forward = milliseconds / times[FORWARD]
        of_notebook = milliseconds / times[NOTEBOOK]
        first = [f"{spec.title}, {layer.name}" if side == OURS else "", side]
        if side == OURS:
            ratios = [verdict(of_forward, OF_FORWARD), verdict(of_notebook, OF_NOTEBOOK)]
        else:
            ratios = [f"{of_forward:.2f}", f"{of_notebook:.2f}"]
        rows.append([*first, f"{milliseconds:.1f}", *ratios])
    return rows


def _sides(
    name: str, layer_name: str, inputs: Tensor
) -> tuple[dict[str, Callable[[], Answer]], Callable[[], None]]:
    """The four that make a map, and what removes the libraries' hooks.

    Each has its own copy of the network: as we load it for ours, as the library hands it over
    for the others. The two libraries set up their hooks once and not for each photo, which is
    what their documentation recommends for many photos.
    """
    spec = catalogue.find(name)
    layer = methods.find_layer(
        methods.discover(networks.skeleton(spec), spec.transform.crop), layer_name
    )
    network = methods.prepare(networks.load(spec), spec.transform.crop)
    bare, for_torchcam, for_library = (notebook.load(spec)[0] for _ in range(3))
    torchcam = TorchCam(for_torchcam, layer_name)
    library = PytorchGradCam(for_library, [for_library.get_submodule(layer_name)])

    def ours() -> Answer:
        cam, logits = methods.explain(network, layer, inputs)
        return cam, top_five(torch.from_numpy(logits)[None])

    def notebooks() -> Answer:
        _values, indices = notebook.predict(bare, inputs)
        target = int(indices[0])
        cam = notebook.grad_cam(bare, bare.get_submodule(layer_name), inputs, target)
        return cam, indices.tolist()

    def with_torchcam() -> Answer:
        scores = for_torchcam(inputs)
        best = top_five(scores)
        return torchcam(best[0], scores)[0][0].numpy(), best

    def with_pytorch_grad_cam() -> Answer:
        # Without targets it takes ClassifierOutputTarget of the most probable label, which
        # saves it the forward that would be needed to know that label first.
        cam = library(inputs, targets=None)
        return cam[0], top_five(library.outputs)

    def close() -> None:
        torchcam.remove_hooks()
        library.activations_and_grads.release()

    sides = {
        OURS: ours,
        NOTEBOOK: notebooks,
        TORCHCAM: with_torchcam,
        PYTORCH_GRAD_CAM: with_pytorch_grad_cam,
    }
    return sides, close


def top_five(logits: Tensor) -> list[int]:
    """The indices of the five highest logits of shape (1, labels), best first."""
    return logits.detach().softmax(dim=1)[0].topk(5).indices.tolist()


def agree(answers: dict[str, Answer]) -> None:
    """Make sure that all sides made the same map, so that like is compared with like.

    Ours and the notebook's are signed and must be equal, but for the order of additions, of
    which a deep network of random numbers makes up to 0.001 of the map's range. The libraries
    return theirs after ReLU and scaling, and pytorch-grad-cam also enlarges it: ours is taken
    through the same.

    Raises:
        RuntimeError: they did not, or the map has nothing positive, which would agree with
            anything once it is cut off at 0.
    """
    ours, best = answers[OURS]
    if not ours.max() > 0:
        raise RuntimeError("the map has no positive cell; compare with another photo")
    span = float(ours.max() - ours.min())
    positive = np.maximum(ours, 0)
    shown = (positive - positive.min()) / (positive.max() - positive.min())
    large = cv2.resize(shown, answers[PYTORCH_GRAD_CAM][0].shape[::-1])
    large = (large - large.min()) / (large.max() - large.min())
    expected = {NOTEBOOK: ours / span, TORCHCAM: shown, PYTORCH_GRAD_CAM: large}
    for side, values in expected.items():
        cam, labels = answers[side]
        given = cam / span if side == NOTEBOOK else cam
        if given.shape != values.shape or np.abs(given - values).max() > TOLERANCE:
            raise RuntimeError(f"the map of {side} is not ours")
        if labels != best:
            raise RuntimeError(f"the labels of {side} are {labels}, ours {best}")
