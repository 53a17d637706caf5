"""Two explanations side by side: what they share, in numbers, in words and as a picture.

The page says the same of its two halves: difference.js is this file in JavaScript.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from . import methods
from .explanation import WORTH_SAYING, Explanation
from .records import common_lengths, percent

_NO_EVIDENCE = "none at this layer"
_NONE_ON_PHOTO = "none on the photo"
_PLACES = tuple(
    "in the centre" if (row, column) == ("middle", "centre") else f"in the {row} {column}"
    for row in ("upper", "middle", "lower")
    for column in ("left", "centre", "right")
)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What two explanations say; see `compare`.

    Attributes:
        a, b: the two.
        overlap: how much the strongest fifths of the two maps overlap on the photo, 0 to 1: the
            area that lies in both over the area that lies in either. None where the photos
            differ, or a map has no positive evidence.
        chance: what it would be of as many cells at random places of one frame: a ninth of two
            full fifths. None where `overlap` is.
    """

    a: Explanation
    b: Explanation
    overlap: float | None
    chance: float | None

    @property
    def text(self) -> str:
        """The difference in a few sentences, as the page prints them."""
        if _name(self.a) == _name(self.b):
            a, b = (percent(one.target.probability) for one in self._both)
            sentences = [f"{_name(self.a)}: A {a}, B {b}."]
        else:
            sentences = [f"A: {_answer(self.a)}. B: {_answer(self.b)}."]
        a, b = (_describe(one) for one in self._both)
        frame = "" if a in (_NO_EVIDENCE, _NONE_ON_PHOTO) else " of the frame"
        sentences.append(f"Evidence: A has {a}{frame}, B has {b}.")
        for letter, one in zip("AB", self._both, strict=True):
            if not methods.find(one.method).knows_label:
                sentences.append(f"{letter}'s map is the same for all labels.")
        if self.overlap is not None and self.chance is not None:
            overlap, chance = percent(self.overlap), percent(self.chance)
            sentences.append(f"Their strongest fifths overlap by {overlap} (by chance {chance}).")
        return " ".join(sentences)

    def figure(self, **look: Any) -> Image.Image:
        """Both overlays side by side, equally high, each under a line that says what it is: RGB.

        Args:
            look: as for `Explanation.overlay`.

        Raises:
            ChoiceError, RangeError: as there.
        """
        pictures = [one.overlay(**look) for one in self._both]
        height = max(picture.height for picture in pictures)
        widths = [max(1, round(one.width * height / one.height)) for one in pictures]
        line = max(16, height // 12)  # pixels of the line above
        gap = max(2, height // 60)
        figure = Image.new("RGB", (sum(widths) + gap, line + height), "white")
        for side, left in enumerate((0, widths[0] + gap)):
            size = widths[side], height
            figure.paste(pictures[side].resize(size, Image.Resampling.BICUBIC), (left, line))
            _write(figure, f"{'AB'[side]} · {self._facts(side)}", (left, 0, widths[side], line))
        return figure

    def summary(self) -> dict[str, Any]:
        """Everything but the pictures, as plain values for JSON."""
        return {
            "a": self.a.summary(),
            "b": self.b.summary(),
            "overlap": self.overlap,
            "chance": self.chance,
            "text": self.text,
        }

    @property
    def _both(self) -> tuple[Explanation, Explanation]:
        return self.a, self.b

    def _facts(self, side: int) -> str:
        """What one of them is: in what it differs from the other, and what it answered."""
        pairs = zip(_facts_of(self.a), _facts_of(self.b), strict=True)
        differing = [pair[side] for pair in pairs if pair[0] != pair[1]]
        return " · ".join([*differing, _answer(self._both[side])])


def compare(a: Explanation, b: Explanation) -> Comparison:
    """Set two explanations beside each other: of two models, layers, methods or photos.

    Labels need not agree. ("Why lion and not cheetah?" is better asked with `versus`, see
    `Explainer.explain`.)
    """
    if not _same_photo(a, b):
        return Comparison(a, b, None, None)
    (kept_a, areas_a), (kept_b, areas_b) = (_strongest(one) for one in (a, b))
    area_a, area_b = float(areas_a[kept_a].sum()), float(areas_b[kept_b].sum())
    if not area_a or not area_b:
        return Comparison(a, b, None, None)
    down, across = map(common_lengths, _edges(a), _edges(b))
    both = float((kept_a * (down @ kept_b @ across.T)).sum())
    share_a, share_b = area_a / float(areas_a.sum()), area_b / float(areas_b.sum())
    chance = share_a * share_b / (share_a + share_b - share_a * share_b)
    return Comparison(a, b, both / (area_a + area_b - both), chance)


def _same_photo(a: Explanation, b: Explanation) -> bool:
    if a.image is b.image:
        return True
    return a.image.size == b.image.size and np.array_equal(np.asarray(a.image), np.asarray(b.image))


def _edges(one: Explanation) -> tuple[np.ndarray, np.ndarray]:
    """Where the cells of the map begin and end on the photo, in its pixels, down and across.

    Those in the bars of "fit" have no length.
    """
    (height, width), box = one.cam.shape, one.box
    return (
        np.linspace(box.top, box.bottom, height + 1).clip(0, one.image.height),
        np.linspace(box.left, box.right, width + 1).clip(0, one.image.width),
    )


def _strongest(one: Explanation) -> tuple[np.ndarray, np.ndarray]:
    """The fifth of the cells on the photo with the most evidence, as far as it is positive.

    Returns:
        bool (h, w), and the area of each cell on the photo, float64 (h, w).
    """
    down, across = (np.diff(edges) for edges in _edges(one))
    areas = np.outer(down, across)
    values = np.where(areas > 0, one.cam, -np.inf).ravel()
    count = max(1, int(np.count_nonzero(areas) / 5 + 0.5))
    order = np.argsort(-values, kind="stable")[:count]
    kept = np.zeros(values.size, bool)
    kept[order] = values[order] > 0
    return kept.reshape(areas.shape), areas


# -- in words


def _name(one: Explanation) -> str:
    return one.target.label + (f" against {one.against}" if one.versus else "")


def _answer(one: Explanation) -> str:
    return f"{_name(one)} {percent(one.target.probability)}"


def _facts_of(one: Explanation) -> tuple[str, str, str]:
    return one.model.title, one.layer.name, methods.find(one.method).title


def _describe(one: Explanation) -> str:
    """Where the evidence lies, and how wide; of what lies on the photo, as the page says it."""
    positive = np.maximum(one.cam.astype(np.float64), 0)
    total = float(positive.sum())
    if total <= 0:
        return _NO_EVIDENCE
    height, width = one.inputs.shape[-2:]
    down = _thirds(positive.shape[0], height, one.part.top, one.part.bottom)
    across = _thirds(positive.shape[1], width, one.part.left, one.part.right)
    ninths = down.T @ positive @ across
    on_photo = float(ninths.sum())
    if on_photo <= 0:
        return _NONE_ON_PHOTO
    counted = on_photo if one.in_bars(one.cam) > WORTH_SAYING else total
    weights = np.outer(down.sum(axis=1), across.sum(axis=1)).ravel()
    order = np.argsort(-positive, axis=None, kind="stable")
    reached = np.cumsum(positive.ravel()[order] * weights[order]) >= counted / 2
    half = weights[order][: int(reached.argmax()) + 1].sum() / weights.sum()
    return f"{_where(ninths, counted)} and half in {percent(float(half))}"


def _thirds(cells: int, pixels: int, start: int, end: int) -> np.ndarray:
    """How much of each cell in a row lies in each third of the photo: (cells, 3), 0 to 1."""
    lengths = common_lengths(np.linspace(0, pixels, cells + 1), np.linspace(start, end, 4))
    return lengths * (cells / pixels)


def _where(ninths: np.ndarray, counted: float) -> str:
    """How much of the evidence lies in the ninth of the frame that has most of it."""
    largest, on_photo = float(ninths.max()), float(ninths.sum())
    if largest <= 0.125 * on_photo and ninths.min() >= 0.1 * on_photo:  # each has about 0.111
        return "it evenly spread"
    best = np.flatnonzero(ninths > largest * (1 - 1e-9))  # sums are rounded
    place = _PLACES[best[0]] if best.size == 1 else "in each of its largest parts"
    return f"{percent(largest / counted)} {place}"


# -- as a picture


def _write(figure: Image.Image, text: str, area: tuple[int, int, int, int]) -> None:
    """Write a line into an area (left, top, width, height), as large as fits."""
    left, top, width, height = area
    size = 0.6 * height
    font = ImageFont.load_default(size)
    if font.getlength(text) > width:
        font = ImageFont.load_default(max(6, size * width / font.getlength(text)))
    middle = (left, top + height / 2)
    ImageDraw.Draw(figure).text(middle, text, fill="#111827", font=font, anchor="lm")
