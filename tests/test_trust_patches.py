"""The score of a map: with a model whose every patch has a known worth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from camdemo.errors import CamdemoError
from camdemo.records import Box
from camdemo.trust import patches
from camdemo.trust.patches import Patches, Scores

# The light of each of 2 x 2 patches of 4 x 4 pixels, times this, is the logit of label 0; label 1
# has a logit of its own, label 2 is always 3.
WORTH = np.array([[8, -2], [1, 4]], np.float32)
INPUTS = np.ones((1, 3, 4, 4), np.float32)
DARK = np.zeros((3, 4, 4), np.float32)


def answer(batch: np.ndarray) -> np.ndarray:
    light = batch.mean(axis=1).reshape(-1, 2, 2, 2, 2).mean(axis=(2, 4))
    one = (light * WORTH).sum(axis=(1, 2))
    return np.stack([one, light[:, 0, 0], np.full_like(one, 3)], axis=1)


def scores_of(drops: np.ndarray, shown: str = "a", **maps: np.ndarray) -> Scores:
    named = {(name, "last"): cam for name, cam in maps.items()}
    fills = ("blur", "mean", "noise")[: len(drops)]
    titles = {key: f"Method {key[0].upper()} at last" for key in named}
    return patches.rank_maps(named, drops, fills, (shown, "last"), "lion", titles)


# -- patches


def test_patches_cover_everything_once() -> None:
    masks = patches.masks(5, 2)
    assert masks.dtype == bool
    assert (masks.sum(axis=0) == 1).all()
    # Row by row; of five pixels the first three are the first half.
    assert [np.argwhere(each)[0].tolist() for each in masks] == [[0, 0], [0, 3], [3, 0], [3, 3]]
    assert patches.masks(260).shape == (49, 260, 260)
    assert set(patches.masks(224).sum(axis=(1, 2))) == {32 * 32}


def test_a_map_of_as_many_cells_is_its_means() -> None:
    cam = np.arange(49, dtype=np.float32).reshape(7, 7)
    np.testing.assert_allclose(patches.means(cam), cam)


def test_a_cell_in_two_patches_counts_in_each_with_its_share() -> None:
    # Three cells over two patches: the middle one half here, half there.
    expected = (1 + 2 / 2) / 1.5, (2 / 2 + 6) / 1.5
    np.testing.assert_allclose(patches.means(np.array([[1, 2, 6]] * 3), 2), [expected] * 2)


@pytest.mark.parametrize("shape", [(8, 8), (14, 14), (9, 9), (1, 5), (112, 112)])
def test_means_are_those_of_a_fine_grid(shape: tuple) -> None:
    cam = np.random.default_rng(0).normal(size=shape)
    fine = np.kron(cam, np.ones((7, 7)))  # each cell as 7 x 7: patches are whole numbers of them
    expected = fine.reshape(7, shape[0], 7, shape[1]).mean(axis=(1, 3))
    np.testing.assert_allclose(patches.means(cam), expected, atol=1e-12)


def test_bars_beside_the_photo_have_no_patches() -> None:
    # The photo is the lower two rows of four, and of those the right three columns.
    masks = patches.masks(4, 2, Box(1, 2, 4, 4))
    shown = [each.astype(int).tolist() for each in masks[:2]]
    assert shown[0] == [[0] * 4, [0] * 4, [0, 1, 1, 0], [0] * 4]
    assert shown[1] == [[0] * 4, [0] * 4, [0, 0, 0, 1], [0] * 4]
    assert masks.any(axis=0).sum() == 6
    # Of a map of 4 x 2 cells: rows 2 and 3; columns from the middle of the first cell on.
    cam = np.array([[9, 9], [9, 9], [1, 5], [2, 6]])
    found = patches.means(cam, 2, ((0.5, 1), (0.25, 1)))
    np.testing.assert_allclose(found, [[(1 * 2 + 5) / 3, 5], [(2 * 2 + 6) / 3, 6]])
    hidden = patches.hide_each(answer, INPUTS, {"mean": DARK}, 2, part=Box(1, 2, 4, 4))
    assert hidden.span == ((0.5, 1), (0.25, 1))
    # Each patch's pixels are a quarter of the light of one of the model's.
    np.testing.assert_allclose(hidden.drops(0)[0], [[0.25 + 1, 1], [0.25 + 1, 1]])


# -- hiding them


def test_a_patch_takes_what_it_is_worth() -> None:
    told: list[tuple[int, int]] = []
    fillings = {"mean": DARK, "noise": DARK + 0.5}
    asked: list[int] = []

    def watched(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return answer(batch)

    hidden = patches.hide_each(watched, INPUTS, fillings, 2, lambda *facts: told.append(facts))
    assert hidden.fills == ("mean", "noise")
    assert (hidden.grid, hidden.span) == (2, patches.WHOLE)
    assert hidden.whole.tolist() == [11, 1, 3]
    drops = hidden.drops(0)
    np.testing.assert_allclose(drops, [WORTH, WORTH / 2])  # half of the light is left
    # Of the difference to label 1, which sees the first patch alone.
    np.testing.assert_allclose(hidden.drops(0, 1)[0], WORTH - [[1, 0], [0, 0]])
    assert (hidden.drops(2) == 0).all()
    assert asked == [1, 4, 4]
    assert told == [(5, 9), (9, 9)]


def test_many_patches_come_in_small_batches() -> None:
    sizes = []

    def watched(batch: np.ndarray) -> np.ndarray:
        sizes.append(len(batch))
        return np.zeros((len(batch), 2), np.float32)

    inputs = np.zeros((1, 3, 14, 14), np.float32)
    patches.hide_each(watched, inputs, {"mean": inputs[0]})
    assert max(sizes) == patches.BATCH
    assert sum(sizes) == 1 + 49


def test_an_answer_that_is_no_number_is_refused() -> None:
    with pytest.raises(CamdemoError, match="not a number"):
        patches.hide_each(lambda batch: answer(batch) * np.nan, INPUTS, {"mean": DARK}, 2)


# -- scores


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
    assert "not clearly better than chance" in scores.text


def test_words() -> None:
    drops = np.random.default_rng(4).normal(size=(2, 7, 7)) * 0.1 + np.arange(49).reshape(7, 7)
    scores = scores_of(drops, shown="b", a=drops[0], b=-drops[0])
    assert scores.is_clear
    assert scores.text == (
        "Of 49 patches hidden one by one, Method B at last orders what each takes from lion at "
        "-1.00 (-1.00 to -1.00), not clearly better than chance. Of 2 maps Method A at last is "
        "highest, 1.00 (1.00 to 1.00), and clearly higher on this photo. Chance is 0, give or take "
        "0.29. Two ways to hide agree at 1.00, the most to expect."
    )
    assert "No other of 2 maps is higher." in scores_of(drops, a=drops[0], b=-drops[0]).text


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


def test_a_record_is_frozen() -> None:
    hidden = Patches(np.zeros(2), np.zeros((1, 4, 2)), ("blur",))
    with pytest.raises(AttributeError):
        hidden.fills = ()
