"""The short backward of convolutions and norms, against PyTorch's and by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from camdemo.methods.backward import ShortBackward


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
        with ShortBackward():
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
    with ShortBackward():
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


CONVOLUTIONS = {
    "1 x 1": nn.Conv2d(6, 4, 1, bias=False),
    "1 x 1, more numbers than it makes": nn.Conv2d(6, 400, 1),
    "1 x 1, strided": nn.Conv2d(6, 4, 1, stride=2),
    "1 x 1, padded": nn.Conv2d(6, 4, 1, padding=1),
    "1 x 1, in groups": nn.Conv2d(6, 4, 1, groups=2),
    "3 x 3": nn.Conv2d(6, 4, 3, padding=1),
    "3 x 3, more numbers than it makes": nn.Conv2d(6, 40, 3, stride=4),
    "one for each channel": nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6),
    "dilated": nn.Conv2d(6, 4, 3, dilation=2),
    "padded by name": nn.Conv2d(6, 4, 3, padding="same"),
    "padded with zeros of its own": nn.Conv2d(6, 4, (1, 3), padding=(0, 1), padding_mode="reflect"),
}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("conv", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
@pytest.mark.parametrize("in_place", [True, False])
def test_a_convolution_and_its_norm(conv, layout, in_place):
    conv.requires_grad_(False)
    module = nn.Sequential(conv, norm(conv.out_channels), nn.ReLU6(in_place)).eval()
    inputs = torch.randn(2, 6, 7, 9, generator=torch.Generator().manual_seed(0))
    inputs = inputs.to(memory_format=layout)
    expected, gradient = run(module, inputs, short=False)
    output, ours = run(module, inputs, short=True)
    assert torch.equal(output, expected)  # to the bit: no ReLU turns
    torch.testing.assert_close(ours, gradient, rtol=1e-4, atol=1e-5)


class Between(nn.Module):
    """A convolution whose output somebody else reads, or changes, before the norm does."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.conv, self.norm = kind, nn.Conv2d(3, 3, 1), norm(3)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        made = self.conv(x)
        if self.kind == "read":
            return self.norm(made) * made
        if self.kind == "changed":
            return self.norm(made.mul_(2))
        if self.kind == "twice":
            return self.norm(made) + self.norm(made)
        return self.norm(self.conv(made)) + self.norm(x)  # another order


@pytest.mark.parametrize("kind", ["read", "changed", "twice", "order"])
def test_who_else_reads_a_convolution_gets_its_gradient(kind):
    module, inputs = Between(kind), torch.randn(1, 3, 4, 4)
    expected, gradient = run(module, inputs, short=False)
    output, ours = run(module, inputs, short=True)
    assert torch.equal(output, expected)
    torch.testing.assert_close(ours, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("learns", ["weight", "bias"])
def test_a_convolution_that_learns_is_left_to_pytorch(learns):
    conv = nn.Conv2d(3, 3, 1).requires_grad_(False)
    getattr(conv, learns).requires_grad_(True)
    with ShortBackward():
        output = norm()(conv(torch.randn(1, 3, 4, 4, requires_grad=True)))
    output.sum().backward()
    assert getattr(conv, learns).grad is not None


def test_the_short_way_is_taken_through_both():
    conv, inputs = nn.Conv2d(3, 3, 1), torch.randn(1, 3, 4, 4, requires_grad=True)
    conv.requires_grad_(False)
    with ShortBackward():
        assert type(norm()(conv(inputs)).grad_fn).__name__ == "_FoldedBackward"


@pytest.mark.parametrize("kind", ["training", "no statistics", "learning"])
def test_what_is_no_multiplication_is_left_to_pytorch(kind):
    module = norm(track_running_stats=kind != "no statistics")
    if kind == "training":
        module.train()
    if kind == "learning":
        module.requires_grad_(True)
    inputs = torch.randn(2, 3, 4, 4, requires_grad=True)
    with ShortBackward():
        output = module(inputs)
    assert type(output.grad_fn).__name__ == "NativeBatchNormBackward0"


def test_the_short_way_is_taken_within_the_context_and_not_outside():
    module, inputs = norm(), torch.randn(1, 3, 4, 4, requires_grad=True)
    with ShortBackward():
        assert type(module(inputs).grad_fn).__name__ == "_ScaledBackward"
    assert type(module(inputs).grad_fn).__name__ == "NativeBatchNormBackward0"
    assert functional.batch_norm.__name__ == "batch_norm"  # nothing was replaced


@pytest.mark.parametrize("behind_convolution", [True, False])
def test_tokens_made_of_a_normed_grid(behind_convolution: bool) -> None:
    """Of such a gradient PyTorch 2.14 takes the numbers for each other's, and Captum with it."""
    torch.manual_seed(3)
    before = nn.Conv2d(8, 8, 1).requires_grad_(False) if behind_convolution else nn.Identity()
    made = norm(8)
    inputs, weights = torch.randn(1, 8, 3, 3, requires_grad=True), torch.randn(9, 8)
    with ShortBackward():
        tokens = made(before(inputs)).flatten(2).transpose(1, 2)
    (gradient,) = torch.autograd.grad((tokens * weights).sum(), inputs)
    factor = made.weight / torch.sqrt(made.running_var + made.eps)
    expected = (weights * factor).T.reshape(8, 3, 3)
    if behind_convolution:
        expected = torch.einsum("ohw,oi->ihw", expected, before.weight[:, :, 0, 0])
    torch.testing.assert_close(gradient[0], expected)
