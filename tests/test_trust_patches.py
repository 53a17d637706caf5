"""Hiding patch by patch: a model whose every patch has a known worth."""

from __future__ import annotations

import numpy as np
import pytest

from camdemo.errors import CamdemoError
from camdemo.records import Box, Rivals
from camdemo.trust import patches
from camdemo.trust.patches import Patches

# The light of each of 2 x 2 patches of 4 x 4 pixels, times this, is the logit of label 0; label 1
# has a logit of its own, label 2 is always 3.
WORTH = np.array([[8, -2], [1, 4]], np.float32)
INPUTS = np.ones((1, 3, 4, 4), np.float32)
DARK = np.zeros((3, 4, 4), np.float32)


def answer(batch: np.ndarray) -> np.ndarray:
    light = batch.mean(axis=1).reshape(-1, 2, 2, 2, 2).mean(axis=(2, 4))
    one = (light * WORTH).sum(axis=(1, 2))
    return np.stack([one, light[:, 0, 0], np.full_like(one, 3)], axis=1)


# -- patches


def test_patches_cover_everything_once() -> None:
    masks = patches.masks((5, 5), 2)
    assert masks.dtype == bool
    assert (masks.sum(axis=0) == 1).all()
    # Row by row; of five pixels the first three are the first half.
    assert [np.argwhere(each)[0].tolist() for each in masks] == [[0, 0], [0, 3], [3, 0], [3, 3]]
    assert patches.masks((260, 130)).shape == (49, 260, 130)
    assert set(patches.masks((224, 224)).sum(axis=(1, 2))) == {32 * 32}


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
    masks = patches.masks((4, 4), 2, Box(1, 2, 4, 4))
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
    told: list[Patches] = []
    fillings = {"mean": DARK, "noise": DARK + 0.5}
    asked: list[int] = []

    def watched(batch: np.ndarray) -> np.ndarray:
        asked.append(len(batch))
        return answer(batch)

    hidden = patches.hide_each(watched, INPUTS, fillings, 2, told.append)
    assert hidden.fills == ("mean", "noise")
    assert (hidden.grid, hidden.span) == (2, patches.WHOLE)
    assert hidden.whole.tolist() == [11, 1, 3]
    drops = hidden.drops(0)
    np.testing.assert_allclose(drops, [WORTH, WORTH / 2])  # half of the light is left
    # Of the difference to label 1, which sees the first patch alone.
    np.testing.assert_allclose(hidden.drops(0, Rivals((1,)))[0], WORTH - [[1, 0], [0, 0]])
    assert (hidden.drops(2) == 0).all()
    assert asked == [1, 4, 4]
    (last,) = told
    assert (last.without == hidden.without).all()


def test_every_second_patch_comes_first() -> None:
    told: list[Patches] = []
    inputs = np.zeros((1, 3, 14, 14), np.float32)
    hidden = patches.hide_each(
        lambda batch: batch.sum(axis=(2, 3)), inputs, {"mean": inputs[0] + 1}, progress=told.append
    )
    assert [one.hidden for one in told] == [8, 16, 24, 32, 40, 48, 49]
    drops = told[2].drops(0)[0]
    rows, columns = np.nonzero(np.isfinite(drops))
    assert ((rows + columns) % 2 == 0).all()
    assert set(rows) == set(columns) == set(range(7))
    known = np.isfinite(drops)
    assert (drops[known] == hidden.drops(0)[0][known]).all()


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


def test_a_record_is_frozen() -> None:
    hidden = Patches(np.zeros(2), np.zeros((1, 4, 2)), ("blur",))
    with pytest.raises(AttributeError):
        hidden.fills = ()


def test_the_same_patches_hidden_in_two_ways_are_one_record() -> None:
    dark, grey = ({name: filled} for name, filled in (("mean", DARK), ("blur", DARK + 0.5)))
    both = patches.hide_each(answer, INPUTS, grey | dark, 2)
    one = patches.hide_each(answer, INPUTS, grey, 2)
    joined = one.plus(patches.hide_each(answer, INPUTS, dark, 2))
    assert joined.fills == both.fills == ("blur", "mean")
    assert (joined.without == both.without).all()
    assert (joined.whole == both.whole).all()
    for other in (
        patches.hide_each(answer, INPUTS, dark, 4),
        patches.hide_each(answer, INPUTS, dark, 2, part=Box(0, 0, 4, 2)),
    ):
        with pytest.raises(CamdemoError, match="not the same"):
            one.plus(other)
