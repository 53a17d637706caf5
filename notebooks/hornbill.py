"""A hornbill, drawn: what the notebook looks at. No photo is downloaded, and this one is ours."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_SIDE = 1600  # it is drawn four times as large as it is returned
_BLACK, _WING, _CREAM = (20, 20, 24), (27, 28, 33), (225, 222, 210)
_YELLOW, _ORANGE, _PALE = (236, 190, 70), (214, 150, 50), (246, 214, 110)


def draw(side: int = 400) -> Image.Image:
    """The bird on its branch, RGB, `side` pixels wide and high; the same each time."""
    random = np.random.default_rng(1)
    image = _leaves(random)
    pen = ImageDraw.Draw(image)
    pen.line([(0, 1330), (_SIDE, 1250)], fill=(92, 70, 50), width=70)
    _body(pen)
    _head(pen)
    small = image.resize((side, side), Image.Resampling.LANCZOS)
    small = small.filter(ImageFilter.GaussianBlur(0.6))
    grain = np.asarray(small, np.float32) + random.normal(0, 6, (side, side, 3))
    return Image.fromarray(grain.clip(0, 255).astype(np.uint8))


def _leaves(random: np.random.Generator) -> Image.Image:
    """Leaves, far out of focus."""
    image = Image.new("RGB", (_SIDE, _SIDE), (120, 150, 90))
    pen = ImageDraw.Draw(image)
    for _ in range(260):
        x, y = random.integers(0, _SIDE, 2).tolist()
        radius, green = int(random.integers(60, 220)), int(random.integers(60, 190))
        leaf = (x - radius, y - 0.6 * radius, x + radius, y + 0.6 * radius)
        pen.ellipse(leaf, fill=(int(0.55 * green), green, int(0.35 * green)))
    return image.filter(ImageFilter.GaussianBlur(60))


def _body(pen: ImageDraw.ImageDraw) -> None:
    pen.polygon([(560, 1050), (300, 1560), (420, 1590), (700, 1150)], fill=_BLACK)  # tail
    pen.polygon([(330, 1450), (290, 1570), (420, 1590), (450, 1490)], fill=_CREAM)
    pen.ellipse((480, 560, 980, 1300), fill=_BLACK)
    pen.ellipse((700, 1080, 900, 1290), fill=_CREAM)
    pen.ellipse((470, 640, 800, 1200), fill=_WING)
    for y in range(700, 1000, 34):
        pen.arc((480, y - 60, 800, y + 120), 20, 160, fill=(52, 54, 62), width=7)
    for x in (700, 820):
        pen.rectangle((x, 1240, x + 50, 1330), fill=(60, 60, 66))  # feet


def _head(pen: ImageDraw.ImageDraw) -> None:
    pen.ellipse((640, 330, 1000, 760), fill=_BLACK)
    pen.ellipse((700, 240, 1010, 560), fill=_BLACK)
    pen.ellipse((840, 340, 950, 450), fill=(70, 80, 110))
    upper = [(930, 330), (1130, 330), (1330, 430), (1440, 640), (1420, 690), (1330, 560)]
    pen.polygon([*upper, (1180, 500), (940, 500)], fill=_YELLOW)
    lower = [(940, 470), (1160, 500), (1290, 570), (1390, 690), (1240, 640), (1100, 570)]
    pen.polygon([*lower, (950, 540)], fill=_ORANGE)
    casque = [(820, 270), (900, 170), (1120, 165), (1240, 230), (1190, 330), (940, 350)]
    pen.polygon(casque, fill=_PALE)
    pen.polygon([(1120, 165), (1240, 230), (1190, 330), (1150, 250)], fill=(40, 34, 30))
    pen.line([(940, 485), (1170, 505), (1320, 580), (1420, 690)], fill=(90, 60, 30), width=8)
    pen.ellipse((868, 366, 926, 424), fill=(150, 30, 25))  # eye
    pen.ellipse((884, 382, 910, 408), fill=(5, 5, 5))
    pen.ellipse((890, 386, 898, 394), fill=(255, 255, 255))
