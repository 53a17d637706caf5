"""Where jobs meet networks: what each job is, in functions of `methods` and `models`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from ..methods import attribution, sweep
from ..models import networks
from .protocol import FirstMap, LabelMaps, MapAndLogits, Score, Sweep

Between = Callable[[], None]  # called where others may go first; the network is then free


def answer(job: FirstMap | Score, network: nn.Module, between: Between) -> object:
    """The answer to a job, from its network."""
    return first_map(job, network) if isinstance(job, FirstMap) else score(job, network, between)


def first_map(job: FirstMap, network: nn.Module) -> MapAndLogits:
    """See `FirstMap`."""
    started = time.perf_counter()
    inputs = torch.from_numpy(job.inputs)
    cam, logits = attribution.grad_cam(network, job.layer, inputs, job.target, job.versus)
    target = attribution.best(logits, job.versus) if job.target is None else job.target
    return MapAndLogits(cam, logits, target, 1000 * (time.perf_counter() - started))


def labels(job: Sweep, network: nn.Module, between: Between) -> Iterator[tuple[int, LabelMaps]]:
    """See `Sweep`: the maps label by label."""
    inputs = torch.from_numpy(job.inputs)
    rival: tuple[int, ...] = () if job.versus is None else (job.versus,)
    found = sweep.sweep(network, job.layers, inputs, [*job.targets, *rival], between)
    for target in job.targets:
        maps = {one.name: found[one.name, target] for one in job.layers}
        for name in maps if rival else ():
            maps[name] = maps[name] - found[name, rival[0]]
        yield target, {("gradcam", name): cam for name, cam in maps.items()}


def score(job: Score, network: nn.Module, between: Between) -> np.ndarray:
    """See `Score`: in parts, between which others may go first."""
    parts = np.split(job.batch, range(networks.AT_ONCE, len(job.batch), networks.AT_ONCE))
    answers = []
    for part in parts:
        between()
        answers.append(networks.logits(network, part))
    return np.concatenate(answers)
