"""What the page offers: photos, and which a browser may name; models; how the start went."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from gradio.media import get_image

from camdemo import CamdemoError, Explainer, ImageError, Settings
from camdemo.ui import examples
from camdemo.ui.offers import Offers

NO_PHOTO = "There is no such photo here. Choose an example, or upload one."
GONE = "This photo is no longer on the server. Choose it again."


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


@pytest.fixture(scope="module")
def offers() -> Offers:
    return Offers(Explainer(Settings(model="efficientnet_lite0")))


# --- photos ---


def test_an_example_comes_with_what_the_page_says_of_it(offers: Offers) -> None:
    path, facts = offers.photo({"example": "Lion"})
    assert path == get_image("lion.jpg")
    assert (facts["name"], facts["example"]) == ("Lion", "Lion")
    assert facts["code"]["photo"] == "photos()['Lion']"
    assert facts["original"] == offers.photos.address(path)


def test_a_decks_photo_tells_the_name_of_its_file_and_no_path(offers: Offers) -> None:
    deck = Offers(offers.explainer, {"a tower": get_image("tower.jpg")})
    path, facts = deck.photo({"example": "a tower"})
    assert path == get_image("tower.jpg")
    assert facts["code"] == {"imports": [], "photo": "'tower.jpg'"}
    assert str(Path(path).parent) not in str(facts)
    with pytest.raises(CamdemoError, match="no such photo"):
        deck.photo({"example": "Lion"})  # it is not in this deck


def test_an_upload_is_one_by_its_path(offers: Offers, uploads: Path) -> None:
    photo = uploads / "hash" / "mine.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"a photo")
    path, facts = offers.photo({"path": str(photo), "meta": {"_type": "gradio.FileData"}})
    assert path == str(photo)
    assert facts == {"original": offers.photos.address(path)}  # no name, and no example
    assert "mine" not in facts["original"]
    around = uploads / "hash" / ".." / "hash" / "mine.jpg"
    assert offers.photo({"path": str(around)})[0] == str(photo)
    photo.unlink()
    with pytest.raises(ImageError) as refused:
        offers.photo({"path": str(photo)})
    assert str(refused.value) == GONE


@pytest.mark.parametrize(
    "source",
    [
        *[None, True, 0, 5, 0.5, "", "Lion", "/etc/passwd", b"Lion", [], ["Lion"], {}],
        *[{"example": name} for name in (None, "", "lion", "Lion ", "Dog", 5, ["Lion"], {})],
        *[{"path": path} for path in (None, 5, True, [], ["/etc/passwd"], {"path": "x"})],
        {"url": "http://photos.example/lion.jpg"},
    ],
    ids=str,
)
def test_what_names_no_photo_is_refused(offers: Offers, source: Any) -> None:
    with pytest.raises(CamdemoError) as refused:
        offers.photo(source)
    assert str(refused.value) == NO_PHOTO


@pytest.mark.parametrize(
    "path",
    [
        *["", ".", "/", "..", "/etc/passwd", "/proc/self/environ", "hash/mine.jpg", "~/.bashrc"],
        *["{folder}", "{folder}/", "{folder}/none.jpg", "{folder}/../outside.jpg"],
        *["{folder}/link.jpg", "{folder}/linked/outside.jpg", "{folder}x/near.jpg"],
        *["{folder}/pipe", "file://{folder}/mine.jpg", "http://photos.example/lion.jpg"],
        *["//photos.example/lion.jpg", "data:image/png;base64,AAAA", "\ud800", "\0", "x" * 5000],
        get_image("lion.jpg"),
    ],
    ids=lambda path: repr(path)[:40],
)
def test_a_path_outside_of_the_folder_of_uploads_is_none(
    offers: Offers, uploads: Path, path: str
) -> None:
    """Not even that of an example: those are asked for by their names."""
    outside = uploads.parent / "outside.jpg"
    near = uploads.with_name("uploadsx") / "near.jpg"
    near.parent.mkdir()
    for photo in (outside, near, uploads / "mine.jpg"):
        photo.write_bytes(b"a photo")
    (uploads / "link.jpg").symlink_to(outside)
    (uploads / "linked").symlink_to(uploads.parent)
    os.mkfifo(uploads / "pipe")  # whoever opened it would wait for ever
    with pytest.raises(ImageError) as refused:
        offers.photo({"path": path.replace("{folder}", str(uploads))})
    assert str(refused.value) == GONE


# --- the start ---


class Starting(Explainer):
    """Its first explanation waits until it may end, or fails."""

    def __init__(self, model: str = "", mistake: CamdemoError | None = None) -> None:
        super().__init__(Settings(model=model))
        self.gate = threading.Event()
        self.mistake = mistake

    def explain(self, *_: Any, **__: Any) -> Any:
        assert self.gate.wait(60)
        if self.mistake:
            raise self.mistake


def test_what_a_page_is_told_that_opens(offers: Offers) -> None:
    answer = offers.start(None)
    assert set(answer) == {"models", "examples", "opening", "skipped", "largest", "state", "note"}
    assert [one["name"] for one in answer["examples"]] == list(examples.photos())
    assert answer["opening"] in examples.photos()
    assert all(one["icon"].startswith("photo/") for one in answer["examples"])
    specs = {spec.name: spec for spec in offers.explainer.models()}
    assert [one["name"] for one in answer["models"]] == list(specs)
    for one in answer["models"]:
        assert set(one) == {"name", "title", "megabytes", "ready", "vocabulary"}
        assert one["ready"] is specs[one["name"]].ready
    assert specs["efficientnet_lite0"].ready


def test_a_deck_opens_with_its_first_photo(offers: Offers) -> None:
    deck = {name: get_image(f"{name}.jpg") for name in ("tower", "cheetah")}
    one = Offers(offers.explainer, deck)
    for name, path in deck.items():
        one.show(name, path)
    answer = one.start(None)
    assert answer["opening"] == "tower"
    assert [one["name"] for one in answer["examples"]] == ["tower", "cheetah"]
    assert answer["skipped"] == ""


def test_before_during_and_after_the_first_model(monkeypatch: pytest.MonkeyPatch) -> None:
    explainer = Starting()
    notebooks: list[str] = []
    monkeypatch.setattr(explainer.engine, "fetch", lambda model, *_: notebooks.append(model))
    monkeypatch.setattr("camdemo.warmup.weights.is_ready", lambda spec, *_: "lite0" in spec.name)
    offers = Offers(explainer)
    before = offers.start(None)
    assert (before["state"], before["note"]) == ("starting", "")
    warming = threading.Thread(target=explainer.warm_up)
    warming.start()
    while explainer.state.name != "starting":
        pass
    during = offers.start(None)
    assert (during["state"], during["note"]) == ("starting", "")  # it waits for nothing
    explainer.gate.set()
    warming.join()
    after = offers.start(None)
    assert after["state"] == "ready"
    assert "so EfficientNet-Lite0 answers" in after["note"]
    assert notebooks == ["mobilenet_v2"]


def test_why_the_start_failed_is_told() -> None:
    explainer = Starting("efficientnet_lite0", CamdemoError("There are no weights."))
    explainer.gate.set()
    explainer.warm_up()
    answer = Offers(explainer).start(None)
    assert (answer["state"], answer["note"]) == ("failed", "There are no weights.")
