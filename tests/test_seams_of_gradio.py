"""Each seam with Gradio: that its insides are still as the page needs them, and what it refuses."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.queueing
import gradio.routes
import httpx
import pytest
import safehttpx
from gradio import processing_utils
from gradio.media import get_image
from starlette.routing import compile_path

from benchmarks.visitor import Client, Refused
from camdemo import Explainer, Settings
from camdemo.ui import routes, seams
from camdemo.ui.agents import Agents
from camdemo.ui.page import build_demo
from camdemo.ui.server import journal, unread
from camdemo.ui.server.admission import Admission
from camdemo.ui.server.connections import Connection
from camdemo.ui.server.launching import launch_options
from camdemo.ui.server.presence import Visitors

from .served import arguments, run

FILE = {"_type": "gradio.FileData"}
PUBLIC = "93.184.215.14"  # an address to which Gradio would connect
MODEL = "efficientnet_lite0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[seams.Page]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        explainer = Explainer(Settings(model=MODEL))
        agents = Agents(explainer, Admission(explainer.settings))
        demo = build_demo(explainer)
        options = launch_options(explainer, agents) | {"server_name": "127.0.0.1"}
        demo.queue().launch(prevent_thread_lock=True, quiet=True, **options)
        yield demo
        demo.close()


@pytest.fixture
def address(page: seams.Page) -> str:
    return page.local_url.rstrip("/")


@pytest.fixture
def config(address: str) -> dict:
    return httpx.get(f"{address}/config").json()


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the server would have connected to, but for this machine; it is kept from it.

    Every name has a public address, lest Gradio refuses before it tries.
    """
    asked: list[str] = []

    async def validate(host: str) -> str:
        asked.append(host)
        return PUBLIC

    real = socket.socket.connect

    def connect(self: socket.socket, to: Any) -> None:
        if isinstance(to, tuple) and to[0] not in ("127.0.0.1", "::1"):
            asked.append(str(to[0]))
            raise ConnectionRefusedError(to)
        real(self, to)

    real_lookup = socket.getaddrinfo

    def lookup(host: Any, *more: Any, **named: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", None, "0.0.0.0"):
            asked.append(str(host))
            host = PUBLIC
        return real_lookup(host, *more, **named)

    monkeypatch.setattr(safehttpx, "async_validate_url", validate)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


ADDRESSES = [
    "http://photos.example/lion.jpg",
    "https://photos.example/lion.jpg",
    "HTTP://photos.example/lion.jpg",
    "//photos.example/lion.jpg",
    "ftp://photos.example/lion.jpg",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "HTTP:/photos.example/lion.jpg",
    "\thttps:photos.example/lion.jpg",
    "\\\\photos.example\\lion.jpg",
]


# --- routes ---


def all_routes(app: Any) -> set[tuple[str, str]]:
    """(method, template) of all routes, those of routers in it included."""
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        if hasattr(route, "original_router"):  # as FastAPI keeps an included router
            found |= all_routes(route.original_router)
        else:
            methods = getattr(route, "methods", None) or {"MOUNT"}
            found |= {(method, route.path) for method in methods}
    return found


def listed(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(method, template) for method, templates in table.items() for template in templates]


def test_every_route_of_gradio_is_allowed_or_refused(page: seams.Page) -> None:
    """A new Gradio's new route is in neither list; one that is gone needs no line."""
    there, known = all_routes(page.app), {*listed(routes.OPEN), *listed(routes.CLOSED)}
    assert len(there) > 60  # else the walk itself is wrong
    assert there - known == set()
    assert known - there == set()
    assert not set(listed(routes.OPEN)) & set(listed(routes.CLOSED))


@pytest.mark.parametrize(("method", "template"), listed(routes.CLOSED))
def test_what_is_refused_answers_as_if_it_were_not_there(
    address: str, method: str, template: str
) -> None:
    path = re.sub(r"{[^}]*}", "x", template)
    assert compile_path(template)[0].match(path)
    answer = httpx.request(method, address + path)
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json() == {"detail": "There is nothing of that name."}
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/docs", "/gradio_api/mcp", "/gradio_api/mcp/sse", "/x", "//config"]
)
def test_what_nobody_has_thought_of_is_refused(address: str, path: str) -> None:
    assert httpx.get(address + path).status_code == 404
    assert httpx.put(address + path).status_code == 404


def test_other_methods_of_an_open_route_are_refused(address: str) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert httpx.request(method, f"{address}/config").status_code == 404


