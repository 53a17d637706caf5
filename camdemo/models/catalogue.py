"""The catalogue of models: one entry each, facts only.

Importing this loads no torch, so that listing models is instant. The facts are held to
torchvision's and timm's own records by tests/test_models.py.
"""

from __future__ import annotations

from ..errors import ChoiceError
from ..records import Interpolation, ModelSpec, Transform

NOTEBOOK_DEFAULT = "mobilenet_v2"  # the model of the notebook; its weights are a download
BUNDLED_DEFAULT = "efficientnet_lite0"  # what answers when they can't be had

TRAINING_MEAN = (0.485, 0.456, 0.406)  # colour of ImageNet's photos, on which all were trained
_IMAGENET_STD = (0.229, 0.224, 0.225)


def _lite(
    number: int, weights: str, parameters: int, megabytes: float, transform: Transform
) -> ModelSpec:
    name = f"efficientnet_lite{number}"
    return ModelSpec(
        name, f"EfficientNet-Lite{number}", "bundled", weights, parameters, megabytes, transform
    )


def _half(resize: int, crop: int) -> Transform:
    # Google trained the Lite models on inputs scaled to -1..1. With ImageNet's mean and std
    # Lite0 falls from 88 to 78 % top-1: preprocessing belongs to the weights.
    return Transform(resize, crop, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def _torchvision(
    name: str,
    title: str,
    weights: str,
    parameters: int,
    megabytes: float,
    resize: int = 256,
    crop: int = 224,
    bicubic: bool = False,
    channels_last: bool = True,
) -> ModelSpec:
    interpolation: Interpolation = "bicubic" if bicubic else "bilinear"
    transform = Transform(resize, crop, interpolation, TRAINING_MEAN, _IMAGENET_STD)
    return ModelSpec(
        name, title, "torchvision", weights, parameters, megabytes, transform, channels_last
    )


# Where torchvision has two sets of weights, V1 is the one that `pretrained=True` meant in
# the notebook, and its confidences are better behaved.
CATALOGUE: tuple[ModelSpec, ...] = (
    _lite(0, "efficientnet-lite0-57934424.pth", 4_652_008, 18.0, _half(256, 224)),
    _lite(1, "efficientnet-lite1-77cc7160.pth", 5_416_680, 20.9, _half(272, 240)),
    _lite(2, "efficientnet-lite2-9656183e.pth", 6_092_072, 23.5, _half(292, 260)),
    _torchvision("mobilenet_v2", "MobileNetV2", "mobilenet_v2-b0353104.pth", 3_504_872, 13.6),
    _torchvision(
        "mobilenet_v3_large",
        "MobileNetV3-Large",
        "mobilenet_v3_large-8738ca79.pth",
        5_483_032,
        21.1,
    ),
    _torchvision("resnet18", "ResNet-18", "resnet18-f37072fd.pth", 11_689_512, 44.7),
    _torchvision("resnet50", "ResNet-50", "resnet50-0676ba61.pth", 25_557_032, 97.8),
    _torchvision("vgg16", "VGG-16", "vgg16-397923af.pth", 138_357_544, 527.8),
    _torchvision("densenet121", "DenseNet-121", "densenet121-a639ec97.pth", 7_978_856, 30.8),
    _torchvision("googlenet", "GoogLeNet", "googlenet-1378be20.pth", 6_624_904, 49.7),
    _torchvision(
        "inception_v3",
        "Inception-v3",
        "inception_v3_google-0cc3c7bd.pth",
        27_161_264,
        103.9,
        342,
        299,
    ),
    _torchvision("squeezenet1_1", "SqueezeNet 1.1", "squeezenet1_1-b8a52dc0.pth", 1_235_496, 4.7),
    _torchvision(
        "efficientnet_b0",
        "EfficientNet-B0",
        "efficientnet_b0_rwightman-7f5810bc.pth",
        5_288_548,
        20.5,
        bicubic=True,
    ),
    _torchvision(
        "convnext_tiny", "ConvNeXt-Tiny", "convnext_tiny-983f1562.pth", 28_589_128, 109.1, 236
    ),
    _torchvision(
        "regnet_y_400mf", "RegNet-Y-400MF", "regnet_y_400mf-c65dace8.pth", 4_344_144, 16.8
    ),
    _torchvision("swin_t", "Swin-T", "swin_t-704ceda3.pth", 28_288_354, 108.2, 232, bicubic=True),
    _torchvision("vit_b_16", "ViT-B/16", "vit_b_16-c867db91.pth", 86_567_656, 330.3),
)

NAMES: tuple[str, ...] = tuple(spec.name for spec in CATALOGUE)


def find(name: str) -> ModelSpec:
    """The catalogue's entry of that name.

    Raises:
        ChoiceError: there is none; the message has the nearest names.
    """
    for spec in CATALOGUE:
        if spec.name == name:
            return spec
    raise ChoiceError("model", name, NAMES)
