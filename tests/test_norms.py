"""The short backward of batch normalisation, against PyTorch's and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from camdemo.methods.norms import FrozenNorms


def norm(channels: int = 3, **options: bool) -> nn.BatchNorm2d:
    torch.manual_seed(1)
    made = nn.BatchNorm2d(channels, **options)
    if made.running_mean is not None:
        made.running_mean.uniform_(-2, 2)
        made.running_var.uniform_(0.1, 3)
    if made.weight is not None:
        nn.init.uniform_(made.weight, -2, 2)
        nn.init.uniform_(made.bias, -2, 2)
    return made.eval().requires_grad_(False)


def run(module: nn.Module, inputs: Tensor, short: bool) -> tuple[Tensor, Tensor]:
    """The output, and the gradient of a sum that weighs every value differently."""
    inputs = inputs.clone().requires_grad_()
    if short:
        with FrozenNorms():
            output = module(inputs)
    else:
        output = module(inputs)
    torch.manual_seed(2)
    (gradient,) = torch.autograd.grad((output * torch.randn_like(output)).sum(), inputs)
    return output.detach(), gradient


def test_by_hand():
    made = nn.BatchNorm2d(1, eps=0.0).eval().requires_grad_(False)
    made.running_mean.fill_(1.0)
    made.running_var.fill_(4.0)
    made.weight.fill_(3.0)
    inputs = torch.full((1, 1, 1, 1), 5.0, requires_grad=True)
    with FrozenNorms():
        output = made(inputs)  # 3 (5 - 1) / 2
    assert output.item() == 6.0
    output.backward()
    assert inputs.grad.item() == 1.5


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_outputs_are_pytorchs_to_the_bit_and_gradients_but_for_rounding(affine, layout):
    inputs = torch.randn(2, 3, 9, 5).to(memory_format=layout)
    module = norm(affine=affine)
    expected, gradient = run(module, inputs, short=False)
    output, ours = run(module, inputs, short=True)
    assert torch.equal(output, expected)
    torch.testing.assert_close(ours, gradient, rtol=1e-6, atol=1e-7)


def test_tokens_are_normalised_too():
    inputs = torch.randn(4, 3)
    module = nn.BatchNorm1d(3).eval().requires_grad_(False)
    module.running_var.uniform_(0.1, 3)
    for one, other in zip(run(module, inputs, True), run(module, inputs, False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", ["training", "no statistics", "learning"])
def test_what_is_no_multiplication_is_left_to_pytorch(kind):
    module = norm(track_running_stats=kind != "no statistics")
    if kind == "training":
        module.train()
    if kind == "learning":
        module.requires_grad_(True)
    inputs = torch.randn(2, 3, 4, 4, requires_grad=True)
    with FrozenNorms():
        output = module(inputs)
    assert type(output.grad_fn).__name__ == "NativeBatchNormBackward0"


def test_the_short_way_is_taken_within_the_context_and_not_outside():
    module, inputs = norm(), torch.randn(1, 3, 4, 4, requires_grad=True)
    with FrozenNorms():
        assert type(module(inputs).grad_fn).__name__ == "MulBackward0"
    assert type(module(inputs).grad_fn).__name__ == "NativeBatchNormBackward0"
    assert functional.batch_norm.__name__ == "batch_norm"  # nothing was replaced
