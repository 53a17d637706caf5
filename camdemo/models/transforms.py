"""A model's input transform, read from torchvision's, timm's, a file, or a record.

What can't be read is refused: a photo prepared in another way than the weights were trained with
gives other answers, and nobody would notice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_args

from ..errors import CamdemoError, ChoiceError, RangeError, shorten
from ..records import Interpolation, Transform, as_integer

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # colour of ImageNet's photos
IMAGENET_STD = (0.229, 0.224, 0.225)
IMAGENET = Transform(256, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD)
ASSUMED = (
    "No transform was given: ImageNet's usual one is assumed (shorter side to 256, 224 x 224 from "
    "the middle, bilinear, its mean and standard deviation)."
)
_LARGEST = 4096  # pixels a side of an input
_INSTEAD = (
    "Give the transform as a record: models.Transform(resize=256, crop=224, "
    'interpolation="bilinear", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)).'
)
_INTERPOLATIONS = get_args(Interpolation)
# Steps that change no value that we would not change ourselves: photos are RGB and 0 to 1 here.
_PLAIN = {
    *("ToTensor", "PILToTensor", "MaybeToTensor", "MaybePILToTensor", "ToImage", "ToImagePIL"),
    *("ToDtype", "ConvertImageDtype", "ConvertDtype", "ToPureTensor", "ToPILImage", "RGB"),
    *("Identity", "_convert_image_to_rgb"),
}


def read(given: object, model: object = None) -> tuple[Transform, str]:
    """The transform, and what people should know of it, which is often nothing.

    Args:
        given: a `Transform`; a transform of torchvision or timm, as a photo is given to it for
            validation; a mapping with the fields of a `Transform`; or None.
        model: where none is given: a network of timm's knows its own. Of others ImageNet's is
            assumed, and the note says so.

    Raises:
        CamdemoError: it can't be read; the text says which step, and what to give instead.
    """
    if given is None:
        config = getattr(model, "pretrained_cfg", None)
        if isinstance(config, Mapping) and "input_size" in config and "mean" in config:
            return _checked(_of_timm(config)), ""
        return IMAGENET, ASSUMED
    if isinstance(given, Transform):
        return _checked(given), ""
    if isinstance(given, Mapping):
        return _checked(_from_mapping(given)), ""
    if all(hasattr(given, name) for name in ("crop_size", "resize_size", "mean", "std")):
        return _checked(_of_preset(given)), ""
    return _of_steps(given)


def from_file(path: str | Path) -> Transform:
    """The transform of a JSON file: an object with the fields of a `Transform`.

    Raises:
        CamdemoError: no such file, or something else in it.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CamdemoError(f"The transform {path} can't be read: {error}.") from error
    if not isinstance(found, dict):
        raise CamdemoError(f"The transform {path} is no JSON object. {_fields_text()}")
    return _checked(_from_mapping(found))


def _fields_text() -> str:
    names = ", ".join(each.name for each in fields(Transform))
    return f"It has the fields {names}, such as those of ImageNet: {json.dumps(_example())}"


def _example() -> dict[str, Any]:
    return {each.name: getattr(IMAGENET, each.name) for each in fields(Transform)}


def _from_mapping(given: Mapping[Any, Any]) -> Transform:
    names = [each.name for each in fields(Transform)]
    for name in given:
        if name not in names:
            raise ChoiceError("field of a transform", name, names)
    missing = [name for name in names if name not in given]
    if missing:
        raise CamdemoError(f"The transform has no {', '.join(missing)}. {_fields_text()}")
    return Transform(**given)


def _checked(given: Transform) -> Transform:
    """The same with plain numbers, if a photo can be prepared so."""
    if given.interpolation not in _INTERPOLATIONS:
        raise ChoiceError("interpolation", given.interpolation, _INTERPOLATIONS)
    mean, std = (_numbers(name, getattr(given, name)) for name in ("mean", "std"))
    if len(mean) != len(std) or len(mean) not in (1, 3, 4):
        raise CamdemoError(
            f"The transform has {len(mean)} means and {len(std)} standard deviations: give one of "
            "each for grey photos, three for red, green and blue, or four with opacity."
        )
    if min(std) <= 0:
        raise CamdemoError("A standard deviation of the transform is 0 or less: it divides.")
    resize, crop = _size("resize", given.resize), _size("crop", given.crop)
    if isinstance(resize, tuple) and not isinstance(crop, tuple):
        raise CamdemoError(
            "The transform resizes to a height and a width, and crops a square of that. Give one "
            "number to resize, the shorter side, or two to crop as well."
        )
    return Transform(resize, crop, given.interpolation, mean, std)


