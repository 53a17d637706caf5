"""The toll of an attack: what was tried, counted by what came of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from .visitor import Client, Refused
from .watched import Watched

MODEL = "efficientnet_lite0"  # of which the weights are always there
SLOW = 3.0  # seconds that one file, or one request alone, may take
LARGE = 600.0  # MB that it may take
PATIENCE = 60.0  # seconds after which a server counts as dead
# What the page says of its own mistakes: words, and yet no refusal.
_SORRY = "Something went wrong"


def outcome(answer: Any) -> str:
    """ "answered", "refused", or what is wrong with it."""
    if not isinstance(answer, httpx.Response):
        return "answered"
    text, kind = answer.text.strip(), answer.headers.get("content-type", "")
    is_busy = answer.status_code == 503  # a full house; it says so
    if answer.status_code >= 500 and not is_busy:
        return f"{answer.status_code} {text[:80]}"
    # These have no words.
    if answer.request.method == "HEAD" or answer.status_code in (202, 416):
        return "answered" if answer.is_success else "refused"
    if answer.status_code >= 400:
        return _said(_words(text))
    if kind.startswith("text/event-stream"):  # the end of an event that curl waits for
        event, _, data = text.rpartition("event: ")[2].partition("data: ")
        return _said(_words(data)) if event.strip() == "error" else "answered"
    return _in_json(text) if kind.startswith("application/json") else "answered"


def _in_json(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return f"no JSON: {text[:80]}"
    if not isinstance(found, dict) or found.get("state"):  # of work that is on its way
        return "answered"
    if "error" in found:
        return _said(found["error"])
    told = found.get("result")  # of an agent's question
    is_refused = isinstance(told, dict) and told.get("isError")
    return _said(told["content"][0]["text"]) if is_refused else "answered"


def _words(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found.get("detail", found.get("error")) if isinstance(found, dict) else found


def _said(words: Any) -> str:
    text = str(words)
    if words in (None, "", "None", "null"):
        return "no words"
    return f"sorry: {text[:80]}" if text.startswith(_SORRY) else "refused"


@dataclass
class Toll:
    """What came of one group of attacks.

    Args:
        server: whom it is taken of.
    """

    server: Watched
    tried: int = 0
    answered: int = 0
    refused: int = 0
    crashed: int = 0
    slow: int = 0
    large: int = 0
    lone: int = 0  # how many of those that were tried were tried alone
    wrong: list[str] = field(default_factory=list)  # what crashed, and how

    async def put(self, name: str, asked: Awaitable[Any], honest: bool = False) -> Any:
        """Wait for an answer and count it. Returns it, None for none.

        Args:
            name: what it is, for the list of what went wrong.
            asked: a response, or what a `Client` returns or raises.
            honest: whether a refusal would be wrong, too.
        """
        self.tried += 1
        answer = None
        try:
            answer = await asyncio.wait_for(asked, PATIENCE)
            kind = outcome(answer)
        except Refused as refused:
            kind = _said(str(refused))
        except httpx.HTTPStatusError as failed:
            kind = outcome(failed.response)
        except (httpx.HTTPError, OSError, RuntimeError, ValueError, LookupError) as error:
            kind = f"{type(error).__name__} {error}"[:120]
        if kind == "refused" and honest:
            kind = "refused, and is honest"
        if kind in ("answered", "refused"):
            setattr(self, kind, getattr(self, kind) + 1)
        else:
            self.crashed += 1
            self.wrong.append(f"{name}: {kind}")
        return answer

    async def alone(self, name: str, asked: Awaitable[Any], honest: bool = False) -> Any:
        """The same of what nothing else of the group runs beside: its time and memory count."""
        self.lone += 1
        started = time.monotonic()
        answer = await self.put(name, asked, honest)
        seconds, more = time.monotonic() - started, self.server.growth(started)
        if seconds > SLOW:
            self.slow += 1
            self.wrong.append(f"{name}: {seconds:.1f} s")
        if more > LARGE:
            self.large += 1
            self.wrong.append(f"{name}: {more:.0f} MB")
        return answer

    async def together(self, asked: Iterable[tuple[str, Awaitable[Any]]]) -> list[Any]:
        """All of them at once."""
        return await asyncio.gather(*(self.put(name, one) for name, one in asked))


@dataclass
class Field:
    """Where attackers stand, and what they have.

    Args:
        config: what the page tells of itself, as a browser gets it.
        canary: an address that the server must never ask.
    """

    http: httpx.AsyncClient
    config: dict
    toll: Toll
    canary: str

    def visitor(self) -> Client:
        """Another one, with a session of their own."""
        return Client(self.http, self.config)

    async def ask(self, name: str, question: Any) -> httpx.Response:
        """What a new visitor is told by one of the viewer's functions, as it comes."""
        return await self.visitor().post(name, question)

    async def opened(self, photo: bytes, **question: Any) -> dict:
        """The scene of an upload, which a new visitor asks for."""
        visitor = self.visitor()
        return await visitor.open(await visitor.upload(photo), **question)
