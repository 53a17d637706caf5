"""From a network to maps: the first one, and those of every layer and label.

Both run the network forward once, with a tap at the layers, and then go back once for each label;
what a method makes of the activations and gradients is its own business. With Grad-CAM the maps
are those of Captum's LayerGradCam, and tests hold them to it, network by network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CamdemoError
from ..records import LayerInfo, Rivals
from . import registry
from .backward import ShortBackward
from .folding import Prepared
from .fusing import fuse
from .tap import tap


def explain(
    network: nn.Module,
    layer: LayerInfo,
    inputs: Tensor,
    method: str = registry.DEFAULT,
    target: int | None = None,
    versus: Rivals | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The map of one layer for one label, and the logits of all labels.

    Args:
        network: in evaluation mode; or one that is prepared, which is faster at the last stage. It
            is left as it was found.
        layer: where to look; one of `layers.discover(network)`, or several that are `fused`.
        inputs: float32 (1, 3, h, w), as the weights want them, where the network is.
        method: the name of a method of `registry.all()`.
        target: index of the label to explain; None for the most probable one (but `versus`).
        versus: labels to compare with. The map then explains the logit less the mean of theirs.
            For a method that is linear, that is the same of their maps at a layer.

    Returns:
        The map, float32 (layer.height, layer.width), signed, and the logits, float32 (labels,).

    Raises:
        ChoiceError, CamdemoError: as `registry.check`; and logits that are not finite.
    """
    function = registry.check(method, layer, versus).function
    grids, answer = _forward(network, [layer], inputs)
    _check_finite(answer)
    logits = answer.detach()[0].cpu().numpy()
    index = best(logits, versus) if target is None else target
    rivals = versus and versus.among(logits, index)
    gradients = _backward(grids, answer, index, rivals)
    maps = {name: _map(function, grids[name], gradients[name]) for name in grids}
    return _of(layer, maps), logits


def explain_each(
    network: nn.Module,
    layer: LayerInfo,
    inputs: Tensor,
    asked: Sequence[tuple[int | None, Rivals | None]],
    method: str = registry.DEFAULT,
    top: int = 0,
) -> list[tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]]:
    """`explain` of several photos from one forward, and one backward for all of them.

    In evaluation mode the photos of a batch don't influence each other: so the gradient of the sum
    of their logits is, in each photo, that of its own.

    Args:
        inputs: float32 (n, 3, h, w), where the network is.
        asked: target and `versus` of each photo.
        top: of how many of its most probable labels each photo gets a map besides.

    Returns:
        For each photo its map and logits, as `explain`, and {label: map} of the most probable. A
        photo whose logits are not finite gets them so, and no map that means anything.

    Raises:
        ChoiceError, CamdemoError: as `registry.check`.
    """
    (function,) = {registry.check(method, layer, versus).function for _, versus in asked}
    grids, answer = _forward(network, [layer], inputs)
    logits = answer.detach().cpu().numpy()
    order = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    chosen: list[tuple[int, Rivals | None]] = []
    for row, (target, versus) in zip(logits, asked, strict=True):
        index = best(row, versus) if target is None else target
        chosen.append((index, versus and versus.among(row, index)))
    rounds: list[list[tuple[int, Rivals | None]]] = [chosen]
    rounds += [[(int(label), None) for label in labels] for labels in order.T]
    maps: list[np.ndarray] = []  # of each round, (n, h, w)
    for each in rounds:
        weights = [asked_of(answer[:1], *one) for one in each]
        gradients = _gradients(grids, answer, torch.cat(weights))
        parts = {
            name: function(grids[name].detach(), gradients[name]).cpu().numpy() for name in grids
        }
        photos = [
            _of(layer, {name: cams[number] for name, cams in parts.items()})
            for number in range(len(each))
        ]
        maps.append(np.stack(photos).astype(np.float32, copy=False))
    return [
        (maps[0][n], logits[n], {int(label): maps[1 + i][n] for i, label in enumerate(order[n])})
        for n in range(len(asked))
    ]


