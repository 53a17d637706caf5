"""Whatever is uploaded is explained or refused with a sentence: a corpus, and random damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from camdemo.errors import CamdemoError
from camdemo.models import catalogue
from camdemo.photo import find_framing, prepare, read, seen_region
from camdemo.question import FRAMINGS
from camdemo.records import Box

from . import hostile

CORPUS = hostile.corpus()
WHOLE = {kind: hostile.encode(hostile.noise(24, 16), kind) for kind in hostile.FORMATS}
SPEC = catalogue.find("efficientnet_lite0")
# The same examples each time: a failure on one machine is one on all.
BUDGET = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

pytestmark = pytest.mark.filterwarnings("ignore:::PIL")


def refusal(ask: Callable[[], object]) -> str:
    """The sentence with which it is refused; empty if it is not."""
    try:
        ask()
    except CamdemoError as error:
        return str(error)
    return ""


def explained_or_refused(content: object) -> bool:
    """Whether it becomes a network's input; a sentence for people if not."""
    sentence = refusal(lambda: read(content))
    if sentence:
        assert sentence.endswith(".")
        assert not any(word in sentence for word in ("\n", "Traceback", "Error", "0x"))
        return False
    image = read(content)
    assert image.mode == "RGB"
    for framing in FRAMINGS:
        inputs = prepare(image, find_framing(framing), SPEC)
        assert inputs.shape == (1, 3, SPEC.transform.crop, SPEC.transform.crop)
        assert np.isfinite(inputs).all()
    return True


@pytest.mark.parametrize("name", CORPUS)
def test_the_corpus(name: str, tmp_path: Path) -> None:
    as_bytes = explained_or_refused(CORPUS[name])
    file = tmp_path / "photo.jpg"  # whatever it is, that is what it is called
    file.write_bytes(CORPUS[name])
    assert explained_or_refused(file) == as_bytes


def test_the_corpus_has_both_kinds() -> None:
    """Else it would test nothing: damage that always or never matters."""
    read = [name for name, content in CORPUS.items() if explained_or_refused(content)]
    assert 40 < len(read) < len(CORPUS) - 40
    assert {"1 x 1", "1 x 20000", "16 bit", "CMYK JPEG", "broken ICC", "broken EXIF"} <= set(read)
    assert not {"zero bytes", "SVG", "HTML", "zip", "PostScript"} & set(read)


@BUDGET
@given(
    kind=st.sampled_from(hostile.FORMATS),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4)), max_size=8),
    end=st.floats(0.3, 1),
)
def test_any_damage(kind: str, edits: list[tuple[float, bytes]], end: float) -> None:
    content = bytearray(WHOLE[kind])
    for place, written in edits:
        start = int(place * len(content))
        content[start : start + len(written)] = written
    explained_or_refused(bytes(content[: int(end * len(content))]))


@BUDGET
@given(st.binary(max_size=300), st.sampled_from([content[:16] for content in WHOLE.values()]))
def test_any_bytes_behind_the_beginning_of_a_photo(content: bytes, beginning: bytes) -> None:
    explained_or_refused(content)
    explained_or_refused(beginning + content)


@BUDGET
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    edges=st.tuples(*[st.integers(-10, 410)] * 4),
    name=st.sampled_from(catalogue.NAMES),
)
def test_any_frame(width: int, height: int, edges: tuple[int, ...], name: str) -> None:
    frame, spec = Box(*edges), catalogue.find(name)
    transform = spec.transform
    inside = 0 <= frame.left < frame.right <= width and 0 <= frame.top < frame.bottom <= height
    sentence = refusal(lambda: seen_region((width, height), transform, frame))
    assert bool(sentence) != inside
    if sentence:
        assert frame.text in sentence
        return
    inputs = prepare(Image.new("RGB", (width, height), "red"), frame, spec)
    assert inputs.shape == (1, 3, transform.crop, transform.crop)
    assert np.ptp(inputs, axis=(2, 3)).max() < 1e-5  # a red photo is red everywhere


@BUDGET
@given(
    st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.none(), st.binary(max_size=9))
)
def test_any_framing(text: object) -> None:
    sentence = refusal(lambda: find_framing(text))
    assert len(sentence) < 250
    if not sentence:
        framing = find_framing(text)
        assert framing in FRAMINGS or isinstance(framing, Box)
