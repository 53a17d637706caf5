"""The other maps come in the order of use, and who moves on asks for no more of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .steps import LABELS, STRIP, TITLE, changed, choose, settled

MAPS, OPEN = "scene_maps", "scene_open"


class Gate:
    """Holds the questions of one name until the test lets them through."""

    def __init__(self, page: Page, name: str = MAPS) -> None:
        self.name = name
        self.asked: list[dict[str, Any]] = []  # all of that name, in order
        self.held: list[Route] = []
        self.shut = True
        page.route("**/component_server/**", self._handle)

    def _handle(self, route: Route) -> None:
        body = route.request.post_data_json
        if body["fn_name"] == self.name:
            self.asked.append(body["data"])
            if self.shut:
                self.held.append(route)
                return
        route.fallback()

    def open(self) -> None:
        self.shut = False
        while self.held:
            self.held.pop(0).continue_()

    def let_through(self) -> None:
        """The first of those that are held."""
        self.held.pop(0).continue_()


def until(page: Page, holds: Any) -> None:
    for _ in range(400):
        if holds():
            return
        page.wait_for_timeout(25)
    pytest.fail("it never happened")


@contextmanager
def looking(page: Page) -> Iterator[Gate]:
    """A photo whose first map is there, while its other maps are held."""
    gate = Gate(page)
    page.locator("[data-example=Cheetah]").click()
    expect(page.locator(TITLE)).to_contain_text("cheetah")
    until(page, lambda: len(gate.held) == 2)
    yield gate
    gate.open()


def test_a_label_that_was_chosen_meanwhile_comes_next(page: Page) -> None:
    with looking(page) as gate:
        last = int(page.locator(LABELS).nth(4).get_attribute("data-target") or "")
        page.locator(LABELS).nth(4).click()
        until(page, lambda: len(gate.asked) == 3)
        assert gate.asked[2]["layers"] is not None  # its one map at once
        gate.let_through()
        until(page, lambda: len(gate.asked) == 4)
        assert gate.asked[3]["targets"][0] == last
    settled(page)
    asked = [index for one in gate.asked if one["layers"] is None for index in one["targets"]]
    assert len(asked) == len(set(asked)) == 5


def test_who_opens_another_photo_asks_for_no_more_maps_of_the_first(page: Page) -> None:
    with looking(page) as gate:
        opens = Gate(page, OPEN)
        page.locator("[data-example=Lion]").click()
        until(page, lambda: opens.held)
        first = gate.asked[0]["id"]
        gate.open()  # their answers come while the other photo is under way
        page.wait_for_timeout(400)  # in which one that should not be asked would come
        assert len(gate.asked) == 2
        opens.open()
        expect(page.locator(TITLE)).to_contain_text("lion")
    settled(page)
    assert [one["id"] for one in gate.asked].count(first) == 2
    assert len(gate.asked) == 5


def test_a_photo_that_fails_takes_nothing_from_the_one_that_stays(page: Page) -> None:
    with looking(page) as gate:
        fails = Gate(page, OPEN)
        page.locator("[data-example=Lion]").click()
        until(page, lambda: fails.held)
        gate.open()
        page.wait_for_timeout(400)  # in which one that should not be asked would come
        assert len(gate.asked) == 2
        fails.held.pop().abort()
    settled(page)
    assert len(gate.asked) == 3
    for place in (1, 3, 4):  # all of it is here
        changed(page, page.locator(LABELS).nth(place).click)
    changed(page, page.locator(STRIP).nth(3).click)
    assert len(gate.asked) == 3


def test_who_chooses_another_method_asks_for_no_more_maps_of_the_first(page: Page) -> None:
    with looking(page) as gate:
        choose(page, "Method", "LayerCAM")
        until(page, lambda: len(gate.asked) == 4)
    settled(page)
    methods = [one["method"] for one in gate.asked]
    assert (methods.count("gradcam"), methods.count("layercam")) == (2, 3)
    gate.asked.clear()
    choose(page, "Method", "Grad-CAM")  # and back: what was left
    settled(page)
    changed(page, page.locator(LABELS).nth(4).click)
    settled(page)
    labels = [int(one.get_attribute("data-target") or "") for one in page.locator(LABELS).all()]
    assert [one["targets"] for one in gate.asked] == [labels[4:], labels[3:4]]
