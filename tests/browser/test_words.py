"""The same words and numbers from both writers, JavaScript and Python; and the words are true."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from playwright.sync_api import Browser, Page

from camdemo import Explainer, Prediction
from camdemo.question import EVIDENCE
from camdemo.records import Occlusion, percent
from camdemo.viewer import bundle

from .test_parity import MAPS, Made, explanation, set_controls, show

PLACES = [
    *("in the upper left", "in the upper centre", "in the upper right"),
    *("in the middle left", "in the centre", "in the middle right"),
    *("in the lower left", "in the lower centre", "in the lower right"),
]
SHAPES = [(7, 7), (14, 14), (8, 8), (56, 56), (1, 2), (2, 1), (3, 3), (5, 11), (4, 1), (10, 10)]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """The viewer alone; its functions can be called by their names."""
    page = browser.new_page()
    page.set_content(
        f"""<style>{bundle.static("viewer.css")}</style>
        <div id="viewer">{bundle.static("viewer.html")}</div>
        <script>{bundle.script()}
        const viewer = mountViewer(document.getElementById("viewer"), {{}});
        const mapOf = (rows) => ({{
          height: rows.length, width: rows[0].length, values: Float32Array.from(rows.flat()),
        }});
        </script>"""
    )
    yield page
    page.close()


def zones_of(cam: np.ndarray) -> np.ndarray:
    """The share of the positive evidence in each ninth, by counting: nine parts to a cell."""
    fine = np.kron(np.maximum(cam, 0).astype(np.float64), np.ones((3, 3)))
    height, width = cam.shape  # of a ninth of the fine grid
    return fine.reshape(3, height, 3, width).sum(axis=(1, 3)).ravel() / fine.sum()


def random_maps() -> list[np.ndarray]:
    generator = np.random.default_rng(4)
    maps = []
    for shape in SHAPES:
        for sharpness in (0.3, 1, 3):
            for offset in (-1, 0, 1):
                values = generator.normal(offset, 1, shape)
                values.flat[generator.integers(values.size)] = 0.5  # never empty
                maps.append((np.sign(values) * np.abs(values) ** sharpness).astype(np.float32))
    return maps


@pytest.fixture(scope="module")
def real_maps(explainer: Explainer) -> list[np.ndarray]:
    photos = [get_image(f"{name}.jpg") for name in ("lion", "cheetah", "tower")]
    maps = [cam for photo in photos for cam in explainer.explain(photo).maps().values()]
    return [cam for cam in maps if cam.max() > 0 and max(cam.shape) <= 56]


@pytest.mark.parametrize("kind", ["random", "real"])
def test_the_caption_names_the_ninth_with_the_most_evidence(
    page: Page, real_maps: list[np.ndarray], kind: str
) -> None:
    maps = random_maps() if kind == "random" else real_maps
    assert len(maps) >= 90
    rows = [cam.tolist() for cam in maps]
    said = page.evaluate("maps => maps.map((rows) => describe(mapOf(rows), 'lion'))", rows)
    mostly = 0
    for cam, sentence in zip(maps, said, strict=True):
        zones = zones_of(cam)
        if sentence.startswith("All parts of the seen area have"):
            assert zones.max() < 0.126, sentence
            continue
        found = re.match(
            r"(.+) \((.+)\) of the evidence for lion lies (in the [\w ]+)\. ", sentence
        )
        assert found, sentence
        how_much, share, place = found.groups()
        assert zones[PLACES.index(place)] >= zones.max() - 1e-6, (zones, sentence)
        assert share in {percent(zones.max() + tiny) for tiny in (-1e-6, 0, 1e-6)}
        assert how_much == ("Most" if int(share.removesuffix(" %")) > 50 else "The largest part")
        mostly += how_much == "Most"
    assert 0 < mostly < len(maps)


@pytest.mark.parametrize("kind", ["random", "real"])
def test_a_duels_sentences_are_those_of_its_two_sides(
    page: Page, real_maps: list[np.ndarray], kind: str
) -> None:
    maps = random_maps() if kind == "random" else real_maps
    call = "maps => maps.map((rows) => describeDuel(mapOf(rows), 'lion', 'tiger'))"
    for cam, said in zip(maps, page.evaluate(call, [cam.tolist() for cam in maps]), strict=True):
        if cam.min() >= 0:
            assert said == "Nothing speaks for tiger rather than lion at this layer."
            continue
        sides = {"lion": cam, "tiger": -cam}
        sentences = re.findall(r"[A-Z][^.]+\.", said)
        assert len(sentences) == 2
        for sentence, (name, side) in zip(sentences, sides.items(), strict=True):
            assert f"what speaks for {name}" in sentence
            zones = zones_of(side)
            if sentence.startswith("All parts"):
                assert zones.max() < 0.126, sentence
                continue
            place = sentence[sentence.index(" lies ") + 6 : -1]
            assert zones[PLACES.index(place)] >= zones.max() - 1e-6, (zones, sentence)
            if sentence.startswith("Most"):
                assert zones.max() > 0.5, sentence


def test_a_cell_that_lies_in_two_zones_counts_for_both(page: Page) -> None:
    """By hand: of seven columns the third lies by a third in the left zone."""
    row = [0, 0, 9, 0, 4, 0, 0]  # left 3, centre 6 + 4 * 2/3, right 4 * 1/3; whole cells: 9, 4, 0
    cam = [row] + [[0] * 7] * 6
    place = page.evaluate("rows => placeOf(mapOf(rows))", cam)
    assert place["place"] == "in the upper centre"
    assert place["share"] == pytest.approx((6 + 8 / 3) / 13)


def test_the_aria_label_has_the_caption(page: Page) -> None:
    explained = explanation("whole", MAPS["7 x 7"])
    show(page, explained)
    words = page.locator(".cam-words").inner_text()
    assert re.match(r"(Most|The largest part) \(", words)
    assert page.locator("canvas.cam-picture").get_attribute("aria-label") == f"Photo. {words}"


# ---------------------------------------------------------------- both writers


def shares() -> list[float]:
    """Many shares, and those that lie on an edge of the rounding or beside it."""
    generator = np.random.default_rng(15)
    edges = [tenth / 1000 for tenth in range(1001)] + [tenth / 2000 for tenth in range(2001)]
    beside = [math.nextafter(edge, side) for edge in edges for side in (0, 1)]
    some = [*generator.random(2000), *generator.random(2000) ** 8]
    singles = np.asarray(edges, np.float32).astype(float)  # as probabilities are
    return [*edges, *beside, *map(float, some), *singles.tolist()]


def test_percentages(page: Page) -> None:
    values = shares()
    found = page.evaluate("values => values.map(percentText)", values)
    assert found == [percent(value) for value in values]
    # By hand: half up.
    expected = {0.105: "11 %", 0.125: "13 %", 0.0025: "0.3 %", 0.995: "100 %", 0.0004: "<0.1 %"}
    assert page.evaluate("values => values.map(percentText)", list(expected)) == [
        *expected.values()
    ]


def test_map_values(page: Page) -> None:
    """Three significant digits of the exact value, half away from zero."""
    generator = np.random.default_rng(16)
    values = [
        float(x) for x in generator.normal(size=3000) * 10.0 ** generator.integers(-9, 9, 3000)
    ]
    values += [0.0, 1.0, -1.0, 2.125, -2.125, 0.5, 1234.5, 9.995, 99950.0, 1e-7, 123456789.0]
    found = page.evaluate("values => values.map(valueText)", values)
    for value, text in zip(values, found, strict=True):
        exact = Decimal(value)
        digits = Decimal(1).scaleb(exact.adjusted() - 2) if exact else Decimal(1)
        assert Decimal(text) == exact.quantize(digits, ROUND_HALF_UP), value


def test_the_answer_to_hiding(page: Page) -> None:
    generator = np.random.default_rng(17)
    shares = [*generator.random(600), *generator.integers(0, 2001, 600) / 2000]
    questions: list[dict[str, Any]] = []
    expected = []
    for before, after, elsewhere, error in np.asarray(shares).reshape(-1, 4).tolist():
        for keep in (False, True):
            overlap = float(generator.choice([0, 0.004, 0.005, 0.105, generator.random()]))
            values = {"before": before, "after": after, "elsewhere": elsewhere}
            values |= {"error": error / 5, "overlap": overlap, "keep": keep}
            questions.append(values)
            lion = [Prediction(0, "lion", share) for share in (before, after, elsewhere)]
            expected.append(Occlusion((), *lion, error / 5, overlap, 0.2, keep).text)
    assert {"no clear difference" in text for text in expected} == {True, False}
    found = page.evaluate(
        """questions => questions.map(({ before, after, elsewhere, error, overlap, keep }) => {
          const scene = { labels: [{ index: 0, label: "lion", probability: before }] };
          const all = { now: [after], elsewhere: [elsewhere], errors: [error] };
          const answer = { ...all, overlap, keep, first: { index: 0 } };
          return describeAnswer({ tool: "box", target: 0, scene, answer });
        })""",
        questions,
    )
    assert [text.replace("\u00a0", " ") for text in found] == expected


@pytest.mark.parametrize("cam", MAPS)
def test_what_a_person_must_know_of_a_map(page: Page, cam: str) -> None:
    explained = explanation("whole", MAPS[cam])
    show(page, explained)
    for evidence in EVIDENCE:
        set_controls(page, evidence=evidence)
        assert page.locator(".cam-note").inner_text() == explained.caveat(evidence)


@pytest.mark.parametrize(
    ("cells", "scale", "evidence", "share"),
    [
        ([[0, 0.4]], 10, "positive", "4.0 %"),
        ([[-9, 0.4]], 10, "positive", "4.0 %"),  # what speaks against it is not painted
        ([[0, 3.3]], 10, "positive", "33 %"),
        ([[0, 3.4]], 10, "positive", ""),
        ([[0, 10]], 10, "positive", ""),
        ([[-0.7, 0.4]], 10, "signed", "7.0 %"),
        ([[-3.4, 0.4]], 10, "signed", ""),
    ],
)
def test_a_weak_map_says_so(
    page: Page, cells: list, scale: float, evidence: str, share: str
) -> None:
    """Beside another label's map, whose strongest cell is the scale."""
    found = page.evaluate(
        """([cells, scale, evidence]) => {
          const [map, strong] = [cells, [[scale, 0]]].map(mapOf);
          return describeWeak(map, displayRange(rangeOf([map, strong]), evidence));
        }""",
        [cells, scale, evidence],
    )
    assert found == (share and f"A weak map: its strongest cell has {share} of the scale.")
    alone = "cells => describeWeak(mapOf(cells), displayRange(rangeOf([mapOf(cells)]), 'signed'))"
    assert page.evaluate(alone, cells) == ""
    assert page.evaluate("cells => describeWeak(mapOf(cells), null)", cells) == ""


