"""The same words and numbers from both writers, JavaScript and Python; and the words are true."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pytest
from gradio.media import get_image
from playwright.sync_api import Page

from camdemo import Explainer, Prediction
from camdemo.question import EVIDENCE
from camdemo.records import Occlusion, percent

from .test_parity import MAPS, Made, explanation, set_controls, show

PLACES = [
    *("in the upper left", "in the upper centre", "in the upper right"),
    *("in the middle left", "in the centre", "in the middle right"),
    *("in the lower left", "in the lower centre", "in the lower right"),
]
SHAPES = [(7, 7), (14, 14), (8, 8), (56, 40), (1, 2), (5, 1), (3, 3), (5, 11), (1, 9), (10, 10)]


@pytest.fixture(scope="module")
def page(alone: Page) -> Page:
    """The viewer alone; its functions can be called by their names."""
    alone.evaluate(
        """() => {
          window.mapOf = (rows) => ({
            height: rows.length, width: rows[0].length, values: Float32Array.from(rows.flat()),
          });
          window.WHOLE = { part: [0, 0, 1, 1], input_size: [1, 1] }; // of a scene without bars
        }"""
    )
    return alone


def zones_of(cam: np.ndarray) -> np.ndarray:
    """The share of the positive evidence in each ninth, by counting: nine parts to a cell."""
    fine = np.kron(np.maximum(cam, 0).astype(np.float64), np.ones((3, 3)))
    height, width = cam.shape  # of a ninth of the fine grid
    return fine.reshape(3, height, 3, width).sum(axis=(1, 3)).ravel() / fine.sum()


def random_maps() -> list[np.ndarray]:
    """200 maps, 20 of each shape: noise, hills, single peaks, and nearly flat ones."""
    generator = np.random.default_rng(4)
    maps = []
    for height, width in SHAPES:
        y, x = np.mgrid[0.5:height, 0.5:width] / np.array([height, width])[:, None, None]
        for sharpness in (0.3, 1, 3):
            for offset in (-1, 1):
                noise = generator.normal(offset, 1, (height, width))
                noise.flat[generator.integers(noise.size)] = 0.5  # never empty
                maps.append(np.sign(noise) * np.abs(noise) ** sharpness)
        for breadth in np.linspace(0.03, 0.6, 6):
            down, across = generator.random(2)
            maps.append(np.exp(-((y - down) ** 2 + (x - across) ** 2) / breadth**2) - 1e-3)
            maps[-1].flat[maps[-1].argmax()] += 0.01
        for depth in (0, 0, 1e-3, 0.2):
            peak = np.full((height, width), -depth)
            peak.flat[generator.integers(peak.size)] = 1
            maps.append(peak)
        maps += [1 + spread * generator.random((height, width)) for spread in (0, 0.01, 0.3, 1)]
    return [cam.astype(np.float32) for cam in maps]


@pytest.fixture(scope="module")
def real_maps(explainer: Explainer) -> list[np.ndarray]:
    photos = [get_image(f"{name}.jpg") for name in ("lion", "cheetah", "tower")]
    maps = [cam for photo in photos for cam in explainer.explain(photo).maps().values()]
    return [cam for cam in maps if cam.max() > 0 and max(cam.shape) <= 56]


def percents(share: float) -> set[str]:
    """How a share may be written that was summed in another order."""
    return {percent(max(share + tiny, 0)) for tiny in (-1e-6, 0, 1e-6)}


def check_place(said: str, what: str, cam: np.ndarray) -> str:
    """That a sentence says where this map's evidence lies, and no more; returns its kind."""
    return check_zones(said, what, zones_of(cam), zones_of(cam))


def check_zones(said: str, what: str, zones: np.ndarray, shares: np.ndarray) -> str:
    """The same of each ninth's share of what lies on the photo, and those that are told."""
    is_even = zones.max() <= 0.125 and zones.min() >= 0.1
    near = min(abs(zones.max() - 0.125), abs(zones.min() - 0.1)) < 1e-6
    kind = re.match(r"Most|The largest parts?", said)
    if kind is None:
        assert said == f"{what[0].upper()}{what[1:]} is spread evenly."
        assert is_even or near, (zones, said)
        return "even"
    assert not is_even or near, (zones, said)
    if kind[0] == "The largest parts":
        found = re.fullmatch(rf"The largest parts of {what} have (.+) each\.", said)
        assert (zones > zones.max() - 1e-6).sum() > 1, (zones, said)
    else:
        found = re.fullmatch(rf"{kind[0]} of {what} \((.+)\) lies (in the [\w ]+)\.", said)
        assert found, said
        others = np.delete(zones, PLACES.index(found[2]))
        assert others.max() < zones.max() + 1e-12, (zones, said)
        assert (kind[0] == "Most") == (int(found[1].removesuffix(" %")) > 50)
    assert found, said
    assert found[1] in percents(shares.max())
    return kind[0]


