"""A short life of the long one in benchmarks/soak.py: what stays is what is remembered."""

from __future__ import annotations

import gc
import warnings

import pytest

from benchmarks import soak
from camdemo import Explainer, Settings
from camdemo.finding import Finding
from camdemo.ui import answers as remembered


def alive() -> int:
    """How many findings there are in this process."""
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of torch's objects warn of being looked at
        return sum(isinstance(one, Finding) for one in gc.get_objects())


def test_of_many_explanations_only_those_stay_that_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembered, "_KEPT", 5)
    before = alive()
    answers = soak.answering(Explainer(Settings(model="efficientnet_lite0", lanes=2)))
    levels = soak.soak(answers, count=60, visitors=2, before=10)
    assert len(levels) == 5
    assert all(level > 100 for level in levels)  # MB: it is a real process that was measured
    # A scene and an answer each, which share their finding unless one is forgotten earlier.
    assert 5 <= alive() - before <= 2 * 5
    del answers
    assert alive() == before
