"""The methods that explain the input itself: what each is called, may be told, and costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from math import ceil
from typing import Any

from ..options import Option, Value
from ..records import Anatomy
from .registry import Method, add

BASELINES = (
    Value("blur", "Blurred copy"),
    Value("mean", "Mean colour"),
    Value("black", "Black"),
)
_LARGEST = 4000  # inputs for one map


def _late(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported, with torch and Captum, when it is called."""

    def function(*arguments: Any) -> Any:
        return getattr(import_module(f".{module}", __package__), name)(*arguments)

    function.__name__ = name
    return function


def _number(name: str, title: str, help: str, default: int, low: int, high: int) -> Option:
    return Option(title, help, default, "whole", low=low, high=high, name=name)


def _baseline(default: str) -> Option:
    return Option(
        "Baseline", "what stands for a place that is not there", default, values=BASELINES,
        name="baseline",
    )  # fmt: skip


def _noise(default: float) -> Option:
    return Option(
        "Noise", "its standard deviation, as a share of the input's range", default, "number",
        low=0, high=1, step=0.05, name="noise",
    )  # fmt: skip


_SEED = _number("seed", "Seed", "of the random numbers", 0, 0, 9999)
_STEPS = _number("steps", "Steps", "places on the way from the baseline", 32, 2, 500)


def _samples(default: int) -> Option:
    return _number("samples", "Samples", "how many are averaged", default, 1, 1000)


def _has_relus(anatomy: Anatomy) -> bool:
    return anatomy.has_only_relus


def _is_piecewise(anatomy: Anatomy) -> bool:
    return anatomy.has_only_relus and not anatomy.gates


def _once(_settings: Mapping[str, Any], _shape: tuple[int, int]) -> int:
    return 2


def _windows(settings: Mapping[str, Any], shape: tuple[int, int]) -> int:
    window = min(settings["window"], *shape)
    stride = min(settings["stride"], window)
    down, across = (1 + ceil((side - window) / stride) for side in shape)
    return down * across + 1


_RELUS = "ReLUs, and no other activations"
_EDGES = "shows edges whatever the network learned (Adebayo et al. 2018)"

