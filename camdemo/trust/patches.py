"""The score of a map: does it order the parts of the photo as the model's answer does?

Each patch of a grid is hidden by itself, and the drop of the label's logit measured. A map is as
good as its order of the patches agrees with that. What it is not: the network never saw a photo
with a hidden patch in its training, a patch alone says nothing of what several do together, and
49 patches of one photo make a noisy number. So there is an interval, and the agreement of two
ways to hide, above which no map can be expected to come.

NumPy arrays in and out; a function that answers a batch is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from ..records import Box, Fill, common_lengths, finite
from .hiding import occlude
from .likeness import ranks, spearman
from .plotting import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = 7  # patches of a side
BATCH = 8  # inputs that are asked at once
_DRAWS = 1000  # of the bootstrap
_LEVEL = 0.95  # of its interval, and of all comparisons together

Answer = Callable[[np.ndarray], np.ndarray]  # float32 (n, 3, side, side) -> logits (n, labels)
Progress = Callable[[int, int], None]  # inputs that have been answered, inputs in all
MapName = tuple[str, str]  # method, layer
Span = tuple[tuple[float, float], tuple[float, float]]  # rows and columns, from where to where
WHOLE: Span = ((0, 1), (0, 1))  # as shares of the input


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """What the model answers without each of the patches, for all labels.

    Attributes:
        whole: float32 (labels,), the logits of the photo as it is.
        without: float32 (fills, grid * grid, labels), those without a patch, row by row.
        fills: what took the patches' place.
        span: where on the input the patches lie: on the photo, and not on the bars beside it.
    """

    whole: np.ndarray
    without: np.ndarray
    fills: tuple[Fill, ...]
    span: Span = WHOLE

    @property
    def grid(self) -> int:
        """Patches of a side."""
        return round(self.without.shape[1] ** 0.5)

    def drops(self, target: int, versus: int | None = None) -> np.ndarray:
        """How much the label's logit loses with each patch, float32 (fills, grid, grid).

        Args:
            versus: a label; then it is how much the difference of the two logits loses.
        """
        lost = self.whole - self.without
        drop = lost[..., target] if versus is None else lost[..., target] - lost[..., versus]
        return drop.reshape(len(self.fills), self.grid, self.grid)


@dataclass(frozen=True, slots=True)
class Score:
    """How well a map orders the patches: Spearman's correlation, and where it may well lie.

    Attributes:
        value: -1 to 1; 1 is the order of the drops, 0 none (also of a map without differences).
        low, high: the bounds of 95 % of 1,000 draws of the patches with replacement.
    """

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How well each map orders the patches of the photo, for one label.

    Attributes:
        label: what the maps explain: "lion", or "lion rather than cheetah".
        values: the score of each map, by (method, layer), best first.
        shown: the map on which `text` says most.
        is_clear: whether the best map is better than the shown one by more than its luck: the
            draws of their difference stay clear of 0 even though the best was chosen among all.
        agreement: how well the orders of two fills agree, on average over all pairs of them: the
            ceiling. None for one fill alone.
        drops: float32 (fills, grid, grid), see `Patches.drops`; itself a map of a kind.
        fills: what took the patches' place.
        titles: what people call each map: "Grad-CAM at layer4".
    """

    label: str
    values: Mapping[MapName, Score]
    shown: MapName
    is_clear: bool
    agreement: float | None
    drops: np.ndarray
    fills: tuple[Fill, ...]
    titles: Mapping[MapName, str] = field(repr=False)

    @property
    def best(self) -> MapName:
        """The map with the highest score, which on one photo is not yet the best map."""
        return next(iter(self.values))

    @property
    def chance(self) -> float:
        """How far from 0 a random order comes: its standard deviation, 0.14 of 49 patches.

        Smooth maps come a little further, since neighbours go together in them.
        """
        return (self.drops[0].size - 1) ** -0.5

    @property
    def text(self) -> str:
        """What was found, in a few sentences that call no small difference a win."""
        shown, best = self.values[self.shown], self.values[self.best]
        low = shown.value <= 2 * self.chance
        sentences = [
            f"Of {self.drops[0].size} patches hidden one by one, {self.titles[self.shown]} orders "
            f"what each takes from {self.label} at {shown.text}"
            f"{', not clearly better than chance' if low else ''}."
        ]
        if self.best == self.shown:
            sentences.append(f"No other of {len(self.values)} maps is higher.")
        elif self.is_clear:
            sentences.append(
                f"Of {len(self.values)} maps {self.titles[self.best]} is highest, {best.text}, and "
                "clearly higher on this photo."
            )
        else:
            sentences.append(
                f"Of {len(self.values)} maps {self.titles[self.best]} is highest, {best.text}: "
                "no clear difference."
            )
        sentences.append(f"Chance is 0, give or take {2 * self.chance:.2f}.")
        if self.agreement is not None:
            sentences.append(f"Two ways to hide agree at {self.agreement:.2f}, the most to expect.")
        return " ".join(sentences)

    def plot(self, axes: Axes | None = None, most: int = 20) -> Axes:
        """The scores as bars, the best `most`, with their intervals, chance and ceiling.

        Args:
            axes: matplotlib's, to draw on; None for a new figure's.

        Raises:
            CamdemoError: matplotlib is not installed.
        """
        axes = axes_of(axes)
        kept = list(self.values.items())[:most]
        if self.shown not in dict(kept):
            kept.append((self.shown, self.values[self.shown]))
        values = np.array([one.value for _, one in kept])
        lows, highs = (np.array([getattr(one, end) for _, one in kept]) for end in ("low", "high"))
        spread = np.stack([values - lows, highs - values])
        colours = ["tab:orange" if name == self.shown else "tab:blue" for name, _ in kept]
        axes.axvspan(-2 * self.chance, 2 * self.chance, color="0.9", label="chance")
        axes.barh(range(len(kept)), values, color=colours)
        axes.errorbar(values, range(len(kept)), xerr=np.maximum(spread, 0), fmt="none", color="0.3")
        if self.agreement is not None:
            axes.axvline(self.agreement, color="0.3", linestyle="--", label="two ways to hide")
        axes.set_yticks(range(len(kept)), [self.titles[name] for name, _ in kept])
        axes.invert_yaxis()
        axes.set_xlabel("rank correlation with the drop of the logit")
        axes.set_title(self.label)
        axes.legend()
        return axes


