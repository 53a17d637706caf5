"""The combobox alone: by typing, by keys, by mouse, by touch, and for whoever hears it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from camdemo.viewer import bundle

from .test_accessibility import violations
from .test_parity import MAPS, explanation, show

MODELS = [
    {"value": "lite0", "title": "EfficientNet-Lite0", "group": "Ready"},
    {"value": "lite1", "title": "EfficientNet-Lite1", "group": "Ready"},
    {"value": "alexnet", "title": "AlexNet", "note": "244 MB", "group": "Download"},
    {"value": "none", "title": "EfficientNet-Lite9", "group": "Download", "disabled": True},
    {"value": "resnet18", "title": "ResNet-18", "note": "45 MB", "group": "Download"},
    {"value": "vgg16", "title": "VGG-16", "note": "528 MB", "group": "Download"},
]
LABELS = [{"value": index, "title": f"label {index:03}"} for index in range(1000)]
PAGE = f"""<!doctype html><html lang="en"><title>Combobox</title>
<style>{bundle.static("standalone.css")}{bundle.static("viewer.css")}</style>
<main><h1>A combobox</h1><div class="cam"><div style="overflow: hidden; height: 80px">
<label class="cam-field" id="place"></label></div><button>Next</button></div></main>
<script>{bundle.script()}
const chosen = [];
let box;
const makeBox = (entries, value, more = {{}}) => {{
  chosen.length = 0;
  const choose = (value) => chosen.push(value);
  const words = {{ title: "Model", help: "Which network answers.", ...more }};
  box = comboboxOf(document.getElementById("place"), {{ entries, value, choose, ...words }});
}};
</script>"""


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 800, "height": 600})
    page.set_content(PAGE)
    yield page
    page.close()


@pytest.fixture
def page(bare: Page) -> Page:
    """A page with the models, of which Lite1 is chosen."""
    put(bare, MODELS, "lite1")
    return bare


def put(page: Page, entries: list[dict], value: Any, **more: Any) -> None:
    page.evaluate(
        "([entries, value, more]) => makeBox(entries, value, more)", [entries, value, more]
    )


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Model", exact=True)


def options(page: Page) -> Locator:
    return page.get_by_role("option")


def titles(page: Page) -> list[str]:
    return page.locator("[role=option] > span:first-child").all_inner_texts()


def active(page: Page) -> str | None:
    """The option that a screen reader is told of, which is also the one that is seen to be it."""
    marked = page.locator("[data-active] > span:first-child").all_inner_texts()
    told = page.evaluate(
        """() => document.getElementById(box.input.getAttribute("aria-activedescendant"))
             ?.firstChild.textContent ?? null"""
    )
    assert marked == ([] if told is None else [told])
    return told


def chosen(page: Page) -> list[Any]:
    return page.evaluate("chosen")


def check_closed(page: Page, text: str) -> None:
    expect(field(page)).to_have_value(text)
    expect(field(page)).to_have_attribute("aria-expanded", "false")
    assert active(page) is None
    expect(page.locator(".cam-popup:visible")).to_have_count(0)


# ---------------------------------------------------------------- by typing


@pytest.mark.parametrize(
    ("typed", "found", "wanted"),
    [
        ("res", ["ResNet-18"], "resnet18"),
        ("NET LITE 0", ["EfficientNet-Lite0"], "lite0"),  # every word, in any order and case
        ("18 net", ["ResNet-18"], "resnet18"),
        ("gg1", ["VGG-16"], "vgg16"),  # of the value alone
        # Not the first of them, but what begins so.
        ("alex", ["AlexNet"], "alexnet"),
        (
            "net",
            [
                "EfficientNet-Lite0",
                "EfficientNet-Lite1",
                "AlexNet",
                "EfficientNet-Lite9",
                "ResNet-18",
            ],
            "lite0",
        ),
    ],
)
def test_a_part_of_the_name_and_enter(
    page: Page, typed: str, found: list[str], wanted: str
) -> None:
    field(page).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")  # as whoever has no mouse comes here
    page.keyboard.type(typed)
    assert titles(page) == found
    page.keyboard.press("Enter")
    assert chosen(page) == [wanted]
    check_closed(page, next(entry["title"] for entry in MODELS if entry["value"] == wanted))
    # What is chosen is selected, so that one can go on typing.
    page.keyboard.type("lite1")
    page.keyboard.press("Enter")
    assert chosen(page) == [wanted, "lite1"]


@pytest.mark.parametrize(
    ("typed", "names", "found"),
    [
        # The very name, what has it as a word, where a word begins so, the rest; else their order.
        (
            "lion",
            ["stallion", "lionfish", "sea lion", "lion", "lioness"],
            ["lion", "sea lion", "lionfish", "lioness", "stallion"],
        ),
        (
            "dog",
            ["hotdog", "dogsled", "Eskimo dog", "bulldog", "dog-tag"],
            ["Eskimo dog", "dog-tag", "dogsled", "hotdog", "bulldog"],
        ),
        ("ea li", ["sea lion", "lion, ea"], ["sea lion", "lion, ea"]),  # words in any order
        ("5.1", ["blocks.5.10", "blocks.5.1"], ["blocks.5.1", "blocks.5.10"]),
    ],
)
def test_the_likeliest_is_the_first_and_marked(
    page: Page, typed: str, names: list[str], found: list[str]
) -> None:
    put(page, [{"value": i, "title": name} for i, name in enumerate(names)], None)
    field(page).click()
    page.keyboard.type(typed)
    assert titles(page) == found
    assert active(page) == found[0]
    page.keyboard.press("Enter")
    assert chosen(page) == [names.index(found[0])]


def test_the_group_of_the_likeliest_is_the_first(page: Page) -> None:
    near = {"value": "blocks.6", "title": "blocks.6", "group": "Stages"}
    meant = {"value": "blocks.6.0", "title": "blocks.6.0", "group": "Finer layers"}
    other = {"value": "blocks.60.6.0", "title": "blocks.60.6.0", "group": "Stages"}
    put(page, [near, other, meant], None)
    field(page).click()
    page.keyboard.type("blocks.6.0")
    assert titles(page) == ["blocks.6.0"]
    page.keyboard.press("Control+A")
    page.keyboard.type("6.0")
    assert titles(page) == ["blocks.60.6.0", "blocks.6.0"]  # both as a word: the order stays
    page.keyboard.press("Control+A")
    page.keyboard.type("blocks.6")
    assert titles(page) == ["blocks.6", "blocks.60.6.0", "blocks.6.0"]
    assert page.locator(".cam-choices-heading").all_inner_texts() == ["Stages", "Finer layers"]


def test_nothing_found_is_said_and_chooses_nothing(page: Page) -> None:
    field(page).click()
    page.keyboard.type("<b>zebra")
    assert titles(page) == []
    expect(page.get_by_role("status")).to_have_text('Nothing here has "<b>zebra" in its name.')
    assert active(page) is None
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert chosen(page) == []
    check_closed(page, "EfficientNet-Lite1")


def test_what_can_not_be_chosen_is_shown_and_not_chosen(page: Page) -> None:
    field(page).click()
    page.keyboard.type("lite9")
    assert titles(page) == ["EfficientNet-Lite9"]
    expect(options(page)).to_have_attribute("aria-disabled", "true")
    options(page).click()
    page.keyboard.press("Enter")
    assert chosen(page) == []
    check_closed(page, "EfficientNet-Lite1")


def test_the_same_again_is_no_choice(page: Page) -> None:
    field(page).click()
    page.keyboard.press("Enter")
    assert chosen(page) == []
    check_closed(page, "EfficientNet-Lite1")


# ---------------------------------------------------------------- by keys


def test_arrows_home_and_end(page: Page) -> None:
    field(page).focus()
    page.keyboard.press("ArrowDown")  # opens
    assert active(page) == "EfficientNet-Lite1"
    steps = [
        ("ArrowDown", "AlexNet"),
        ("ArrowDown", "ResNet-18"),  # over what can't be chosen
        ("ArrowUp", "AlexNet"),
        ("End", "VGG-16"),
        ("ArrowDown", "VGG-16"),
        ("Home", "EfficientNet-Lite0"),
        ("ArrowUp", "EfficientNet-Lite0"),
        ("PageDown", "VGG-16"),
        ("PageUp", "EfficientNet-Lite0"),
        ("ArrowDown", "EfficientNet-Lite1"),
        ("ArrowDown", "AlexNet"),
    ]
    for key, expected in steps:
        page.keyboard.press(key)
        assert active(page) == expected, key
    assert chosen(page) == []
    page.keyboard.press("Enter")
    assert chosen(page) == ["alexnet"]
    check_closed(page, "AlexNet")


@pytest.mark.parametrize("key", ["Escape", "Tab"])
def test_what_was_chosen_is_restored(page: Page, key: str) -> None:
    field(page).click()
    page.keyboard.type("alex")
    page.keyboard.press(key)
    check_closed(page, "EfficientNet-Lite1")
    assert chosen(page) == []
    focused = page.evaluate("document.activeElement === box.input")
    assert focused == (key == "Escape")


def test_the_focus_goes_elsewhere(page: Page) -> None:
    field(page).click()
    page.keyboard.type("alex")
    page.get_by_role("heading").click()
    check_closed(page, "EfficientNet-Lite1")
    assert chosen(page) == []


def test_no_key_of_the_viewer_fires(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content(
        f"""<style>{bundle.static("viewer.css")}</style>
        <div id="viewer">{bundle.static("viewer.html")}</div>
        <script>{bundle.script()}
        const viewer = mountViewer(document.getElementById("viewer"), {{}});
        let box;
        </script>"""
    )
    show(page, explanation("whole", MAPS["7 x 7"]))
    page.evaluate(
        """entries => {
          const place = make("div", {});
          document.querySelector(".cam-side").prepend(place);
          box = comboboxOf(place, { title: "Model", entries, value: "lite1", choose: () => {} });
        }""",
        MODELS,
    )
    state = """() => JSON.stringify(
      [viewer.state, isOnStage(viewer), document.querySelector("dialog").open],
      (key, value) => (["scene", "pool"].includes(key) ? undefined : value))"""
    page.keyboard.press("f")  # the viewer fills the screen
    page.wait_for_function("document.fullscreenElement")
    before = page.evaluate(state)
    assert page.evaluate("isOnStage(viewer)")
    field(page).click()
    for key in [*"12345mcedrhzyxf[]0+-? ", "PageDown", "ArrowDown", "ArrowLeft", "Home", "End"]:
        page.keyboard.press(key)
    assert page.evaluate(state) == before
    page.keyboard.press("Escape")  # closes the list, and leaves the screen filled
    assert page.evaluate(state) == before
    check_closed(page, "EfficientNet-Lite1")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("c")  # the test of the test
    assert page.evaluate(state) != before
    page.close()


# ---------------------------------------------------------------- by mouse and touch


def test_a_click_opens_everything_with_the_present_one_in_sight(page: Page) -> None:
    many = [{"value": index, "title": f"layer {index}"} for index in range(60)]
    put(page, many, 40)
    field(page).click()
    assert len(titles(page)) == 60
    expect(page.locator("[aria-selected=true]")).to_have_text("layer 40")
    expect(page.locator("[aria-selected=true]")).to_be_in_viewport(ratio=1)
    assert active(page) == "layer 40"
    selected = page.evaluate(
        "box.input.value.slice(box.input.selectionStart, box.input.selectionEnd)"
    )
    assert selected == "layer 40"
    inside = page.evaluate(
        """() => {
          const list = document.querySelector(".cam-choices").getBoundingClientRect();
          const row = document.querySelector("[aria-selected=true]").getBoundingClientRect();
          return row.top >= list.top && row.bottom <= list.bottom && list.height / row.height;
        }"""
    )
    assert 3 < inside <= 12.01


def test_the_mouse_chooses(page: Page) -> None:
    field(page).click()
    options(page).filter(has_text="ResNet-18").hover()
    assert active(page) == "ResNet-18"
    options(page).filter(has_text="AlexNet").click()
    assert chosen(page) == ["alexnet"]  # once, though the place is a label
    check_closed(page, "AlexNet")
    expect(field(page)).to_be_focused()


def test_a_heading_is_no_choice(page: Page) -> None:
    field(page).click()
    page.get_by_text("Download", exact=True).click()
    assert chosen(page) == []
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    expect(field(page)).to_be_focused()


def test_a_finger_chooses(browser: Browser) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 664}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.set_content(
        PAGE.replace("<style>", '<meta name="viewport" content="width=device-width"><style>', 1)
    )
    put(page, MODELS, "lite1")
    field(page).tap()
    heights = page.locator("[role=option]").evaluate_all(
        "rows => rows.map((row) => row.offsetHeight)"
    )
    assert len(heights) == len(MODELS)
    assert min(heights) >= 44
    assert field(page).bounding_box()["height"] >= 44
    options(page).filter(has_text="VGG-16").tap()
    assert chosen(page) == ["vgg16"]
    check_closed(page, "VGG-16")
    expect(field(page)).not_to_be_focused()  # the keyboard of the phone goes
    context.close()


def test_rows_are_high_enough_for_a_mouse(page: Page) -> None:
    field(page).click()
    heights = page.locator("[role=option]").evaluate_all(
        "rows => rows.map((row) => row.offsetHeight)"
    )
    assert min(heights) >= 31


# ---------------------------------------------------------------- where the list is


@pytest.mark.parametrize("top", [0, 150, 300, 450, 565])
@pytest.mark.parametrize("left", [0, 500, 740])
def test_the_list_is_never_outside_of_the_window(page: Page, left: int, top: int) -> None:
    longest = {"value": 99, "title": "a title as long as the longest of all the labels " * 3}
    put(page, [*LABELS[:50], longest], 99)
    page.evaluate(
        "([left, top]) => box.input.parentNode.style.cssText ="
        "`position: fixed; width: 60px; left: ${left}px; top: ${top}px`",
        [left, top],
    )
    field(page).click()
    around, inside = page.locator(".cam-popup").bounding_box(), field(page).bounding_box()
    assert around["x"] >= 0
    assert around["y"] >= 0
    assert around["x"] + around["width"] <= 800
    assert around["y"] + around["height"] <= 600
    assert around["height"] > 100
    is_below = around["y"] >= inside["y"] + inside["height"] - 1
    is_above = around["y"] + around["height"] <= inside["y"] + 1
    assert is_below == (top < 300 - inside["height"] / 2), (is_below, is_above)
    assert is_above != is_below  # it never covers what is typed
    # No row is cut off, and none is covered by the line below.
    page.keyboard.type("longest")
    expect(options(page)).to_be_in_viewport(ratio=1)


def test_a_short_list_stays_on_its_side_while_one_types(page: Page) -> None:
    put(page, LABELS[:12], 0)
    page.evaluate(
        "box.input.parentNode.style.cssText = 'position: fixed; width: 90px; left: 0; top: 400px'"
    )
    field(page).click()
    page.keyboard.type("label 011")
    around, inside = page.locator(".cam-popup").bounding_box(), field(page).bounding_box()
    assert around["y"] + around["height"] == pytest.approx(inside["y"], abs=1)


def test_the_list_follows_its_field(page: Page) -> None:
    page.evaluate("document.body.style.height = '3000px'")
    field(page).click()
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 60)
    page.wait_for_function("scrollY === 60")
    page.evaluate("new Promise(requestAnimationFrame)")
    around, inside = page.locator(".cam-popup").bounding_box(), field(page).bounding_box()
    assert around["y"] == pytest.approx(inside["y"] + inside["height"], abs=1)
    page.evaluate("scrollTo(0, 0); document.body.style.height = ''")


# ---------------------------------------------------------------- a thousand


def test_a_thousand_entries(page: Page) -> None:
    put(page, LABELS, None, empty="any of 1,000")
    expect(field(page)).to_have_attribute("placeholder", "any of 1,000")
    took = page.evaluate(
        """() => {
          const started = performance.now();
          box.input.click();
          document.querySelector(".cam-popup").getBoundingClientRect(); // with its layout
          return performance.now() - started;
        }"""
    )
    print(f"opened in {took:.1f} ms")
    assert titles(page) == [entry["title"] for entry in LABELS[:100]]
    expect(page.get_by_role("status")).to_have_text("900 more: type a part of the name")
    expect(page.get_by_role("status")).to_be_visible()
    field(page).focus()
    page.keyboard.type("label 99")
    assert titles(page) == [f"label {n:03}" for n in [*range(990, 1000), *range(99, 990, 100)]]
    assert active(page) == "label 990"  # the first that begins so
    expect(page.get_by_role("status")).to_be_empty()
    page.keyboard.press("Enter")
    assert chosen(page) == [990]


def test_all_of_a_thousand_can_be_reached(page: Page) -> None:
    put(page, LABELS, 500)
    field(page).click()
    assert active(page) == "label 500"
    expect(page.locator("[aria-selected=true]")).to_be_in_viewport(ratio=1)
    for key, expected in [("End", 999), ("Home", 0), *[("PageDown", 10 * n) for n in range(1, 13)]]:
        page.keyboard.press(key)
        assert active(page) == f"label {expected:03}"
        expect(page.locator("[data-active]")).to_be_in_viewport(ratio=1)
        expect(page.locator("[data-active]")).to_have_attribute("aria-posinset", str(expected + 1))
        expect(page.locator("[data-active]")).to_have_attribute("aria-setsize", "1000")
        assert len(titles(page)) == 100
    page.keyboard.press("Enter")
    assert chosen(page) == [120]


# ---------------------------------------------------------------- told from outside


def test_set_and_fill(page: Page) -> None:
    page.evaluate("box.set('vgg16')")
    check_closed(page, "VGG-16")
    page.evaluate("box.set('new')")  # before its entry is here
    check_closed(page, "")
    page.evaluate("entries => box.fill(entries)", [{"value": "new", "title": "A new one"}, *MODELS])
    check_closed(page, "A new one")
    page.evaluate("box.set(null)")
    check_closed(page, "")
    assert chosen(page) == []


def test_what_is_typed_stays_when_the_page_changes(page: Page) -> None:
    field(page).click()
    page.keyboard.type("net")
    page.keyboard.press("End")
    assert active(page) == "ResNet-18"
    page.evaluate("box.set('alexnet')")
    more = [{"value": "resnet34", "title": "ResNet-34"}, *MODELS]
    page.evaluate("entries => box.fill(entries)", more)
    expect(field(page)).to_have_value("net")
    assert titles(page)[0] == "ResNet-34"
    assert active(page) == "ResNet-18"
    expect(page.locator("[aria-selected=true]")).to_have_text("AlexNet244 MB")
    page.keyboard.press("Escape")
    check_closed(page, "AlexNet")


def test_a_row_stays_under_the_finger(page: Page) -> None:
    """The viewer fills its lists whenever it draws: between press and release nothing is new."""
    field(page).click()
    options(page).filter(has_text="VGG-16").hover()
    page.mouse.down()
    page.evaluate("entries => { box.fill(entries); box.set('lite1'); }", MODELS)
    page.mouse.up()
    assert chosen(page) == ["vgg16"]


# ---------------------------------------------------------------- for whoever hears it


def test_the_pattern_of_aria(page: Page) -> None:
    assert field(page).get_attribute("aria-autocomplete") == "list"
    expect(field(page)).to_have_attribute("title", "Which network answers.")
    field(page).click()
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    listbox = page.get_by_role("listbox", name="Model")
    assert listbox.get_attribute("id") == field(page).get_attribute("aria-controls")
    for group, count in (("Ready", 2), ("Download", 4)):
        inside = listbox.get_by_role("group", name=group).get_by_role("option")
        expect(inside).to_have_count(count)
    page.get_by_role("option", name="EfficientNet-Lite1", selected=True).wait_for()
    expect(page.locator("[aria-selected=true]")).to_have_count(1)
    ids = page.locator("[id]").evaluate_all("all => all.map(({ id }) => id)")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []
    field(page).click()
    assert violations(page) == []
    page.keyboard.type("nothing like that")
    assert violations(page) == []
    put(page, LABELS, 3)
    field(page).click()
    assert violations(page) == []
    page.emulate_media(color_scheme="light")


def test_two_on_a_page_have_ids_of_their_own(page: Page) -> None:
    first = field(page).get_attribute("aria-controls")
    put(page, MODELS, "lite0")
    assert first != field(page).get_attribute("aria-controls")
