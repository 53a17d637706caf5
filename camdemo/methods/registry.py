"""Every method, once: what it is called, where it comes from, and its function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import CamdemoError, ChoiceError
from ..records import LayerInfo
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
        knows_label: whether the map depends on the gradient, and so on the label, at all.
        note: what is known of it or was measured, in a few words that stand beside its title.
        where: the layers at which it is there, and ...
        reason: ... what holds of those, in words that follow "it needs".
    """

    name: str
    title: str
    paper: str
    formula: str
    kind: Literal["layer"]
    function: Callable[[Tensor, Tensor], Tensor]
    linear: bool
    knows_label: bool = True
    note: str = ""
    where: Callable[[LayerInfo], bool] = lambda _layer: True
    reason: str = ""

    def is_at(self, layer: LayerInfo) -> bool:
        """Whether it is there at a layer, or at all of those that are fused."""
        return not any(not self.where(part) for part in layer.parts or (layer,))


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


def check(
    name: str, layer: LayerInfo, versus: int | None = None, layers: Sequence[LayerInfo] = ()
) -> Method:
    """The method of that name, if it can explain this layer, and compare where that is asked.

    Args:
        layers: those that there are, to say at which it is there.

    Raises:
        ChoiceError: no such method.
        CamdemoError: it is not there at this layer, or knows no label that could be compared.
    """
    method = find(name)
    if not method.is_at(layer):
        others = ", ".join(one.name for one in layers if method.is_at(one))
        advice = f"Here that is {others}" if others else "Choose another method"
        raise CamdemoError(
            f"{method.title} can't explain the layer {layer.name!r}: it needs {method.reason}. "
            f"{advice}."
        )
    if versus is not None and not method.knows_label:
        raise CamdemoError(
            f"{method.title} knows no label, so that it can't compare two. Choose another method."
        )
    return method


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
        note="for the last layers; near chance at early ones",
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
        note="points better at earlier layers",
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
        note="hardly depends on the label at the last layer",
    )
)
add(
    Method(
        "gradcampp",
        "Grad-CAM++",
        "Chattopadhay et al. 2018",
        "sum over c of sum(max(G_c, 0) / (2 + G_c sum(A_c))) A_c",
        "layer",
        cams.gradcampp,
        linear=False,
        note="hardly depends on the label at the last layer",
    )
)
add(
    Method(
        "xgradcam",
        "XGrad-CAM",
        "Fu et al. 2020",
        "sum over c of sum(G_c A_c) / sum(A_c) A_c",
        "layer",
        cams.xgradcam,
        linear=True,
        note="is Grad-CAM at most models' last layer",
    )
)
add(
    Method(
        "cam",
        "CAM",
        "Zhou et al. 2016",
        "sum over c of w_c A_c, with the linear layer's w_c = sum(G_c)",
        "layer",
        cams.cam,
        linear=True,
        note="is Grad-CAM times the number of cells",
        where=lambda layer: layer.pooled,
        reason="a layer that only a global mean and one linear layer follow",
    )
)
add(
    Method(
        "eigencam",
        "EigenCAM",
        "Muhammad and Yeasin 2020",
        "the first principal component of A",
        "layer",
        cams.eigencam,
        linear=False,
        knows_label=False,
        note="knows no label",
    )
)
