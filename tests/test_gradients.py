"""Back to the input: by hand where the network is linear, and against Captum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import GradientShap, InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from camdemo import CamdemoError, ChoiceError, RangeError, methods
from camdemo.errors import Abandoned

from .asking import SIDE, Linear, Rectified, ask, close, fill, picture
from .tiny_models import randomise


def baseline(name: str) -> Tensor:
    return torch.from_numpy(fill(name))[None]


def signed_sum(attribution: Tensor) -> np.ndarray:
    return attribution[0].sum(dim=0).detach().numpy()


def test_of_a_linear_network_all_is_known() -> None:
    network, inputs = Linear(), picture()
    weights, pixels = network.weights(1), inputs[0].numpy()
    close(ask(network, "saliency").map, weights.sum(axis=0))
    close(ask(network, "input_x_gradient").map, (weights * pixels).sum(axis=0))
    for name in ("blur", "mean", "black"):
        away = (weights * (pixels - fill(name))).sum(axis=0)
        for method, settings in (
            ("integrated_gradients", {"steps": 3}),
            ("gradient_shap", {"samples": 5, "noise": 0}),
        ):
            found = ask(network, method, baseline=name, **settings)
            close(found.map, away, 1e-4)
            assert found.gap == pytest.approx(0, abs=1e-3)
    close(ask(network, "smoothgrad", samples=3).map, weights.sum(axis=0))


def test_captum_says_the_same() -> None:
    network, inputs = Rectified(), picture()
    close(
        ask(network, "saliency").map, signed_sum(Saliency(network).attribute(inputs, 1, abs=False))
    )
    close(
        ask(network, "input_x_gradient").map,
        signed_sum(InputXGradient(network).attribute(inputs, 1)),
    )
    for steps, name in ((7, "black"), (20, "blur")):
        expected, delta = IntegratedGradients(network).attribute(
            inputs, baseline(name), 1, n_steps=steps, return_convergence_delta=True
        )
        found = ask(network, "integrated_gradients", steps=steps, baseline=name)
        close(found.map, signed_sum(expected))
        assert found.gap == pytest.approx(-float(delta), rel=1e-3, abs=1e-5)  # its sign is other


def test_captum_says_the_same_of_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Captum's random numbers are drawn from all threads' generator: here they are ours."""
    network, inputs = Rectified(), picture()
    generator = torch.Generator().manual_seed(3)
    deviation = 0.2 * float(inputs.max() - inputs.min())
    monkeypatch.setattr(
        torch, "normal", lambda _mean, std: std * torch.randn(std.shape, generator=generator)
    )
    expected = NoiseTunnel(Saliency(network)).attribute(
        inputs, nt_samples=8, nt_samples_batch_size=4, stdevs=deviation, target=1, abs=False
    )
    close(ask(network, "smoothgrad", samples=8, noise=0.2, seed=3).map, signed_sum(expected))


def test_gradient_shap_is_captums_on_average() -> None:
    network, inputs = Rectified(), picture()
    torch.manual_seed(0)
    expected = GradientShap(network).attribute(
        inputs, baseline("black"), n_samples=600, stdevs=0.0, target=1
    )
    found = ask(network, "gradient_shap", samples=600, noise=0, baseline="black")
    close(found.map, signed_sum(expected), 0.1)


def test_more_steps_leave_less_unexplained() -> None:
    network, inputs = Rectified(), 3 * picture()
    gaps = []
    for steps in (2, 200):
        found = ask(network, "integrated_gradients", inputs, steps=steps, baseline="black")
        with torch.no_grad():
            there, nothing = network(torch.cat([inputs, baseline("black")]))[:, 1].tolist()
        assert found.gap == pytest.approx(there - nothing - found.map.sum(), abs=1e-4)
        gaps.append(abs(found.gap))
    assert gaps[1] < 0.01 * abs(there - nothing) < gaps[0]


@pytest.mark.parametrize("method", ["smoothgrad", "gradient_shap"])
def test_the_same_seed_has_the_same_numbers(method: str) -> None:
    one, again, other = (ask(Rectified(), method, samples=6, seed=seed).map for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "input_x_gradient"])
