"""Every way in gets every wrong value: an answer in words, nothing read, nothing fetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio.media import get_image

from benchmarks import attack
from benchmarks.toll import Field
from benchmarks.visitor import Client, Refused
from benchmarks.watched import Watched
from camdemo import options
from camdemo.question import Look, Question

from . import hostile
from .served import ROOT, SECRET, Served, arguments, canary, run, served

LION = get_image("lion.jpg")
FILE = {"_type": "gradio.FileData"}

# Values for a field that wants a text, a number, a name or an index.
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1000, 10**30, -1e308, 0.5, "NaN", "Infinity"),
    *("", " ", "nonsense", "__class__", "../app.py", "/etc/passwd", "file:///etc/passwd"),
    *("<script>alert(1)</script>", "x" * 100_000, "\0", "🦁", "0,0,0,0", "-1"),
    *([], ["a", 1], [[[[]]]], {}, {"path": "/etc/passwd"}, {"__type__": "update"}),
]
# What may stand for a photo.
PHOTOS: list[Any] = [
    *(None, 7, "photo.jpg", "/etc/passwd", [], {}, {"path": None}, {"path": 5}, {"url": "x"}),
    *({"path": path, "meta": FILE} for path in ("/etc/passwd", "/proc/self/environ", "../app.py")),
    *({"path": str(ROOT / name), "meta": FILE} for name in ("app.py", "README.md", ".")),
    *({"path": path, "meta": FILE} for path in ("file:///etc/passwd", "\0", "", "x" * 5000)),
    {"path": "http://169.254.169.254/latest/meta-data", "meta": FILE},
    {"path": "photo.jpg", "url": "http://169.254.169.254/latest/meta-data", "meta": FILE},
    {"path": "photo.jpg", "url": "file:///etc/passwd", "meta": FILE},
]
# The arguments of /explain but its photo: every option of a question and of a picture that Python
# paints. The API has no others, or `test_every_argument_is_tried` says so.
ARGUMENTS = [
    each.name for chosen in (Question, Look) for each in options.of(chosen) if not each.on_canvas
]
FORBIDDEN = (SECRET, "root:", "Traceback", "site-packages", str(ROOT))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture(scope="module")
def config(running: Served) -> dict:
    return httpx.get(f"{running.address}/config").json()


@pytest.fixture(scope="module")
def lion(running: Served) -> dict:
    """An upload of a stranger's: the example with a byte behind it, and so another file."""
    photo = {"files": ("lion.jpg", Path(LION).read_bytes() + b"\0", "image/jpeg")}
    sent = httpx.post(f"{running.address}/gradio_api/upload", files=photo)
    return {"path": sent.json()[0], "meta": FILE}


@pytest.fixture(scope="module")
def trap() -> Iterator[tuple[str, list[str]]]:
    with canary() as one:
        yield one


def call(running: Served, config: dict, event: int, *questions: list) -> list[tuple[str, Any]]:
    """How an event ended for each: "done" and its values, "refused" and the words, "status"."""

    async def ask_all() -> list[tuple[str, Any]]:
        async with httpx.AsyncClient(base_url=running.address, timeout=60) as http:
            return [await one(http, data) for data in questions]

    async def one(http: httpx.AsyncClient, data: list) -> tuple[str, Any]:
        try:
            return "done", await Client(http, config).run(event, data)
        except Refused as refused:
            return "refused", str(refused)
        except httpx.HTTPStatusError as failed:
            return "status", failed.response

    return run(ask_all())


def explain(running: Served, config: dict, *changed: dict) -> list[tuple[str, Any]]:
    """/explain with the usual arguments but for those given, once for each."""
    questions = [arguments(config, one.pop("image", None), **one) for one in map(dict, changed)]
    return call(running, config, event_of(config, "explain"), *questions)


def event_of(config: dict, name: str) -> int:
    return next(one["id"] for one in config["dependencies"] if one["api_name"] == name)


def check(outcome: tuple[str, Any]) -> None:
    """Words or a 4xx, and nothing of the host in them."""
    kind, answer = outcome
    text = answer.text if isinstance(answer, httpx.Response) else json.dumps(answer)
    assert not any(word in text for word in FORBIDDEN), text[:500]
    if kind == "status":
        assert 400 <= answer.status_code < 500, answer.status_code
    if kind == "refused":
        assert len(text) < 1000