def test_behind_a_proxy_the_same_routes_are_open() -> None:
    """Some proxies cut off the path under which they show the page, and some don't."""
    for path in ("/cam/config", "/config"):
        assert routes.route_of({"path": path, "root_path": "/cam"}) == "/config"
    for path in ("/cam", "/cam/", "/"):
        assert routes.route_of({"path": path, "root_path": "/cam"}) == "/"
    assert routes.route_of({"path": "/camera/config", "root_path": "/cam"}) == "/camera/config"


# --- nothing that a client names is fetched ---


@pytest.mark.parametrize("named", ADDRESSES)
@pytest.mark.parametrize("way", ["file=", "proxy=", "file/", "stream/"])
def test_no_route_is_a_proxy(address: str, dialled: list[str], way: str, named: str) -> None:
    with httpx.Client() as client:
        for method in ("GET", "HEAD"):
            answer = client.request(method, f"{address}/gradio_api/{way}{named.lstrip()}")
            assert answer.status_code in (403, 404)
    assert dialled == []


def test_without_the_gate_it_would_be_one(dialled: list[str], tmp_path: Path) -> None:
    """The test of the test: Gradio itself connects, and that is noticed."""
    with pytest.raises(httpx.ConnectError):
        run(processing_utils.async_ssrf_protected_download(ADDRESSES[0], str(tmp_path)))
    assert PUBLIC in dialled
    dialled.clear()
    with gr.Blocks() as plain:
        gr.Textbox()
    _, url, _ = plain.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        answer = httpx.get(f"{url.rstrip('/')}/gradio_api/file={ADDRESSES[0]}")
        assert answer.status_code in (403, 502), answer.text
    finally:
        plain.close()
    assert PUBLIC in dialled


def ask(address: str, event: int, data: list) -> Any:
    async def one() -> Any:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            return await Client(http, (await http.get("/config")).json()).run(event, data)

    return run(one())


def named(config: dict, name: str) -> dict:
    return next(one for one in config["dependencies"] if one["api_name"] == name)


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_event_fetches_an_address(
    address: str, config: dict, dialled: list[str], path: str
) -> None:
    """Gradio would, from a text field as well as from a picture; by the queue, or by curl."""
    photo = {"path": path, "meta": FILE}
    event = named(config, "explain")
    for value, place in ((photo, 0), ([[{"value": photo | {"url": path}}]], 1)):
        data: list[Any] = [None] * len(event["inputs"])
        data[place] = value
        with pytest.raises(Refused, match="not as an address"):
            ask(address, event["id"], data)
        joined = httpx.post(f"{address}/gradio_api/call/explain", json={"data": data}).json()
        told = httpx.get(f"{address}/gradio_api/call/explain/{joined['event_id']}", timeout=60)
        assert "not as an address" in told.text
        body = {"data": [value], "fn_index": named(config, "layers")["id"]}
        answer = httpx.post(f"{address}/gradio_api/run/layers", json=body)
        assert answer.status_code == 400
        assert "not as an address" in answer.text
    assert dialled == []


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_question_and_no_agent_fetches_an_address(
    address: str, config: dict, dialled: list[str], path: str
) -> None:
    viewer = Client(None, config).component("viewer")  # type: ignore[arg-type]
    for source in ({"path": path}, {"path": path, "url": path}, {"example": path}, path):
        body = {"component_id": viewer, "fn_name": "scene_open", "session_hash": "a"}
        question = body | {"data": {"source": source}}
        answer = httpx.post(f"{address}/gradio_api/component_server", json=question)
        assert "photo" in answer.json()["error"]
    tool = {"name": "explain", "arguments": {"photo": path}}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool}
    accepted = {"accept": "application/json, text/event-stream"}
    told = httpx.post(f"{address}/mcp", json=asked, headers=accepted, timeout=60)
    assert told.json()["result"]["isError"] is True
    sent = httpx.post(f"{address}/gradio_api/upload", data={"files": path})  # a field, not a file
    assert sent.status_code == 400
    assert dialled == []


def test_an_address_beside_a_file_is_forgotten() -> None:
    data = [{"path": "/tmp/lion.jpg", "url": "http://photos.example/", "meta": FILE}]
    seams.refuse_addresses(data)
    assert data == [{"path": "/tmp/lion.jpg", "meta": FILE}]
    seams.refuse_addresses(["C:\\lion.jpg", {"path": "C:\\lion.jpg"}, {"path": 5}, None, 3])


# --- the queue ---


