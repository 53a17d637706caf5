"""Equal pictures: the canvas in Chromium and `Explanation.overlay` paint the same pixels."""

from __future__ import annotations

import base64
import io
import itertools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from playwright.sync_api import Page

from camdemo import Box, Explanation, LayerInfo, Prediction, picture
from camdemo.engine import Sweep
from camdemo.engine.protocol import Examine
from camdemo.models import catalogue
from camdemo.photo import photo_part, seen_region, to_box
from camdemo.question import COLORMAPS, EVIDENCE
from camdemo.records import Anatomy, Timings
from camdemo.viewer.scene import display_size

MEAN, PERCENTILE = 1 / 255, 4 / 255  # what issue 3 allows
SPEC = catalogue.CATALOGUE.specs[0]
OPACITIES = (0.0, 0.3, 0.5, 1.0)
# In this order: a look brings its own colours and opacity.
NOTEBOOK = {"view": "overlay", "look": "notebook", "evidence": "positive"}
GLOW = NOTEBOOK | {"look": "glow"}
# Signed evidence has its own colours, whatever colour map is chosen.
SETTINGS = [
    (colormap, opacity, evidence)
    for evidence, colormap, opacity in itertools.product(EVIDENCE, COLORMAPS, OPACITIES)
    if evidence != "signed" or colormap == "jet"
]

CAT = Image.fromarray(skimage.data.chelsea())
PHOTOS = {  # name: photo, framing
    "landscape": (CAT.resize((640, 426)), "crop"),
    "portrait": (Image.fromarray(skimage.data.astronaut()).crop((100, 0, 450, 700)), "crop"),
    "whole": (CAT.resize((600, 338)), "whole"),
    "small": (CAT, "crop"),  # enlarged for the canvas
    "tiny": (CAT.resize((9, 7)), "crop"),
    "large": (CAT.resize((2600, 1300)), "crop"),
    "long": (CAT.resize((4000, 600)), "crop"),
    "fit wide": (CAT.resize((600, 400)), "fit"),
    "fit tall": (CAT.resize((400, 600)), "fit"),
    "fit long": (CAT.resize((4000, 600)), "fit"),
    "fit large": (CAT.resize((1400, 2100)), "fit"),
    "fit tiny": (CAT.resize((9, 7)), "fit"),
}


def smooth(height: int, width: int) -> np.ndarray:
    """A map with evidence for and against, as networks give them."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    hill = np.exp(-((x - 0.7) ** 2 + (y - 0.3) ** 2) / 0.05)
    return (0.03 * (hill - 0.6 * np.sin(7 * x * y) - 0.1)).astype(np.float32)


def noise(height: int, width: int) -> np.ndarray:
    """The hardest map for a bicubic: every cell overshoots its neighbours."""
    return np.random.default_rng(height).normal(0, 40, (height, width)).astype(np.float32)


MAPS = {
    "7 x 7": smooth(7, 7),
    "7 x 7 noise": noise(7, 7),
    "14 x 14": noise(14, 14),
    "56 x 56": noise(56, 56),  # travels as 16-bit steps
    "6 x 11": smooth(6, 11),
    "40 x 9": noise(40, 9),
    "nothing positive": -np.abs(noise(7, 7)),
    "constant": np.full((7, 7), 0.25, np.float32),
    "zero": np.zeros((7, 7), np.float32),
}


class Made:
    """Stands in for the engine: the maps here come from no network."""

    def __init__(self, maps: dict | None = None) -> None:
        self.maps = maps

    def run(self, job: Sweep | Examine) -> dict | Anatomy:
        if isinstance(job, Examine):
            return Anatomy(("ReLU",), gates=False, attends=0)
        assert self.maps, "a scene with one map computes no others"
        return {("gradcam", *key): cam for key, cam in self.maps.items()}


def explanation(photo: str, cam: np.ndarray) -> Explanation:
    image, framing = PHOTOS[photo]
    label = Prediction(291, "lion", 0.9)
    layer = LayerInfo("last", 8, *cam.shape)
    return Explanation(
        predictions=(label,),
        target=label,
        cam=cam,
        box=to_box(seen_region(image.size, SPEC.transform, framing)),
        part=photo_part(image.size, SPEC.transform, framing),
        image=image,
        model=SPEC,
        layer=layer,
        framing=framing,
        timings=Timings(0, 0, 0),
        inputs=np.zeros((1, 3, SPEC.transform.crop, SPEC.transform.crop), np.float32),
        probabilities=np.zeros(1000, np.float32),
        labels=tuple(f"label {index}" for index in range(1000)),
        layers=(layer,),
        engine=Made(),
    )


@pytest.fixture(scope="module")
def viewer(alone: Page) -> Page:
    """The viewer alone, as every page has it, for scenes made here."""
    return alone


def address_of(image: Image.Image) -> str:
    """A picture as PNG: two decoders of the same JPEG differ by more than is asked here."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def displayed(explained: Explanation) -> Explanation:
    """With the copy of its photo that the viewer gets."""
    return explained.resized(*display_size(*explained.image.size))


