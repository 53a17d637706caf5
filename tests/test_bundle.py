"""The page to take away: small, complete, and it asks nobody anything."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from gradio.media import get_image

import camdemo.viewer
from camdemo import Explainer, Explanation, Settings
from camdemo.viewer import bundle

STATIC = Path(camdemo.viewer.__file__).parent / "static"
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&<!--<script>\u2028"


class Tags(HTMLParser):
    """The tags of a page with their attributes, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.script += data

    def names(self) -> list[str]:
        return [tag for tag, _ in self.found]


def scene_in(page: str) -> dict[str, Any]:
    call = "PALETTES }).show("  # the last line of the script
    return json.JSONDecoder().raw_decode(page, page.index(call) + len(call))[0]


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer(Settings(model="efficientnet_lite0"))


@pytest.fixture(scope="module")
def explanation(explainer: Explainer) -> Explanation:
    return explainer.explain(get_image("tower.jpg"))  # the largest of the examples


@pytest.fixture(scope="module")
def page(explanation: Explanation) -> str:
    return explanation.to_html()


def test_it_is_under_one_megabyte(page):
    assert 100_000 < len(page.encode()) < 1_000_000


def test_it_holds_the_whole_explanation(page, explanation):
    content = scene_in(page)
    stages = [layer for layer in content["layers"] if layer["stage"]]
    assert len(content["maps"]) == 5 * len(stages) > 50
    assert content["complete"] is True
    for name, value in json.loads(json.dumps(explanation.scene(complete=False))).items():
        assert name in ("maps", "complete") or content[name] == value


def test_it_names_no_other_host(page):
    # Base64 has neither ":" nor "(", so the photo and the maps can't be taken for these.
    assert not re.search(r"https?:|wss?:|file:", page)
    assert not re.search(r"url\(|@import|\bimport\s*\(", page)
    for name in ("fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "sendBeacon", "Worker("):
        assert name not in page, name


def test_no_tag_asks_for_another_file(page):
    asking = {"src", "href", "srcset", "action", "formaction", "data", "poster", "background"}
    for tag, attributes in Tags(page).found:
        assert not asking & set(attributes), (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "base"}


def test_the_script_is_one_and_ends_where_it_should(page):
    tags = Tags(page)
    assert tags.names().count("script") == 1
    assert tags.script.rstrip().endswith(");")
    assert page.rstrip().endswith("</html>")


def test_a_duel_has_both_labels_and_their_maps(explainer):
    duel = explainer.explain(get_image("lion.jpg"), target="teapot", versus="tiger")
    content = scene_in(duel.to_html())
    assert (content["target"], content["versus"]) == (duel.target.index, duel.versus.index)
    assert {"teapot", "tiger"} <= {label["label"] for label in content["labels"]}
    sent = {(one["layer"], one["target"]) for one in content["maps"]}
    stages = [layer["name"] for layer in content["layers"] if layer["stage"]]
    for label in (duel.target.index, duel.versus.index):
        assert {(stage, label) for stage in stages} <= sent


@pytest.mark.parametrize("where", ["label", "name", "facts"])
def test_hostile_names_stay_texts(page, where):
    content = scene_in(page)
    if where == "label":
        content["labels"][0]["label"] = HOSTILE
    else:
        content[where] = HOSTILE
    text = bundle.page(content)
    assert Tags(text).names() == Tags(page).names()  # not one tag more
    assert scene_in(text) == content
    if where == "label":
        assert f"<title>{html.escape(HOSTILE)} · camdemo</title>" in text


def test_a_notebook_shows_it_in_a_frame(explanation, page):
    cell = explanation._repr_html_()
    ((tag, attributes),) = Tags(cell).found
    assert tag == "iframe"
    assert attributes["srcdoc"] == page
    assert attributes["title"] == "camdemo"
    # Quotes end the attribute, whatever else is in it.
    assert cell.count('"') == 2 * len(attributes)


def test_the_file_and_the_page_run_the_same_script(page):
    assert bundle.script() in page
    scripts = [path.name for path in STATIC.glob("*.js")]
    assert {"maps.js", "hiding.js", "framing.js", "duel.js", "viewer.js"} <= set(scripts)
    for name in scripts:
        assert bundle.static(name) in page, name
    assert bundle.static("viewer.html") in page
    assert bundle.static("viewer.css") in page
