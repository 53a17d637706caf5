"""The page to take away: small, complete, and it asks nobody anything."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from gradio.media import get_image

from camdemo import Explainer, Explanation, Settings, methods, options
from camdemo.question import Hiding, Look, Question
from camdemo.viewer import bundle

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
    start = "const SCENE = "
    return json.JSONDecoder().raw_decode(page, page.index(start) + len(start))[0]


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
    for name, value in json.loads(explanation.scene(complete=False).to_json()).items():
        assert name in ("maps", "complete") or content[name] == value


def test_it_names_no_other_host(page):
    # Base64 has neither ":" nor "(", so the photo and the maps can't be taken for these.
    assert not re.search(r"https?:|wss?:|file:", page)
    # The one address that a style gets is the photo itself.
    assert not re.search(r"url\((?!\"\$\{scene\.photo)|@import|\bimport\s*\(", page)
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
    assert (content["target"], content["versus"]) == (duel.target.index, [duel.versus[0].index])
    assert {"teapot", "tiger"} <= {label["label"] for label in content["labels"]}
    sent = {(one["layer"], one["target"]) for one in content["maps"]}
    stages = [layer["name"] for layer in content["layers"] if layer["stage"]]
    for label in (duel.target.index, duel.versus[0].index):
        assert {(stage, label) for stage in stages} <= sent


@pytest.mark.parametrize("where", ["label", "name", "facts"])
def test_hostile_names_stay_texts(explanation, page, where):
    shown = explanation.scene()
    if where == "label":
        first, *others = shown.predictions
        hostile = replace(first, label=HOSTILE)
        shown = replace(shown, predictions=(hostile, *others), target=hostile)
    else:
        shown = replace(shown, **{where: HOSTILE})
    text = bundle.page(shown)
    assert Tags(text).names() == Tags(page).names()  # not one tag more
    assert scene_in(text) == json.loads(shown.to_json())
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
    served = bundle.script("page.js")
    assert len(bundle.SCRIPTS) > 12
    for name in bundle.SCRIPTS:
        assert bundle.static(name) in page, name
        assert bundle.static(name) in served, name
    for constant in ("OPTIONS", "PALETTES"):  # before whatever uses them
        (line,) = re.findall(f"^const {constant} = .*;$", page, re.MULTILINE)
        assert line in served
        assert page.index(line) < page.index(bundle.static(bundle.SCRIPTS[0]))
    assert bundle.static("viewer.html") in page
    assert bundle.static("viewer.css") in page


def constant(page: str, name: str) -> Any:
    start = f"const {name} = "
    return json.JSONDecoder().raw_decode(page, page.index(start) + len(start))[0]


def test_the_options_are_those_of_python(page):
    known = constant(page, "OPTIONS")
    for kind, chosen in (("look", Look), ("question", Question)):
        assert list(known[kind]) == [each.name for each in options.of(chosen)]
    for each in (*options.of(Look), *options.of(Hiding)):
        sent = known["look"].get(each.name) or known[each.name]
        assert [value["name"] for value in sent.get("values", [])] == list(each.names)
        if each.kind == "number":
            assert (sent["low"], sent["high"], sent["step"]) == (each.low, each.high, each.step)
    sent = {one["name"]: one for one in known["question"]["method"]["values"]}
    assert list(sent) == [method.name for method in methods.all()]
    assert [sent[name]["linear"] for name in ("gradcam", "hirescam", "layercam")] == [
        *(True, True, False)
    ]


def test_no_option_stands_in_the_page_by_hand():
    """What can be chosen is in question.py, and in no other file of the viewer."""
    # What opens a sheet of the phone is no choice.
    lines = [one for one in bundle.static("viewer.html").splitlines() if "data-opens" not in one]
    sources = ["\n".join(lines), *map(bundle.static, bundle.SCRIPTS)]
    for each in (*options.of(Look), *options.of(Hiding)):
        for value in each.values:
            assert not any(f">{value.title}<" in text for text in sources), value
            assert not any(f'value="{value.name}"' in text for text in sources), value
    assert not any("min=" in line for line in sources[0].splitlines() if "Divider" not in line)
