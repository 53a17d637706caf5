"""All layers and labels of a photo: ours from one forward pass, and one Captum call a map."""

from __future__ import annotations

import torch
from captum.attr import LayerGradCam
from torch import Tensor

from camdemo import methods
from camdemo.models import catalogue, networks

from . import notebook, stage
from .timing import interleaved_medians, table, verdict

LABELS = [291, 292, 282, 340, 497]  # five, as the page shows; which they are costs the same
THREE = ["gradcam", "hirescam", "layercam"]
AIMS = {"mobilenet_v2": 5.5, "resnet50": 10.0, "efficientnet_lite0": 5.5}  # plain forwards


def measure(seconds: float) -> str:
    """The table, one row a model. `seconds` a model."""
    rows = [_row(name, aim, seconds) for name, aim in AIMS.items()]
    header = [
        "Model, maps",
        "ours, ms",
        "of a plain forward",
        "by three methods instead of one",
        "one Captum call a map, ms",
        "of a plain forward",
    ]
    return table(header, rows)


def _row(name: str, aim: float, seconds: float) -> list[str]:
    spec = catalogue.find(name)
    offered = methods.discover(networks.skeleton(spec), spec.transform.crop)
    stages = [layer for layer in offered if layer.stage]
    inputs = stage.photo_tensor(spec)
    network, bare = networks.load(spec), notebook.load(spec)[0]

    def ours() -> object:
        return list(methods.sweep(network, stages, inputs, LABELS))

    def all_methods() -> object:
        return list(methods.sweep(network, stages, inputs, LABELS, THREE))

    def forward() -> Tensor:
        with torch.inference_mode():
            return network(inputs)

    def one_by_one() -> None:
        for layer in stages:
            cams = LayerGradCam(bare, bare.get_submodule(layer.name))
            for label in LABELS:
                cams.attribute(inputs, target=label)

    sides = {"ours": ours, "all": all_methods, "forward": forward, "captum": one_by_one}
    times = interleaved_medians(sides, seconds)
    of_forward = times["ours"] / times["forward"]
    return [
        f"{spec.title}, {len(stages)} layers x {len(LABELS)} labels",
        f"{times['ours']:.0f}",
        verdict(of_forward, aim),
        f"{times['all'] / times['ours']:.2f}",
        f"{times['captum']:.0f}",
        f"{times['captum'] / times['forward']:.0f}",
    ]
