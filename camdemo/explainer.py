"""The Explainer: the one door to everything else.

Torch and Captum take seconds to import, so they are imported by the first call that needs
them: a page can be served, and a catalogue listed, before that.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import images, models, weights
from .errors import CamdemoError, ChoiceError, RangeError
from .explanation import Explanation
from .images import Photo
from .records import FRAMINGS, Framing, LayerInfo, ModelSpec, Prediction, Timings
from .settings import Settings

if TYPE_CHECKING:
    from torch import nn

_TOP = 5
_PATIENCE = 5.0  # seconds that the start waits for the notebook's weights


@dataclass(frozen=True)
class _Loaded:
    """A network in memory. The lock is held while a hook is on it."""

    network: nn.Module
    lock: threading.Lock


class Explainer:
    """Explains photos with the models of the catalogue. Safe to share between threads.

    Up to `settings.cache_models` networks stay in memory, least recently used out first.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._layers: dict[str, tuple[LayerInfo, ...]] = {}
        self._lock = threading.Lock()  # of the two dictionaries
        self._decided = threading.Event()  # cleared while `warm_up` chooses the default
        self._decided.set()
        self._loading: dict[str, threading.Lock] = {name: threading.Lock() for name in models.NAMES}

    def models(self) -> tuple[ModelSpec, ...]:
        """The catalogue; `ready` tells whether the weights are on this machine now."""
        return tuple(replace(spec, ready=weights.is_ready(spec)) for spec in models.CATALOGUE)

    def default_model(self) -> str:
        """The model that answers unless another is asked for; see `Settings.model`.

        While `warm_up` waits for the notebook's weights, this waits for its decision.
        """
        self._decided.wait(2 * _PATIENCE)
        if self.settings.model:
            return self.settings.model
        notebook = models.find(models.NOTEBOOK_DEFAULT)
        return notebook.name if weights.is_ready(notebook) else models.BUNDLED_DEFAULT

    def opening_note(self) -> str:
        """Why the page opens with another model than the notebook's; empty if it does not."""
        default = self.default_model()
        if self.settings.model or default == models.NOTEBOOK_DEFAULT:
            return ""
        wanted, opened = models.find(models.NOTEBOOK_DEFAULT), models.find(default)
        return (
            f"{wanted.title}'s weights are not on this machine, so {opened.title} answers; "
            "its own came with the installation."
        )

    def warm_up(self) -> None:
        """Do before the first request what would slow it: choose, load and run the default.

        The notebook's weights are waited for a few seconds; a download that takes longer
        goes on for later.
        """
        if not self.settings.model:
            self._decided.clear()
            attempt = threading.Thread(target=self._try_notebook_weights, daemon=True)
            attempt.start()
            attempt.join(_PATIENCE)
            self._decided.set()
        with suppress(CamdemoError):  # whoever asks for this model will be told
            self.explain(np.zeros((8, 8, 3), np.uint8))

    def _try_notebook_weights(self) -> None:
        with suppress(CamdemoError):
            self.fetch(models.NOTEBOOK_DEFAULT)

    def layers(self, model: str) -> tuple[LayerInfo, ...]:
        """The layers of a model that can be explained, in the order of execution.

        The weights need not be here for that.

        Raises:
            ChoiceError: no such model.
        """
        spec = models.find(model)
        if model not in self._layers:
            from . import layers, networks

            with self._loading[model]:
                if model not in self._layers:
                    network = networks.skeleton(spec)
                    self._layers[model] = layers.discover(network, spec.transform.crop)
        return self._layers[model]

    def default_layer(self, model: str) -> LayerInfo:
        """The layer of a model that is explained unless another is asked for."""
        from . import layers

        return layers.default(self.layers(model))

    def labels(self) -> tuple[str, ...]:
        """The labels of all models, in the order of their indices."""
        from . import networks

        return networks.labels()

    def fetch(self, model: str, progress: weights.Progress | None = None) -> None:
        """Make sure that the weights of a model are on this machine; see `weights.fetch`.

        Raises:
            ChoiceError: no such model.
            WeightsError: they can't be had.
        """
        spec = models.find(model)
        if not weights.is_ready(spec):
            from . import networks

            networks.fetch(spec, progress)

    def explain(
        self,
        photo: Photo,
        model: str | None = None,
        layer: str | None = None,
        target: int | str | None = None,
        framing: Framing = "crop",
        progress: weights.Progress | None = None,
    ) -> Explanation:
        """Predict, and map the evidence for one label at one layer.

        Args:
            photo: path, bytes of a file, Pillow image, or uint8 array (H, W, 3).
            model: a name of the catalogue; None for `default_model()`.
            layer: a name of `layers(model)`; None for the last stage.
            target: a label or its index; None for the most probable label.
            framing: "crop" (as the weights were validated) or "whole" (the photo, squeezed).
            progress: called while weights are downloaded.

        Raises:
            ChoiceError, RangeError: an unknown model, layer, label, index or framing.
            ImageError: the photo can't be read.
            WeightsError: the weights can't be had.
        """
        from . import attribution, layers

        spec = models.find(self.default_model() if model is None else model)
        if framing not in FRAMINGS:
            raise ChoiceError("framing", framing, FRAMINGS)
        where = layers.find(self.layers(spec.name), layer)
        index = self.find_label(target)

        started = time.perf_counter()
        image = images.read(photo)
        decoded = time.perf_counter()
        region = images.seen_region(image.size, spec.transform, framing)
        inputs = images.prepare(image, region, spec.transform)
        prepared = time.perf_counter()
        loaded = self._load(spec, progress)
        waited = time.perf_counter()
        with loaded.lock:
            cam, logits = attribution.grad_cam(loaded.network, where, _tensor(inputs), index)
        explained = time.perf_counter()

        probabilities = _softmax(logits)
        best = np.argsort(-probabilities, kind="stable")[:_TOP]
        chosen = int(best[0]) if index is None else index
        labels = self.labels()
        predictions = [
            Prediction(int(i), labels[i], float(probabilities[i])) for i in [*best, chosen]
        ]
        return Explanation(
            predictions=tuple(predictions[:-1]),
            target=predictions[-1],
            cam=cam,
            box=images.to_box(region),
            image=image,
            model=spec,
            layer=where,
            framing=framing,
            timings=Timings(
                decode=1000 * (decoded - started),
                prepare=1000 * (prepared - decoded),
                explain=1000 * (explained - waited),
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
        from . import layers as grids
        from . import sweep

        offered = self.layers(explanation.model.name)
        if layers is None:
            asked = [layer for layer in offered if layer.stage]
        else:
            names = {grids.find(offered, name).name for name in layers}
            asked = [layer for layer in offered if layer.name in names]
        for target in targets:
            self.find_label(target)
        loaded = self._load(explanation.model, None)
        with loaded.lock:
            return sweep.sweep(loaded.network, asked, _tensor(explanation.inputs), targets)

    def prediction(self, explanation: Explanation, index: int) -> Prediction:
        """Any label, with the probability that an explained photo's model gives it."""
        return Prediction(index, self.labels()[index], float(explanation.probabilities[index]))

    def find_label(self, target: int | str | None) -> int | None:
        """The index of a label given by its name or its index; None for None.

        Case counts only where it must: "Cardigan" is a dog, "cardigan" a garment.

        Raises:
            ChoiceError: no such label; the message has the nearest ones.
            RangeError: an index that no label has.
        """
        if target is None:
            return None
        labels = self.labels()
        if isinstance(target, str):
            if target in labels:
                return labels.index(target)
            folded = [label.casefold() for label in labels]
            if folded.count(target.casefold()) == 1:
                return folded.index(target.casefold())
            raise ChoiceError("label", target, labels)
        if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < len(labels):
            raise RangeError("label index", target, 0, len(labels) - 1)
        return target

    def _load(self, spec: ModelSpec, progress: weights.Progress | None) -> _Loaded:
        """The network, from memory or from its file. Two who ask at once load it once."""
        with self._lock:
            if spec.name in self._loaded:
                self._loaded.move_to_end(spec.name)
                return self._loaded[spec.name]
        self.fetch(spec.name, progress)  # outside the locks: it can take minutes
        from . import networks

        with self._loading[spec.name]:
            with self._lock:
                if spec.name in self._loaded:
                    return self._loaded[spec.name]
            loaded = _Loaded(networks.load(spec), threading.Lock())
            with self._lock:
                self._loaded[spec.name] = loaded
                while len(self._loaded) > self.settings.cache_models:
                    self._loaded.popitem(last=False)
            return loaded


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(values)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()
