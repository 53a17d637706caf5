"""Where jobs meet networks: what each job is, in functions of `methods` and `models`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, get_args

import numpy as np
from torch import nn

from .. import methods
from ..models import networks
from ..records import Fill, ModelSpec
from ..trust import hiding
from .protocol import (
    FirstMap,
    FirstMaps,
    LabelMaps,
    MapAndLogits,
    PixelAnswer,
    PixelMap,
    Progress,
    Randomised,
    RandomMaps,
    Score,
    Sweep,
)

# The jobs that have one answer.
Single: TypeAlias = FirstMap | FirstMaps | PixelMap | Score | Randomised
Between = Callable[[], None]  # called where others may go first; the network is then free


def answer(
    job: Single,
    network: nn.Module,
    spec: ModelSpec,
    between: Between,
    progress: Progress | None = None,
) -> object:
    """The answer to a job, from its network."""
    if isinstance(job, FirstMaps):
        return first_maps(job, network)
    if isinstance(job, FirstMap):
        return first_map(job, network)
    if isinstance(job, PixelMap):
        return pixel_map(job, network, spec, between, progress)
    if isinstance(job, Randomised):
        return randomised(job, network, spec, between)
    return score(job, network, between)


def parts(job: Single, most: int) -> list[Single]:
    """A job as up to so many, which may run at the same time; `whole` joins their answers.

    A batch is parted between the forwards into which `score` parts it anyway, so that an answer
    does not depend on how many lanes there are.
    """
    if isinstance(job, Score):
        forwards = -(-len(job.batch) // networks.AT_ONCE)
        shares = np.array_split(np.arange(forwards), max(1, min(most, forwards)))
        ends = [networks.AT_ONCE * int(share[0]) for share in shares[1:]]
        return [replace(job, batch=batch) for batch in np.split(job.batch, ends)]
    if isinstance(job, Randomised):
        count = min(most, len(job.seeds))
        return [
            replace(job, seeds=tuple(share.tolist()))
            for share in np.array_split(np.array(job.seeds), count)
        ]
    return [job]


def whole(answers: Sequence[Any]) -> Any:
    """The answer to a job from those to its parts, in their order."""
    first = answers[0]
    if len(answers) == 1:
        return first
    if isinstance(first, RandomMaps):
        return RandomMaps(first.behind, np.concatenate([one.maps for one in answers]))
    if isinstance(first, tuple):
        return tuple(one for answers_of_part in answers for one in answers_of_part)
    return np.concatenate(answers)


def halves(job: Single) -> list[Single]:
    """A job as two of half the batch; as it is, where there is nothing to part."""
    if isinstance(job, FirstMaps) and len(job.jobs) > 1:
        middle = len(job.jobs) // 2
        return [replace(job, jobs=part) for part in (job.jobs[:middle], job.jobs[middle:])]
    if isinstance(job, Score) and len(job.batch) > 1:
        return [replace(job, batch=part) for part in np.array_split(job.batch, 2)]
    return [job]


def told(answer: Any, device: str) -> Any:
    """An answer that says what ran its network, where it says it; see `MapAndLogits.device`."""
    if device and isinstance(answer, MapAndLogits):
        return replace(answer, device=device)
    if device and isinstance(answer, tuple):
        return tuple(replace(one, device=device) for one in answer)
    return answer


def first_map(job: FirstMap, network: nn.Module) -> MapAndLogits:
    """See `FirstMap`."""
    started = time.perf_counter()
    inputs = networks.given(network, job.inputs)
    cam, logits = methods.explain(network, job.layer, inputs, job.method, job.target, job.versus)
    target = methods.best(logits, job.versus) if job.target is None else job.target
    return MapAndLogits(cam, logits, target, 1000 * (time.perf_counter() - started))


def first_maps(job: FirstMaps, network: nn.Module) -> tuple[MapAndLogits, ...]:
    """See `FirstMaps`."""
    started = time.perf_counter()
    first, count = job.jobs[0], len(job.jobs)
    inputs = networks.given(network, np.concatenate([one.inputs for one in job.jobs]))
    asked = [(one.target, one.versus) for one in job.jobs]
    found = methods.explain_each(network, first.layer, inputs, asked, first.method, job.top)
    milliseconds = 1000 * (time.perf_counter() - started) / count
    answers = []
    for one, (cam, logits, others) in zip(job.jobs, found, strict=True):
        target = methods.best(logits, one.versus) if one.target is None else one.target
        answers.append(MapAndLogits(cam, logits, target, milliseconds, others))
    return tuple(answers)


def labels(job: Sweep, network: nn.Module, between: Between) -> Iterator[tuple[int, LabelMaps]]:
    """See `Sweep`: the maps label by label."""
    inputs = networks.given(network, job.inputs)
    return methods.sweep(network, job.layers, inputs, job.targets, job.methods, between, job.versus)


def score(job: Score, network: nn.Module, between: Between) -> np.ndarray:
    """See `Score`: in parts, between which others may go first."""
    size = networks.at_once(network)
    parts = np.split(job.batch, range(size, len(job.batch), size))
    answers = []
    for part in parts:
        between()
        answers.append(networks.logits(network, part))
    return np.concatenate(answers)


def pixel_map(
    job: PixelMap,
    network: nn.Module,
    spec: ModelSpec,
    between: Between,
    progress: Progress | None = None,
) -> PixelAnswer:
    """See `PixelMap`."""
    started = time.perf_counter()

    def tell(done: int, total: int) -> None:
        between()
        if progress:
            progress(done, total)

    inputs = networks.given(network, job.inputs)
    what = (job.method, inputs, job.target, job.versus, dict(job.settings))
    found = methods.explain_input(network, *what, filler(job.inputs, spec), tell)
    milliseconds = 1000 * (time.perf_counter() - started)
    return PixelAnswer(found.map, found.logits, found.target, milliseconds, gap=found.gap)


def filler(inputs: np.ndarray, spec: ModelSpec) -> Callable[[str], np.ndarray]:
    """From the name of a baseline to what it is for this input: float32 (3, h, w), normalised."""

    def fill(name: str) -> np.ndarray:
        if name in get_args(Fill):
            return hiding.filling(inputs, name, spec.transform, spec.training_mean)  # type: ignore[arg-type]
        return hiding.normalised(np.zeros(inputs.shape[1:], np.float32), spec.transform)  # black

    return fill


def randomised(
    job: Randomised, network: nn.Module, spec: ModelSpec, between: Between
) -> RandomMaps:
    """See `Randomised`: on twins of the network, which are then thrown away."""
    inputs = networks.given(network, job.inputs)

    def explain(forgetful: nn.Module) -> np.ndarray:
        if job.layer.is_input:
            what = (job.method, inputs, job.target, job.versus, dict(job.settings))
            fill = filler(job.inputs, spec)
            return methods.explain_input(forgetful, *what, fill, lambda *_: between()).map
        where = (job.layer, inputs, job.method, job.target, job.versus)
        return methods.explain(forgetful, *where)[0]

    found = []
    for seed in job.seeds:
        twin = networks.twin(network)
        steps = methods.cascade(twin, explain, job.stages, job.steps, seed, between)
        behind, maps = zip(*steps, strict=True)
        found.append(np.stack(maps))
    return RandomMaps(behind, np.stack(found))
