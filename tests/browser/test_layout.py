"""One picture, one answer, one next action: what is in sight, how much of it, and that it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect
from skimage import data

from camdemo import Explainer

from .steps import (
    CAM,
    CANVAS,
    EXAMPLES,
    LABELS,
    STRIP,
    TITLE,
    VIEWER,
    at,
    choose_layer,
    choose_model,
    example,
    field,
    opened,
    said,
    settled,
    upload,
)

LAPTOPS = [(1280, 800), (1366, 768)]
# What a visitor must see without scrolling.
IN_SIGHT = [
    f"{VIEWER} [data-action=upload]",
    EXAMPLES,
    "[role=combobox][aria-label=Model]",
    "[role=combobox][aria-label=Layer]",
    "[role=combobox][aria-label=Method]",
    "[aria-label=Framing]",
    CANVAS,
    LABELS,
    STRIP,
    f"{VIEWER} .cam-toolbar label",
    f"{VIEWER} .cam-words",
    f"{VIEWER} .cam-asked",
    f"{VIEWER} [data-action=hottest]",
]


def cut_off(page: Page, selector: str) -> list[str]:
    """Which elements are not wholly in the window, or in what scrolls around them."""
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)].flatMap((one) => {
          const { left, top, right, bottom, width, height } = one.getBoundingClientRect();
          let room = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
          for (let above = one.parentElement; above; above = above.parentElement) {
            if (getComputedStyle(above).overflow === "visible") continue;
            const area = above.getBoundingClientRect();
            for (const side of ["left", "top"]) room[side] = Math.max(room[side], area[side]);
            for (const side of ["right", "bottom"]) room[side] = Math.min(room[side], area[side]);
          }
          const inside = left >= room.left - 1 && top >= room.top - 1
            && right <= room.right + 1 && bottom <= room.bottom + 1;
          return width && height && inside ? [] : [one.textContent || one.className];
        })""",
        selector,
    )


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of 3:2."""
    file = tmp_path / "coffee.png"
    Image.fromarray(data.coffee()).resize((1200, 800)).save(file)
    return file


def picture_area(page: Page) -> float:
    """The share of the window that the photo itself takes, fitted as it is into its element."""
    return page.locator(CANVAS).evaluate(
        """canvas => {
          const { width, height } = canvas.getBoundingClientRect();
          const scale = Math.min(width / canvas.width, height / canvas.height);
          return (scale ** 2 * canvas.width * canvas.height) / (innerWidth * innerHeight);
        }"""
    )


# ---------------------------------------------------------------- the first second


def test_the_page_opens_with_the_explained_lion_and_the_next_action(page: Page) -> None:
    expect(page.locator(TITLE)).to_have_text("lion · 90 %")
    expect(page.locator(LABELS)).to_have_count(5)
    asked = 'Drag a box over the head: does "lion" survive?'
    expect(page.locator(f"{VIEWER} .cam-asked")).to_have_text(asked)
    # And what it asks for is what a drag does.
    box = page.locator(CANVAS).bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    page.mouse.move(x - 80, y - 80)
    page.mouse.down()
    page.mouse.move(x + 80, y + 80, steps=4)
    page.mouse.up()
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("Hiding this: lion 90")
    # What can be downloaded is nobody's business who does not ask for it.
    assert "weights" not in page.locator(CAM).inner_text().lower()
    assert "download" not in page.locator(CAM).inner_text().lower()


def test_why_this_model_is_a_quiet_button(tab: Page, server: str) -> None:
    """In the place of a sentence about weights: with the first choice missing, it says so there."""

    def with_note(route: Route) -> None:
        answer = route.fetch()
        told = answer.text().replace('"note":""', '"note":"Because of the weights."')
        route.fulfill(response=answer, body=told)

    tab.route("**/component_server**", with_note)
    tab.goto(server)
    opened(tab)
    why = tab.get_by_role("button", name="Why this one?")
    expect(tab.get_by_text("Because of the weights.")).to_be_hidden()
    why.click()
    expect(tab.get_by_text("Because of the weights.")).to_be_visible()


# ---------------------------------------------------------------- what is in sight


@pytest.mark.parametrize("size", LAPTOPS)
def test_all_that_matters_is_in_sight(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    settled(page)
    for _ in ("at rest", "with the answer to hiding"):
        assert {one: cut_off(page, one) for one in IN_SIGHT if cut_off(page, one)} == {}
        assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 60
        page.keyboard.press("h")
        expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("on average")
        settled(page)


@pytest.mark.parametrize("size", LAPTOPS)
def test_how_strongly_labels_are_compared_is_in_sight(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.keyboard.press("d")
    settled(page)
    slider = page.get_by_role("slider", name="Strength")
    expect(slider).to_be_enabled()
    panel, found = page.locator(f"{VIEWER} .cam-panel").bounding_box(), slider.bounding_box()
    assert panel is not None
    assert found is not None
    assert found["y"] + found["height"] < panel["y"] + panel["height"]


@pytest.mark.parametrize(("width", "height", "share"), [(1280, 800, 0.30), (1920, 1080, 0.50)])
def test_the_picture_is_what_the_page_is_about(
    page: Page, photo: Path, width: int, height: int, share: float
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    upload(page, photo)
    assert picture_area(page) >= share


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_on_stage_it_is_nearly_half_of_the_screen(
    page: Page, photo: Path, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    upload(page, photo)
    page.keyboard.press("f")
    settled(page)
    assert picture_area(page) >= 0.45


def test_at_most_25_controls_are_visible_at_rest(page: Page) -> None:
    """Counted as a person sees them: a group of which one is chosen is one control (view, tools,
    labels, strip, examples, tabs), and so is each button, list, field or box beside them, whether
    it can be used now or not. The picture itself is none."""
    controls = page.evaluate(
        """() => {
          const groups = "fieldset, .cam-labels, .cam-strip, .cam-examples, [role=tablist]";
          const all = [...document.querySelectorAll("button, select, input, summary, a[href]")];
          const isSeen = (one) => one.checkVisibility({ visibilityProperty: true })
            && one.getBoundingClientRect().top < innerHeight;
          const seen = all.filter(isSeen);
          const name = (one) => one.getAttribute("aria-label") || one.textContent.trim();
          // A list in a fieldset is a control beside its group.
          const control = (one) => (one.matches("select") ? one : one.closest(groups) ?? one);
          return [...new Set(seen.map(control))].map(name);
        }"""
    )
    assert 12 < len(controls) <= 25, " | ".join(controls)


# ---------------------------------------------------------------- nothing jumps

STEADY = {
    "toolbar": f"{VIEWER} .cam-toolbar",
    "canvas": f"{VIEWER} .cam-canvas",
    "caption": f"{VIEWER} .cam-words",
    "strip": f"{VIEWER} .cam-strip",
    "labels": f"{VIEWER} .cam-labels",
    "first label": f"{LABELS}:first-child",
    "fifth label": f"{LABELS}:nth-child(5)",
    "legend": f"{VIEWER} .cam-legend",
    "panel": f"{VIEWER} .cam-panel",
    "hottest": f"{VIEWER} [data-action=hottest]",
    "question": f"{VIEWER} .cam-question",
    "model": f"{VIEWER} [data-choice=model]",
    "framing": f"{VIEWER} [data-option=framing]",
    "last tile": f"{STRIP}:last-child",
    "facts": f"{VIEWER} .cam-facts",
}


def watch(page: Page) -> None:
    """From now on note, at every frame of the browser, where everything is."""
    page.evaluate(
        """steady => {
          window.ranges = {};
          const look = () => {
            for (const [name, selector] of Object.entries(steady)) {
              const one = document.querySelector(selector);
              if (!one) continue;
              const { left, top, width, height } = one.getBoundingClientRect();
              for (const [side, value] of Object.entries({ left, top, width, height })) {
                const [low, high] = (window.ranges[`${name} ${side}`] ??= [value, value]);
                window.ranges[`${name} ${side}`] = [Math.min(low, value), Math.max(high, value)];
              }
            }
            requestAnimationFrame(look);
          };
          look();
        }""",
        STEADY,
    )


def moved(page: Page) -> dict[str, list[float]]:
    """What has been at more than one place, or of more than one size, by more than two pixels."""
    ranges: dict[str, list[float]] = page.evaluate("window.ranges")
    assert len(ranges) == 4 * len(STEADY)
    return {name: both for name, both in ranges.items() if both[1] - both[0] > 2}


@pytest.mark.parametrize("size", [*LAPTOPS, (1920, 1080)])
def test_nothing_jumps_while_hiding_and_between_explanations(
    page: Page, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    settled(page)
    watch(page)
    for key in (
        "h",
        "z",
        "2",
        "d",
        "d",
        "d",
        "c",
        "e",
        "e",
        "e",
        "ArrowLeft",
        "ArrowRight",
        "r",
        "r",
    ):
        page.keyboard.press(key)
        settled(page)
    choose_layer(page, "blocks.5.1.conv_pw")
    settled(page)
    choose_model(page, "EfficientNet-Lite2")
    settled(page)
    page.get_by_label("Framing", exact=True).select_option("whole")
    settled(page)
    for name in ("Tower", "Cheetah + lion", "Cheetah", "Lion"):
        example(page, name)
    assert moved(page) == {}


@pytest.fixture
def long_names(page: Page, explainer: Explainer) -> str:
    """A page on which the longest of the thousand labels stands for each of the first two."""
    longest = max(explainer.labels(), key=len)
    assert len(longest) >= 29

    def renamed(route: Route) -> None:
        answer = route.fetch()
        told = answer.text()
        for name in ("lion", "Tibetan mastiff"):
            told = told.replace(f'"label":"{name}"', f'"label":"{longest}"')
        route.fulfill(response=answer, body=told)

    page.route("**/component_server**", renamed)
    return longest


@pytest.mark.parametrize("size", LAPTOPS)
def test_the_longest_label_moves_nothing(
    page: Page, long_names: str, size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    settled(page)
    watch(page)
    example(page, "Lion")
    expect(page.locator(TITLE)).to_have_text(f"{long_names} · 90 %")
    for key in ("h", "d", "z", "2", "h"):
        page.keyboard.press(key)
        settled(page)
    assert moved(page) == {}
    assert cut_off(page, LABELS) == []


@pytest.mark.parametrize("size", LAPTOPS)
def test_what_is_said_moves_nothing(page: Page, tmp_path: Path, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    settled(page)
    watch(page)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    upload(page, broken)
    expect(said(page, "photo")).not_to_be_empty()
    choose_model(page, "ResNet-18")  # whose weights can't be had
    expect(said(page, "model")).not_to_be_empty()
    page.mouse.move(*at(page, 0.01, 0.01))  # where the model does not look
    page.mouse.down()
    page.mouse.move(*at(page, 0.04, 0.04), steps=3)
    page.mouse.up()
    expect(said(page, "canvas")).to_contain_text("does not see this part")
    assert cut_off(page, f"{VIEWER} .cam-said[data-at=canvas]") == []
    page.mouse.click(*at(page, 0.5, 0.5))  # and it does not stand before the picture for ever
    expect(said(page, "canvas")).to_be_empty()
    page.route("**/component_server**", lambda route: route.abort())
    field(page, "Add a label").focus()
    expect(said(page, "add")).not_to_be_empty()
    settled(page)
    assert moved(page) == {}


def test_scores_at_the_strip_move_nothing(page: Page) -> None:
    watch(page)
    for score in ("0.41", "-0.07", ""):
        page.evaluate(
            "([tiles, score]) => document.querySelectorAll(tiles).forEach((tile) => "
            "{ tile.dataset.score = score; })",
            [STRIP, score],
        )
        settled(page)
    assert moved(page) == {}


def test_the_tabs_stay_in_reach_while_their_panel_scrolls(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.get_by_role("tab", name="Trust").click()
    panel = page.locator(f"{VIEWER} .cam-panel")
    scrolled = panel.evaluate("(one) => { one.scrollTop = 9999; return one.scrollTop; }")
    assert scrolled > 20
    for name in ("Compare", "Trust", "Test it"):
        assert cut_off(page, f"{VIEWER} [role=tab]") == []
        page.get_by_role("tab", name=name).click()  # which nothing covers
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()


def test_the_names_of_the_strip_can_be_read(page: Page) -> None:
    """At the width where there is least room."""
    names = page.locator(f"{STRIP} span")
    stages = [str(place) for place in range(2, 11)]
    assert names.all_inner_texts() == ["First", *stages, "Last", "All"]
    cut = "parts => parts.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert names.evaluate_all(cut) == 0
    second = page.locator(STRIP).nth(2)
    assert second.get_attribute("title") == "3 of 11 · blocks.0 · 112 x 112"
    assert second.get_attribute("aria-label") == second.get_attribute("title")


def test_percentages_stay_on_one_line(page: Page, long_names: str) -> None:
    example(page, "Lion")
    page.keyboard.press("h")
    expect(page.locator(f"{VIEWER} .cam-asked")).to_contain_text("on average")
    lines = page.locator(f"{VIEWER} .cam-share, {VIEWER} .cam-change").evaluate_all(
        """parts => parts.filter((one) => one.textContent).map((one) => {
          const range = document.createRange();
          range.selectNodeContents(one);
          const lines = new Set([...range.getClientRects()].map(({ top }) => top));
          return [lines.size, one.scrollWidth - one.clientWidth];
        })"""
    )
    assert lines == [[1, 0]] * 10
    # In a sentence a number stays with its sign.
    asked = page.locator(f"{VIEWER} .cam-asked").inner_text()
    assert " %" not in asked
    assert "\u00a0%" in asked


# ---------------------------------------------------------------- in a Space's frame


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_in_a_frame_of_unknown_height_the_pages_height_settles(
    tab: Page, server: str, width: int
) -> None:
    """The page around it makes the frame as high as what is in it, again and again."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.set_content(
        f'<body style="margin: 0"><iframe id="space" src="{server}" '
        'style="width: 100%; height: 150px; border: 0"></iframe>'
    )
    frame = tab.frame_locator("#space")
    expect(frame.locator(CAM)).to_have_attribute("data-empty", "false")
    expect(frame.locator(f"{VIEWER} .cam-busy")).to_be_hidden()
    heights = []
    for _ in range(5):
        height = frame.locator("body").evaluate("() => document.documentElement.scrollHeight")
        heights.append(height)
        tab.locator("#space").evaluate("(one, px) => { one.style.height = `${px}px` }", height)
        tab.wait_for_timeout(50)
    assert heights[2:] == heights[1:2] * 3
    assert heights[-1] <= 2000
    canvas = frame.locator(CANVAS).bounding_box()
    assert canvas
    assert 240 <= canvas["height"] <= 600
    expect(frame.locator(TITLE)).to_have_text("lion · 90 %")


