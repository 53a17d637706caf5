"""The score of every map: each patch of the photo is hidden by itself."""

from __future__ import annotations

from collections.abc import Sequence

from .. import methods, question
from ..engine.protocol import Rank, Sweep
from ..errors import ChoiceError
from ..records import Fill, LayerInfo
from ..trust import patches, scores
from ..trust.patches import Patches
from ..trust.scores import Scores
from .asked import Asked, whole


class ScoreTrials(Asked):
    """How well the maps order the patches."""

    def hide_each(
        self,
        fills: Fill | Sequence[Fill] = ("blur", "mean"),
        grid: int = patches.GRID,
        progress: patches.Progress | None = None,
    ) -> Patches:
        """Hide each patch of a grid by itself: what is left of all labels' logits?

        Args:
            fills: what takes a patch's place; each costs grid * grid forwards.
            grid: patches of a side, 2 to 16.
            progress: called with what is known so far, after each batch; `scores` takes it, too.

        Raises:
            ChoiceError, RangeError: another fill, or a grid out of range.
            WeightsError: the weights can't be had any more.
            Abandoned: whoever asked has gone.
        """
        names: Sequence[Fill] = (fills,) if isinstance(fills, str) else fills
        if not names:
            raise ChoiceError("fill", "", question.FILLS)
        fillings = {name: self._filled(name) for name in names}
        size = whole("grid", grid, 2, 16)
        return patches.hide_each(self._logits, self.inputs, fillings, size, progress, self.part)

    def scores(
        self, hidden: Patches | None = None, progress: patches.Progress | None = None
    ) -> Scores:
        """How well every method orders the photo's patches for this label.

        At every stage and at the last stages together: Spearman's correlation between a patch's
        mean in the map and what hiding that patch alone takes from the label's logit (of a
        comparison: from the logit less the mean of the others'). It is a hint, and no verdict: see
        `trust.patches`.

        Args:
            hidden: what `hide_each` gave, which holds for all labels and maps of this photo; None
                for its defaults, a grid of 7 x 7 and two fills.
            progress: as for `hide_each`.

        Raises:
            WeightsError, Abandoned: as `hide_each`.
        """
        if hidden is None:
            hidden = self.hide_each(progress=progress)
        target, rivals = self.target.index, self.rivals
        # (What knows no label can't compare two.)
        offered = [one for one in methods.all("layer") if rivals is None or one.knows_label]
        layers = [*(one for one in self.layers if one.stage), methods.fused(self.layers)]
        job = Sweep(
            model=self.model.name,
            layers=tuple(layers),
            methods=tuple(one.name for one in offered),
            targets=(target,),
            inputs=self.inputs,
            versus=rivals,
            rank=Rank.YARDSTICK,
        )
        maps = {(method, layer): cam for (method, layer, _), cam in self.engine.run(job).items()}
        shown = self.method, self.layer.name
        return scores.rank_maps(
            maps | {shown: self.cam},
            hidden.drops(target, rivals),
            hidden.fills,
            shown,
            self.explained,
            {
                (method.name, layer.name): f"{method.title} at {_called(layer)}"
                for method in methods.all("layer")
                for layer in (*layers, self.layer)
            }
            | ({shown: methods.find(self.method).title} if self.layer.is_input else {}),
            hidden.span,
        )


def _called(layer: LayerInfo) -> str:
    return "the last stages together" if layer.parts else layer.name