@pytest.mark.parametrize("kind", ["random", "real"])
def test_the_caption_is_right(page: Page, real_maps: list[np.ndarray], kind: str) -> None:
    maps = random_maps() if kind == "random" else real_maps
    assert len(maps) == 200 if kind == "random" else len(maps) >= 90
    rows = [cam.tolist() for cam in maps]
    said = page.evaluate("maps => maps.map((rows) => describe(mapOf(rows), 'lion', WHOLE))", rows)
    kinds = set()
    for cam, sentences in zip(maps, said, strict=True):
        found = re.fullmatch(
            r"Half of the evidence for lion lies in (.+ %) of the frame\. (.+\.)", sentences
        )
        assert found, sentences
        strongest = np.sort(np.maximum(cam, 0).astype(float), axis=None)[::-1].cumsum()
        half = strongest[-1] / 2
        counts = [int((strongest < half * sure).sum()) + 1 for sure in (1 - 1e-9, 1 + 1e-9)]
        assert found[1] in {percent(count / cam.size) for count in counts}
        kinds.add(check_place(found[2], "it", cam))
    assert kinds >= {"Most", "The largest part"}
    assert kind == "real" or kinds == {"Most", "The largest part", "The largest parts", "even"}


@pytest.mark.parametrize("kind", ["random", "real"])
def test_a_duels_sentences_are_those_of_its_two_sides(
    page: Page, real_maps: list[np.ndarray], kind: str
) -> None:
    maps = random_maps() if kind == "random" else real_maps
    call = "maps => maps.map((rows) => describeDuel(mapOf(rows), 'lion', 'tiger', WHOLE))"
    duels = 0
    for cam, said in zip(maps, page.evaluate(call, [cam.tolist() for cam in maps]), strict=True):
        if cam.min() >= 0:
            assert said == "Nothing speaks for tiger rather than lion at this layer."
            continue
        first, second = re.findall(r"[A-Z].+?\.(?= |$)", said)
        check_place(first, "what speaks for lion", cam)
        check_place(second, "what speaks for tiger", -cam)
        duels += 1
    assert duels > 50


def test_the_caption_by_hand(page: Page) -> None:
    """Of a 3 x 3 map each cell is a ninth."""
    written = [
        # 6 of 10 in one ninth, which alone is half of it
        ([[0, 6, 0], [1, 0, -9], [1, 1, 1]], "11 %", "Most of it (60 %) lies in the upper centre."),
        # 5 of 10 is not more than half
        (
            [[0, 5, 0], [2, 0, 0], [1, 1, 1]],
            "11 %",
            "The largest part of it (50 %) lies in the upper centre.",
        ),
        # 4 + 3 of 12, in two of nine
        (
            [[1, 1, 1], [1, 3, 0], [0, 1, 4]],
            "22 %",
            "The largest part of it (33 %) lies in the lower right.",
        ),
        # two with 4 of 9
        ([[4, 0, 0], [0, 1, 0], [0, 0, 4]], "22 %", "The largest parts of it have 44 % each."),
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], "56 %", "It is spread evenly."),
        # none has more than an eighth, but one has nothing
        ([[1, 1, 1], [1, 0, 1], [1, 1, 1]], "44 %", "The largest parts of it have 13 % each."),
    ]
    for rows, area, place in written:
        said = page.evaluate("rows => describe(mapOf(rows), 'lion', WHOLE)", rows)
        assert said == f"Half of the evidence for lion lies in {area} of the frame. {place}"


def test_a_cell_that_lies_in_two_zones_counts_for_both(page: Page) -> None:
    """By hand: of seven columns the third lies by a third in the left zone."""
    row = [0, 0, 9, 0, 4, 0, 0]  # left 3, centre 6 + 4 * 2/3, right 4 * 1/3; whole cells: 9, 4, 0
    cam = [row] + [[0] * 7] * 6
    place = page.evaluate("rows => placeOf(mapOf(rows), WHOLE)", cam)
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
    return 1 - seen.sum() / fine.sum(), zones / (seen.sum() or 1)


