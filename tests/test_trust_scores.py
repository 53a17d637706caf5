"""The score of a map: its order of patches of known worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from camdemo.trust import scores as trusted
from camdemo.trust.scores import Scores

WORTH = np.array([[8, -2], [1, 4]], np.float32)  # of 2 x 2 patches


def scores_of(drops: np.ndarray, shown: str = "a", **maps: np.ndarray) -> Scores:
    named = {(name, "last"): cam for name, cam in maps.items()}
    fills = ("blur", "mean", "noise")[: len(drops)]
    titles = {key: f"Method {key[0].upper()} at last" for key in named}
    return trusted.rank_maps(named, drops, fills, (shown, "last"), "lion", titles)


def test_the_right_order_is_1_and_the_reverse_minus_1() -> None:
    scores = scores_of(WORTH[np.newaxis], a=-WORTH, b=WORTH**3, c=np.ones((2, 2)))
    assert [scores.values[name, "last"].value for name in "abc"] == pytest.approx([-1, 1, 0])
    assert list(scores.values) == [("b", "last"), ("c", "last"), ("a", "last")]
    assert scores.best == ("b", "last")
    assert scores.agreement is None
    assert scores.chance == pytest.approx(1 / np.sqrt(3))


def test_with_two_fills_a_score_is_the_mean() -> None:
    other = np.array([[1, -2], [8, 4]], np.float32)  # 1 - 6 (4 + 4) / 60 = 0.2 to WORTH
    scores = scores_of(np.stack([WORTH, other]), a=WORTH)
    assert scores.values["a", "last"].value == pytest.approx(0.6)
    assert scores.agreement == pytest.approx(0.2)


def test_scores_are_scipys() -> None:
    random = np.random.default_rng(1)
    drops = random.normal(size=(1, 7, 7))
    cam = random.normal(size=(7, 7)) + drops[0]
    scores = scores_of(drops, a=cam)
    found = scores.values["a", "last"]
    result = stats.spearmanr(cam.ravel(), drops.ravel())
    assert found.value == pytest.approx(result.statistic)
    # The interval is about that of Fisher's transformation (Bonett and Wright 2000).
    error = np.sqrt((1 + found.value**2 / 2) / 46)
    expected = np.tanh(np.arctanh(found.value) + np.array([-1.96, 1.96]) * error)
    assert [found.low, found.high] == pytest.approx(expected, abs=0.1)
    assert found.low < found.value < found.high
    again = scores_of(drops, a=cam).values["a", "last"]
    assert again == found  # the draws are the same each time


def test_patches_that_were_not_hidden_yet_count_for_nothing() -> None:
    random = np.random.default_rng(4)
    drops, cam = random.normal(size=(2, 7, 7)), random.normal(size=(7, 7))
    known = np.arange(49).reshape(7, 7) % 2 == 0
    drops[:, ~known] = np.nan
    scores = scores_of(drops, a=cam)
    expected = [stats.spearmanr(cam[known], drop[known]).statistic for drop in drops]
    assert scores.values["a", "last"].value == pytest.approx(np.mean(expected))
    assert scores.chance == pytest.approx(1 / np.sqrt(24))
    assert "of 25 patches hidden one by one" in scores.numbers


def test_chance_is_what_random_maps_have() -> None:
    random = np.random.default_rng(2)
    drops = random.normal(size=(1, 7, 7))
    maps = {str(number): random.normal(size=(7, 7)) for number in range(400)}
    scores = scores_of(drops, shown="0", **maps)
    values = [one.value for one in scores.values.values()]
    assert np.std(values) == pytest.approx(scores.chance, rel=0.1)
    inside = np.mean([one.low < 0 < one.high for one in scores.values.values()])
    assert inside == pytest.approx(0.95, abs=0.03)


def test_small_differences_are_no_wins() -> None:
    random = np.random.default_rng(3)
    drops = random.normal(size=(1, 7, 7))
    noisy = {str(each): drops[0] + 2 * random.normal(size=(7, 7)) for each in range(20)}
    scores = scores_of(drops, a=random.normal(size=(7, 7)) + drops[0], **noisy)
    assert not scores.is_clear
    assert "clearly higher" not in scores.text
    # Whichever of a hundred random maps is best, that is luck.
    lucky = {str(each): random.normal(size=(7, 7)) for each in range(100)}
    scores = scores_of(drops, shown="0", **lucky)
    assert scores.values[scores.best].value > 2 * scores.chance
    assert not scores.is_clear
    assert "no clear difference" in scores.text
    assert "no better than chance" in scores.verdict


def test_words() -> None:
    drops = np.random.default_rng(4).normal(size=(2, 7, 7)) * 0.1 + np.arange(49).reshape(7, 7)
    scores = scores_of(drops, shown="b", a=drops[0], b=-drops[0])
    assert scores.is_clear
    assert scores.text == (
        "This map, Method B at last, orders the patches of the photo worse than chance: what it "
        "shows most, lion needs least. Of 2 maps Method A at last is highest, and clearly higher "
        "on this photo. Score -1.00 (-1.00 to -1.00), the highest 1.00 (1.00 to 1.00), of 49 "
        "patches hidden one by one. Chance is 0, give or take 0.29. Two ways to hide agree at "
        "1.00, the most to expect."
    )
    other = scores_of(drops[:1], a=drops[0], b=-drops[0])
    assert "better than chance: what it shows most, lion needs most." in other.verdict
    assert other.verdict.endswith("No other of 2 maps is higher.")
    assert other.numbers.endswith("Chance is 0, give or take 0.29.")


def test_a_plot_shows_every_score_chance_and_ceiling() -> None:
    axes = scores_of(np.stack([WORTH, WORTH]), a=-WORTH, b=WORTH).plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "Method B at last",
        "Method A at last",
    ]
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[-2:] == pytest.approx([1, -1])
    # What is shown stands there though others are better, and on axes of one's own.
    again = scores_of(WORTH[np.newaxis], a=-WORTH, b=WORTH).plot(axes.figure.add_subplot(), most=1)
    assert len(again.get_yticklabels()) == 2
