"""Environment variables become settings, or one sentence."""

from __future__ import annotations

import argparse

import pytest

from camdemo.errors import SettingError
from camdemo.models.catalogue import NAMES
from camdemo.options import add_flags
from camdemo.settings import Settings


def test_an_empty_environment_gives_the_defaults():
    assert Settings.from_environment({}) == Settings()
    blank = {"CAMDEMO_MODEL": " ", "CAMDEMO_CACHE_MODELS": ""}  # as an empty field of a Space
    assert Settings.from_environment(blank) == Settings()


def test_both_are_read():
    given = {"CAMDEMO_MODEL": " vgg16\n", "CAMDEMO_CACHE_MODELS": " 3 ", "OTHER": "x"}
    assert Settings.from_environment(given) == Settings(model="vgg16", cache_models=3)


def test_a_flag_comes_before_the_environment():
    parser = argparse.ArgumentParser()
    add_flags(parser, Settings)
    flags = parser.parse_args(["--cache-models", "2", "--host", "0.0.0.0"])
    given = {"CAMDEMO_CACHE_MODELS": "4", "CAMDEMO_MAX_UPLOAD": "7"}
    read = Settings.from_environment(given, flags)
    assert read == Settings(cache_models=2, max_upload=7, host="0.0.0.0")
    with pytest.raises(SettingError, match=r"--port: port 65536 .* from 1 to 65535\."):
        Settings.from_environment({}, parser.parse_args(["--port", "65536"]))


def test_the_process_environment_is_the_default(monkeypatch):
    monkeypatch.setenv("CAMDEMO_CACHE_MODELS", "2")
    assert Settings.from_environment().cache_models == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_model_may_be_the_first(name):
    assert Settings.from_environment({"CAMDEMO_MODEL": name}).model == name


@pytest.mark.parametrize(
    "number", ["0", "-1", "1.5", "six", "1e3", "0x2", "٣", "1_0", "9" * 5000, "nan"]
)
def test_numbers_that_are_none(number):
    with pytest.raises(
        SettingError, match=r"CAMDEMO_CACHE_MODELS: .* not a whole number from 1 to 999999\."
    ) as e:
        Settings.from_environment({"CAMDEMO_CACHE_MODELS": number})
    assert len(str(e.value)) < 150
