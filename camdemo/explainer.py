"""The Explainer: the one door to everything else.

Torch and Captum take seconds to import, so they are imported by the first call that needs
them: a page can be served, and a catalogue listed, before that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from . import photo as photos
from .engine.lanes import Rank
from .engine.memory import ModelCache
from .errors import CamdemoError
from .explanation import Explanation
from .models import catalogue, labels, weights
from .photo import Photo
from .records import Fill, Framing, LayerInfo, ModelSpec, Prediction, Timings
from .settings import Settings

if TYPE_CHECKING:
    from torch import nn

    from .trust import hiding

_PATIENCE = 5.0  # seconds that the start waits for the notebook's weights


class Explainer:
    """Explains photos with the models of the catalogue. Safe to share between threads.

    Up to `settings.cache_models` networks stay in memory, least recently used out first.

    Args:
        lanes: how many networks run at the same time. One has all cores, which is fastest for
            one person; several have a core each, which is best for a crowd (see `worker`).
    """

    def __init__(self, settings: Settings | None = None, lanes: int = 1) -> None:
        self.settings = settings or Settings()
        self._cache = ModelCache(self.settings.cache_models, lanes)
        self._layers: dict[str, tuple[LayerInfo, ...]] = {}
        self._discovering = threading.Lock()
        self._decided = threading.Event()  # cleared while `warm_up` chooses the default
        self._decided.set()
        self._settled = threading.Event()  # cleared while `warm_up` runs
        self._settled.set()
        self._warm = threading.Event()

    def models(self) -> tuple[ModelSpec, ...]:
        """The catalogue; `ready` tells whether the weights are on this machine now."""
        return tuple(replace(spec, ready=weights.is_ready(spec)) for spec in catalogue.CATALOGUE)

    def default_model(self) -> str:
        """The model that answers unless another is asked for; see `Settings.model`.

        While `warm_up` waits for the notebook's weights, this waits for its decision.
        """
        self._decided.wait(2 * _PATIENCE)
        if self.settings.model:
            return self.settings.model
        notebook = catalogue.find(catalogue.NOTEBOOK_DEFAULT)
        return notebook.name if weights.is_ready(notebook) else catalogue.BUNDLED_DEFAULT

    def opening_note(self) -> str:
        """Why the page opens with another model than the notebook's; empty if it does not."""
        default = self.default_model()
        if self.settings.model or default == catalogue.NOTEBOOK_DEFAULT:
            return ""
        wanted, opened = catalogue.find(catalogue.NOTEBOOK_DEFAULT), catalogue.find(default)
        return (
            f"{wanted.title}'s weights are not on this machine, so {opened.title} answers; "
            "its own came with the installation."
        )

    def warm_up(self) -> None:
        """Do before the first request what would slow it: choose, load and run the default.

        The notebook's weights are waited for a few seconds; a download that takes longer
        goes on for later.
        """
        self._settled.clear()
        if not self.settings.model:
            self._decided.clear()
            attempt = threading.Thread(target=self._try_notebook_weights, daemon=True)
            attempt.start()
            attempt.join(_PATIENCE)
            self._decided.set()
        with suppress(CamdemoError):  # whoever asks for this model will be told
            self.explain(np.zeros((8, 8, 3), np.uint8))
        self._warm.set()
        self._settled.set()

    def is_ready(self) -> bool:
        """Whether `warm_up` is done: the next explanation finds everything in memory."""
        return self._warm.is_set()

    def is_getting_ready(self) -> bool:
        """Whether `warm_up` runs now: an explanation has to wait for it."""
        return not self._settled.is_set()

    def wait_until_ready(self, seconds: float) -> None:
        """Wait for the end of `warm_up`, but not longer."""
        self._settled.wait(seconds)

    def _try_notebook_weights(self) -> None:
        with suppress(CamdemoError):
            self.fetch(catalogue.NOTEBOOK_DEFAULT)

    def layers(self, model: str) -> tuple[LayerInfo, ...]:
        """The layers of a model that can be explained, in the order of execution.

        The weights need not be here for that.

        Raises:
            ChoiceError: no such model.
        """
        spec = catalogue.find(model)
        if model not in self._layers:
            from .methods import layers
            from .models import networks

            with self._discovering:
                if model not in self._layers:
                    network = networks.skeleton(spec)
                    self._layers[model] = layers.discover(network, spec.transform.crop)
        return self._layers[model]

    def default_layer(self, model: str) -> LayerInfo:
        """The layer of a model that is explained unless another is asked for."""
        from .methods import layers

        return layers.default(self.layers(model))

    def labels(self) -> tuple[str, ...]:
        """The labels of all models, in the order of their indices."""
        from .models import networks

        return networks.labels()

    def fetch(self, model: str, progress: weights.Progress | None = None) -> None:
        """Make sure that the weights of a model are on this machine; see `weights.fetch`.

        Raises:
            ChoiceError: no such model.
            WeightsError: they can't be had.
        """
        self._cache.fetch(catalogue.find(model), progress)

    def explain(
        self,
        photo: Photo,
        model: str | None = None,
        layer: str | None = None,
        target: int | str | None = None,
        framing: Framing | str = "crop",
        progress: weights.Progress | None = None,
        versus: int | str | None = None,
    ) -> Explanation:
        """Predict, and map the evidence for one label at one layer.

        Args:
            photo: path, bytes of a file, Pillow image, or uint8 array (H, W, 3).
            model: a name of the catalogue; None for `default_model()`.
            layer: a name of `layers(model)`; None for the last stage.
            target: a label or its index; None for the most probable label.
            framing: "crop" (as the weights were validated), "whole" (the photo, squeezed), or
                a Box (or its text, "left,top,right,bottom") in pixels of the upright photo.
            progress: called while weights are downloaded.
            versus: a label or its index to compare with ("why lion and not cheetah?"). The map
                then explains the difference of the two logits: positive cells speak for the
                target and negative ones for this label.

        Raises:
            ChoiceError, RangeError: an unknown model, layer, label, index or framing.
            CamdemoError: a label compared with itself.
            RegionError: a frame that is not within the photo, or has no area.
            ImageError: the photo can't be read.
            WeightsError: the weights can't be had.
        """
        from .methods import attribution, layers

        spec = catalogue.find(self.default_model() if model is None else model)
        framing = photos.find_framing(framing)
        where = layers.find(self.layers(spec.name), layer)
        index, rival = self.find_label(target), self.find_label(versus)
        if rival is not None and rival == index:
            raise CamdemoError(
                f"The label {self.labels()[rival]!r} can't be compared with itself. Choose another."
            )

        started = time.perf_counter()
        image = photos.read(photo, 10**6 * self.settings.max_megapixels)
        decoded = time.perf_counter()
        region = photos.seen_region(image.size, spec.transform, framing)
        inputs = photos.prepare(image, framing, spec.transform)
        prepared = time.perf_counter()

        def explain(network: nn.Module) -> tuple[np.ndarray, np.ndarray, float]:
            begun = time.perf_counter()
            maps = attribution.grad_cam(network, where, _tensor(inputs), index, rival)
            return *maps, time.perf_counter() - begun

        cam, logits, seconds = self._cache.run(spec, Rank.FIRST_MAP, explain, progress)

        probabilities = labels.probabilities(logits)
        chosen = attribution.best(logits, rival) if index is None else index
        return Explanation(
            predictions=self.top(probabilities),
            target=self.prediction(probabilities, chosen),
            versus=None if rival is None else self.prediction(probabilities, rival),
            cam=cam,
            box=photos.to_box(region),
            image=image,
            model=spec,
            layer=where,
            framing=framing,
            timings=Timings(
                decode=1000 * (decoded - started),
                prepare=1000 * (prepared - decoded),
                explain=1000 * seconds,
            ),
            inputs=inputs,
            probabilities=probabilities,
            explainer=self,
        )

    def maps(
        self, explanation: Explanation, layers: Sequence[str] | None, targets: Sequence[int]
    ) -> dict[tuple[str, int], np.ndarray]:
        """More maps of an explained photo, all from one forward pass.

        Args:
            layers: names of `layers(model)`; None for every stage.
            targets: indices of labels.

        Returns:
            {(name of the layer, index of the label): float32 (h, w)}, signed.

        Raises:
            ChoiceError, RangeError: an unknown layer or index.
            WeightsError: the weights can't be had any more.
        """
        from .methods import layers as grids
        from .methods import sweep

        offered = self.layers(explanation.model.name)
        if layers is None:
            asked = [layer for layer in offered if layer.stage]
        else:
            names = {grids.find(offered, name).name for name in layers}
            asked = [layer for layer in offered if layer.name in names]
        for target in targets:
            self.find_label(target)
        inputs = _tensor(explanation.inputs)
        rank = Rank.SWEEP if layers is None else Rank.ANSWER

        def compute(network: nn.Module) -> dict[tuple[str, int], np.ndarray]:
            between = partial(self._cache.give_way, rank)
            return sweep.sweep(network, asked, inputs, targets, between)

        return self._cache.run(explanation.model, rank, compute)

    def hide(
        self, explanation: Explanation, mask: np.ndarray, fill: Fill = "blur", keep: bool = False
    ) -> np.ndarray:
        """What the model answers when a part of what it saw is hidden.

        Args:
            mask: bool (side, side), the pixels of the network's input; see `hiding.mask_of`.
            fill: what takes their place, see `hiding.filling`.
            keep: whether these are kept, and the others hidden.

        Returns:
            float32 (labels,), the probabilities.

        Raises:
            ChoiceError: another fill.
            RegionError: a mask of another shape, or an empty one.
            WeightsError: the weights can't be had any more.
        """
        from .trust import hiding

        score, filled = self._asking(explanation, mask, fill)
        return hiding.hide(score, explanation.inputs, mask, filled, keep)

    def hide_elsewhere(
        self, explanation: Explanation, mask: np.ndarray, fill: Fill = "blur", keep: bool = False
    ) -> hiding.Yardstick:
        """The yardstick of `hide`: the same mask at 16 random places, one batch.

        See `hiding.hide_elsewhere`. Arguments and errors are those of `hide`.
        """
        from .trust import hiding

        score, filled = self._asking(explanation, mask, fill)
        return hiding.hide_elsewhere(score, explanation.inputs, mask, filled, keep)

    def _asking(
        self, explanation: Explanation, mask: np.ndarray, fill: Fill
    ) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
        """The model as a function from a batch to probabilities, and what hides a part."""
        from .models import networks
        from .trust import hiding

        spec, inputs = explanation.model, explanation.inputs
        hiding.check(mask, inputs.shape[-1])
        filled = hiding.filling(inputs, fill, spec.transform, catalogue.TRAINING_MEAN)

        def score(batch: np.ndarray) -> np.ndarray:
            rank = Rank.ANSWER if len(batch) == 1 else Rank.YARDSTICK
            parts = np.split(batch, range(networks.AT_ONCE, len(batch), networks.AT_ONCE))
            answers = [
                self._cache.run(spec, rank, partial(networks.logits, batch=part)) for part in parts
            ]
            return labels.probabilities(np.concatenate(answers))

        return score, filled

    def top(self, probabilities: np.ndarray) -> tuple[Prediction, ...]:
        """The five most probable labels, best first."""
        return labels.top(self.labels(), probabilities)

    def prediction(self, probabilities: np.ndarray, index: int) -> Prediction:
        """A label by its index, with its probability among those of all labels."""
        return labels.prediction(self.labels(), probabilities, index)

    def find_label(self, target: int | str | None) -> int | None:
        """The index of a label given by its name or its index; see `labels.find`."""
        return labels.find(self.labels(), target)


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(values)
