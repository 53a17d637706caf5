"""A person's own networks: taken as they are, and looked at before anybody asks them.

What is kept is a copy, in evaluation mode, frozen, in float32 and on the CPU: the module that was
handed over is left as it was found, and may be trained on without a map changing.
"""

# A source answers for one model, also where its answer is the same for all.
# ruff: noqa: ARG002

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CamdemoError, ChoiceError, shorten
from ..records import Activation, ModelSpec, Transform
from . import labels as naming
from . import networks, transforms
from .outputs import Answer, describe, end_of, logits_of, skip
from .sources import State, imagenet_labels

_ACTIVATIONS = ("softmax", "sigmoid")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,79}", re.ASCII)  # as it can stand in an address


@dataclass
class Own:
    """The `Source` of networks that were handed over; see `take`."""

    name: str = "own"
    phrase: str = "handed over"
    networks: dict[str, nn.Module] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of the labels

    def take(
        self,
        model: object,
        name: str | None = None,
        labels: object = None,
        transform: object = None,
        activation: Activation | None = None,
        taken: Collection[str] = (),
        note: str = "",
    ) -> ModelSpec:
        """Keep a copy of a network, which `Catalogue.plus` can then offer.

        Args:
            model: any classifier of photos. What wraps it for training or compilation is left
                aside.
            name: what it is called; None for its class's name. In a list of models, with what may
                stand in an address: letters, digits, "_", "-" and ".".
            labels: see `labels.read`; where there are none, those that the model itself knows
                (Hugging Face's `config.id2label`).
            transform: see `transforms.read`.
            activation: "softmax" or "sigmoid"; None for what the model ends with, else sigmoid
                for one logit and softmax for several.
            taken: names of other models. A class's name that is taken gets a number.
            note: what people should know besides.

        Raises:
            CamdemoError: it is no network, can't be run, or its answer is no row of logits.
            ChoiceError: another activation.
        """
        module = _unwrapped(model)
        name = _named(name, free(type(module).__name__.lower(), taken))
        if activation is not None and activation not in _ACTIVATIONS:
            raise ChoiceError("activation", activation, _ACTIVATIONS)
        read, said = transforms.read(transform, module)
        network = _snapshot(module)
        config = _config(module)
        answer = _answer(_run(network, read)[1])
        wanted = activation or config.get("activation")
        activation, end, told = _tamed(network, read, answer, wanted)
        names = naming.read(config.get("labels") if labels is None else labels, answer.shape[1])
        both = len(names) > answer.shape[1]
        if both and activation == "softmax":
            raise CamdemoError("One logit has no softmax. Leave the activation out.")
        network.register_forward_hook(Answer(end, both))
        parameters = sum(each.numel() for each in network.parameters())
        self.networks[name], self.names[name] = network, names
        return ModelSpec(
            name=name,
            title=name,
            source=self.name,
            weights="",
            parameters=parameters,
            megabytes=round(4 * parameters / 2**20, 1),
            transform=read,
            training_mean=_mean_colour(read),
            channels_last=False,
            activation=activation,
            vocabulary="ImageNet" if names == imagenet_labels() else name,
            note=" ".join(filter(None, (note, said, told))),
        )

    def forget(self, name: str) -> None:
        """Keep it no longer."""
        del self.networks[name], self.names[name]

    # -- what a source is asked

    def skeleton(self, spec: ModelSpec) -> nn.Module:
        """A twin of the network, or where that can't be, the one that is kept."""
        network = self.networks[spec.name]
        try:
            return networks.twin(network)
        except CamdemoError:
            return network

    def fit(self, spec: ModelSpec, state: State, network: nn.Module) -> State:
        return state

    def path(self, spec: ModelSpec) -> None:
        return None

    def url(self, spec: ModelSpec) -> None:
        return None

    def labels(self, spec: ModelSpec) -> tuple[str, ...]:
        return self.names[spec.name]

    def advice(self, spec: ModelSpec) -> str:
        return "It is in memory."


# -- taking it as it is


def _unwrapped(model: Any) -> nn.Module:
    """The network itself: out of torch.compile, DataParallel and its like.

    Raises:
        CamdemoError: it is none.
    """
    while isinstance(model, nn.Module):
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod
        elif isinstance(model, torch.jit.ScriptModule):
            raise CamdemoError(
                "A scripted or traced model shows none of its layers. Give the Python module that "
                "it was made from."
            )
        else:
            return model
    hint = " Give an instance of it." if isinstance(model, type) else ""
    raise CamdemoError(f"A model is a torch.nn.Module; {shorten(model)} is none.{hint}")


def _named(given: object, otherwise: str) -> str:
    name = otherwise if given is None else given
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise CamdemoError(
            f"The name {shorten(name)} can't be a model's: give up to 80 letters, digits, "
            '"_", "-" and ".", the first a letter or a digit.'
        )
    return name


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it if it is taken."""
    others = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(each for each in others if each not in taken)


def _config(model: nn.Module) -> dict[str, Any]:
    """What Hugging Face's networks say of themselves: labels, and how logits are read."""
    config: Any = getattr(model, "config", None)
    found: dict[str, Any] = {}
    if isinstance(getattr(config, "id2label", None), dict):
        found["labels"] = config.id2label
    if getattr(config, "problem_type", None) == "multi_label_classification":
        found["activation"] = "sigmoid"
    return found