def half_of(cam: np.ndarray, part: tuple[int, int, int, int], half: float) -> float:
    """How much of the part the strongest cells cover that have this much evidence in it."""
    pieces = 42 // len(cam)
    inside = np.zeros((42, 42))
    inside[part[0] : part[2], part[1] : part[3]] = 1
    area = inside.reshape(len(cam), pieces, len(cam), pieces).sum(axis=(1, 3)).ravel()
    strongest = np.argsort(-cam.ravel(), kind="stable")
    evidence = (np.maximum(cam, 0).ravel().astype(float) * area / pieces**2)[strongest].cumsum()
    return area[strongest[: (evidence < half * (1 - 1e-9)).sum() + 1]].sum() / area.sum()


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_evidence_in_the_bars_is_said(page: Page, part: tuple[int, int, int, int]) -> None:
    maps = [cam for cam in random_maps() if cam.shape in ((7, 7), (14, 14))]
    top, left, bottom, right = part
    scene = {"part": [left, top, right, bottom], "input_size": [42, 42]}
    call = "([maps, scene]) => maps.map((rows) => describe(mapOf(rows), 'lion', scene))"
    said = page.evaluate(call, [[cam.tolist() for cam in maps], scene])
    kinds = set()
    for cam, sentences in zip(maps, said, strict=True):
        bars, zones = bars_in_words(cam, part)
        if not zones.any():
            told = "100 % of the evidence for lion lies in the bars, outside of the photo."
            assert sentences == told
            continue
        found = re.fullmatch(
            r"(?:(?P<bars>.+?) of the evidence for lion lies in the bars, outside of the photo\. )?"
            r"Half of (?P<what>.+) lies in (?P<area>.+ %) of the frame\. (?P<place>.+\.)",
            sentences,
        )
        assert found, sentences
        is_said = found["bars"] is not None
        assert is_said == (bars > 0.1)
        assert not is_said or found["bars"] in percents(bars)
        assert found["what"] == ("the rest" if is_said else "the evidence for lion")
        total = np.maximum(cam, 0).astype(float).sum()
        half = total * (1 - bars if is_said else 1) / 2
        assert found["area"] in percents(half_of(cam, part, half))
        shares = zones if is_said else zones * (1 - bars)
        kinds.add(check_zones(found["place"], "it", zones, shares))
    assert kinds >= {"Most", "The largest part", "even"}
    assert ("bars" in " ".join(said)) == (part != PARTS[-1])


def test_the_words_of_a_letterboxed_map_by_hand(page: Page) -> None:
    # Of 4 x 4 cells the first and the last row lie by three quarters in the bars.
    scene = {"part": [0, 3, 16, 13], "input_size": [16, 16]}
    cam = [[4, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    call = "([rows, scene]) => describe(mapOf(rows), 'lion', scene)"
    # 3 of 7 lie in the bar. Of the 4 on the photo 1 is in the corner, and the other cell's 3 by
    # a third of its width and 7 / 12 of its height: 1 + 7 / 12 of 4. To get half, both cells are
    # needed: one and a quarter of ten.
    assert page.evaluate(call, [cam, scene]) == (
        "43 % of the evidence for lion lies in the bars, outside of the photo. "
        "Half of the rest lies in 13 % of the frame. "
        "The largest part of it (40 %) lies in the upper left."
    )
    # The same against another label, whose 2 lie in the last row: 1.5 of them in the bar, and what
    # is left of them in one ninth.
    duel = [*cam[:3], [0, 0, 0, -2]]
    call = "([rows, scene]) => describeDuel(mapOf(rows), 'lion', 'tiger', scene)"
    assert page.evaluate(call, [duel, scene]) == (
        "43 % of what speaks for lion lies in the bars, outside of the photo. "
        "The largest part of the rest (40 %) lies in the upper left. "
        "75 % of what speaks for tiger lies in the bars, outside of the photo. "
        "Most of the rest (100 %) lies in the lower right."
    )
    scene = {"part": [0, 4, 16, 12], "input_size": [16, 16]}
    told = "100 % of what speaks for {} lies in the bars, outside of the photo."
    bars = [[4, 0, 0, 0], [0] * 4, [0] * 4, [0, 0, 0, -2]]
    assert page.evaluate(call, [bars, scene]) == " ".join(map(told.format, ("lion", "tiger")))
    call = "([rows, scene]) => describe(mapOf(rows), 'lion', scene)"
    told = "100 % of the evidence for lion lies in the bars, outside of the photo."
    assert page.evaluate(call, [bars, scene]) == told


def test_the_aria_label_has_the_caption(page: Page) -> None:
    explained = explanation("whole", MAPS["7 x 7"])
    show(page, explained)
    title, words = (page.locator(place).inner_text() for place in (".cam-title", ".cam-words"))
    assert title == "lion · 90 %"
    assert "evidence for lion" in words
    said = page.locator("canvas.cam-picture").get_attribute("aria-label")
    assert said == f"Photo. {title}. {words}"


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
        caveat, words = explained.caveat(evidence), page.locator(".cam-words").inner_text()
        assert words == caveat if caveat else "evidence for lion" in words


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
    words = page.locator(".cam-words")
    assert f" {weak}" in words.inner_text()
    page.evaluate("viewer.set({ shared: false })")
    assert "weak" not in words.inner_text()
    page.evaluate("viewer.set({ shared: true, target: 293 })")
    assert "weak" not in words.inner_text()
    page.evaluate("viewer.set({ target: 281 })")
    assert words.inner_text() == "No positive evidence for tabby at this layer."
    assert page.evaluate("viewer.heat.current()") is None
