"""Hiding parts: by hand on a linear network, and against slow references."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from camdemo.methods import perturbing
from camdemo.methods.superpixels import segment

from .asking import SIDE, Linear, Rectified, ask, close, fill, picture

# -- occlusion


@pytest.mark.parametrize(("window", "stride"), [(8, 8), (8, 4), (12, 8), (10, 4)])
def test_occlusion_is_the_mean_drop_of_the_windows(window: int, stride: int) -> None:
    network, inputs = Rectified(), picture()
    nothing = torch.from_numpy(fill("black"))[None]
    with torch.no_grad():
        before = float(network(inputs)[0, 1])
        drops, counts = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE))
        steps = math.ceil((SIDE - window) / stride) + 1
        for row, column in itertools.product(range(steps), repeat=2):
            place = np.s_[row * stride : row * stride + window, column * stride :][:2]
            place = (place[0], slice(column * stride, column * stride + window))
            hidden = inputs.clone()
            hidden[0, :, *place] = nothing[0, :, *place]
            drops[place] += before - float(network(hidden)[0, 1])
            counts[place] += 1
    found = ask(network, "occlusion", window=window, stride=stride, baseline="black").map
    close(found, drops / counts, 1e-4)


def test_a_window_larger_than_the_picture_hides_all_of_it() -> None:
    found = ask(Linear(), "occlusion", window=256, stride=128, baseline="mean").map
    network = Linear()
    expected = (network.weights(1) * picture()[0].numpy()).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-3)


# -- RISE


def test_rise_is_what_a_slow_reference_says() -> None:
    network, inputs, count, cells = Rectified(), picture(), 30, 4
    rng = np.random.default_rng(5)
    nothing = torch.from_numpy(fill("mean"))[None]
    masks, scores = [], []
    for _ in range(count):
        mask = perturbing.mask(rng, cells, (SIDE, SIDE))
        with torch.no_grad():
            seen = mask * inputs + (1 - mask) * nothing
            scores.append(float(network(seen)[0, 1]))
        masks.append(mask.numpy().astype(float))
    expected = np.zeros((SIDE, SIDE))
    for row, column in itertools.product(range(SIDE), repeat=2):
        for mask, score in zip(masks, scores, strict=True):
            expected[row, column] += (score - np.mean(scores)) * mask[row, column]
    found = ask(network, "rise", masks=count, cells=cells, seed=5).map
    close(found, expected / (count * 0.5), 1e-4)


def test_rise_finds_the_pixels_that_count() -> None:
    network = Linear()
    network.head.weight.zero_()
    network.head.weight[1].view(3, SIDE, SIDE)[:, :6, 9:] = 1
    found = ask(network, "rise", torch.ones(1, 3, SIDE, SIDE), masks=400, cells=4).map
    inside = np.zeros((SIDE, SIDE), bool)
    inside[:6, 9:] = True
    assert found[inside].mean() > found[~inside].mean() + 3 * found[~inside].std()
    assert abs(found[10:, :5]).max() < 0.3 * found[inside].mean()  # far away nothing speaks for it


def test_a_mask_is_coarse_and_shifted() -> None:
    masks = [
        perturbing.mask(np.random.default_rng(seed), 4, (SIDE, 12)).numpy() for seed in range(200)
    ]
    assert {mask.shape for mask in masks} == {(SIDE, 12)}
    assert all(mask.min() >= 0 and mask.max() <= 1 + 1e-6 for mask in masks)
    assert np.mean(masks) == pytest.approx(0.5, abs=0.03)
    assert np.mean(masks, axis=0).std() < 0.06  # no pixel is favoured


# -- Kernel SHAP


def game(shown: np.ndarray) -> np.ndarray:
    """Four players: two who only count together, one who counts alone, and a bonus for three."""
    a, b, c, _ = shown.T.astype(float)
    return 6 * a * b + 2 * c + 3 * (shown.sum(axis=1) >= 3)


def shapley_by_definition(players: int) -> np.ndarray:
    values = np.zeros(players)
    for order in itertools.permutations(range(players)):
        there = np.zeros((1, players), bool)
        for player in order:
            before = game(there)[0]
            there[0, player] = True
            values[player] += game(there)[0] - before
    return values / math.factorial(players)


def test_the_values_are_those_of_the_definition() -> None:
    every = np.array(list(itertools.product([False, True], repeat=4)))[1:-1]
    sizes = every.sum(axis=1)
    assert [perturbing.kernel(4, size) for size in (1, 2, 3)] == [1 / 4, 1 / 8, 1 / 4]
    weighed = np.repeat(every, [1 if size == 2 else 2 for size in sizes], axis=0)
    whole = game(np.ones((1, 4), bool))[0]
    found = perturbing.shapley(weighed, game(weighed), whole)
    np.testing.assert_allclose(found, shapley_by_definition(4), atol=1e-9)
    assert found.sum() == pytest.approx(whole)


def test_coalitions_are_drawn_by_the_kernel() -> None:
    drawn = perturbing.coalitions(np.random.default_rng(0), 4, 6000)
    sizes = drawn.sum(axis=1)
    assert set(sizes) == {1, 2, 3}
    assert (drawn[0::2] == ~drawn[1::2]).all()
    shares = np.bincount(sizes, minlength=4)[1:] / len(sizes)
    weights = np.array([math.comb(4, size) * perturbing.kernel(4, size) for size in (1, 2, 3)])
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=0.02)
    assert len(perturbing.coalitions(np.random.default_rng(0), 7, 5)) == 5


def test_of_a_linear_network_each_region_has_what_it_adds() -> None:
    network, inputs = Linear(), picture()
    found = ask(network, "kernel_shap", regions=9, samples=60, baseline="black")
    labels = segment(inputs[0].numpy(), 9)
    added = (network.weights(1) * (inputs[0].numpy() - fill("black"))).sum(axis=0)
    for region in range(labels.max() + 1):
        inside = labels == region
        assert np.ptp(found.map[inside]) == 0
        assert found.map[inside].sum() == pytest.approx(added[inside].sum(), abs=2e-3)
    assert found.gap == pytest.approx(0, abs=1e-3)


def test_one_region_has_all() -> None:
    class Whole(Linear):
        pass

    found = ask(Whole(), "kernel_shap", torch.ones(1, 3, SIDE, SIDE), regions=2, samples=20)
    assert found.gap == pytest.approx(0, abs=1e-3)


# -- superpixels


def test_regions_follow_colours() -> None:
    picture = np.zeros((3, 32, 32), np.float32)
    picture[0, :, 13:] = 1  # no edge of a grid
    labels = segment(picture, 16)
    assert sorted(np.unique(labels)) == list(range(labels.max() + 1))
    assert 8 <= labels.max() + 1 <= 24
    assert not set(labels[:, :13].ravel()) & set(labels[:, 13:].ravel())


def test_a_plain_picture_is_cut_like_a_grid() -> None:
    labels = segment(np.zeros((3, 24, 24), np.float32), 9)
    sizes = np.bincount(labels.ravel())
    assert len(sizes) == 9
    assert sizes.min() > 40
    assert labels.shape == (24, 24)