for _method in (
    Method(
        "saliency",
        "Saliency",
        "Simonyan et al. 2014",
        "df/dx",
        "pixel",
        _late("gradients", "saliency"),
        note="noisy",
        use="how sensitive the answer is",
        forwards=_once,
    ),
    Method(
        "input_x_gradient",
        "Input x Gradient",
        "Shrikumar et al. 2016",
        "x df/dx",
        "pixel",
        _late("gradients", "input_x_gradient"),
        note="noisy; what is grey counts nothing",
        use="a cheap first guess at Integrated Gradients",
        forwards=_once,
    ),
    Method(
        "integrated_gradients",
        "Integrated Gradients",
        "Sundararajan et al. 2017",
        "(x - b) times the mean of df/dx from b to x",
        "pixel",
        _late("gradients", "integrated_gradients"),
        note="adds up to f(x) - f(b)",
        use="a sum that can be checked",
        settings=(_STEPS, _baseline("blur")),
        forwards=lambda settings, _shape: 2 * settings["steps"] + 2,
    ),
    Method(
        "smoothgrad",
        "SmoothGrad",
        "Smilkov et al. 2017",
        "the mean of df/dx over noisy copies of x",
        "pixel",
        _late("gradients", "smoothgrad"),
        use="Saliency with less noise",
        settings=(_samples(24), _noise(0.15), _SEED),
        forwards=lambda settings, _shape: 2 * settings["samples"],
    ),
    Method(
        "gradient_shap",
        "Gradient SHAP",
        "Lundberg and Lee 2017",
        "the mean of (x' - b) df/dx at random places between b and noisy copies x'",
        "pixel",
        _late("gradients", "gradient_shap"),
        note="adds up to f(x) - f(b), but for chance",
        use="Integrated Gradients with less noise",
        settings=(_samples(32), _baseline("blur"), _noise(0.1), _SEED),
        forwards=lambda settings, _shape: 2 * settings["samples"] + 2,
    ),
    Method(
        "deeplift",
        "DeepLift",
        "Shrikumar et al. 2017",
        "(x - b) times df/dx, with the ratio of differences for the slope of each ReLU",
        "pixel",
        _late("rectifiers", "deeplift"),
        note="adds up to f(x) - f(b)",
        use="about Integrated Gradients at the price of one gradient",
        where=_is_piecewise,
        reason=f"{_RELUS}, gates or attention",
        settings=(_baseline("blur"),),
        forwards=lambda _settings, _shape: 8,
    ),
    Method(
        "guided_backprop",
        "Guided Backprop",
        "Springenberg et al. 2015",
        "df/dx, where ReLUs let only positive gradients pass",
        "pixel",
        _late("rectifiers", "guided_backprop"),
        note=_EDGES,
        use="a fine drawing; no evidence",
        where=_has_relus,
        reason=_RELUS,
        forwards=lambda _settings, _shape: 3,
    ),
    Method(
        "guided_gradcam",
        "Guided Grad-CAM",
        "Selvaraju et al. 2017",
        "Guided Backprop times max(Grad-CAM of the last stage, 0)",
        "pixel",
        _late("rectifiers", "guided_gradcam"),
        note=f"the place is Grad-CAM's; within it {_EDGES}",
        use="Grad-CAM's place, drawn finely",
        where=_has_relus,
        reason=_RELUS,
        forwards=lambda _settings, _shape: 6,
    ),
    Method(
        "deconvolution",
        "Deconvolution",
        "Zeiler and Fergus 2014",
        "df/dx, where ReLUs let positive gradients pass, and only those, also where they were off",
        "pixel",
        _late("rectifiers", "deconvolution"),
        note=_EDGES,
        use="history; no evidence",
        where=_has_relus,
        reason=_RELUS,
        forwards=lambda _settings, _shape: 3,
    ),
    Method(
        "occlusion",
        "Occlusion",
        "Zeiler and Fergus 2014",
        "f(x) - f(x with a window hidden), the mean of the windows over a pixel",
        "pixel",
        _late("perturbing", "occlusion"),
        use="what hiding a place does, without a gradient",
        settings=(
            _number("window", "Window", "pixels a side that are hidden", 64, 8, 256),
            _number("stride", "Stride", "pixels from window to window", 32, 4, 128),
            _baseline("blur"),
        ),
        forwards=_windows,
    ),
    Method(
        "rise",
        "RISE",
        "Petsiuk et al. 2018",
        "the mean of random masks, each times f(x seen through it) above its mean",
        "pixel",
        _late("perturbing", "rise"),
        note="random: more masks, less grain",
        use="deletion and insertion, where time is no matter",
        settings=(
            _number("masks", "Masks", "how many are tried", 400, 20, _LARGEST),
            _number("cells", "Cells", "of a mask, each way", 7, 2, 16),
            _SEED,
        ),
        forwards=lambda settings, _shape: settings["masks"],
    ),
    Method(
        "kernel_shap",
        "Kernel SHAP",
        "Lundberg and Lee 2017",
        "Shapley values of superpixels, by least squares over random coalitions",
        "pixel",
        _late("perturbing", "kernel_shap"),
        note="random; adds up to f(x) - f(b)",
        use="regions of one colour, weighed against each other",
        settings=(
            _number("regions", "Regions", "superpixels, about", 40, 2, 200),
            _number("samples", "Samples", "coalitions that are tried", 400, 20, _LARGEST),
            _baseline("blur"),
            _SEED,
        ),
        forwards=lambda settings, _shape: settings["samples"] + 2,
    ),
    Method(
        "attention_rollout",
        "Attention rollout",
        "Abnar and Zuidema 2020",
        "the class token's row of the product of (mean of the heads + 1) / 2 over the layers",
        "pixel",
        _late("attention", "attention_rollout"),
        knows_label=False,
        note="knows no label; no negative evidence",
        use="what a vision transformer reads at all",
        where=lambda anatomy: anatomy.attends > 0,
        reason="a vision transformer in which every patch looks at all others",
        forwards=lambda _settings, _shape: 1,
    ),
):
    add(_method)
