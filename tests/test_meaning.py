"""The maps mean something: of two photos side by side, each label's map lies on its own."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from gradio.media import get_image
from PIL import Image
from skimage import data

from camdemo import Explainer

HALF = 448  # pixels a side; the photo is two of these
MIDDLE = 3  # column of the map
MODEL = "efficientnet_lite0"


def test_each_label_looks_at_its_own_photo(one_thread: None) -> None:
    explainer = Explainer()
    photos = {name: Image.open(get_image(f"{name}.jpg")) for name in ("cheetah", "lion", "tower")}
    photos |= {"cat": Image.fromarray(data.chelsea()), "coffee": Image.fromarray(data.coffee())}
    squares = {name: photo.convert("RGB").resize((HALF, HALF)) for name, photo in photos.items()}
    labels = {
        name: explainer.explain(square, MODEL, framing="whole").target
        for name, square in squares.items()
    }
    assert len({label.index for label in labels.values()}) == len(labels)

    hits, shares = [], []
    for pair in permutations(squares, 2):
        both = Image.new("RGB", (2 * HALF, HALF))
        for side, name in enumerate(pair):
            both.paste(squares[name], (side * HALF, 0))
        for side, name in enumerate(pair):
            explanation = explainer.explain(both, MODEL, target=labels[name].index, framing="whole")
            assert explanation.cam.shape == (7, 7)
            # Columns 0 to 2 lie on the left photo, 4 to 6 on the right one, and 3 half on each.
            columns = np.maximum(explanation.cam, 0).sum(axis=0)
            left = columns[:MIDDLE].sum() + columns[MIDDLE] / 2
            share = (left if side == 0 else columns.sum() - left) / columns.sum()
            hottest = int(explanation.cam.max(axis=0).argmax())
            hits.append(hottest < MIDDLE if side == 0 else hottest > MIDDLE)
            shares.append(share)
    print({name: label.label for name, label in labels.items()})
    print(f"hottest cell on its own photo: {sum(hits)} of {len(hits)}")
    print(f"positive evidence on its own photo: {np.mean(shares):.0%}, least {min(shares):.0%}")
    assert len(hits) == 40
    assert all(hits)
    assert np.mean(shares) >= 0.75
