"""The same words and numbers from both writers, JavaScript and Python; and the words are true."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
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

from .test_parity import MAPS, explanation, set_controls, show

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
        const ALL = {{ part: [0, 0, 1, 1], side: 1 }}; // of a scene without bars
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
    said = page.evaluate("maps => maps.map((rows) => describe(mapOf(rows), 'lion', ALL))", rows)
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
    call = "maps => maps.map((rows) => describeDuel(mapOf(rows), 'lion', 'tiger', ALL))"
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
    place = page.evaluate("rows => placeOf(mapOf(rows), ALL)", cam)
    assert place["place"] == "in the upper centre"
    assert place["share"] == pytest.approx((6 + 8 / 3) / 13)


# Rows and columns of 42 that show the photo; a cell of 7 x 7 has 6 of them, one of 14 x 14 has 3.
PARTS = [(9, 0, 33, 42), (0, 15, 42, 27), (19, 0, 22, 42), (6, 0, 36, 42), (0, 0, 42, 42)]


def bars_in_words(cam: np.ndarray, part: tuple[int, int, int, int]) -> tuple[float, np.ndarray]:
    """How much of the positive evidence lies outside of the part, and of what is in it how much in
    each ninth of that: by counting, each cell in pieces."""
    fine = np.kron(np.maximum(cam, 0).astype(np.float64), np.ones([126 // len(cam)] * 2))
    top, left, bottom, right = (3 * edge for edge in part)
    seen = fine[top:bottom, left:right]
    height, width = (edge // 3 for edge in seen.shape)
    zones = seen.reshape(3, height, 3, width).sum(axis=(1, 3)).ravel()
    return 1 - seen.sum() / fine.sum(), zones / seen.sum()


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_evidence_in_the_bars_is_said(page: Page, part: tuple[int, int, int, int]) -> None:
    maps = [cam for cam in random_maps() if cam.shape in ((7, 7), (14, 14))]
    top, left, bottom, right = part
    scene = {"part": [left, top, right, bottom], "side": 42}
    call = "([maps, scene]) => maps.map((rows) => describe(mapOf(rows), 'lion', scene))"
    said = page.evaluate(call, [[cam.tolist() for cam in maps], scene])
    for cam, sentence in zip(maps, said, strict=True):
        bars, zones = bars_in_words(cam, part)
        if bars > 0.1:
            share, rest = re.match(
                r"(.+) of the evidence for lion lies in the bars, (.*)", sentence
            ).groups()
            assert share in {percent(bars + tiny) for tiny in (-1e-6, 0, 1e-6)}
            largest, beginning = zones.max(), r"outside of the photo\. Of the rest, "
        else:
            largest, rest, beginning = zones.max() * (1 - bars), sentence, ""
        assert ("Half of the rest lies" in rest) == (bars > 0.1)
        found = re.match(
            beginning + r"(.+) \((.+)\) (?:of the evidence for lion )?lies (in the [\w ]+)\. Half",
            rest,
        )
        if not found:
            assert re.match(beginning + "[Aa]ll parts of the seen area have about as much", rest)
            assert zones.max() < 0.126
            continue
        how_much, share, place = found.groups()
        assert zones[PLACES.index(place)] >= zones.max() - 1e-6
        assert share in {percent(largest + tiny) for tiny in (-1e-6, 0, 1e-6)}
        most = int(share.removesuffix(" %")) > 50
        assert how_much.lower() == ("most" if most else "the largest part")
    assert ("bars" in " ".join(said)) == (part != PARTS[-1])


def test_the_words_of_a_letterboxed_map_by_hand(page: Page) -> None:
    # Of 4 x 4 cells the first and the last row lie by three quarters in the bars.
    scene = {"part": [0, 3, 16, 13], "side": 16}
    cam = [[4, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    said = page.evaluate("([rows, scene]) => describe(mapOf(rows), 'lion', scene)", [cam, scene])
    # 3 of 7 lie in the bar. Of the 4 on the photo 1 is in the corner, and the other cell's 3 by
    # a third of its width and 7 / 12 of its height: 1 + 7 / 12 of 4. To get half, both cells are
    # needed: one and a quarter of ten.
    assert said == (
        "43 % of the evidence for lion lies in the bars, outside of the photo. Of the rest, "
        "the largest part (40 %) lies in the upper left. "
        "Half of the rest lies in 13 % of the seen area."
    )
    alone = [[4, 0, 0, 0], [0] * 4, [0] * 4, [0] * 4]
    scene = {"part": [0, 4, 16, 12], "side": 16}
    said = page.evaluate("([rows, scene]) => describe(mapOf(rows), 'lion', scene)", [alone, scene])
    assert said == "100 % of the evidence for lion lies in the bars, outside of the photo."


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