def test_one_scale_is_that_of_the_strongest_label(page: Page) -> None:
    """A label is weak beside another one, and not alone; one for which nothing speaks says so."""
    lion = explanation("whole", np.array([[0, 0.5], [0, 0.25]], np.float32))
    cheetah, cat = Prediction(293, "cheetah", 0.1), Prediction(281, "tabby", 0.01)
    maps = {
        ("last", 291): lion.cam,
        ("last", 293): lion.cam * np.float32(20),
        ("last", 281): lion.cam - np.float32(1),  # nothing speaks for it
    }
    more = {"predictions": (lion.target, cheetah, cat), "engine": Made(maps)}
    scene = replace(lion, **more).scene().as_json()
    page.evaluate("scene => viewer.show(scene)", scene)
    set_controls(page, evidence="positive")
    weak = "A weak map: its strongest cell has 5.0 % of the scale."
    words, note = page.locator(".cam-words"), page.locator(".cam-note")
    assert words.inner_text().endswith(f"of the seen area. {weak}")
    page.evaluate("viewer.set({ shared: false })")
    assert "weak" not in words.inner_text()
    page.evaluate("viewer.set({ shared: true, target: 293 })")
    assert "weak" not in words.inner_text()
    page.evaluate("viewer.set({ target: 281 })")
    assert note.inner_text() == "No positive evidence for tabby at this layer."
    assert page.evaluate("viewer.heat.current()") is None
