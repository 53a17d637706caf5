"""The log: one line of JSON a request, with nothing in it that a stranger wrote or showed."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import pytest
from gradio.media import get_image

from camdemo import Explainer, ImageError, Settings, WeightsError
from camdemo.models import CATALOGUE
from camdemo.ui.answers import Answers
from camdemo.ui.offers import Offers
from camdemo.ui.server import journal

SECRET = "holiday-with-my-secret-name.jpg"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> list[dict]:
    caplog.set_level(logging.INFO, "camdemo")

    class Lines(list):
        def __iter__(self):
            return iter([json.loads(record.getMessage()) for record in caplog.records])

    return Lines()


def test_a_request_is_one_line(lines):
    with journal.request("explain"):
        journal.note(model="vgg16")
        journal.note(width=3)
    (line,) = lines
    assert line.pop("ms") >= 0
    assert line == {"request": "explain", "model": "vgg16", "width": 3, "outcome": "done"}


def test_a_refusal_and_a_failure_are_outcomes(lines):
    with pytest.raises(ImageError), journal.request("explain"):
        raise ImageError(SECRET)
    with pytest.raises(OSError, match=SECRET), journal.request("explain"):
        raise OSError(SECRET)
    refused, failed = lines
    assert refused["outcome"] == "ImageError"
    assert (failed["outcome"], failed["error"]) == ("failed", "OSError")
    assert Path(__file__).name in failed["at"]
    assert SECRET not in json.dumps([refused, failed])


def test_of_weights_the_log_has_more_than_the_visitor(lines):
    spec = CATALOGUE.find("resnet18")

    @journal.answers("maps")
    def ask() -> dict:
        try:
            raise ConnectionRefusedError("refused by 10.0.0.1")
        except OSError as error:
            raise WeightsError("Put the file into /srv/secret.", spec) from error

    answer = ask()
    assert answer["error"].startswith("The weights of ResNet-18 (45 MB) can't be downloaded: ")
    assert "/srv" not in answer["error"]
    (line,) = lines
    assert (line["outcome"], line["reason"]) == ("WeightsError", "refused by 10.0.0.1")


def test_an_error_of_weights_travels():
    error = pickle.loads(pickle.dumps(WeightsError("text", CATALOGUE.find("resnet18"))))
    assert (str(error), error.spec.name) == ("text", "resnet18")


def test_notes_outside_of_a_request_are_nobodys(lines):
    journal.note(model="vgg16")
    with journal.request("maps"):
        pass
    (line,) = lines
    assert "model" not in line


def test_what_a_viewer_asks_is_answered_in_words_whatever_happens(lines):
    @journal.answers("maps")
    def broken(question: dict) -> dict:
        return {"maps": question["no such entry"]}

    assert broken({}) == {"error": journal.SORRY}
    (line,) = lines
    assert (line["outcome"], line["error"]) == ("failed", "KeyError")


def test_a_visit_leaves_numbers_and_no_names(lines, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    photo = tmp_path / SECRET
    photo.write_bytes(Path(get_image("lion.jpg")).read_bytes())
    explainer = Explainer(Settings(model="efficientnet_lite0"))
    answers = Answers(explainer, Offers(explainer))
    question = {"source": {"path": str(photo)}, "framing": "crop"}
    token = answers.open(question)["id"]
    answers.open(question)
    answers.open({"source": {"path": str(photo.with_name("other-" + SECRET))}})
    answers.maps({"id": token, "layers": ["<b>nonsense"], "targets": None})
    answers.maps({"id": token, "layers": None, "targets": None})
    explained, again, gone, refused, swept = lines
    assert (explained["request"], explained["outcome"]) == ("open", "done")
    assert again.pop("ms") >= 0
    size = photo.stat().st_size
    assert again == {"request": "open", "bytes": size, "remembered": True, "outcome": "done"}
    assert (gone["request"], gone["outcome"]) == ("open", "ImageError")
    assert explained["model"] == "efficientnet_lite0"
    assert (explained["width"], explained["height"]) == (256, 256)
    assert explained["bytes"] == size
    assert explained["remembered"] is False
    assert min(explained[f"{stage}_ms"] for stage in ("decode", "prepare", "explain")) >= 0
    assert (refused["request"], refused["outcome"]) == ("maps", "ChoiceError")
    assert (swept["request"], swept["outcome"]) == ("maps", "done")
    told = json.dumps([explained, again, gone, refused, swept])
    assert not any(text in told for text in (SECRET, str(tmp_path), token, "nonsense", "lion"))