def test_every_argument_is_tried(config: dict) -> None:
    assert len(arguments(config, None)) == 1 + len(ARGUMENTS)
    arguments(config, None, **dict.fromkeys(ARGUMENTS))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_of_explain(running: Served, config: dict, lion: dict, name: str) -> None:
    outcomes = explain(running, config, *({"image": lion, name: value} for value in VALUES))
    for value, outcome in zip(VALUES, outcomes, strict=True):
        check(outcome)
        if outcome[0] == "refused":
            assert outcome[1] not in ("None", "null"), value  # a sentence, not silence


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: str(photo)[:40])
def test_what_may_stand_for_a_photo(running: Served, config: dict, photo: Any) -> None:
    (outcome,) = explain(running, config, {"image": photo})
    check(outcome)
    assert outcome[0] != "done"


def test_nothing_is_fetched(running: Served, config: dict, trap: tuple[str, list[str]]) -> None:
    address, asked = trap
    for photo in (
        {"path": address + "/photo.jpg", "meta": FILE},
        {"path": "photo.jpg", "url": address + "/photo.jpg", "meta": FILE},
        {"path": None, "url": address + "/photo.jpg", "meta": FILE},
        address + "/photo.jpg",
    ):
        ((kind, _),) = explain(running, config, {"image": photo})
        assert kind != "done"
    for way in ("file=", "proxy=", "file/", "stream/"):
        httpx.get(f"{running.address}/gradio_api/{way}{address}/photo.jpg")
    assert asked == []


# Every function of the viewer, and the fields of its question; of a plain one nothing is read.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "page_start": (),
    "page_waiting": (),
    "scene_labels": ("model",),
    "scene_open": ("source", *(each.name for each in options.of(Question))),
    "scene_maps": ("id", "layers", "targets", "method", "versus", "strength", "exact"),
    "scene_hide": ("id", "mask", "fill", "keep"),
    "scene_hide_elsewhere": ("id", "mask", "fill", "keep"),
    "scene_look": ("id", "framing", "layer", "method", "settings", "target", "versus", "strength"),
    "scene_page": ("id", "layer", "method", "target", "versus", "strength"),
    "scene_scores": ("id", "layer", "method", "target", "versus", "strength", "after"),
    "scene_curves": ("id", "layer", "method", "target", "versus", "strength", "fill", "after"),
    "scene_randomised": ("id", "layer", "method", "target", "versus", "strength", "after"),
    "scene_completeness": ("id", "layer", "method", "target", "versus", "strength", "after"),
    **dict.fromkeys(
        ("scene_pixel", "scene_pixel_state", "scene_pixel_cancel"),
        ("id", "method", "target", "versus", "strength", "settings"),
    ),
    "scene_live": ("frame", "model", "layer", "method", "settings", "target", "framing"),
    "model_download": ("model",),
    "model_download_state": ("model",),
    "model_download_cancel": ("model",),
}


def viewer_of(config: dict) -> dict:
    return next(one for one in config["components"] if one["props"].get("elem_id") == "viewer")


def questions_to(
    running: Served, config: dict, name: str, *questions: Any
) -> Iterator[tuple[Any, Any]]:
    """Each question with its answer, in which nothing is that must not be told."""
    usual = {"component_id": viewer_of(config)["id"], "fn_name": name, "session_hash": "somebody"}
    with httpx.Client(base_url=running.address, timeout=60) as http:
        for asked in questions:
            answer = http.post("/gradio_api/component_server", json=usual | {"data": asked})
            assert answer.status_code == 200, asked
            assert not any(word in answer.text for word in FORBIDDEN), asked
            found = answer.json()
            if "error" in found:
                assert found["error"].endswith("."), asked
                assert len(found["error"]) < 1000
            yield asked, found


def test_every_function_is_tried(config: dict) -> None:
    assert set(viewer_of(config)["props"]["server_fns"]) == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_of_the_viewer(running: Served, config: dict, name: str) -> None:
    fields = FUNCTIONS[name]
    questions = VALUES + [{field: value} for field in fields for value in VALUES]
    for asked, answer in questions_to(running, config, name, *questions):
        assert ("error" in answer) == bool(fields), asked


@pytest.mark.parametrize("name", FUNCTIONS["scene_open"])
def test_every_field_of_a_question(running: Served, config: dict, name: str) -> None:
    """Beside others that are right. What is absent, or None, is the default."""
    usual = {"source": {"example": "Lion"}, "model": "efficientnet_lite0"}
    values = [*VALUES, *PHOTOS] if name == "source" else VALUES
    questions = [usual | {name: value} for value in values]
    for asked, answer in questions_to(running, config, "scene_open", *questions):
        value = asked[name]
        is_label = name in ("target", "versus") and type(value) is int and value == 0
        is_share = name == "strength" and type(value) in (int, float) and value in (0, 0.5)
        right = is_label or is_share or (name != "source" and value is None)
        assert ("error" not in answer) == right, (asked, str(answer)[:200])