@pytest.mark.parametrize("height", ["100vh", "4000px"])
def test_a_phone_in_a_frame_has_its_tools_in_reach(
    phone_tab: Page, server: str, height: str
) -> None:
    """A frame as high as the window, and one that is much higher: whose foot is far below."""
    phone_tab.goto(server)  # so that the page around it is of the same site
    phone_tab.evaluate(
        """([address, height]) => {
          document.body.innerHTML = '<iframe id="space" width="100%" frameborder="0"></iframe>';
          document.body.style.margin = "0";
          const space = document.getElementById("space");
          space.style.height = height;
          space.src = address;
        }""",
        [server, height],
    )
    frame = phone_tab.frame_locator("#space")
    expect(frame.locator(CAM)).to_have_attribute("data-empty", "false")
    expect(frame.locator(f"{VIEWER} .cam-busy")).to_be_hidden()
    measured = frame.locator("body")
    heights = [
        measured.evaluate("() => document.querySelector('#viewer .cam').scrollHeight")
        for _ in range(3)
    ]
    assert len(set(heights)) == 1
    assert heights[0] <= 1500
    assert 240 <= frame.locator(CANVAS).bounding_box()["height"] <= 600
    # The tools are in sight, and so is what they open, and the picture stays beside it.
    for name, seen in {
        "photo": EXAMPLES,
        "layer": "[role=combobox][aria-label=Model]",
        "hide": f"{VIEWER} [data-action=hottest]",
    }.items():
        button = frame.locator(f".cam-phone [data-opens={name}]")
        assert button.bounding_box()["y"] < 844 - 44
        button.tap()
        expect(frame.locator(seen).first).to_be_visible()
        assert frame.locator(seen).first.bounding_box()["y"] < 844
    frame.get_by_role("button", name="Hide the hottest").tap()
    expect(frame.locator(TITLE)).to_contain_text("→")
    frame.locator(".cam-phone [data-menu=save]").tap()
    copies = frame.get_by_role("button", name="Copy as Python")
    expect(copies).to_be_visible()
    assert copies.bounding_box()["y"] < 844


@pytest.mark.parametrize("size", [(844, 390), (667, 375)])
def test_a_phone_on_its_side_has_the_labels_beside_the_picture(
    phone_tab: Page, server: str, size: tuple[int, int]
) -> None:
    phone_tab.set_viewport_size({"width": size[0], "height": size[1]})
    phone_tab.goto(server)
    opened(phone_tab)
    boxes = [
        phone_tab.locator(f"{VIEWER} {selector}").bounding_box()
        for selector in (".cam-canvas", ".cam-labels button >> nth=4", ".cam-words", ".cam-phone")
    ]
    picture, label, words, bar = boxes
    assert picture["x"] + picture["width"] <= min(label["x"], words["x"])
    assert picture["height"] >= 0.6 * size[1]
    for box in (picture, label, words):
        assert box["y"] + box["height"] <= bar["y"]
