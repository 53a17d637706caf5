"""What a person can choose: every option once.

`Question` is what is asked, `Look` how the answer is painted, `Hiding` what becomes of a hidden
part. Each of their fields is an option (`options.py`), of which all else is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .options import Value, find, of, option, plain
from .records import Evidence, Fill, LookName

View = Literal["overlay", "photo", "split"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a photo."""

    model: str | None = option(
        None,
        "Model",
        "the network that answers",
        kind="name",
        otherwise="MobileNetV2 if its weights are here, else EfficientNet-Lite0",
    )
    layer: str | None = option(
        None,
        "Layer",
        "where in the network to look; all: the last four stages together",
        kind="name",
        otherwise="the last stage",
    )
    method: str = option(
        "gradcam",
        "Method",
        "how the evidence is computed, from a layer or for each pixel of the input",
        kind="name",
    )
    settings: str | None = option(
        None,
        "Settings",
        "of a method for each pixel, as names and values: steps=32,baseline=blur",
        kind="pairs",
        otherwise="the method's",
        short="set",
    )
    target: int | str | None = option(
        None,
        "Label",
        "the label to explain, by its name or its index",
        kind="label",
        otherwise="the most probable",
    )
    versus: int | str | tuple[int | str, ...] | None = option(
        None,
        "Against",
        "what to compare it with: a label, by its name or its index, several with ; between, or "
        "others: the mean of the rest of the five most probable",
        kind="labels",
        otherwise="nothing",
    )
    strength: float = option(
        1,
        "Strength",
        "how much of what it is compared with is subtracted",
        kind="number",
        step=0.05,
    )
    framing: str = option(
        "crop",
        "Framing",
        "what the model sees: the middle, the whole photo, squeezed or with bars beside it, or a "
        "frame of one's own, left,top,right,bottom in pixels of the photo",
        kind="frame",
        values=(
            Value("crop", "Centre crop, as validated"),
            Value("whole", "Whole photo, squeezed"),
            Value("fit", "Whole photo, letterboxed"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """How the answer is painted."""

    view: View = option(
        "overlay",
        "View",
        "what is painted",
        on_canvas=True,
        values=(
            Value("overlay", "Overlay"),
            Value("photo", "Photo"),
            Value("split", "Split"),
        ),
    )
    colormap: str = option(
        None,
        "Colour map",
        "the colours of the heat",
        otherwise="the look's: jet, in glow inferno",
        values=tuple(
            Value(name, name.title()) for name in ("jet", "turbo", "viridis", "inferno", "cividis")
        ),
    )
    opacity: float = option(
        None,
        "Opacity",
        "how much the heat covers the photo, in glow where it is strongest",
        kind="number",
        otherwise="the look's: 0.5, in glow 0.85",
        step=0.05,
    )
    evidence: Evidence | None = option(
        None,
        "Evidence",
        "what of the map is painted: what speaks for the label, what speaks for and against it, "
        "or everything from the smallest value to the largest",
        otherwise="signed for a comparison, else positive",
        values=(
            Value("positive", "For the label"),
            Value("signed", "For and against"),
            Value("minmax", "Min-max"),
        ),
    )
    smooth: float = option(
        4,
        "Smooth",
        "of a map of pixels, the standard deviation of the Gaussian that it is painted through, in "
        "pixels of the input",
        kind="number",
        high=16,
        step=0.5,
    )
    strongest: int = option(
        100,
        "Strongest",
        "the share of the area that is painted, the strongest first, in percent",
        kind="number",
        low=1,
        high=100,
        on_canvas=True,
    )
    shared: bool = option(
        True,
        "One scale for all labels",
        "whether all labels share one scale",
        kind="switch",
        on_canvas=True,
    )
    look: LookName = option(
        "notebook",
        "Look",
        "whether the photo stays itself where there is no evidence (glow) or is covered evenly, "
        "as in the notebook",
        otherwise="notebook; in the viewer glow",
        values=(
            Value("glow", "Glow", {"colormap": "inferno", "opacity": 0.85}),
            Value("notebook", "Notebook", {"colormap": "jet", "opacity": 0.5}),
        ),
    )

    def __post_init__(self) -> None:
        for name, value in brought_by(self.look).items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Hiding:
    """What becomes of a part of the photo that is hidden."""

    fill: Fill = option(
        "blur",
        "Fill with",
        "what takes the place of what is hidden",
        values=(
            Value("blur", "blurred copy"),
            Value("mean", "mean colour"),
            Value("noise", "grey noise"),
        ),
    )
    keep: bool = option(
        False, "Keep only this", "whether the part is kept, and the rest hidden", kind="switch"
    )


def brought_by(look: LookName) -> Mapping[str, Any]:
    """The colour map and the opacity of a look."""
    return next(each.brings for each in find(Look, "look").values if each.name == look)


FRAMINGS = find(Question, "framing").names  # a frame of one's own is one, too
COLORMAPS = find(Look, "colormap").names
EVIDENCE = find(Look, "evidence").names
FILLS = find(Hiding, "fill").names


def as_json(methods: Iterable[Mapping[str, Any]], look: type = Look) -> dict[str, Any]:
    """What the viewer knows of the options: {"question", "look", "fill", "keep"}.

    Args:
        methods: the values of the option `method`, each with its name and title.
    """
    question = {each.name: plain(each) for each in of(Question)}
    question["method"]["values"] = list(methods)
    painted = {each.name: plain(each) for each in of(look)}
    # The viewer glows, and knows by itself when two labels are compared.
    opens = {"look": "glow", **brought_by("glow"), "evidence": "positive"}
    for name, value in opens.items():
        painted[name]["default"] = value
    hiding = {each.name: plain(each) for each in of(Hiding)}
    return {"question": question, "look": painted, **hiding}
