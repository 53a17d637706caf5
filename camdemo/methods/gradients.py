"""Pixel methods that go back to the input: by Captum, and by hand where it needs random numbers.

Captum draws those from a generator that all threads share, so that no answer could be had twice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .asked import AT_ONCE, Asked, summed

_Found = tuple[np.ndarray, float | None]  # the map, and the gap where it should add up


def saliency(asked: Asked) -> _Found:
    """The gradient of the score with respect to each pixel.

    Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 3. The paper takes the
    largest absolute value of the colours; here it is their signed sum: would a brighter pixel help?
    """
    from captum.attr import Saliency

    return summed(Saliency(asked.scored).attribute(_leaf(asked), abs=False)), None


def input_x_gradient(asked: Asked) -> _Found:
    """The gradient times the normalised input.

    Shrikumar et al. 2016, "Not Just a Black Box", section 2.
    """
    from captum.attr import InputXGradient

    return summed(InputXGradient(asked.scored).attribute(_leaf(asked))), None


def integrated_gradients(asked: Asked) -> _Found:
    """The mean gradient on the straight way from a baseline, times what is new on that way.

    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 3, equation 1, by
    Gauss and Legendre's rule. It adds up to the difference of the two scores (completeness).
    """
    from captum.attr import IntegratedGradients

    baseline = asked.fill(asked.settings["baseline"])
    found = summed(
        IntegratedGradients(asked.scored).attribute(
            asked.inputs,
            baselines=baseline,
            n_steps=asked.settings["steps"],
            internal_batch_size=AT_ONCE,
        )
    )
    return found, asked.gap(found, baseline)


def smoothgrad(asked: Asked) -> _Found:
    """The mean gradient of noisy copies of the input.

    Smilkov et al. 2017, "SmoothGrad", section 3. The noise's standard deviation is a share of the
    input's range.
    """
    total = torch.zeros_like(asked.inputs)
    generator, left = _generator(asked), asked.settings["samples"]
    while left:
        count = min(left, AT_ONCE)
        gradient, _ = asked.gradients(asked.inputs + _noise(asked, count, generator))
        total += gradient.sum(dim=0, keepdim=True)
        left -= count
    return summed(total / asked.settings["samples"]), None


def gradient_shap(asked: Asked) -> _Found:
    """As Integrated Gradients, at random places of the way and with noise on the input.

    Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions", whose values it
    estimates; as Erion et al. 2021, "Expected Gradients", section 2, with one baseline.
    """
    baseline = asked.fill(asked.settings["baseline"])
    total = torch.zeros_like(asked.inputs)
    generator, left = _generator(asked), asked.settings["samples"]
    while left:
        count = min(left, AT_ONCE)
        noisy = asked.inputs + _noise(asked, count, generator)
        place = torch.rand(count, 1, 1, 1, generator=generator).to(baseline.device)
        gradient, _ = asked.gradients(baseline + place * (noisy - baseline))
        total += (gradient * (noisy - baseline)).sum(dim=0, keepdim=True)
        left -= count
    found = summed(total / asked.settings["samples"])
    return found, asked.gap(found, baseline)


def _leaf(asked: Asked) -> Tensor:
    return asked.inputs.detach().clone().requires_grad_()


def _generator(asked: Asked) -> torch.Generator:
    """The CPU's, wherever the network is: so that the numbers are the same."""
    return torch.Generator().manual_seed(asked.settings["seed"])


def _noise(asked: Asked, count: int, generator: torch.Generator) -> Tensor:
    deviation = asked.settings["noise"] * float(asked.inputs.max() - asked.inputs.min())
    noise = torch.randn(count, *asked.inputs.shape[1:], generator=generator)
    return deviation * noise.to(asked.inputs.device)
