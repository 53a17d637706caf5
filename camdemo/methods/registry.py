"""Every method, once: what it is called, where it comes from, and its function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import ChoiceError
from . import cams

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT = "gradcam"


@dataclass(frozen=True, slots=True)
class Method:
    """One way to say where the evidence for a label lies.

    Attributes:
        name: what code, API and addresses call it.
        title: what people call it.
        paper: where it was published.
        formula: one line of plain text; A is the activation, G the gradient, c a channel.
        kind: "layer" for a method of a layer's activation and gradient.
        function: (activation, gradient), both (N, C, H, W), to a signed map (N, H, W).
        linear: whether the map is linear in the gradient. The map of a difference of two logits
            is then the difference of their maps, and needs no computation of its own.
    """

    name: str
    title: str
    paper: str
    formula: str
    kind: Literal["layer"]
    function: Callable[[Tensor, Tensor], Tensor]
    linear: bool


_METHODS: dict[str, Method] = {}


def add(method: Method) -> None:
    """Offer a method from now on, in place of one that had its name."""
    _METHODS[method.name] = method


def all() -> tuple[Method, ...]:
    """All methods, in the order in which they are offered."""
    return tuple(_METHODS.values())


def find(name: str) -> Method:
    """The method of that name.

    Raises:
        ChoiceError: there is none.
    """
    if name not in _METHODS:
        raise ChoiceError("method", name, list(_METHODS))
    return _METHODS[name]


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two maps, (h, w) each, differ by rounding alone: at most 1e-5 of their range.

    At most models' last stage HiResCAM is Grad-CAM, and whoever changes the method there should
    be told that nothing else is to be expected.
    """
    span = max(np.ptp(one), np.ptp(other))
    return one.shape == other.shape and bool(np.abs(one - other).max() <= 1e-5 * span)


add(
    Method(
        "gradcam",
        "Grad-CAM",
        "Selvaraju et al. 2017",
        "sum over c of mean(G_c) A_c",
        "layer",
        cams.gradcam,
        linear=True,
    )
)
add(
    Method(
        "hirescam",
        "HiResCAM",
        "Draelos and Carin 2020",
        "sum over c of G_c A_c",
        "layer",
        cams.hirescam,
        linear=True,
    )
)
add(
    Method(
        "layercam",
        "LayerCAM",
        "Jiang et al. 2021",
        "sum over c of max(G_c, 0) A_c",
        "layer",
        cams.layercam,
        linear=False,
    )
)
