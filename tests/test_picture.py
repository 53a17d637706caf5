"""From a map to a picture: by numbers, and against a slow NumPy writing of the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from camdemo import picture
from camdemo.question import COLORMAPS, EVIDENCE
from camdemo.records import Box, Evidence, LookName

CAM = np.array([[-2, 0], [1, 4]], np.float32)
NEGATIVE = np.array([[-3, -1], [-2, -4]], np.float32)


def cam_of(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)


def photo_of(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


# -- values from 0 to 1


@pytest.mark.parametrize(
    ("cam", "evidence", "expected"),
    [
        (CAM, "positive", [[0, 0], [0.25, 1]]),  # ReLU, then divided by 4
        (CAM, "signed", [[0.25, 0.5], [0.625, 1]]),  # 0.5 + value / (2 * 4)
        (CAM, "minmax", [[0, 1 / 3], [0.5, 1]]),  # (value + 2) / 6
        (NEGATIVE, "signed", [[0.125, 0.375], [0.25, 0]]),  # 0.5 + value / (2 * 4)
        (NEGATIVE, "minmax", [[1 / 3, 1], [2 / 3, 0]]),  # (value + 4) / 3
        (np.full((2, 2), 3, np.float32), "positive", [[1, 1], [1, 1]]),
        (np.full((2, 2), -3, np.float32), "signed", [[0, 0], [0, 0]]),
        (CAM * np.float32(1e-30), "positive", [[0, 0], [0.25, 1]]),  # size alone says nothing
        (CAM * np.float32(1e30), "signed", [[0.25, 0.5], [0.625, 1]]),
    ],
)
def test_scale(cam: np.ndarray, evidence: Evidence, expected: list) -> None:
    before = cam.copy()
    values = picture.scale(cam, evidence)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7)
    assert values.dtype == np.float32
    assert (cam == before).all()


NOTHING = [
    (NEGATIVE, "positive"),  # min-max scaling would paint the least negative cell red
    (np.zeros((2, 2), np.float32), "positive"),
    (np.zeros((2, 2), np.float32), "signed"),
    (np.full((2, 2), 3, np.float32), "minmax"),
    (np.full((2, 2), -3, np.float32), "minmax"),
]


@pytest.mark.parametrize(("cam", "evidence"), NOTHING)
def test_a_map_that_says_nothing_gives_the_plain_photo(cam: np.ndarray, evidence: Evidence) -> None:
    assert picture.scale(cam, evidence) is None
    photo = photo_of(30, 20)
    drawn = picture.overlay(photo, cam, Box(5, 0, 25, 20), "jet", 0.5, evidence)
    assert (drawn == photo).all()
    assert not np.shares_memory(drawn, photo)


# -- colours


@pytest.mark.parametrize("colormap", COLORMAPS)
@pytest.mark.parametrize("evidence", ["positive", "minmax"])
def test_palettes_are_opencvs(colormap: str, evidence: Evidence) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256)
    blue_first = cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{colormap.upper()}"))
    colours = picture.palette(colormap, evidence)
    assert (colours.reshape(256, 3) == cv2.cvtColor(blue_first, cv2.COLOR_BGR2RGB)[0]).all()


def test_jet_runs_from_blue_to_red() -> None:
    cold, hot = picture.palette("jet", "positive")[[0, 255], 0].tolist()
    assert (cold, hot) == ([0, 0, 128], [128, 0, 0])


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_signed_evidence_has_one_diverging_palette(colormap: str) -> None:
    colours = picture.palette(colormap, "signed").reshape(256, 3).astype(int)
    against, neutral, speaks_for = colours[[0, 127, 255]]
    assert against.argmax() == 2  # blue
    assert speaks_for.argmax() == 0  # red
    assert np.ptp(neutral) < 8  # no hue
    assert neutral.min() > 235
    # The further from the middle, the darker, on both sides.
    light = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(light[:128]) >= -0.5).all()
    assert (np.diff(light[128:]) <= 0.5).all()


# -- the drawn


def shares_of(given: int, wanted: int, a: float) -> np.ndarray:
    """How much of each given sample is in each wanted one: bicubic, (wanted, given).

    Samples lie in the middle of their cells; beyond the edge the last one goes on.
    """
    shares = np.zeros((wanted, given))
    for row in range(wanted):
        place = (row + 0.5) * given / wanted - 0.5
        first = int(np.floor(place))
        for sample in range(first - 1, first + 3):
            x = abs(place - sample)
            if x <= 1:
                share = (a + 2) * x**3 - (a + 3) * x**2 + 1
            else:
                share = a * (x**3 - 5 * x**2 + 8 * x - 4)
            shares[row, min(max(sample, 0), given - 1)] += share
    return shares


def slow_heat(cam: np.ndarray, width: int, height: int, evidence: Evidence) -> np.ndarray:
    """Which of the 256 colours each pixel has, int (height, width)."""
    values = picture.scale(cam, evidence).astype(np.float64)
    a = -0.75 if evidence == "minmax" else 0
    large = shares_of(cam.shape[0], height, a) @ values @ shares_of(cam.shape[1], width, a).T
    return np.rint(255 * large).clip(0, 255).astype(int)


SIZES = [
    ((7, 7), (224, 224)),
    ((14, 14), (301, 199)),
    ((7, 9), (90, 70)),
    ((56, 56), (9, 7)),  # more cells than pixels
    ((1, 2), (33, 65)),
    ((2, 1), (33, 65)),
    ((3, 3), (1, 40)),
    ((2, 2), (1, 1)),
]


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("opacity", [0.3, 0.5, 1])
@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_the_seen_part_is_a_blend(
    grid: tuple[int, int], size: tuple[int, int], opacity: float, evidence: Evidence
) -> None:
    cam, (width, height) = cam_of(*grid), size
    cam[0, 0] = 1  # so that no kind of evidence is empty
    photo = photo_of(width + 20, height + 10)
    box = Box(15, 4, 15 + width, 4 + height)
    drawn = picture.overlay(photo, cam, box, "viridis", opacity, evidence)
    assert drawn.shape == photo.shape
    assert drawn.dtype == np.uint8

    colours = picture.palette("viridis", evidence)[:, 0].astype(float)
    index = slow_heat(cam, width, height, evidence)
    under = photo[4 : 4 + height, 15 : 15 + width]
    found = drawn[4 : 4 + height, 15 : 15 + width]
    # Single precision may round a value to the next of the 256 colours.
    off = np.min(
        [
            np.abs(found - (under * (1 - opacity) + colours[near] * opacity)).max(axis=-1)
            for near in (index, (index - 1).clip(0), (index + 1).clip(None, 255))
        ],
        axis=0,
    )
    assert off.max() <= 0.501
    exact = np.abs(found - (under * (1 - opacity) + colours[index] * opacity)).max(axis=-1) <= 0.501
    assert exact.mean() > 0.98  # a whole row may lie between two colours


def indices_of(cam: np.ndarray, width: int, height: int, evidence: Evidence) -> np.ndarray:
    """Which of the 256 colours each pixel gets, int (height, width)."""
    everything = Box(0, 0, width, height)
    strips = picture.indices(picture.scale(cam, evidence), everything, everything, evidence)
    return np.concatenate([strip for _, strip in strips]).astype(int)


@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_the_notebooks_picture_is_opencvs(grid: tuple[int, int], size: tuple[int, int]) -> None:
    cam = cam_of(*grid)
    values = (cam - cam.min()) / (cam.max() - cam.min())
    large = 255 * cv2.resize(values, size, interpolation=cv2.INTER_CUBIC)
    found = indices_of(cam, *size, "minmax")
    assert np.abs(found - large.clip(0, 255)).max() <= 0.501


@pytest.mark.parametrize("evidence", ["positive", "signed"])
@pytest.mark.parametrize("grid", [(7, 7), (14, 14), (56, 56), (9, 4), (1, 6), (1, 1)])
def test_no_colour_is_painted_that_no_cell_has(grid: tuple[int, int], evidence: Evidence) -> None:
    """Between two cells a bicubic overshoots, and what is painted hottest is not the hottest."""
    a_cell = 9  # pixels: an odd number, so that one of them is the middle
    height, width = (cells * a_cell for cells in grid)
    overshot = 0
    for seed in range(20):
        cam = cam_of(*grid, seed)
        cam.flat[0] = abs(cam.flat[0])  # so that "positive" is not empty
        values = 255 * picture.scale(cam, evidence)
        painted = indices_of(cam, width, height, evidence)
        # In its middle each cell has its own colour, and no pixel has more than the hottest cell.
        assert np.abs(painted[a_cell // 2 :: a_cell, a_cell // 2 :: a_cell] - values).max() <= 0.501
        around = np.pad(values, 1, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3))
        of_cell = [
            np.kron(edge(windows, axis=(2, 3)), np.ones((a_cell, a_cell)))
            for edge in (np.min, np.max)
        ]
        assert (painted >= of_cell[0] - 0.501).all()
        assert (painted <= of_cell[1] + 0.501).all()
        shares = [picture.shares(cells, a_cell * cells, "minmax") for cells in grid]
        overshot += (shares[0] @ values @ shares[1].T).max() > values.max() + 1
    assert grid == (1, 1) or overshot > 0  # OpenCV's would have failed here


def assert_same_but_for_rounding(one: np.ndarray, other: np.ndarray) -> None:
    """The strips of the product may begin elsewhere: a sum is then rounded to another colour."""
    off = np.abs(one.astype(int) - other)
    assert (off > 0).mean() < 0.001
    assert off.max() < 8


@pytest.mark.parametrize("box", [Box(0, -30, 60, 71), Box(-9, 0, 71, 40), Box(-7, -5, 90, 61)])
@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("look", ["notebook", "glow"])
def test_of_a_map_that_reaches_beyond_the_photo_its_part_is_painted(
    box: Box, evidence: Evidence, look: LookName
) -> None:
    """As if the photo were larger, cut out of that; nothing of it is margin."""
    photo, cam = photo_of(60, 40), cam_of(7, 7)
    padded = np.zeros((box.height, box.width, 3), np.uint8)
    lies = (slice(-box.top, 40 - box.top), slice(-box.left, 60 - box.left))
    padded[lies] = photo
    everything = Box(0, 0, box.width, box.height)
    found = picture.overlay(photo, cam, box, "turbo", 0.4, evidence, look)
    larger = picture.overlay(padded, cam, everything, "turbo", 0.4, evidence, look)
    assert_same_but_for_rounding(found, larger[lies])


@pytest.mark.parametrize("box", [Box(8, 6, 50, 30), Box(0, 20, 60, 21), Box(-9, -3, 71, 90)])
@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("look", ["notebook", "glow"])
def test_some_rows_are_painted_as_they_are_of_the_whole(
    box: Box, evidence: Evidence, look: LookName
) -> None:
    photo, cam = photo_of(60, 40), cam_of(7, 7)
    how = (cam, box, "turbo", 0.4, evidence, look)
    whole = picture.overlay(photo, *how)
    parts = [picture.overlay(photo[top : top + 7], *how, top, 40) for top in range(0, 40, 7)]
    assert_same_but_for_rounding(whole, np.concatenate(parts))


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_opacity_runs_from_the_photo_to_the_heat(evidence: Evidence) -> None:
    photo, cam, box = photo_of(60, 40), cam_of(7, 7), Box(0, 0, 60, 40)
    colours = {tuple(colour) for colour in picture.palette("turbo", evidence)[:, 0].tolist()}
    photo_alone = picture.overlay(photo, cam, box, "turbo", 0, evidence)
    heat_alone = picture.overlay(photo, cam, box, "turbo", 1, evidence)
    assert (photo_alone == photo).all()
    assert {tuple(pixel) for pixel in heat_alone.reshape(-1, 3).tolist()} <= colours
    assert (picture.overlay(photo, cam, box, "turbo", 0, evidence, "glow") == photo).all()


# -- glow: the evidence decides how much of the photo is covered


@pytest.mark.parametrize(
    ("opacity", "evidence", "index", "share"),
    [
        (1, "positive", 0, 0),
        (1, "positive", 51, 3408),  # a fifth: 32768 * 0.04 * (3 - 0.4) = 3407.9
        (1, "positive", 85, 8495),  # a third: 32768 / 9 * 7 / 3 = 8495.4
        (1, "positive", 255, 32768),
        (0.5, "minmax", 0, 0),
        (0.5, "minmax", 51, 1704),
        (0.5, "minmax", 255, 16384),
        (0, "positive", 255, 0),
        (1, "signed", 0, 32768),  # against it as much as for it
        (1, "signed", 85, 8495),  # a third of the way from the middle: |170 - 255| = 85
        (1, "signed", 170, 8495),
        (1, "signed", 127, 2),  # 32768 / 255**2 * 2.992 = 1.5: no grey level of 255 turns
        (1, "signed", 128, 2),
        (1, "signed", 255, 32768),
    ],
)
def test_how_much_a_colour_covers(
    opacity: float, evidence: Evidence, index: int, share: int
) -> None:
    assert picture.covers(opacity, evidence)[index] == share


@pytest.mark.parametrize("opacity", [0.3, 0.9, 1])
@pytest.mark.parametrize("evidence", ["positive", "minmax"])
def test_more_evidence_never_covers_less(opacity: float, evidence: Evidence) -> None:
    shares = picture.covers(opacity, evidence)
    assert (np.diff(shares) >= 0).all()
    assert (shares[0], shares[-1]) == (0, round(32768 * opacity))
    both = picture.covers(opacity, "signed")
    assert (both == both[::-1]).all()
    assert (np.diff(both[128:]) >= 0).all()


@pytest.mark.parametrize(
    ("cam", "evidence", "expected"),
    [
        # Nothing, and evidence against: the photo. The peak: 15 + 0.85 * (252, 255, 164).
        ([0, -3, 5], "positive", [[100, 100, 100], [100, 100, 100], [229, 232, 154]]),
        # A fifth of it: a dark violet by 0.85 * 0.104 = 0.0884.
        ([1, 5], "positive", [None, [229, 232, 154]]),
        # Against as much as for: 15 + 0.85 * (24, 62, 140), the photo, 15 + 0.85 * (144, 20, 38).
        ([-2, 0, 2], "signed", [[35, 68, 134], [100, 100, 100], [137, 32, 47]]),
        # The least value is the photo, whatever its sign.
        ([-4, -3], "minmax", [[100, 100, 100], [229, 232, 154]]),
    ],
)
def test_glow_by_hand(cam: list[float], evidence: Evidence, expected: list) -> None:
    """Cells of a pixel each, on grey."""
    values, width = np.array([cam], np.float32), len(cam)
    photo = np.full((1, width, 3), 100, np.uint8)
    drawn = picture.overlay(photo, values, Box(0, 0, width, 1), "inferno", 0.85, evidence, "glow")
    if None in expected:
        violet = picture.palette("inferno", evidence)[51, 0]
        expected = [np.floor(100 * 0.9116 + violet * 0.0884 + 0.5).tolist(), *expected[1:]]
    assert drawn[0].tolist() == expected


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("opacity", [0.3, 0.9, 1])
@pytest.mark.parametrize(("grid", "size"), SIZES)
def test_glow_is_a_blend_by_evidence(
    grid: tuple[int, int], size: tuple[int, int], opacity: float, evidence: Evidence
) -> None:
    cam, (width, height) = cam_of(*grid), size
    cam[0, 0] = 1
    photo = photo_of(width + 20, height + 10)
    box = Box(15, 4, 15 + width, 4 + height)
    drawn = picture.overlay(photo, cam, box, "viridis", opacity, evidence, "glow")
    index = indices_of(cam, width, height, evidence)
    strength = np.abs(2 * index - 255) / 255 if evidence == "signed" else index / 255
    share = (opacity * (3 * strength**2 - 2 * strength**3))[..., np.newaxis]
    colours = picture.palette("viridis", evidence)[:, 0].astype(float)
    under = photo[4 : 4 + height, 15 : 15 + width]
    found = drawn[4 : 4 + height, 15 : 15 + width]
    assert np.abs(found - (under * (1 - share) + colours[index] * share)).max() <= 0.51
    # Around the box nothing depends on the look.
    plain = picture.overlay(photo, cam, box, "viridis", opacity, evidence)
    plain[4 : 4 + height, 15 : 15 + width] = found
    assert (drawn == plain).all()


def test_the_notebooks_look_is_opencvs_blend() -> None:
    photo, cam = photo_of(60, 40), cam_of(7, 7)
    values = (cam - cam.min()) / (cam.max() - cam.min())
    large = cv2.resize(values, (60, 40), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    heat = cv2.applyColorMap(np.rint(255 * large).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    drawn = picture.overlay(photo, cam, Box(0, 0, 60, 40), "jet", 0.5, "minmax")
    same = (drawn == cv2.addWeighted(photo, 0.5, heat, 0.5, 0)).all(axis=-1)
    assert same.mean() > 0.98  # single precision may round to the next of the 256 colours


@pytest.mark.parametrize(
    "box",
    [
        Box(30, 0, 70, 60),  # margins left and right
        Box(0, 20, 100, 45),  # above and below
        Box(10, 5, 80, 50),  # all around
        Box(0, 0, 99, 60),  # one column alone
    ],
)
def test_the_unseen_margin_is_dimmed_and_the_seen_part_outlined(box: Box) -> None:
    photo = photo_of(100, 60)
    drawn = picture.overlay(photo, cam_of(7, 7), box, "jet", 0, "positive")
    seen = np.zeros((60, 100), bool)
    seen[box.top : box.bottom, box.left : box.right] = True
    # One pixel wide on a photo of this size: what is not seen, but has a seen neighbour.
    outline = cv2.dilate(seen.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~seen
    assert (drawn[seen] == photo[seen]).all()  # opacity 0: nothing else may touch it
    assert (drawn[outline] == 255).all()
    margin = ~seen & ~outline
    assert np.abs(drawn[margin] - 0.4 * photo[margin]).max(initial=0) <= 0.501


def test_the_outline_grows_with_the_photo() -> None:
    photo = np.zeros((200, 2000, 3), np.uint8)
    drawn = picture.overlay(photo, cam_of(7, 7), Box(900, 0, 1100, 200), "jet", 0, "positive")
    assert (drawn == 255).all(axis=(0, 2)).sum() == 8  # columns: four on each side


def test_a_photo_that_is_seen_whole_has_neither_margin_nor_outline() -> None:
    photo = photo_of(100, 60)
    drawn = picture.overlay(photo, cam_of(7, 7), Box(0, 0, 100, 60), "jet", 0, "positive")
    assert (drawn == photo).all()


def test_the_photo_itself_is_left_alone() -> None:
    photo, cam = photo_of(100, 60), cam_of(7, 7)
    before = photo.copy(), cam.copy()
    photo.flags.writeable = cam.flags.writeable = False
    for evidence in EVIDENCE:
        picture.overlay(photo, cam, Box(30, 0, 70, 60), "jet", 0.5, evidence)
    assert (photo == before[0]).all()
    assert (cam == before[1]).all()