def _size(name: str, given: object) -> int | tuple[int, int]:
    """A side in pixels, or height and width."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        if len(given) != 2:
            raise CamdemoError(f"The transform's {name} is {shorten(given)}: give two numbers.")
        height, width = (cast(int, _size(name, each)) for each in given)
        return height if height == width else (height, width)
    side = as_integer(given)
    if side is None or not 1 <= side <= _LARGEST:
        raise RangeError(f"the transform's {name}", given, 1, _LARGEST)
    return side


def _numbers(name: str, given: object) -> tuple[float, ...]:
    try:
        # (Seven digits: a tensor's 0.485 is 0.485000014.)
        found = tuple(float(f"{float(each):.7g}") for each in cast(Any, given))
    except (TypeError, ValueError):
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise CamdemoError(f"The transform's {name} {shorten(given)} is no row of numbers.")
    return found


# -- others' transforms


def _of_timm(config: Mapping[str, Any]) -> Transform:
    """timm's record of a network: the size before the crop as timm's own `create_transform`."""
    _, *size = config["input_size"]
    share = config.get("crop_pct") or 0.875
    if config.get("crop_mode") == "squash":
        return _made(size, size, config)
    return _made([math.floor(side / share) for side in size], size, config)


def _made(resize: Any, crop: Any, config: Mapping[str, Any]) -> Transform:
    named = str(config.get("interpolation", "bicubic"))
    how = "bicubic" if named == "random" else named
    mean, std = (tuple(config.get(name) or default) for name, default in _NORMALISE.items())
    return Transform(_one(resize), _one(crop), cast(Interpolation, how), mean, std)


_NORMALISE = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD}


def _of_preset(given: Any) -> Transform:
    """torchvision's `weights.transforms()`."""
    crop, resize = _one(given.crop_size), _one(given.resize_size)
    how = _interpolation(given.interpolation)
    return Transform(resize, crop, how, tuple(given.mean), tuple(given.std))


def _one(size: Any) -> Any:
    """A size: of [224] the one that it has, of a square its side, else height and width."""
    sizes = list(size) if isinstance(size, Sequence) else [size]
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


def _interpolation(given: Any) -> Interpolation:
    name = str(getattr(given, "value", given)).removesuffix("-exact")
    return cast(Interpolation, name)


def _of_steps(given: object) -> tuple[Transform, str]:
    """A chain of steps, as `torchvision.transforms.Compose` has it."""
    found: dict[str, Any] = {}
    for step in _steps(given):
        found |= _of_step(step)
    if "resize" not in found:
        raise CamdemoError(f"The transform resizes nothing, so its size is not known. {_INSTEAD}")
    note = _SQUEEZES if found.pop("squeezes", False) else ""
    if "crop" not in found:
        found["crop"] = found["resize"]
        note = note or _CROPS_NOTHING
    grey = found.pop("grey", False)
    found = {"mean": (0.0,) * (1 if grey else 3), "std": (1.0,) * (1 if grey else 3)} | found
    if grey and len(found["mean"]) != 1:
        raise CamdemoError("The transform makes grey photos, and normalises them as colours.")
    return _checked(Transform(**found)), note


def _of_step(step: Any) -> dict[str, Any]:
    """The fields of a `Transform` that a step of a chain brings, and "grey" for one channel."""
    kind = getattr(step, "__name__", type(step).__name__)
    if kind in _PLAIN:
        return {}
    if kind in ("CenterCrop", "CenterCropOrPad"):
        return {"crop": _one(step.size)}
    if kind == "Normalize":
        return {"mean": tuple(step.mean), "std": tuple(step.std)}
    if kind == "Grayscale" and getattr(step, "num_output_channels", 1) == 1:
        return {"grey": True}
    bounded = getattr(step, "max_size", None) or getattr(step, "longest", None)
    if kind not in ("Resize", "ResizeKeepRatio") or bounded:
        raise CamdemoError(
            f"The transform's step {kind} can't be read. It must be the one for "
            f"validation, without anything random. {_INSTEAD}"
        )
    how, size = getattr(step, "interpolation", "bilinear"), step.size
    found = {"resize": _one(size), "interpolation": _interpolation(how)}
    squeezes = kind == "Resize" and isinstance(size, Sequence) and len(size) > 1
    return found | {"squeezes": True} if squeezes else found


_CROPS_NOTHING = "Its transform crops nothing: of a photo of another shape the middle is taken."
_SQUEEZES = (
    "Its transform squeezes a photo into the input's shape: the middle of it is taken, unsqueezed; "
    'the framing "whole" squeezes.'
)


def _steps(given: object) -> Iterator[Any]:
    """The steps of a chain, those of chains within it too."""
    inner = getattr(given, "transforms", None)
    if inner is None and type(given).__name__ == "Sequential":
        inner = list(cast(Any, given))
    if isinstance(inner, Sequence):
        for step in inner:
            yield from _steps(step)
    else:
        yield given