def test_what_is_queued_can_be_asked_nowhere_else(address: str, config: dict) -> None:
    queued = [one for one in config["dependencies"] if one["queue"] and one["backend_fn"]]
    assert [one["api_name"] for one in queued] == ["explain"]
    for one in queued:
        for body in ({"fn_index": one["id"]}, {}):
            question = {"data": [None] * len(one["inputs"])} | body
            for way in ("run", "api"):
                path = f"/gradio_api/{way}/{one['api_name']}"
                assert httpx.post(address + path, json=question).status_code == 404
                answer = httpx.post(address + path, json=question | {"session_hash": "a"})
                assert answer.status_code == 404
    answer = httpx.post(
        f"{address}/gradio_api/run/explain", json={"data": [None] * 10, "fn_index": queued[0]["id"]}
    )
    assert answer.status_code == 404


def test_what_is_not_queued_takes_no_time_and_no_picture(config: dict) -> None:
    """Two lists of the API. The page itself has no events: its viewer asks by itself."""
    unqueued = [one for one in config["dependencies"] if not one["queue"] and one["backend_fn"]]
    kinds = {one["id"]: one["props"] for one in config["components"]}
    for one in unqueued:
        assert not any("image" in str(kinds[each].get("label")).lower() for each in one["inputs"])
    assert {one["api_name"] for one in unqueued} == {"models", "layers"}


def test_the_api_by_curl_goes_through_the_queue(address: str) -> None:
    asked = httpx.post(f"{address}/gradio_api/call/layers", json={"data": ["mobilenet_v2"]})
    event = asked.json()["event_id"]
    told = httpx.get(f"{address}/gradio_api/call/layers/{event}", timeout=60).text
    assert "event: complete" in told  # a heartbeat may come first
    assert "features.18" in told


# --- who asks ---


