"""The map lies where the model looked: a network that answers to light, and a bright dot."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from camdemo import Explainer, picture
from camdemo.question import FRAMINGS
from camdemo.records import Framing

from .tiny_models import DotFinder, install

CELLS = 14
WIDE, TALL, TINY = (600, 200), (200, 600), (9, 7)
# Width and height of the upright photo; the last has more than two million pixels.
SIZES = [WIDE, TALL, TINY, (7, 9), (300, 300), (501, 333), (40, 5), (2001, 1333)]

# How EXIF says that a photo is stored: which side of the upright photo the first row and the
# first column of the file are (TIFF 6.0, tag 274).
STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.transpose(1, 0, 2),  # left, top
    6: lambda upright: np.rot90(upright, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
    8: lambda upright: np.rot90(upright, -1),  # left, bottom
}


@pytest.fixture
def explainer(monkeypatch: pytest.MonkeyPatch) -> Explainer:
    install(monkeypatch, lambda spec: DotFinder(spec.transform.crop, CELLS))
    return Explainer()


def dotted(size: tuple[int, int], centre: tuple[float, float]) -> np.ndarray:
    """A black photo with a white square about `centre`, the pixel (x, y)."""
    photo = np.zeros((size[1], size[0], 3), np.uint8)
    reach = min(size) // 50
    x, y = (int(place) for place in centre)
    photo[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = 255
    return photo


def off_centre(size: tuple[int, int]) -> tuple[float, float]:
    """A pixel that every framing sees, and that no rotation or mirror leaves in its place."""
    width, height = size
    short = min(size)
    return width // 2 - 0.3 * short, height // 2 - 0.15 * short


def file_of(photo: np.ndarray, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    stored = np.ascontiguousarray(STORED[orientation](photo))
    Image.fromarray(stored).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def codes(colours: np.ndarray) -> np.ndarray:
    """One number for each colour: uint8 (..., 3) to int (...)."""
    return colours @ np.array([1 << 16, 1 << 8, 1])


def hottest(drawn: Image.Image) -> tuple[float, float]:
    """The hottest pixel of an opaque overlay, or the middle of the hottest ones.

    Colours that the palette does not have (the margin, its outline) are no heat.
    """
    index_of = np.full(1 << 24, -1, np.int16)
    index_of[codes(picture.palette("viridis", "positive"))[:, 0]] = np.arange(256)
    heat = index_of[codes(np.asarray(drawn))]
    rows, columns = np.nonzero(heat == heat.max())
    return float(columns.mean()), float(rows.mean())


def assert_on_the_dot(
    explainer: Explainer, photo: np.ndarray | bytes, upright: np.ndarray, framing: Framing
) -> None:
    explanation = explainer.explain(photo, "efficientnet_lite0", framing=framing)
    assert explanation.cam.shape == (CELLS, CELLS)
    overlay = explanation.overlay("viridis", opacity=1, evidence="positive")
    assert overlay.size == (upright.shape[1], upright.shape[0])
    rows, columns = np.nonzero(upright[..., 0])
    x, y = hottest(overlay)
    # A cell of a tiny photo is smaller than its pixels.
    assert abs(x - columns.mean()) <= max(explanation.box.width / CELLS, 0.5)
    assert abs(y - rows.mean()) <= max(explanation.box.height / CELLS, 0.5)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_heat_lies_on_the_dot(
    explainer: Explainer, size: tuple[int, int], framing: Framing
) -> None:
    photo = dotted(size, off_centre(size))
    assert_on_the_dot(explainer, photo, photo, framing)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("size", [WIDE, TALL], ids=["wide", "tall"])
@pytest.mark.parametrize("orientation", STORED)
def test_the_heat_lies_on_the_dot_of_the_upright_photo(
    explainer: Explainer, orientation: int, size: tuple[int, int], framing: Framing
) -> None:
    upright = dotted(size, off_centre(size))
    assert_on_the_dot(explainer, file_of(upright, orientation), upright, framing)


@pytest.mark.parametrize("size", [WIDE, TALL], ids=["wide", "tall"])
def test_whole_sees_the_margin_that_crop_does_not(
    explainer: Explainer, size: tuple[int, int]
) -> None:
    photo = dotted(size, (0.1 * size[0], 0.1 * size[1]))
    assert_on_the_dot(explainer, photo, photo, "whole")
    cropped = explainer.explain(photo, "efficientnet_lite0", framing="crop")
    assert cropped.caveat() == "No positive evidence for tench at this layer."
    assert (np.asarray(cropped.overlay()) == photo).all()
