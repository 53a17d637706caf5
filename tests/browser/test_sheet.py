"""The contact sheet, opened from disk with the network off: orders, confusions, pages and duels."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio.media import get_image
from playwright.sync_api import Browser, Page, expect

from camdemo import BatchRow, Explainer, explain_many
from camdemo.batch import sheet

ANSWERS = ".tile .answer span:first-child"


@pytest.fixture(scope="module")
def output(explainer: Explainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = tmp_path_factory.mktemp("photos")
    for name in ("lion.jpg", "cheetah.jpg", "tower.jpg"):
        shutil.copy(get_image(name), photos)
    shutil.copy(get_image("cheetah.jpg"), photos / "zoo.jpg")
    (photos / "broken.jpg").write_bytes(b"no photo")
    labels = photos / "labels.csv"
    labels.write_text("lion.jpg,lion\ncheetah.jpg,jaguar\ntower.jpg,church\nzoo.jpg,jaguar\n")
    explain_many(photos, photos / "out", explainer=explainer, expected=labels)
    return photos / "out"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert errors == []
    assert all(url.startswith(("file:", "data:", "about:")) for url in asked)


@pytest.fixture
def opened(page: Page, output: Path) -> Page:
    page.goto((output / "index.html").as_uri())
    return page


def test_the_surest_mistakes_come_first(opened: Page) -> None:
    expect(opened.locator("h1")).to_have_text("5 photos")
    expect(opened.locator(".tally")).to_have_text("25 % as expected, 1 of 4")
    answers = opened.locator(ANSWERS)
    expect(answers).to_have_text(["cheetah", "cheetah", "obelisk", "lion"])
    expect(opened.locator(".wrong").first).to_contain_text("expected jaguar, 1.0 %")
    expect(opened.locator(".broken")).to_contain_text("can be read")
    for picture in opened.locator(".tile img").all():
        assert picture.evaluate("async (img) => (await img.decode(), img.naturalWidth)") > 100


def test_orders_and_what_is_shown_stand_in_the_address(opened: Page, output: Path) -> None:
    answers = opened.locator(ANSWERS)
    opened.get_by_label("Order").select_option("Least sure")
    expect(answers).to_have_text(["obelisk", "cheetah", "cheetah", "lion"])
    opened.get_by_label("Order").select_option("By label")
    expect(opened.locator(".group h2")).to_have_text(
        ["cheetah", "lion", "obelisk", "Can't be read"]
    )
    opened.get_by_label("Show").select_option("the 3 wrong ones")
    opened.get_by_label("Find").fill("tow")
    expect(answers).to_have_text(["obelisk"])
    opened.reload()
    expect(answers).to_have_text(["obelisk"])
    expect(opened.get_by_label("Find")).to_have_value("tow")
    opened.get_by_label("Find").fill("nothing like it")
    opened.get_by_role("button", name="Show all").click()
    expect(answers).to_have_count(4)
    opened.goto((output / "index.html").as_uri() + "#order=__proto__&show=x&page=-7&pair=1-99")
    opened.reload()
    expect(opened.locator(".nothing")).to_be_visible()


def test_confusions_are_counted_and_lead_to_their_photos(opened: Page) -> None:
    pairs = opened.locator(".confusions li button")
    expect(pairs).to_have_text(["2jaguar → cheetah", "1church → obelisk"])
    pairs.first.click()
    expect(pairs.first).to_have_attribute("aria-pressed", "true")
    expect(opened.locator(ANSWERS)).to_have_text(["cheetah", "cheetah"])
    opened.get_by_role("button", name="jaguar → cheetah ✕").click()
    expect(opened.locator(ANSWERS)).to_have_count(4)


def test_a_click_opens_the_photo_in_the_viewer_and_back_leads_to_the_sheet(opened: Page) -> None:
    opened.get_by_label("Order").select_option("Most sure")
    opened.locator(".tile a").first.click()
    expect(opened.locator(".cam-title")).to_contain_text("lion")
    expect(opened.locator(".cam-motto")).to_contain_text("lion.jpg")
    labels = opened.locator(".cam-labels button")
    expect(labels).to_have_count(5)
    before = opened.locator("canvas.cam-picture").evaluate("one => one.toDataURL()")
    labels.nth(1).click()
    expect(labels.nth(1)).to_have_attribute("aria-pressed", "true")
    opened.wait_for_function(
        "before => document.querySelector('canvas.cam-picture').toDataURL() !== before", arg=before
    )
    opened.get_by_role("link", name="All photos").click()
    expect(opened.locator("h1")).to_have_text("5 photos")
    opened.go_back()
    opened.go_back()
    expect(opened.get_by_label("Order")).to_have_value("most")


def test_a_duel_sets_what_was_said_against_what_was_expected(opened: Page) -> None:
    opened.get_by_role("link", name="Duel: why obelisk and not church?").click()
    expect(opened.locator("[data-control=versus] option:checked")).to_have_text("church")
    expect(opened.locator(".cam-words")).to_contain_text("speaks for church")
    expect(opened.locator(".cam-labels button")).to_have_count(6)


@pytest.mark.parametrize("dark", [False, True])
def test_the_sheet_is_accessible(dark: bool, opened: Page) -> None:
    opened.emulate_media(color_scheme="dark" if dark else "light")
    found = Axe().run(opened)
    assert found.violations_count == 0, found.generate_report()


def test_a_phone_has_two_columns_and_large_targets(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    tiles = [opened.locator(".tile").nth(place).bounding_box() for place in (0, 1, 2)]
    assert tiles[0]["y"] == tiles[1]["y"] < tiles[2]["y"]
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    for one in opened.locator("button:visible, select, input, .wrong a").all():
        assert one.bounding_box()["height"] >= 44


def test_ten_thousand_photos_are_some_dozens_of_tiles(page: Page, tmp_path: Path) -> None:
    rows = [
        BatchRow(
            number=number,
            file=f"folder/{number}.jpg",
            top=tuple((f"label {(number * 7 + k) % 1000}", 0.9 / (k + 1)) for k in range(5)),
            expected=f"label {number % 1000}",
        )
        for number in range(10_000)
    ]
    text = sheet.page(rows, ["Model", "layer", "Method"])
    assert len(text) < 2.5e6
    (tmp_path / "index.html").write_text(text, "utf-8")
    page.goto((tmp_path / "index.html").as_uri())
    expect(page.locator(".tile")).to_have_count(60)
    expect(page.locator(".confusions li")).to_have_count(12)
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".range")).to_have_text("61 to 120 of 10,000")
    page.get_by_label("Order").select_option("By label")
    expect(page.locator(".range")).to_have_text("1 to 60 of 10,000")


def test_a_label_can_be_no_script(page: Page, tmp_path: Path) -> None:
    evil = "</script><script>document.title = 'x'</script><b>"
    row = BatchRow(number=0, file=evil, top=((evil, 0.5),), expected="lion")
    (tmp_path / "index.html").write_text(sheet.page([row], [evil]), "utf-8")
    page.goto((tmp_path / "index.html").as_uri())
    expect(page.locator(ANSWERS)).to_have_text([evil])
    assert page.title() != "x"
    assert page.locator("b").count() == 2  # the count of the confusion, and the share