def show(page: Page, explained: Explanation, **facts: Any) -> np.ndarray:
    """Bring an explanation into the viewer; returns the display copy that it shows."""
    small = displayed(explained)
    content = explained.scene(complete=False).as_json()
    content |= {"photo": address_of(small.image)} | facts
    page.evaluate("scene => viewer.show(scene)", content)
    return np.asarray(small.image)


def set_controls(page: Page, **values: Any) -> None:
    """As a person sets them: through the controls and their events."""
    page.evaluate(
        """values => {
          for (const [name, value] of Object.entries(values)) {
            const radio = document.querySelector(`[name="cam-${name}"][value="${value}"]`);
            const input = radio ?? document.querySelector(`[data-control=${name}]`);
            if (radio) input.checked = true; else input.value = value;
            input.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }""",
        values,
    )


def canvas(page: Page, which: str = "document.querySelector('canvas.cam-picture')") -> np.ndarray:
    """The pixels on a canvas; PNG keeps opaque ones as they are."""
    address = page.evaluate(f"(async () => (await {which}).toDataURL())()")
    picture = Image.open(io.BytesIO(base64.b64decode(address.split(",")[1])))
    assert picture.mode == "RGB" or np.asarray(picture)[..., 3].min() == 255
    return np.asarray(picture.convert("RGB"))


# The picture as it is without being brought nearer, where the frame's line would be thinner.
AT_REST = """(() => {
  const { width, height } = viewer.canvas;
  const { canvas } = make("canvas", { width, height }).getContext("2d");
  paintView(viewer, canvas.getContext("2d"));
  return canvas;
})()"""


def seen(page: Page) -> np.ndarray:
    """What the canvas shows; what is brought nearer, at rest."""
    is_near = page.evaluate("viewer.canvas.style.transform !== ''")
    return canvas(page, AT_REST) if is_near else canvas(page)


def difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Mean and 99.9th percentile of the absolute difference, of 0..1."""
    assert one.shape == other.shape
    apart = np.abs(one.astype(np.int16) - other) / 255
    return float(apart.mean()), float(np.percentile(apart, 99.9))


def check_parity(
    page: Page, explained: Explanation, settings: list[tuple], look: str = "notebook"
) -> None:
    show(page, explained)
    small = displayed(explained)
    set_controls(page, view="overlay", look=look)
    for setting in settings:
        colormap, opacity, evidence = setting
        set_controls(page, colormap=colormap, opacity=opacity, evidence=evidence)
        expected = np.asarray(small.overlay(*setting, look=look))
        mean, percentile = difference(seen(page), expected)
        told = f"{look} {setting}: {255 * mean:.2f} and {255 * percentile:.0f} of 255"
        assert mean <= MEAN, told
        assert percentile <= PERCENTILE, told


@pytest.mark.parametrize("cam", MAPS)
def test_every_setting(viewer: Page, cam: str) -> None:
    check_parity(viewer, explanation("whole", MAPS[cam]), SETTINGS)


@pytest.mark.parametrize("cam", ["7 x 7", "56 x 56", "6 x 11", "nothing positive"])
@pytest.mark.parametrize("photo", PHOTOS)
def test_every_photo(viewer: Page, photo: str, cam: str) -> None:
    # At 0.1 a canvas's own blending would be off by more than is allowed.
    settings = [("inferno", 0.1, "positive"), ("viridis", 0.3, "minmax"), ("jet", 1.0, "signed")]
    check_parity(viewer, explanation(photo, MAPS[cam]), settings)


@pytest.mark.parametrize("cam", ["7 x 7 noise", "14 x 14", "6 x 11", "56 x 56"])
def test_a_duel(viewer: Page, cam: str) -> None:
    """The browser subtracts two maps that Python never subtracted so."""
    single = explanation("whole", MAPS[cam])
    rival = Prediction(293, "cheetah", 0.1)
    maps = {("last", 291): MAPS[cam], ("last", 293): MAPS[cam][::-1, ::-1] * np.float32(0.7)}
    duel = replace(
        single,
        predictions=(single.target, rival),
        versus=(rival,),
        cam=maps["last", 291] - maps["last", 293],
        engine=Made(maps),
    )
    for opacity in OPACITIES:
        check_parity(viewer, duel, [("jet", opacity, "signed")])
    # Python's own choice for a duel is the same picture.
    assert duel.overlay() == duel.overlay(evidence="signed")
    set_controls(viewer, opacity=0.5)
    mean, _ = difference(canvas(viewer), np.asarray(single.overlay(evidence="signed")))
    assert mean > 2 * MEAN  # and not that of the label alone


@pytest.mark.parametrize("strength", [1.0, 0.35])
@pytest.mark.parametrize("cam", ["7 x 7 noise", "14 x 14"])
def test_against_several(viewer: Page, cam: str, strength: float) -> None:
    """The browser takes the mean of maps that Python never had alone; the words are the same."""
    single = explanation("whole", MAPS[cam])
    rivals = tuple(
        Prediction(index, name, 0.01) for index, name in ((293, "cheetah"), (292, "tiger"))
    )
    maps = {
        ("last", 291): MAPS[cam],
        ("last", 293): MAPS[cam][::-1, ::-1] * np.float32(0.7),
        ("last", 292): MAPS[cam][:, ::-1] * np.float32(0.4),
    }
    mean = (maps["last", 293] + maps["last", 292]) / 2
    against = replace(
        single,
        predictions=(single.target, *rivals),
        versus=rivals,
        strength=strength,
        cam=maps["last", 291] - np.float32(strength) * mean,
        engine=Made(maps),
    )
    check_parity(viewer, against, [("jet", 0.5, "signed")])
    shown = viewer.evaluate("[...viewer.mapOf('last', 291).values]")
    np.testing.assert_allclose(shown, against.cam.ravel(), atol=1e-6 * np.ptp(against.cam))
    assert viewer.evaluate("viewer.state.versus") == "others"
    assert viewer.evaluate("againstText(viewer.state.scene, viewer.state)") == against.against
    told = json.loads(json.dumps(against.summary()))
    found = viewer.evaluate("numbersOf(viewer, viewer.mapOf('last', 291), '')")
    assert (found["versus"], found["strength"]) == (told["versus"], told["strength"])


@pytest.mark.parametrize("frame", [Box(0, 0, 60, 40), Box(33, 21, 290, 111), Box(5, 5, 6, 180)])
def test_a_frame_of_ones_own(viewer: Page, frame: Box) -> None:
    framed = replace(explanation("whole", MAPS["7 x 7"]), box=frame, framing=frame)
    check_parity(viewer, framed, [("jet", 0.5, "positive"), ("viridis", 1.0, "minmax")])


# ---------------------------------------------------------------- glow


def test_a_colour_covers_as_much(viewer: Page) -> None:
    """To the last bit, or a pixel would round to another grey level here and there."""
    for percent, evidence in itertools.product(range(101), EVIDENCE):
        state = {"look": "glow", "opacity": percent / 100}
        facts = {"evidence": evidence, "weakest": 0}
        found = viewer.evaluate("given => [...coversOf(...given)]", [state, facts])
        assert found == picture.covers(percent / 100, evidence).tolist()


@pytest.mark.parametrize("cam", MAPS)
def test_glow_in_every_setting(viewer: Page, cam: str) -> None:
    settings = [
        (colormap, opacity, evidence)
        for evidence in EVIDENCE
        for colormap, opacity in [("inferno", 0.85), ("cividis", 0.35), ("jet", 1.0)]
    ]
    check_parity(viewer, explanation("whole", MAPS[cam]), settings, "glow")


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("photo", PHOTOS)
def test_glow_on_every_photo(viewer: Page, photo: str, evidence: str) -> None:
    explained = explanation(photo, MAPS["14 x 14"])
    check_parity(viewer, explained, [("inferno", 0.85, evidence)], "glow")
    # Where the two have the same colour of the palette, it is the same pixel.
    small = displayed(explained)
    seen = small.box.within(*small.image.size).slices
    expected = np.asarray(small.overlay(evidence=evidence, look="glow"))[seen]
    assert (canvas(viewer)[seen] == expected).all(axis=-1).mean() > 0.99


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("percent", [1, 20, 60])
def test_glow_of_the_strongest(viewer: Page, evidence: str, percent: int) -> None:
    """Python has no threshold: its picture where the heat is that strong, elsewhere the photo."""
    explained = explanation("landscape", MAPS["7 x 7"])
    photo = show(viewer, explained)
    set_controls(viewer, **(GLOW | {"evidence": evidence, "strongest": percent}))
    found = canvas(viewer)
    set_controls(viewer, strongest=100)
    box = explained.box
    values = picture.scale(explained.cam, evidence)
    strips = picture.indices(values, box, box, evidence)
    index = np.concatenate([strip for _, strip in strips]).astype(int)
    strength = np.abs(2 * index - 255) if evidence == "signed" else index
    enough = [least for least in range(1, 256) if (strength >= least).mean() >= percent / 100]
    weakest = max(enough, default=1)
    expected = np.asarray(explained.overlay(evidence=evidence, look="glow")).copy()
    seen = np.s_[box.top : box.bottom, box.left : box.right]
    expected[seen] = np.where((strength >= weakest)[..., None], expected[seen], photo[seen])
    assert (found[seen] == expected[seen]).all(axis=-1).mean() > 0.99
    mean, percentile = difference(found, expected)
    assert mean <= MEAN
    assert percentile <= PERCENTILE
    assert (found[seen] == photo[seen]).all(axis=-1).mean() > 0.98 - percent / 100


def test_where_nothing_speaks_for_the_label_the_photo_is_itself(viewer: Page) -> None:
    explained = explanation("whole", MAPS["7 x 7"])
    photo = show(viewer, explained)
    set_controls(viewer, **GLOW)
    values = picture.scale(explained.cam, "positive")
    strips = picture.indices(values, explained.box, explained.box, "positive")
    silent = np.concatenate([strip for _, strip in strips]) == 0
    assert 0.2 < silent.mean() < 0.8
    assert (canvas(viewer)[silent] == photo[silent]).all()
    assert (canvas(viewer)[~silent] != photo[~silent]).any()


def test_glow_in_the_figure(viewer: Page) -> None:
    """The picture in the figure is 600 wide: of such a photo each pixel is there."""
    small = explanation("whole", MAPS["7 x 7"])
    explained = replace(small, image=CAT.resize((600, 400)), box=Box(0, 0, 600, 400))
    show(viewer, explained)
    set_controls(viewer, **GLOW)
    figure = """(async () => {
      const [kept, done] = [save, {}];
      const blob = await new Promise((resolve) => { save = resolve; actionsOf(viewer).figure(); });
      save = kept;
      const canvas = make("canvas", { width: 1600, height: 900 });
      canvas.getContext("2d").drawImage(await createImageBitmap(blob), 0, 0);
      return canvas;
    })()"""
    found = canvas(viewer, figure)[230:630, 650:1250]
    mean, percentile = difference(found, np.asarray(explained.overlay(look="glow")))
    assert mean <= MEAN
    assert percentile <= PERCENTILE


def test_a_look_brings_its_colours_and_keeps_what_is_changed(viewer: Page) -> None:
    explained = explanation("whole", MAPS["7 x 7"])
    show(viewer, explained)
    for look in ("notebook", "glow"):
        set_controls(viewer, **(NOTEBOOK | {"look": look}))
        assert (difference(canvas(viewer), np.asarray(explained.overlay(look=look))))[0] <= MEAN
        set_controls(viewer, colormap="turbo", opacity=0.7)  # by hand: the way of covering stays
        expected = np.asarray(explained.overlay("turbo", 0.7, look=look))
        assert difference(canvas(viewer), expected)[0] <= MEAN
        assert viewer.locator(f"[name=cam-look][value={look}]").is_checked()


@pytest.mark.parametrize("more", [{}, {"opacity": 0.2}])
def test_a_look_in_a_link_brings_its_colours(viewer: Page, more: dict) -> None:
    set_controls(viewer, **GLOW)
    explained = explanation("whole", MAPS["7 x 7"])
    show(viewer, explained, wanted={"look": "notebook"} | more)
    expected = np.asarray(explained.overlay(**more))
    assert difference(canvas(viewer), expected)[0] <= MEAN


def test_small_maps_lie_on_a_solid_ground(viewer: Page) -> None:
    show(viewer, explanation("whole", MAPS["7 x 7"]))
    for look in (NOTEBOOK, GLOW):
        set_controls(viewer, **look)
        for place in (".cam-strip", ".cam-labels", ".cam-legend"):
            tile = canvas(viewer, f"document.querySelector('{place} canvas')")  # opaque
            colours = picture.palette("jet" if look is NOTEBOOK else "inferno", "positive")
            known = {tuple(colour) for colour in colours[:, 0].tolist()}
            assert {tuple(pixel) for pixel in tile.reshape(-1, 3).tolist()} <= known


# ---------------------------------------------------------------- letterboxed


@pytest.mark.parametrize("photo", ["fit wide", "fit tall"])
@pytest.mark.parametrize("cam", MAPS)
def test_a_letterboxed_photo(viewer: Page, photo: str, cam: str) -> None:
    """Its map reaches beyond it: the canvas paints what of it lies on the photo, and no margin."""
    explained = explanation(photo, MAPS[cam])
    assert explained.box.within(*explained.image.size) == Box(0, 0, *explained.image.size)
    assert explained.box.width == explained.box.height + (1 if photo == "fit tall" else -1)
    for colormap, opacity, look in [("jet", 0.5, "notebook"), ("inferno", 0.85, "glow")]:
        settings = [(colormap, opacity, evidence) for evidence in EVIDENCE]
        check_parity(viewer, explained, settings, look)
    # The numbers that are taken away are Python's, evidence in the bars included.
    set_controls(viewer, evidence="positive")
    taken = viewer.evaluate("numbersOf(viewer, viewer.mapOf('last', 291), '')")
    summary = explained.summary("positive")
    for name in ("box", "image", "framing", "note"):
        assert taken[name] == summary[name], name


# ---------------------------------------------------------------- views, and what is taken away


def test_views(viewer: Page) -> None:
    explained = explanation("landscape", MAPS["14 x 14"])
    photo = show(viewer, explained)
    set_controls(viewer, **NOTEBOOK)
    set_controls(viewer, view="photo")
    assert (canvas(viewer) == photo).all()
    set_controls(viewer, view="overlay", opacity=1.0)  # the heat alone
    heat = np.asarray(explained.overlay(opacity=1.0))
    assert difference(canvas(viewer), heat)[0] <= MEAN
    set_controls(viewer, view="split", split=0.5, opacity=0.5)
    half, width = canvas(viewer), photo.shape[1]
    assert (half[:, : width // 2 - 2] == photo[:, : width // 2 - 2]).all()
    right = slice(width // 2 + 3, None)
    expected = np.asarray(explained.overlay())
    assert difference(half[:, right], expected[:, right])[0] <= MEAN


TAKEN = [
    ("large", "RGB", NOTEBOOK),
    ("large", "RGBA", NOTEBOOK),
    ("large", "RGB", GLOW),
    *((name, "RGB", GLOW) for name in PHOTOS if "fit" in name),
    *((name, "RGB", NOTEBOOK) for name in PHOTOS if "fit" in name),
]


@pytest.mark.parametrize(("photo", "mode", "look"), TAKEN)
def test_the_picture_to_take_away_has_the_photos_own_pixels(
    viewer: Page, photo: str, mode: str, look: dict
) -> None:
    """Neither the display copy's pixels nor its rounded box: what Python paints on the photo."""
    explained = explanation(photo, MAPS["14 x 14"])
    original = explained.image.convert(mode)
    if mode == "RGBA":  # transparency is laid over white, as the server reads it
        original.putalpha(Image.linear_gradient("L").resize(original.size))
        white = Image.new("RGBA", original.size, "white")
        over = Image.alpha_composite(white, original).convert("RGB")
        explained = replace(explained, image=over)
    show(viewer, explained, original=address_of(original))
    set_controls(viewer, **look)
    mean, percentile = difference(
        canvas(viewer, "fullSize(viewer)"), np.asarray(explained.overlay(look=look["look"]))
    )
    assert mean <= MEAN
    assert percentile <= PERCENTILE