def test_no_photo_but_an_upload_is_opened(
    running: Served, config: dict, lion: dict, trap: tuple[str, list[str]]
) -> None:
    address, reached = trap
    parent = lion["path"].rpartition("/")[0]
    wrong: list[Any] = [*PHOTOS, lion["path"], {"path": parent}, {"path": parent + "/.."}]
    wrong += [{"path": lion["path"] + "/"}, {"path": lion["path"] + "\0"}, {"url": lion["path"]}]
    wrong += [{"path": f"{address}/lion.jpg"}, {"path": "x", "url": f"{address}/lion.jpg"}]
    sources = [{"source": source} for source in wrong]
    for asked, answer in questions_to(running, config, "scene_open", *sources):
        if asked["source"] == {"path": lion["path"] + "/"}:
            continue  # the system itself overlooks it
        assert "photo" in answer["error"], asked
    assert reached == []
    right = {"source": lion | {"url": f"{address}/lion.jpg"}}
    ((_, scene),) = questions_to(running, config, "scene_open", right)
    assert scene["labels"][0]["label"] == "lion"
    assert reached == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"component_id": 10**6, "fn_name": "scene_maps", "session_hash": "a", "data": {}},
        {"component_id": "viewer", "fn_name": "scene_maps", "session_hash": "a", "data": {}},
        {"component_id": -1, "fn_name": "__init__", "session_hash": "a", "data": {}},
    ],
)
def test_no_function_but_these_can_be_called(running: Served, body: dict) -> None:
    answer = httpx.post(f"{running.address}/gradio_api/component_server", json=body)
    assert 400 <= answer.status_code < 500
    assert not any(word in answer.text for word in FORBIDDEN)


@pytest.mark.parametrize("name", ["as_example", "get_config", "__class__", "postprocess", ""])
def test_no_method_of_the_viewer_can_be_called(running: Served, config: dict, name: str) -> None:
    viewer = viewer_of(config)["id"]
    body = {"component_id": viewer, "fn_name": name, "session_hash": "a", "data": {}}
    answer = httpx.post(f"{running.address}/gradio_api/component_server", json=body)
    assert answer.status_code == 404


def test_layers(running: Served, config: dict) -> None:
    for outcome in call(running, config, event_of(config, "layers"), *([one] for one in VALUES)):
        check(outcome)
        assert outcome[0] != "done"


def test_nobody_finds_a_strangers_upload(running: Served, config: dict, lion: dict) -> None:
    """Its address has a hash of the photo in it, and is told to nobody else."""
    folder = lion["path"].rpartition("/")[0]
    top = folder.rpartition("/")[0]
    for path in (folder, top, top + "/", folder + "/..", folder + "/*"):
        assert httpx.get(f"{running.address}/gradio_api/file={path}").status_code >= 400
    pages = ("/", "/config", "/gradio_api/info", "/gradio_api/queue/status", "/monitoring")
    for page in pages:
        assert folder not in httpx.get(running.address + page).text
    photo = {"path": lion["path"].replace("lion", "other"), "meta": FILE}
    ((kind, _),) = explain(running, config, {"image": photo})
    assert kind != "done"


def test_attackers_of_the_benchmark_count_what_this_server_does(running: Served) -> None:
    async def group(field: Field) -> None:
        await field.toll.alone("health", field.http.get("/health"), honest=True)
        await field.toll.put("a photo", field.opened(hostile.encode(hostile.noise(), "PNG")))
        await field.toll.put("a text", field.opened(b"no photo"))
        await field.toll.put("another route", field.http.get("/monitoring"))
        raise LookupError("what the attack needs is not there")

    server = Watched(running.process.pid, (running.uploads,), running.folder / "log")
    with server.measured():
        toll = run(attack.attack(running, server, group, "http://127.0.0.1:9/photo.jpg"))
    counts = toll.tried, toll.answered, toll.refused, toll.crashed
    assert counts == (4, 2, 2, 1)
    assert toll.wrong == ["broke off: LookupError what the attack needs is not there"]
    assert server.megabytes() > 100
    assert server.threads() > 2
    assert server.left() > 0


def test_after_all_that_the_next_one_is_served(running: Served, config: dict, lion: dict) -> None:
    """Last of this file."""
    ((kind, answer),) = explain(running, config, {"image": lion})
    assert kind == "done"
    assert answer[1]["lion"] > 0.5
    assert [line for line in running.log() if line["outcome"] == "failed"] == []
