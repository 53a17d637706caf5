"""Every method, once: what it is called, where it comes from, and its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .. import options
from ..errors import CamdemoError, ChoiceError, shorten
from ..options import Option
from ..records import INPUT, Anatomy, LayerInfo, Rivals
from . import cams

DEFAULT = "gradcam"
Kind = Literal["layer", "pixel"]
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to say where the evidence for a label lies.

    Attributes:
        name: what code, API and addresses call it.
        title: what people call it.
        paper: where it was published.
        formula: one line of plain text. A is the activation, G the gradient, c a channel; x is
            the input, b the baseline, f the logit that is explained.
        kind: "layer" for a method of a layer's activation and gradient, "pixel" for one of the
            network and its input.
        function: of a layer method from (activation, gradient), both (N, C, H, W), to a signed
            map (N, H, W); of a pixel method from `asked.Asked` to a signed map, float32 (h, w) of
            the input's size, and the gap where it should add up to a difference of scores.
        linear: whether the map is linear in the gradient. The map of a difference of two logits
            is then the difference of their maps, and needs no computation of its own.
        knows_label: whether the map depends on the gradient, and so on the label, at all.
        note: what is known of it or was measured, in a few words that stand beside its title.
        use: what it is good for, in a few words.
        where: the layers (of a pixel method, the networks) at which it is there, and ...
        reason: ... what holds of those, in words that follow "it needs".
        settings: of a pixel method, what can be chosen; each has its name.
        forwards: what it costs with some settings on an input of some height and width, in forwards
            of the network; a way back counts as one.
    """

    name: str
    title: str
    paper: str
    formula: str
    kind: Kind
    function: Callable[..., Any]
    linear: bool = False
    knows_label: bool = True
    note: str = ""
    use: str = ""
    where: Callable[[Any], bool] = lambda _layer: True
    reason: str = ""
    settings: tuple[Option, ...] = ()
    forwards: Callable[[Settings, tuple[int, int]], int] = lambda _settings, _shape: (
        2
    )  # there and back

    @property
    def is_pixel(self) -> bool:
        return self.kind == "pixel"

    def is_at(self, layer: LayerInfo) -> bool:
        """Whether it is there at a layer, or at all of those that are fused."""
        if self.is_pixel or layer.is_input:
            return self.is_pixel and layer.is_input
        return not any(not self.where(part) for part in layer.parts or (layer,))

    def lacks(self, anatomy: Anatomy) -> str:
        """Why a network can't be explained by it, in words; empty where it can."""
        if not self.is_pixel or self.where(anatomy):
            return ""
        return f"it needs {self.reason}"

    def set(self, given: Settings) -> dict[str, Any]:
        """All its settings: those that are given, checked, and the defaults of the others.

        Raises:
            CamdemoError: it has no such setting.
            ChoiceError, RangeError: not a value that can be chosen; see `Option.check`.
        """
        known = {each.name: each for each in self.settings}
        for name in given:
            if name not in known:
                allowed = f"It has {', '.join(known)}." if known else "It has none."
                raise CamdemoError(f"{self.title} has no setting {shorten(name)}. {allowed}")
        return options.values(self.settings, given)


_METHODS: dict[str, Method] = {}


def add(method: Method) -> None:
    """Offer a method from now on, in place of one that had its name."""
    _METHODS[method.name] = method


def all(kind: Kind | None = None) -> tuple[Method, ...]:
    """All methods, or those of a kind, in the order in which they are offered."""
    return tuple(each for each in _METHODS.values() if kind in (None, each.kind))


def table(kind: Kind) -> str:
    """The methods of a kind as a Markdown table for README.md."""
    columns = ["Name", "Method", "Map", "Paper", "Good for", "Known of it"]
    if kind == "pixel":
        columns += ["Settings", "Forwards"]
    rows = [columns, ["---"] * len(columns)]
    for each in all(kind):
        row = [f"`{each.name}`", each.title, each.formula, each.paper, each.use, each.note]
        if kind == "pixel":
            chosen = [f"`{one.name}` {one.default_text}" for one in each.settings]
            row += [", ".join(chosen), f"{each.forwards(each.set({}), (224, 224))}"]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def input_layer(channels: int, height: int, width: int) -> LayerInfo:
    """Where pixel methods look: the input itself, as if it were a layer."""
    return LayerInfo(INPUT, channels, height, width, stage=False)


def find(name: str) -> Method:
    """The method of that name.

    Raises:
        ChoiceError: there is none.
    """
    if name not in _METHODS:
        raise ChoiceError("method", name, list(_METHODS))
    return _METHODS[name]


def check(
    name: str, layer: LayerInfo, versus: Rivals | None = None, layers: Sequence[LayerInfo] = ()
) -> Method:
    """The method of that name, if it can explain this layer, and compare where that is asked.

    Args:
        layers: those that there are, to say at which it is there.

    Raises:
        ChoiceError: no such method.
        CamdemoError: it is not there at this layer, or knows no label that could be compared.
    """
    method = find(name)
    if method.is_pixel and not layer.is_input:
        raise CamdemoError(
            f"{method.title} explains what the network is given, and no layer of it. Leave the "
            f"layer out, instead of {layer.name!r}."
        )
    if layer.is_input and not method.is_pixel:
        raise CamdemoError(
            f"{method.title} explains layers, and not the network's input. Name a layer, or choose "
            f"a method of pixels: {', '.join(each.name for each in all('pixel'))}."
        )
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
        use="a first look",
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
        use="earlier layers, and all layers at once",
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
        use="fine outlines at earlier layers",
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
        use="comparison",
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
        use="comparison",
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
        use="comparison",
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
        use="what stands out, whatever the label",
    )
)