@pytest.mark.parametrize("why", ["gone", "another size"])
def test_without_the_photo_the_copy_is_saved(viewer: Page, why: str) -> None:
    explained = explanation("large", MAPS["14 x 14"])
    other = address_of(explained.image.resize((260, 130)))
    original = "data:image/png;base64,AAAA" if why == "gone" else other
    show(viewer, explained, original=original)
    set_controls(viewer, **NOTEBOOK)
    assert (canvas(viewer, "fullSize(viewer)") == canvas(viewer)).all()
    said = viewer.evaluate("describeSize(viewer.canvas, viewer.state.scene.size)")
    assert said == (
        "The photo of 2600 x 1300 can't be read here: its copy of 1280 x 640 was saved."
    )


def test_without_a_small_photo_its_enlarged_copy_is_saved_in_the_photos_size(viewer: Page) -> None:
    explained = explanation("small", MAPS["14 x 14"])
    shown = show(viewer, explained)
    assert shown.shape == (399, 600, 3)
    set_controls(viewer, **NOTEBOOK)
    saved = canvas(viewer, "fullSize(viewer)")
    assert saved.shape == (300, 451, 3)
    # The copy made small again is a little softer than the photo was; the map is the same.
    soft = replace(explained, image=Image.fromarray(shown).resize((451, 300), Image.BILINEAR))
    assert difference(saved, np.asarray(soft.overlay()))[0] <= 2 * MEAN
    size = {"width": 451, "height": 300}
    assert viewer.evaluate("size => describeSize(size, viewer.state.scene.size)", size) == ""


def test_the_difference_is_one_that_can_be_seen(viewer: Page) -> None:
    """A control: the picture of another setting is far from what is allowed."""
    explained = explanation("whole", MAPS["7 x 7"])
    show(viewer, explained)
    set_controls(viewer, **NOTEBOOK)
    for other in [("turbo", 0.5, "positive"), ("jet", 0.45, "positive"), ("jet", 0.5, "minmax")]:
        assert difference(canvas(viewer), np.asarray(explained.overlay(*other)))[0] > 2 * MEAN
    glow = np.asarray(explained.overlay("jet", 0.5, look="glow"))
    assert difference(canvas(viewer), glow)[0] > 2 * MEAN