def test_rather_than_another_label_is_the_difference(method: str) -> None:
    one, other, both = (
        ask(Rectified(), method, target=target, versus=versus).map
        for target, versus in ((1, ()), (4, ()), (1, (4,)))
    )
    close(both, one - other, 1e-4)
    third = ask(Rectified(), method, target=2).map
    several = ask(Rectified(), method, target=1, versus=(4, 2), strength=0.5).map
    close(several, one - 0.5 * (other + third) / 2, 1e-4)


def test_the_most_probable_label_is_explained_by_default() -> None:
    network = Rectified()
    logits = network(picture())[0]
    found = ask(network, "saliency", target=None)
    assert found.target == logits.argmax()
    np.testing.assert_allclose(found.logits, logits, rtol=1e-5)
    second = ask(network, "saliency", target=None, versus=(found.target,))
    assert second.target == logits.argsort(descending=True)[1]


# -- settings, progress, and what is left behind


def test_settings_are_refused_in_words() -> None:
    network = Linear()
    with pytest.raises(CamdemoError, match=r"Saliency has no setting 'steps'\. It has none"):
        ask(network, "saliency", steps=3)
    with pytest.raises(CamdemoError, match=r"no setting 'step'\. It has steps, baseline"):
        ask(network, "integrated_gradients", step=3)
    for wrong in (1, 501, 2.5, True, "many", [3]):
        with pytest.raises(RangeError, match="whole number from 2 to 500"):
            ask(network, "integrated_gradients", steps=wrong)
    with pytest.raises(ChoiceError, match="blur, mean, black"):
        ask(network, "integrated_gradients", baseline="white")
    assert methods.find("integrated_gradients").set({"steps": "9"})["steps"] == 9


@pytest.mark.parametrize("method", methods.all("pixel"), ids=lambda method: method.name)
def test_every_cost_is_what_is_told(method: methods.Method) -> None:
    network, side = Rectified(), SIDE
    if method.name == "attention_rollout":  # of vision transformers alone
        layers = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
        network, side = randomise(VisionTransformer(32, 8, **layers)), 32
        network.eval().requires_grad_(False)
    small = {"masks": 20, "samples": 20, "steps": 6, "window": 8, "stride": 4, "regions": 6}
    chosen = {one.name: small[one.name] for one in method.settings if one.name in small}
    told: list[tuple[int, int]] = []
    before = {name: len(each._forward_hooks) for name, each in network.named_modules()}
    arguments = (network, method.name, picture(side), 1, None, chosen, fill)
    found = methods.explain_input(*arguments, lambda *facts: told.append(facts))
    assert found.map.shape == (side, side)
    assert np.ptp(found.map) > 0
    total = 1 + method.forwards(method.set(chosen), (side, side))
    assert {all for _, all in told} == {total}
    done = [one for one, _ in told]
    assert done == sorted(done)
    assert done[-1] == total
    assert done[-2] >= total - 4 * 2 - 1  # the last batch
    assert {name: len(each._forward_hooks) for name, each in network.named_modules()} == before
    assert all(each.grad is None and not each.requires_grad for each in network.parameters())


@pytest.mark.parametrize(
    "method", ["integrated_gradients", "smoothgrad", "gradient_shap", "occlusion", "rise"]
)
def test_whoever_has_gone_ends_it(method: str) -> None:
    calls = 0

    def tell(_done: int, _total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Abandoned

    network = Rectified()
    small = {"occlusion": {"window": 8, "stride": 4}}.get(method, {})
    with pytest.raises(Abandoned):
        methods.explain_input(network, method, picture(), 1, None, small, fill, tell)
    assert calls == 3
    assert not any(each._forward_hooks or each._backward_hooks for each in network.modules())


def test_what_is_no_number_is_refused() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean(dim=(2, 3)) / 0

    with pytest.raises(CamdemoError, match="not a number"):
        ask(Broken(), "saliency")