def sweep(
    network: nn.Module,
    layers: Sequence[LayerInfo],
    inputs: Tensor,
    targets: Sequence[int],
    methods: Sequence[str] = (registry.DEFAULT,),
    between: Callable[[], None] = lambda: None,
    versus: Rivals | None = None,
) -> Iterator[tuple[int, dict[tuple[str, str], np.ndarray]]]:
    """The maps of all `layers` by all `methods`, label by label; see `explain`.

    Args:
        layers: in the order of execution; those that are `fused` have their parts.
        targets: indices of labels, in the order in which they are wanted.
        between: called before each label: a sweep is long, and others may be in a hurry. The
            network is as it was found then, and may be run.
        versus: labels the mean of whose logits is subtracted from that of each target, all of
            them known.

    Yields:
        Each target, with {(method, name of the layer): float32 (layer.height, layer.width)}, but
        for the layers at which a method is not there. All targets share the map of a method that
        knows no label.

    Raises:
        ChoiceError: no such method.
        CamdemoError: logits that are not finite.
    """
    found = [registry.find(name) for name in methods]
    grids, answer = _forward(network, layers, inputs)
    _check_finite(answer)
    shared: dict[tuple[str, str], np.ndarray] = {}  # the maps that know no label
    for target in targets:
        between()
        maps: dict[tuple[str, str], np.ndarray] = {}
        gradients = _backward(grids, answer, target, versus)
        for method in found:
            own: dict[str, np.ndarray] = {}
            for part in _parts([layer for layer in layers if method.is_at(layer)]):
                key = method.name, part.name
                cam = shared.get(key)
                if cam is None:
                    cam = _map(method.function, grids[part.name], gradients[part.name])
                if not method.knows_label:
                    shared[key] = cam
                own[part.name] = cam
            maps |= {
                (method.name, layer.name): _of(layer, own)
                for layer in layers
                if method.is_at(layer)
            }
        yield target, maps


def _parts(layers: Sequence[LayerInfo]) -> list[LayerInfo]:
    """The layers that must be read, each once."""
    parts = [part for layer in layers for part in (layer.parts or (layer,))]
    return list({part.name: part for part in parts}.values())


def _of(layer: LayerInfo, maps: Mapping[str, np.ndarray]) -> np.ndarray:
    """The map of a layer, or of several that are fused, from those of its parts."""
    if not layer.parts:
        return maps[layer.name]
    return fuse([maps[part.name] for part in layer.parts], layer.height, layer.width)


def best(logits: np.ndarray, versus: Rivals | None) -> int:
    """The index of the largest logit, leaving out those of `versus`, as far as they are known."""
    rivals = (versus and versus.labels) or ()
    order = np.argsort(-logits, kind="stable")
    return int(next(index for index in order if index not in rivals))


def _forward(
    network: nn.Module, layers: Sequence[LayerInfo], inputs: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """The grids of the layers, and the logits (n, labels) that depend on them."""
    before: AbstractContextManager
    behind: AbstractContextManager
    if isinstance(network, Prepared) and [layer.name for layer in layers] == [network.last]:
        before, network, behind = torch.inference_mode(), network.folded, _recording()
    else:
        network = network.plain if isinstance(network, Prepared) else network
        before, behind = torch.enable_grad(), ShortBackward()
    with before, tap(network, _parts(layers), behind) as grids:
        logits = network(inputs)
    return grids, logits


def _check_finite(logits: Tensor) -> None:
    if not logits.isfinite().all():
        raise CamdemoError(
            "The model's answer to this photo is not a number, so there is nothing to explain. "
            "Its weights may be damaged: choose another model, or delete the file of its weights."
        )


@contextmanager
def _recording() -> Iterator[None]:
    """Within `inference_mode`, which is faster than `enable_grad`, what it is without it."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _backward(
    grids: dict[str, Tensor], logits: Tensor, target: int, versus: Rivals | None
) -> dict[str, Tensor]:
    """The gradients of a logit, or of that less the mean of others, with respect to each grid."""
    return _gradients(grids, logits, asked_of(logits, target, versus))


def _gradients(grids: dict[str, Tensor], logits: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Those of the sum of all logits of a batch, each as much as its weight: (n, labels)."""
    gradients = torch.autograd.grad(
        logits, list(grids.values()), weights, retain_graph=True, materialize_grads=True
    )
    return dict(zip(grids, gradients, strict=True))


def asked_of(logits: Tensor, target: int, versus: Rivals | None) -> Tensor:
    """How much each logit counts in what is explained: (1, labels), for logits of that shape."""
    weights = torch.zeros_like(logits)
    weights[0, target] = 1
    if versus is not None and versus.labels:
        weights[0, list(versus.labels)] -= versus.strength / len(versus.labels)
    return weights


def _map(
    function: Callable[[Tensor, Tensor], Tensor], grid: Tensor, gradient: Tensor
) -> np.ndarray:
    found = function(grid.detach(), gradient)[0].cpu().numpy()
    return found.astype(np.float32, copy=False)
