"""The score of a map: does it order the parts of the photo as the model's answer does?

Each patch of a grid was hidden by itself, and the drop of the label's logit measured. A map is as
good as its order of the patches agrees with that. What it is not: the network never saw a photo
with a hidden patch in its training, a patch alone says nothing of what several do together, and
49 patches of one photo make a noisy number. So there is an interval, and the agreement of two
ways to hide, above which no map can be expected to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..records import Fill
from .likeness import ranks, spearman
from .patches import WHOLE, Span, means
from .plotting import axes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DRAWS = 1000  # of the bootstrap
_LEVEL = 0.95  # of its interval, and of all comparisons together


MapName = tuple[str, str]  # method, layer


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
        drops: float32 (fills, grid, grid), see `Patches.drops`; itself a map of a kind. NaN for
            a patch that has not been hidden yet, which counts for nothing.
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

    caveat: ClassVar[str] = (
        "A hint, no proof: the model was never trained on photos with a patch missing, a patch "
        "alone says nothing of several together, and this is one photo. In brackets: where the "
        "score may well lie. Small differences are no wins."
    )

    @property
    def best(self) -> MapName:
        """The map with the highest score, which on one photo is not yet the best map."""
        return next(iter(self.values))

    @property
    def chance(self) -> float:
        """How far from 0 a random order comes: its standard deviation, 0.14 of 49 patches.

        Smooth maps come a little further, since neighbours go together in them.
        """
        return (self._patches - 1) ** -0.5

    @property
    def _patches(self) -> int:
        return int(np.isfinite(self.drops[0]).sum())

    @property
    def verdict(self) -> str:
        """What follows, in two sentences that call no small difference a win."""
        shown = self.values[self.shown].value
        begin = f"This map, {self.titles[self.shown]}, orders the patches of the photo"
        if shown > 2 * self.chance:
            first = f"{begin} better than chance: what it shows most, {self.label} needs most."
        elif shown < -2 * self.chance:
            first = f"{begin} worse than chance: what it shows most, {self.label} needs least."
        else:
            first = f"{begin} no better than chance, as far as one photo can tell."
        if self.best == self.shown:
            return f"{first} No other of {len(self.values)} maps is higher."
        other = f"Of {len(self.values)} maps {self.titles[self.best]} is highest"
        if self.is_clear:
            return f"{first} {other}, and clearly higher on this photo."
        return f"{first} {other}, but that may be luck: no clear difference."

    @property
    def numbers(self) -> str:
        """From what it follows."""
        best = self.values[self.best].text
        others = "" if self.best == self.shown else f", the highest {best}"
        ceiling = (
            ""
            if self.agreement is None
            else f" Two ways to hide agree at {self.agreement:.2f}, the most to expect."
        )
        return (
            f"Score {self.values[self.shown].text}{others}, of {self._patches} patches hidden "
            f"one by one. Chance is 0, give or take {2 * self.chance:.2f}.{ceiling}"
        )

    @property
    def text(self) -> str:
        """What was found: what follows first, then the numbers."""
        return f"{self.verdict} {self.numbers}"

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
        drops: float32 (fills, grid, grid); NaN for a patch that has not been hidden yet.
        span: see `Patches`.
        seed: of the draws.
    """
    names = list(maps)
    grid, known = drops.shape[-1], np.isfinite(drops).all(axis=0)
    of_maps = np.stack([ranks(means(maps[name], grid, span)[known]) for name in names], axis=1)
    of_drops = [ranks(drop[known]) for drop in drops]
    n = len(of_maps)
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