def test_every_event_runs_under_its_visitor(
    page: seams.Page, address: str, config: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[tuple[str, str]] = []
    real = Visitors.asking

    def asking(self: Visitors, session: str, address: str) -> Any:
        sessions.append((session, address))
        return real(self, session, address)

    monkeypatch.setattr(Visitors, "asking", asking)
    event = named(config, "models")["id"]

    async def visit() -> str:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            client = Client(http, config)
            await client.run(event, [])
            body = {"data": [], "fn_index": event, "session_hash": client.session}
            await http.post("/gradio_api/run/models", json=body)
            return client.session

    session = run(visit())
    assert sessions == [(session, "127.0.0.1")] * 2
    assert page.visitors._events == {}  # nobody is kept


def test_nothing_is_made_or_kept_for_a_session(
    page: seams.Page, address: str, config: dict
) -> None:
    """A client writes as many as it likes, and the last answer to each would be kept."""
    viewer = Client(None, config).component("viewer")  # type: ignore[arg-type]
    body = {"component_id": viewer, "fn_name": "page_waiting", "data": {}}
    for number in range(20):
        question = body | {"session_hash": f"session {number}"}
        answer = httpx.post(f"{address}/gradio_api/component_server", json=question)
        assert answer.json() == {"before": 0}
    assert ask(address, named(config, "layers")["id"], ["mobilenet_v2"])
    assert page.app.state_holder is page.state_holder
    assert len(page.state_holder.session_data) == 1


def test_answers_that_nobody_fetches_are_forgotten(
    page: seams.Page, address: str, config: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio keeps them with the session."""
    monkeypatch.setattr(unread, "_BYTES", 0)
    monkeypatch.setattr(unread, "_NEW", 0.05)
    event = named(config, "models")["id"]
    queue = page._queue

    def join(session: str) -> None:
        body = {"data": [], "fn_index": event, "session_hash": session}
        httpx.post(f"{address}/gradio_api/queue/join", json=body).raise_for_status()
        for _ in range(1000):
            if not queue.event_ids_to_events:
                return
            time.sleep(0.01)

    join("one")
    assert not queue.pending_messages_per_session["one"].empty()
    time.sleep(0.1)
    join("two")
    assert "one" not in queue.pending_messages_per_session
    assert "one" not in queue.pending_event_ids_session
    assert "two" in queue.pending_messages_per_session


# --- lookups ---


def test_only_what_does_not_exist_is_not_found(
    page: seams.Page, address: str, config: dict, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    caplog.set_level("INFO", "camdemo")
    viewer = Client(None, config).component("viewer")  # type: ignore[arg-type]
    body = {"component_id": viewer, "fn_name": "scene_labels", "session_hash": "a", "data": {}}

    def post(**changed: Any) -> httpx.Response:
        return httpx.post(f"{address}/gradio_api/component_server", json=body | changed)

    def mistaken(_question: Any) -> Any:
        return {}["secret"]

    assert post().status_code == 200
    assert post(component_id=10**6).status_code == 404
    assert post(fn_name="nonsense").status_code == 404
    last = json.loads(caplog.records[-1].getMessage())
    assert last == {"request": "lookup", "outcome": "unknown"}
    queue = {"data": [], "fn_index": 10**6, "session_hash": "a"}
    assert httpx.post(f"{address}/gradio_api/queue/join", json=queue).status_code == 404
    assert httpx.post(f"{address}/gradio_api/run/x", json=queue).status_code == 404
    function = seams.server_function("scene_labels", mistaken)
    function._is_server_fn = True  # type: ignore[attr-defined]
    monkeypatch.setattr(page.blocks[viewer], "scene_labels", function)
    broken = post()
    assert broken.status_code == 500
    assert broken.json() == {"detail": journal.SORRY}
    last = json.loads(caplog.records[-1].getMessage())
    assert (last["request"], last["outcome"], last["error"]) == ("request", "failed", "KeyError")
    assert "secret" not in caplog.text


# --- files ---


def test_uploads_and_results_lie_where_the_disk_is_watched(
    page: seams.Page, address: str, config: dict, folder: Path
) -> None:
    assert page.disk.folder == folder == seams.upload_folder()
    files = {"files": ("lion.jpg", Path(get_image("lion.jpg")).read_bytes(), "image/jpeg")}
    sent = httpx.post(f"{address}/gradio_api/upload", files=files).json()[0]
    assert Path(sent).is_relative_to(folder)
    event = named(config, "explain")["id"]
    photo = {"path": sent, "meta": FILE}
    picture, *_ = ask(address, event, arguments(config, photo))
    assert Path(picture["path"]).is_relative_to(folder)
    assert httpx.get(picture["url"]).headers["content-type"].startswith("image/")


def test_a_photo_reaches_us_as_it_was_sent(page: seams.Page) -> None:
    """And not opened by Gradio, which turns and shrinks it, and fails in words of its own."""
    opening = [
        fn for fn in page.fns.values() if any(isinstance(one, gr.Image) for one in fn.inputs)
    ]
    assert len(opening) == 1
    assert all(fn.preprocess is False for fn in opening)


def test_gradio_does_not_delete_by_itself(page: seams.Page) -> None:
    """It knows how old files are, and not how many bytes there may be."""
    assert page.delete_cache is None


# --- the end, and the look ---


def test_open_pages_are_closed_when_the_server_ends(page: seams.Page) -> None:
    """That they then are, test_crowd.py sees: uvicorn reads it when it is told to end."""
    assert page.server.config.timeout_graceful_shutdown is None  # else it has a setting by now
    seams.end_within(page, 7)
    assert page.server.config.timeout_graceful_shutdown == 7
    page.server.config.timeout_graceful_shutdown = None


def test_connections_are_of_the_class_that_was_named(
    page: seams.Page, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Connection] = []

    class Noted(Connection):
        def connection_made(self, transport: Any) -> None:
            made.append(self)
            super().connection_made(transport)

    monkeypatch.setattr(page.server.config, "http_protocol_class", None)
    seams.connect_by(page, Noted)
    assert httpx.get(f"{address}/robots.txt").status_code == 200
    assert len(made) == 1


def test_gradio_prints_what_went_wrong_by_the_function_that_is_replaced() -> None:
    """See lines.py: there is no other way for it to the error output, or this is not needed."""
    for module in (gradio.routes, gradio.queueing):
        assert "traceback.print_exc()" in Path(module.__file__).read_text("utf-8")


def test_a_body_is_limited(page: seams.Page, address: str) -> None:
    large = {"data": "x" * 20_200_000, "fn_index": 0, "session_hash": "a"}
    assert httpx.post(f"{address}/gradio_api/queue/join", json=large).status_code == 413


def test_the_styled_classes_are_still_gradios(page: seams.Page) -> None:
    scripts = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    text = "\n".join(path.read_text("utf-8") for path in scripts.glob("*.js"))
    style = re.sub(r"/\*.*?\*/|{[^}]*}", "", seams.CSS.read_text("utf-8"), flags=re.DOTALL)
    names = set(re.findall(r"\.([a-z][\w-]*)|data-testid=\"?([\w-]+)", style))
    assert len(names) > 3
    for name in ("".join(found) for found in names):
        assert re.search(rf"\b{name}\b", text), name
    for number in re.findall(r"#([\w-]+)", style):
        assert number in {block.elem_id for block in page.blocks.values()}


def test_the_style_is_on_the_page(address: str) -> None:
    assert "status-tracker" in httpx.get(f"{address}/config").json()["css"]
