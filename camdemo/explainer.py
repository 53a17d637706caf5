"""The Explainer: the one door to everything else.

Torch takes seconds to import, so it is imported by the first call that needs it: a page can be
served, and a catalogue listed, before that.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from . import methods, options
from . import photo as photos
from .engine.local import LocalEngine
from .engine.pixels import check_there, job_of
from .engine.protocol import (
    Engine,
    FindLayers,
    FirstMap,
    MapAndLogits,
    PixelAnswer,
    Progress,
    Rank,
    offer,
)
from .errors import CamdemoError
from .explanation import Explanation
from .models import CATALOGUE, Catalogue, labels, weights
from .models.rivals import find_rivals, told
from .photo import Photo
from .records import INPUT, Activation, Framing, LayerInfo, ModelSpec, Timings
from .settings import Settings
from .warmup import State, WarmUp

Reader = Callable[[Photo, int], Image.Image]  # from a photo and the most pixels it may have


class Explainer:
    """Explains photos with the models of a catalogue. Safe to share between threads.

    Args:
        settings: `model`, `cache_models`, `lanes`, `device` and `max_megapixels` count here.
        catalogue: the models; see `Catalogue.plus` for more of them.
        engine: what runs them; None for this machine.
        read: how photos are read; see `photo.read`.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        catalogue: Catalogue = CATALOGUE,
        engine: Engine | None = None,
        read: Reader = photos.read,
    ) -> None:
        self.settings = settings or Settings()
        self.catalogue = catalogue
        self.engine = engine or LocalEngine(catalogue, self.settings)
        self._read = read
        self._start = WarmUp(self.settings.model, catalogue, self.engine)

    # -- the start of a process

    def default_model(self) -> str:
        """The model that answers unless another is asked for: the same as long as this lives."""
        return self._start.default_model()

    def opening_note(self) -> str:
        """Why the page opens with another model than the notebook's, or with none; or empty."""
        return self._start.note()

    def warm_up(self) -> None:
        """Do before the first request what would slow it: choose, load and run the default."""
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "PNG")  # a file, so that what reads them is tried
        self._start.run(lambda: self.explain(file.getvalue()))

    def add(
        self,
        model: object,
        name: str | None = None,
        labels: object = None,
        transform: object = None,
        activation: Activation | None = None,
    ) -> Explainer:
        """Offer a network of one's own beside the others: any classifier of photos in PyTorch.

            Explainer().add(model, labels=["cat", "dog"]).explain("photo.jpg")

        A copy is taken as the network is now; the module itself is left as it was found. The first
        that is added answers by default, unless a default was chosen before.

        Args:
            model: a `torch.nn.Module` that takes float (n, channels, height, width) and returns
                logits (n, labels), or a tuple, dict or object that has them.
            name: what it is called; None for its class's name.
            labels: the names in the order of the logits: a list, a mapping from indices, or a
                file (a name a line, or JSON); None for "class 0", "class 1" and so on.
            transform: how a photo becomes its input: torchvision's or timm's transform for
                validation, or a `models.Transform`; None for ImageNet's usual one.
            activation: "softmax" or "sigmoid" (several labels may be true); None for what the
                model ends with, else sigmoid for one logit and softmax for several.

        Returns:
            This explainer. `models()[-1]` tells what was understood, its `note` what was assumed.

        Raises:
            CamdemoError: it is no network, can't be run, or returns no logits; labels or a
                transform that do not fit; a name that is taken; or no layer that can be explained.
        """
        from .models.own import Own

        taken = self.catalogue.names
        if name in taken:
            raise CamdemoError(f"There is a model {name!r} already. Choose another name.")
        own = next((one for one in self.catalogue.sources if isinstance(one, Own)), Own())
        spec = own.take(model, name, labels, transform, activation, taken=taken)
        before, catalogue = self.catalogue, self.catalogue.plus(own, spec)
        offer(self.engine, catalogue)
        self.catalogue = catalogue
        try:
            self.default_layer(spec.name)
        except CamdemoError:
            offer(self.engine, before)
            self.catalogue = before
            own.forget(spec.name)
            raise
        self._start.offer(catalogue, spec.name)
        return self

    @property
    def state(self) -> State:
        """How far `warm_up` is: "cold", "starting", "ready", or "failed" with the reason."""
        return self._start.state

    def models(self) -> tuple[ModelSpec, ...]:
        """The catalogue; `ready` tells whether the weights are on this machine now."""
        return tuple(self._told(spec) for spec in self.catalogue)

    def model(self, name: str) -> ModelSpec:
        """One of them.

        Raises:
            ChoiceError: no such model.
        """
        return self._told(self.catalogue.find(name))

    def _told(self, spec: ModelSpec) -> ModelSpec:
        return replace(spec, ready=weights.is_ready(spec, self.catalogue))

    def layers(self, model: str) -> tuple[LayerInfo, ...]:
        """The layers of a model that can be explained, in the order of execution.

        The weights need not be here for that. Of a name besides these, "all", see `explain`.

        Raises:
            ChoiceError: no such model.
        """
        return self.engine.run(FindLayers(self.catalogue.find(model).name))

    def default_layer(self, model: str) -> LayerInfo:
        """The layer of a model that is explained unless another is asked for."""
        return methods.default(self.layers(model))

    def labels(self, model: str | None = None) -> tuple[str, ...]:
        """The labels of a model in the order of their indices; None for `default_model()`.

        Raises:
            ChoiceError: no such model.
        """
        spec = self.catalogue.find(self.default_model() if model is None else model)
        return self.catalogue.source_of(spec).labels(spec)

    def find_label(self, target: int | str | None, model: str | None = None) -> int | None:
        """The index of a model's label, given by its name or its index; see `labels.find`."""
        return labels.find(self.labels(model), target)

    def fetch(self, model: str, progress: Progress | None = None) -> None:
        """Make sure that the weights of a model are on this machine; see `weights.fetch`.

        Raises:
            ChoiceError: no such model.
            WeightsError: they can't be had.
        """
        self.engine.fetch(self.catalogue.find(model).name, progress)

    def opening(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is explained first where a person waits, of arguments for `explain`.

        A method of pixels may take minutes: then the default method at the last stage.

        Raises:
            ChoiceError, RangeError, CamdemoError: as `explain`, of the method and its settings.
        """
        method = methods.find(asked.get("method", methods.DEFAULT))
        method.set(options.pairs(asked["settings"]) if "settings" in asked else {})
        pixels = ("method", "layer", "settings") if method.is_pixel else ()
        return {name: value for name, value in asked.items() if name not in pixels}

    # -- what it is for

    def explain(
        self,
        photo: Photo,
        model: str | None = None,
        layer: str | None = None,
        target: int | str | None = None,
        framing: Framing | str = "crop",
        progress: Progress | None = None,
        versus: int | str | Sequence[int | str] | None = None,
        method: str = "gradcam",
        passing: bool = False,
        strength: float = 1.0,
        settings: Mapping[str, Any] | str | None = None,
        watch: Progress | None = None,
        **more: Any,
    ) -> Explanation:
        """Predict, and map the evidence for one label, at one layer or for each pixel.

        All of this is checked before anything is decoded, fetched or computed; but whether a
        frame lies within the photo shows only when that is decoded.

        Args:
            photo: path, bytes of a file, Pillow image, or uint8 array (H, W, 3).
            model: a name of the catalogue; None for `default_model()`.
            layer: a name of `layers(model)`; None for the last stage; "all" for the last four
                stages together (see `methods.fuse`), on the finest grid of theirs, at most 56 x 56.
                A method of pixels explains the network's input, and no layer: `layer` of its
                explanation is that input, named "input", of as many cells as pixels.
            target: a label or its index; None for the most probable label.
            framing: "crop" (as the weights were validated), "whole" (the photo, squeezed), "fit"
                (the photo between bars of the training mean, nothing squeezed), or a Box (or its
                text, "left,top,right,bottom") in pixels of the upright photo.
            progress: called while weights are downloaded.
            versus: a label or its index to compare with ("why lion and not cheetah?"), several
                of them, or "others": the rest of the five most probable labels. The map then
                explains the logit less the mean of theirs: positive cells speak for the target
                and negative ones for these.
            method: how the evidence is computed; a name of the registry. Of a method of pixels
                the map is as large as the network's input.
            passing: whether this is one of many in a row, such as a camera's frames: other
                people's first maps and answers go before it, and no engine keeps anything of it.
                No method of pixels heeds it.
            strength: how much of that mean is subtracted, 0 to 1.
            settings: those of a method of pixels, as {"steps": 32} or "steps=32,baseline=blur";
                what is not given is the method's default. They may stand here by their names, too:
                `explain(photo, method="integrated_gradients", steps=32, baseline="blur")`.
            watch: called, from another thread, with how many forwards of such a method are done
                and how many there are. What it raises ends the computation.

        Raises:
            ChoiceError, RangeError: an unknown model, layer, label, index, framing or method, or a
                setting or strength out of range.
            CamdemoError: a label compared with itself or with none; a method that is not there at
                this layer or for this model, or that can't compare; a setting that it has not.
            RegionError: a frame that is not within the photo, or has no area.
            ImageError: the photo can't be read.
            WeightsError: the weights can't be had.
        """
        spec = self.catalogue.find(self.default_model() if model is None else model)
        known = methods.find(method)  # it is told before a layer is looked for
        given = options.pairs(settings) if isinstance(settings, str) else settings
        chosen = known.set({**(given or {}), **more})
        framing = photos.find_framing(framing)
        names = self.labels(spec.name)
        index = labels.find(names, target)
        rivals = find_rivals(names, versus, index, strength)
        layers = self.layers(spec.name)
        if known.is_pixel and layer in (None, INPUT):
            where = methods.input_layer(*spec.transform.shape)
            check_there(self.engine, spec, known)
        else:
            where = methods.find_layer(layers, layer)
        methods.check(method, where, rivals, layers)

        started = time.perf_counter()
        image = self._read(photo, 10**6 * self.settings.max_megapixels)
        decoded = time.perf_counter()
        region = photos.seen_region(image.size, spec.transform, framing)
        inputs = photos.prepare(image, framing, spec)
        prepared = time.perf_counter()

        found: MapAndLogits
        if known.is_pixel:
            self.engine.fetch(spec.name, progress)
            job = job_of(spec, known, inputs, index, rivals, chosen)
            found = self.engine.run(job, watch)
        else:
            rank = Rank.SWEEP if passing else Rank.FIRST_MAP
            first = FirstMap(spec.name, where, method, inputs, index, rivals, rank, passing)
            found = self.engine.run(first, progress)

        probabilities = labels.probabilities(found.logits, spec.activation)
        if rivals is not None:
            rivals = rivals.among(found.logits, found.target)
        return Explanation(
            predictions=labels.top(names, probabilities),
            target=labels.prediction(names, probabilities, found.target),
            versus=told(names, probabilities, rivals),
            strength=1.0 if rivals is None else rivals.strength,
            cam=found.map,
            box=photos.to_box(region),
            part=photos.photo_part(image.size, spec.transform, framing),
            image=image,
            model=spec,
            layer=where,
            method=method,
            settings=chosen,
            gap=found.gap if isinstance(found, PixelAnswer) else None,
            framing=framing,
            timings=Timings(
                decode=1000 * (decoded - started),
                prepare=1000 * (prepared - decoded),
                explain=found.milliseconds,
            ),
            device=found.device,
            inputs=inputs,
            probabilities=probabilities,
            labels=names,
            layers=layers,
            engine=self.engine,
        )
