"""The package as it is installed: a wheel, in an environment of its own, far from the checkout."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio.media import get_image
from gradio_client import Client, handle_file
from packaging.requirements import Requirement
from packaging.version import Version

from camdemo import __version__

from .served import ROOT, Served, free_port, served

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
STATIC = sorted((ROOT / "camdemo").glob("**/static/*"))


def pins(file: str) -> dict[str, Version]:
    """The packages of a list of requirements, with their one version."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert all(re.fullmatch(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", line) for line in kept), kept
    return {Requirement(line).name: Version(line.partition("==")[2]) for line in kept}


def run(*command: str | Path, **options: object) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of an environment with the wheel; all else is the tests' own."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"  # the build leaves files beside what it builds
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "camdemo", source / "camdemo", ignore=ignored)
    for path in (ROOT / "pyproject.toml", *ROOT.glob("requirements-*.txt"), ROOT / "LICENSE"):
        shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index"]
    run(*pip, "wheel", *alone, "--no-build-isolation", "-w", folder, source)
    (wheel,) = folder.glob("camdemo-*.whl")
    venv.create(folder / "venv", symlinks=True)
    commands = folder / "venv" / "bin"
    run(*pip, "--python", commands / "python", "install", *alone, wheel)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return commands


@pytest.fixture(scope="module")
def page(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`camdemo serve`, started in an empty folder."""
    command = [str(installed / "camdemo"), "serve"]
    with served(tmp_path_factory.mktemp("empty"), command=command) as one:
        yield one


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Options of `subprocess`: an empty folder, and an environment without the checkout."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return {"cwd": tmp_path, "env": os.environ | {"CAMDEMO_MODEL": "efficientnet_lite0"}}


def test_it_is_not_the_checkout_that_runs(installed: Path, elsewhere: dict) -> None:
    code = "import camdemo, camdemo.cli as cli; print(camdemo.__file__, cli.__file__)"
    for file in run(installed / "python", "-c", code, **elsewhere).split():
        assert Path(file).is_relative_to(installed.parent)


def test_every_file_is_in_it(installed: Path, elsewhere: dict) -> None:
    code = "import camdemo; print(camdemo.__path__[0])"
    package = Path(run(installed / "python", "-c", code, **elsewhere).strip())
    assert len(STATIC) > 15
    for path in [*STATIC, *(ROOT / "camdemo").rglob("*.py")]:
        copy = package / path.relative_to(ROOT / "camdemo")
        assert copy.read_bytes() == path.read_bytes()


def test_it_lists_and_explains(installed: Path, elsewhere: dict, tmp_path: Path) -> None:
    assert "efficientnet_lite0" in run(installed / "camdemo", "models", **elsewhere)
    told = run(installed / "camdemo", "explain", get_image("lion.jpg"), "-o", "a.png", **elsewhere)
    assert "lion" in told.splitlines()[0]
    assert (tmp_path / "a.png").stat().st_size > 10_000
    told = run(installed / "python", "-m", "camdemo", "--help", **elsewhere)
    assert all(name in told for name in ("serve", "explain", "models", "layers", "fetch"))


def test_it_serves_a_page_that_explains(page: Served) -> None:
    assert httpx.get(f"{page.address}/health").json() == {"status": "ready"}
    assert (
        page.folder / "out"
    ).read_text() == f"The page is at {page.address}/ (Ctrl-C ends it).\n"
    config = httpx.get(f"{page.address}/config").text
    assert "canvas" in config  # the viewer's html and its script travel in it
    client = Client(page.address, verbose=False, download_files=str(page.folder))
    answer = client.predict(handle_file(get_image("lion.jpg")), api_name="/explain")
    assert "lion" in str(answer)


def test_the_command_alone_serves(installed: Path, elsewhere: dict, tmp_path: Path) -> None:
    port = free_port()
    address = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    process = subprocess.Popen(
        [installed / "camdemo"],
        cwd=tmp_path,
        env=elsewhere["env"] | address,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout.readline().startswith(f"The page is at http://127.0.0.1:{port}/ ")
        assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert list(tmp_path.iterdir()) == []  # nothing is left where it was started


def test_its_dependencies_are_those_that_the_space_pins() -> None:
    needed = {one.name: one for one in map(Requirement, PROJECT["project"]["dependencies"])}
    pinned = pins("requirements.txt")
    assert needed.keys() == pinned.keys()
    for name, version in pinned.items():
        assert version in needed[name].specifier
        # What is older has never been tested.
        assert {Version(one.version) for one in needed[name].specifier} == {version}


def test_its_metadata(installed: Path, elsewhere: dict) -> None:
    code = """
from importlib.metadata import metadata, requires, version
print(version("camdemo"), *metadata("camdemo").get_all("Provides-Extra"), sep="\\n")
print(*requires("camdemo"), sep="\\n")
"""
    lines = run(installed / "python", "-c", code, **elsewhere).splitlines()
    (version, *extras), needed = lines[:5], lines[5:]
    assert (version, extras) == (__version__, ["dev", "mcp", "plots", "ray"])
    asked = [one for one in map(Requirement, needed) if one.marker]
    developers, agents, plotters, clusters = (
        {one.name: one for one in asked if one.marker.evaluate({"extra": extra})}
        for extra in extras
    )
    pinned = pins("requirements-dev.txt")
    assert developers.keys() == pinned.keys()
    assert plotters.keys() == {"matplotlib"}
    assert agents.keys() == {"mcp"}
    assert clusters.keys() == {"ray"}
    assert clusters["ray"].extras == {"data", "serve"}
    assert pinned["mcp"] in agents["mcp"].specifier
    assert pinned["matplotlib"] in plotters["matplotlib"].specifier
    assert pinned["ray"] in clusters["ray"].specifier
