"""The catalogue of models: one entry each, facts only, and the sources that they come from.

Importing this loads no torch, so that listing models is instant. The facts are held to
torchvision's and timm's own records by tests/test_models.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ChoiceError
from ..records import Interpolation, ModelSpec, Transform
from .sources import Bundled, Source, Timm, Torchvision
from .transforms import IMAGENET_MEAN, IMAGENET_STD

NOTEBOOK_DEFAULT = "mobilenet_v2"  # the model of the notebook; its weights are a download
BUNDLED_DEFAULT = "efficientnet_lite0"  # what answers when they can't be had


@dataclass(frozen=True)
class Catalogue:
    """The models that can be asked for, in the order in which they are listed."""

    specs: tuple[ModelSpec, ...]
    sources: tuple[Source, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(spec.name for spec in self.specs)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self.specs)

    def find(self, name: str) -> ModelSpec:
        """The entry of that name.

        Raises:
            ChoiceError: there is none; the message has the nearest names.
        """
        for spec in self.specs:
            if spec.name == name:
                return spec
        raise ChoiceError("model", name, self.names)

    def source_of(self, spec: ModelSpec) -> Source:
        """Where this model comes from.

        Raises:
            ChoiceError: the catalogue has no such source.
        """
        for source in self.sources:
            if source.name == spec.source:
                return source
        raise ChoiceError("source", spec.source, [source.name for source in self.sources])

    def plus(self, source: Source, *specs: ModelSpec) -> Catalogue:
        """This catalogue and models of one more source."""
        sources = self.sources if source in self.sources else (*self.sources, source)
        return Catalogue((*self.specs, *specs), sources)


def _lite(
    number: int, weights: str, parameters: int, megabytes: float, resize: int, crop: int
) -> ModelSpec:
    # Google trained the Lite models on inputs scaled to -1..1. With ImageNet's mean and std
    # Lite0 falls from 88 to 78 % top-1: preprocessing belongs to the weights.
    return ModelSpec(
        name=f"efficientnet_lite{number}",
        title=f"EfficientNet-Lite{number}",
        source=Bundled.name,
        weights=weights,
        parameters=parameters,
        megabytes=megabytes,
        transform=Transform(resize, crop, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        training_mean=IMAGENET_MEAN,
    )


def _download(
    name: str,
    title: str,
    weights: str,
    parameters: int,
    megabytes: float,
    resize: int = 256,
    crop: int = 224,
    bicubic: bool = False,
    source: str = Torchvision.name,
) -> ModelSpec:
    interpolation: Interpolation = "bicubic" if bicubic else "bilinear"
    return ModelSpec(
        name=name,
        title=title,
        source=source,
        weights=weights,
        parameters=parameters,
        megabytes=megabytes,
        transform=Transform(resize, crop, interpolation, IMAGENET_MEAN, IMAGENET_STD),
        training_mean=IMAGENET_MEAN,
    )


# Where torchvision has two sets of weights, V1 is the one that `pretrained=True` meant in
# the notebook, and its confidences are better behaved.
_SPECS: tuple[ModelSpec, ...] = (
    _lite(0, "efficientnet-lite0-57934424.pth", 4_652_008, 18.0, 256, 224),
    _lite(1, "efficientnet-lite1-77cc7160.pth", 5_416_680, 20.9, 272, 240),
    _lite(2, "efficientnet-lite2-9656183e.pth", 6_092_072, 23.5, 292, 260),
    _download("mobilenet_v2", "MobileNetV2", "mobilenet_v2-b0353104.pth", 3_504_872, 13.6),
    _download(
        "mobilenet_v3_large",
        "MobileNetV3-Large",
        "mobilenet_v3_large-8738ca79.pth",
        5_483_032,
        21.1,
    ),
    _download("resnet18", "ResNet-18", "resnet18-f37072fd.pth", 11_689_512, 44.7),
    _download("resnet50", "ResNet-50", "resnet50-0676ba61.pth", 25_557_032, 97.8),
    _download("vgg16", "VGG-16", "vgg16-397923af.pth", 138_357_544, 527.8),
    _download("densenet121", "DenseNet-121", "densenet121-a639ec97.pth", 7_978_856, 30.8),
    _download("googlenet", "GoogLeNet", "googlenet-1378be20.pth", 6_624_904, 49.7),
    _download(
        "inception_v3",
        "Inception-v3",
        "inception_v3_google-0cc3c7bd.pth",
        27_161_264,
        103.9,
        342,
        299,
    ),
    _download("squeezenet1_1", "SqueezeNet 1.1", "squeezenet1_1-b8a52dc0.pth", 1_235_496, 4.7),
    _download(
        "efficientnet_b0",
        "EfficientNet-B0",
        "efficientnet_b0_rwightman-7f5810bc.pth",
        5_288_548,
        20.5,
        bicubic=True,
    ),
    _download(
        "convnext_tiny", "ConvNeXt-Tiny", "convnext_tiny-983f1562.pth", 28_589_128, 109.1, 236
    ),
    _download("regnet_y_400mf", "RegNet-Y-400MF", "regnet_y_400mf-c65dace8.pth", 4_344_144, 16.8),
    _download("swin_t", "Swin-T", "swin_t-704ceda3.pth", 28_288_354, 108.2, 232, bicubic=True),
    _download("vit_b_16", "ViT-B/16", "vit_b_16-c867db91.pth", 86_567_656, 330.3),
    # timm publishes no size of its files: this one is that of the same entries, written anew.
    _download(
        "mobilenetv2_100",
        "MobileNetV2 (timm)",
        "mobilenetv2_100_ra-b33bc2c4.pth",
        3_504_872,
        13.6,
        bicubic=True,
        source=Timm.name,
    ),
)

CATALOGUE = Catalogue(_SPECS, (Bundled(), Torchvision(), Timm()))
NAMES = CATALOGUE.names
find = CATALOGUE.find