def masks(side: int, grid: int = GRID, part: Box | None = None) -> np.ndarray:
    """The patches one by one, row by row: bool (grid * grid, side, side).

    Args:
        part: the pixels that they cover; None for all.
    """
    part = part or Box(0, 0, side, side)
    found = np.zeros((grid, grid, side, side), bool)
    rows, columns = (np.arange(size) * grid // size for size in (part.height, part.width))
    which = np.arange(grid)[:, np.newaxis]
    found[:, :, *part.slices] = (rows == which)[:, np.newaxis, :, np.newaxis] & (columns == which)[
        :, np.newaxis
    ]
    return found.reshape(grid * grid, side, side)


def means(cam: np.ndarray, grid: int = GRID, span: Span = WHOLE) -> np.ndarray:
    """The mean of a map (h, w) over each of grid x grid equal parts, float64 (grid, grid).

    A cell that lies in two of them counts in each with its share.

    Args:
        span: what of the map they cover.
    """
    down, across = (
        common_lengths(np.linspace(first, last, grid + 1), np.linspace(0, 1, cells + 1))
        * (grid / (last - first))  # rows add up to 1
        for cells, (first, last) in zip(cam.shape, span, strict=True)
    )
    return down @ cam @ across.T


def hide_each(
    answer: Answer,
    inputs: np.ndarray,
    fillings: Mapping[Fill, np.ndarray],
    grid: int = GRID,
    progress: Progress | None = None,
    part: Box | None = None,
) -> Patches:
    """Hide each patch by itself, and ask.

    Args:
        inputs: float32 (1, 3, side, side).
        fillings: what takes a patch's place, float32 (3, side, side) each.
        progress: called after each batch.
        part: the input's pixels that show the photo, which the patches cover; None for all.

    Raises:
        CamdemoError: an answer that is no number.
    """
    side = inputs.shape[-1]
    part = part or Box(0, 0, side, side)
    hidden = masks(side, grid, part)
    total = 1 + len(fillings) * len(hidden)
    whole = finite(answer(inputs))[0]
    without: list[np.ndarray] = []
    for filled in fillings.values():
        for start in range(0, len(hidden), BATCH):
            batch = occlude(inputs, hidden[start : start + BATCH], filled)
            without.extend(finite(answer(batch)))
            if progress:
                progress(1 + len(without), total)
    shape = len(fillings), len(hidden), -1
    span = (part.top / side, part.bottom / side), (part.left / side, part.right / side)
    return Patches(whole, np.stack(without).reshape(shape), tuple(fillings), span)


def rank_maps(
    maps: Mapping[MapName, np.ndarray],
    drops: np.ndarray,
    fills: tuple[Fill, ...],
    shown: MapName,
    label: str,
    titles: Mapping[MapName, str],
    span: Span = WHOLE,
    seed: int = 0,
) -> Scores:
    """The score of each map: its order of the patches against that of their drops.

    With several fills a score is the mean of the scores with each. The intervals are those of
    the correlation of ranks when patches are drawn with replacement (Efron and Tibshirani 1993);
    the ranks themselves are not drawn again.

    Args:
        maps: signed maps (h, w); `shown` is one of them.
        drops: float32 (fills, grid, grid).
        span: see `Patches`.
        seed: of the draws.
    """
    names = list(maps)
    grid = drops.shape[-1]
    of_maps = np.stack([ranks(means(maps[name], grid, span)).ravel() for name in names], axis=1)
    of_drops = [ranks(drop).ravel() for drop in drops]
    n = grid * grid
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), _DRAWS) / n
    counts = np.concatenate([np.full((1, n), 1 / n), draws])  # the first is no draw
    found = np.mean([_correlations(counts, of_maps, drop) for drop in of_drops], axis=0)
    values, drawn = found[0], found[1:]
    low, high = np.quantile(drawn, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    order = np.argsort(-values, kind="stable")
    scores = {
        names[i]: Score(float(values[i]), float(low[i]), float(high[i])) for i in order.tolist()
    }
    best, mine = int(order[0]), names.index(shown)
    pairs = combinations(of_drops, 2)
    agreements = [spearman(one, other) for one, other in pairs]
    return Scores(
        label=label,
        values=scores,
        shown=shown,
        is_clear=_is_clear(found[:, best] - found[:, mine], len(names)),
        agreement=float(np.mean(agreements)) if agreements else None,
        drops=drops,
        fills=fills,
        titles=titles,
    )


def _is_clear(differences: np.ndarray, maps: int) -> bool:
    """Whether a difference is more than luck, though it is the largest of so many (Bonferroni).

    Args:
        differences: (1 + draws,), the one that was found, and those of the draws.
    """
    if maps < 2:
        return False
    errors = NormalDist().inv_cdf(1 - (1 - _LEVEL) / 2 / (maps - 1))
    return bool(differences[0] > errors * differences[1:].std())


def _correlations(counts: np.ndarray, of_maps: np.ndarray, of_drops: np.ndarray) -> np.ndarray:
    """The correlation of each map's ranks (n, maps) with the drops' (n,) for each draw.

    Args:
        counts: (draws, n), how often each patch was drawn, as a share.

    Returns:
        float64 (draws, maps); 0 where there is nothing to order.
    """
    a = of_maps - of_maps.mean(axis=0)
    b = (of_drops - of_drops.mean())[:, np.newaxis]
    mean_a, mean_b = counts @ a, counts @ b
    both = counts @ (a * b) - mean_a * mean_b
    size = (counts @ a**2 - mean_a**2) * (counts @ b**2 - mean_b**2)
    flat = size <= 1e-9  # ranks are whole or half numbers
    return np.where(flat, 0, both / np.sqrt(np.where(flat, 1, size)))
