"""What deploy/haproxy.cfg does to a request, before two web servers that say what came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from .proxied import NAMES, Proxy, proxied
from .served import running


class Echo(ThreadingHTTPServer):
    """A page process that is healthy, until it is told otherwise, and answers with what came."""

    health = 200

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Echo

    def do_GET(self) -> None:
        self.send_response(self.server.health if self.path == "/health" else 200)
        body = json.dumps(
            {"who": self.server.name, **{k.lower(): v for k, v in self.headers.items()}}
        )
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def echoes() -> Iterator[list[Echo]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running(Echo(name))) for name in NAMES]


@pytest.fixture
def proxy(echoes: list[Echo], tmp_path: Path) -> Iterator[Proxy]:
    with proxied(tmp_path, [echo.address for echo in echoes]) as started:
        started.wait_for(one="UP", two="UP")
        yield started


def who(answer: httpx.Response) -> str:
    """Which page process answered."""
    return answer.json()["who"]


def test_a_visitor_stays_and_the_next_goes_where_fewer_are(proxy: Proxy) -> None:
    first, second = httpx.Client(base_url=proxy.address), httpx.Client(base_url=proxy.address)
    with first, second:
        mine = who(first.get("/"))
        assert {who(first.get("/")) for _ in range(6)} == {mine}
        seen = {who(httpx.get(proxy.address)) for _ in range(6)}
        assert seen == set(NAMES)
        theirs = who(second.get("/"))
        assert {who(second.get("/gradio_api/queue/data")) for _ in range(6)} == {theirs}
        assert first.cookies["camdemo"] == mine


def test_a_page_hears_nothing_of_the_proxys_cookie(proxy: Proxy) -> None:
    with httpx.Client(base_url=proxy.address) as visitor:
        set_cookie = visitor.get("/").headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Lax"} <= set(set_cookie.split("; "))
        assert "cookie" not in visitor.get("/").json()


def test_a_program_without_cookies_stays_too(proxy: Proxy) -> None:
    """Else whoever asks by curl would get the number of an event here, and the answer nowhere."""
    paths = [f"/gradio_api/call/explain/{number}" for number in range(6)] + ["/mcp"]
    assert len({who(httpx.get(f"{proxy.address}{path}")) for path in paths}) == 1
    with httpx.Client(base_url=proxy.address) as visitor:  # whom browsers beside it don't move
        for _ in range(4):
            visitor.get("/")
            visitor.get("/gradio_api/info")
            visitor.cookies.clear()
    assert len({who(httpx.get(f"{proxy.address}{path}")) for path in paths}) == 1


def test_where_a_visitor_comes_from_is_what_the_proxy_saw(proxy: Proxy) -> None:
    forged = {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
    }
    told = httpx.get(proxy.address, headers=forged).json()
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == "http"
    assert "x-forwarded-host" not in told
    assert told["host"] == proxy.address.removeprefix("http://")  # of which pages make links


def test_a_body_that_nobody_means_does_not_pass(proxy: Proxy) -> None:
    line = HTTPConnection(proxy.address.removeprefix("http://"), timeout=10)
    line.putrequest("POST", "/gradio_api/upload")
    line.putheader("content-length", str(10**9))
    line.endheaders()  # and nothing of it
    refused = line.getresponse()
    assert refused.status == 413
    assert json.loads(refused.read()) == {"detail": "The body is too large."}
    line.close()
    assert httpx.post(proxy.address, content=b"a" * 10**6).status_code == 200


def test_who_starts_is_not_asked_and_who_is_gone_is_replaced(
    proxy: Proxy, echoes: list[Echo]
) -> None:
    with httpx.Client(base_url=proxy.address) as visitor:
        mine = who(visitor.get("/"))
        echo = echoes[NAMES.index(mine)]
        (other,) = set(NAMES) - {mine}
        echo.shutdown()
        echo.server_close()  # and before a check has found it out
        assert who(visitor.get("/")) == other
        assert visitor.cookies["camdemo"] == other
        assert who(visitor.get("/")) == other
        proxy.wait_for(**{mine: "DOWN", other: "UP"})
        echoes[NAMES.index(other)].health = 503
        proxy.wait_for(one="DOWN", two="DOWN")
        told = visitor.get("/")
        assert told.status_code == 503
        assert "The page is starting, or many are asking. Try again" in told.text


def test_a_page_is_emptied_before_it_ends(proxy: Proxy) -> None:
    with httpx.Client(base_url=proxy.address) as visitor:
        mine = who(visitor.get("/"))
        (other,) = set(NAMES) - {mine}
        proxy.tell(f"set server pages/{mine} state drain")
        proxy.wait_for(**{mine: "DRAIN", other: "UP"})
        assert {who(httpx.get(proxy.address)) for _ in range(4)} == {other}
        assert who(visitor.get("/")) == mine  # whose scenes and photos are there
        proxy.tell(f"set server pages/{mine} state ready")
        proxy.wait_for(one="UP", two="UP")


def test_nobody_has_all_connections(
    echoes: list[Echo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Answer, "protocol_version", "HTTP/1.1")  # which keeps connections
    monkeypatch.setenv("CAMDEMO_PROXY_CROWD", "3")
    monkeypatch.setenv("CAMDEMO_PROXY_SHARE", "2")
    with proxied(tmp_path, [echo.address for echo in echoes]) as proxy, ExitStack() as stack:
        proxy.wait_for(one="UP", two="UP")

        def answers(address: str) -> bool:
            """Whether one more who comes from there is, and keeps their connection."""
            transport = httpx.HTTPTransport(local_address=address)
            visitor = stack.enter_context(httpx.Client(transport=transport))
            try:
                return visitor.get(proxy.address, timeout=10).status_code == 200
            except httpx.TransportError:
                return False

        assert answers("127.0.0.2")
        assert [answers("127.0.0.3") for _ in range(4)] == [True, True, False, False]
        assert answers("127.0.0.2")