def _snapshot(model: nn.Module) -> nn.Module:
    """A copy over numbers of its own. The model is only read.

    What can't be copied (an open file, a lock) is shared with the model; the rest is not.
    """
    numbers: dict[int, Any] = {id(each): _plain(each) for each in model.buffers()}
    for each in model.parameters():
        numbers[id(each)] = nn.Parameter(_plain(each), requires_grad=False)
    return networks.over(model, numbers).eval().requires_grad_(False)


def _plain(value: Tensor) -> Tensor:
    """The same numbers in a new tensor on the CPU, those with a point as float32."""
    if nn.parameter.is_lazy(value) or value.is_meta:
        raise CamdemoError(
            "The model has parameters without numbers (lazy ones, or on the meta device). Load its "
            "weights, or run it once, before you hand it over."
        )
    found = value.detach()
    if found.is_floating_point():
        return found.to("cpu", torch.float32, copy=True)
    return found.to("cpu", copy=True)


# -- looking at it


def _run(network: nn.Module, transform: Transform) -> tuple[Tensor, Any]:
    """Noise of a network's size, and what it answers, with what autograd recorded.

    Raises:
        CamdemoError: it can't be run.
    """
    shape = (1, *transform.shape)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    try:
        with torch.enable_grad():
            return noise, network(noise.clone())
    except Exception as error:  # whatever a person's own module raises
        text = str(error).strip().partition("\n")[0]
        raise CamdemoError(
            f"The model can't be run on an input of {' x '.join(map(str, shape))}: "
            f"{text or type(error).__name__}. Is that its size, and are these its channels? The "
            "transform says so."
        ) from error


def _answer(output: Any) -> Tensor:
    """The logits (1, labels) in what a network returned.

    Raises:
        CamdemoError: there are none, or nothing can be traced back from them.
    """
    answer = logits_of(output, 1)
    if not answer.requires_grad:
        raise CamdemoError(
            f"What the model returns ({describe(output)}) does not depend on its input in a way "
            "that can be differentiated, so that no evidence can be traced back. Does its "
            "forward() use no_grad(), detach(), argmax() or NumPy?"
        )
    if not answer.isfinite().all():
        raise CamdemoError("The model's answer to noise is not a number (NaN or infinite).")
    return answer


def _tamed(
    network: nn.Module, transform: Transform, answer: Tensor, wanted: Activation | None
) -> tuple[Activation, str, str]:
    """How logits become probabilities, what `Answer` has to undo, and what people should know.

    A last module that makes probabilities is skipped from now on.
    """
    found = end_of(answer)
    if found is None:
        return wanted or ("sigmoid" if answer.shape[1] == 1 else "softmax"), "", ""
    end, activation = found
    if wanted is not None and wanted != activation:
        raise CamdemoError(
            f"The model ends with a {activation}, and {wanted} was asked for. Leave the activation "
            "out, or let the model return logits."
        )
    last = _last(network, transform, _ENDS[end])
    if last is not None:
        last.register_forward_hook(skip)
        return activation, "", ""
    return activation, end, _WITHIN[activation]


_ENDS = {"Softmax": nn.Softmax, "LogSoftmax": nn.LogSoftmax, "Sigmoid": nn.Sigmoid}
_WITHIN = {
    "softmax": "Its forward() ends with a softmax: the evidence is that of the probability's "
    "logarithm. Let it return logits to see theirs.",
    "sigmoid": "Its forward() ends with a sigmoid: where that is 0 or 1, no evidence is left. Let "
    "it return logits to see theirs.",
}


def _last(network: nn.Module, transform: Transform, kind: type[nn.Module]) -> nn.Module | None:
    """The one module of this kind that made the answer; None if it runs twice, or none did."""
    made: list[tuple[nn.Module, Tensor]] = []
    handles = [
        module.register_forward_hook(lambda module, _inputs, output: made.append((module, output)))
        for module in network.modules()
        if type(module) is kind
    ]
    try:
        _, output = _run(network, transform)
    finally:
        for handle in handles:
            handle.remove()
    if not made:
        return None
    module, last = made[-1]
    once = sum(each is module for each, _ in made) == 1
    return module if once and last.data_ptr() == logits_of(output, 1).data_ptr() else None


def _mean_colour(transform: Transform) -> tuple[float, float, float]:
    """The colour on which the network's photos are taken to lie: what it is normalised with."""
    mean = transform.mean[:3] if len(transform.mean) > 1 else transform.mean * 3
    if not any(mean) or not all(0 <= each <= 1 for each in mean):  # nothing is known
        return transforms.IMAGENET_MEAN
    return mean[0], mean[1], mean[2]
