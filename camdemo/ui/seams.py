"""Gradio's seams: everything on this page that leans on Gradio's insides, each with its reason.

tests/test_seams_of_gradio.py has a test for each, which fails when a new Gradio changes it.
"""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import orjson
from gradio.state_holder import SessionState, StateHolder
from gradio.utils import get_upload_folder
from starlette.types import Scope

from .server import journal, turns
from .server.photos import Photos
from .server.presence import Visitors
from .server.unread import Unread
from .server.uploads import FULL, Disk, is_full

# The look of what Gradio draws and has no setting for, by the names of its own classes.
CSS = Path(__file__).parent / "static" / "gradio.css"

# For the event of the API that takes a photo. Gradio would open the file before our code sees it,
# with an error of its own for a damaged one; `camdemo.photo` does that part, with all the checks.
# What every other input then holds is what the client sent, and is validated behind it.
AS_SENT: dict[str, Any] = {"preprocess": False}

# An address instead of a path. A drive of Windows has one letter.
_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]+:|[/\\]{2})", re.IGNORECASE)
_IN_MEMORY = 3  # bytes of numbers and texts for one of their JSON
_UNREADABLE = "These are not the values that are asked for. What is, /gradio_api/info tells."


def upload_folder() -> Path:
    """Where Gradio keeps what is uploaded, and the pictures that it sends."""
    return Path(get_upload_folder()).resolve()


class Page(gr.Blocks):
    """A gr.Blocks that asks some things of every event, by whichever way it comes.

    Nothing that a client names is fetched: Gradio downloads a photo whose `path` is an address,
    wherever in the data it stands, past every limit. Who asks is known to who computes. And what
    the event has written is counted. Of what went wrong clients are told in words, and not in
    Gradio's, which have in them what was sent. `process_api` is where all events pass.

    Args:
        disk: the folder of uploads and results.
        photos: what /photo/{token} shows.
    """

    def __init__(self, title: str, disk: Disk, photos: Photos) -> None:
        # Gradio's own deletion knows nothing of how much there may be: see `Disk`.
        super().__init__(title=title, analytics_enabled=False, delete_cache=None, fill_width=True)
        # Else POST /gradio_api/run goes around the queue, and so around all limits. What is
        # queued can't be asked there any more; the rest is answered at once.
        self.api_open = False
        self.disk = disk
        self.photos = photos
        self.visitors = Visitors()
        self.unread = Unread(self._has_messages, self._forget_messages)

    async def process_api(self, *given: Any, **named: Any) -> dict[str, Any]:
        refuse_addresses([given, named.get("inputs")])
        session, is_queued = named.get("session_hash") or "", bool(named.get("event_id"))
        address = _address(named.get("request"))
        if is_queued:  # that it has begun is told, too; and maybe that it failed
            self.unread.add(session, 0, address)
        with self.visitors.asking(session, address):
            try:
                answer = await super().process_api(*given, **named)
            except gr.Error:
                raise
            except Exception as error:
                raise await self._failed(error) from error
        if is_queued:
            size = _IN_MEMORY * len(orjson.dumps(answer["data"], default=str))
            self.unread.add(session, size, address)
        written = [one["path"] for one in answer["data"] if isinstance(one, dict) and "path" in one]
        await self.disk.written(written)
        return answer

    async def preprocess_data(self, *given: Any, **named: Any) -> Any:
        """What Gradio makes of values; where it can make nothing of them, they are wrong."""
        try:
            return await super().preprocess_data(*given, **named)
        except gr.Error:
            raise
        except Exception as error:
            if is_full(error):
                raise
            raise _refusal(_UNREADABLE) from error

    async def _failed(self, error: Exception) -> gr.Error:
        if is_full(error):
            await self.disk.make_room()
            return _refusal(FULL)
        journal.failed("event", error)
        return _refusal(journal.SORRY)

    # What waits for a session in Gradio's queue until it asks for it. Gradio forgets nothing.

    def _has_messages(self, session: str) -> bool:
        messages = self._queue.pending_messages_per_session.get(session)
        return messages is not None and not messages.empty()

    def _forget_messages(self, session: str) -> None:
        """But of what is still under way the answer will be kept."""
        queue = self._queue
        messages = queue.pending_messages_per_session.get(session)
        if messages is None:
            return
        while not messages.empty():
            messages.get_nowait()
        ids = queue.pending_event_ids_session.get(session, set())
        ids &= {key for key, event in queue.event_ids_to_events.items() if event.alive}
        if not ids:
            del queue.pending_messages_per_session[session]
            queue.pending_event_ids_session.pop(session, None)


def _refusal(text: str) -> gr.Error:
    return gr.Error(text, print_exception=False)


def _address(request: Any) -> str:
    """From where an event was asked; gr.Request hands on what it is asked."""
    client = getattr(request, "client", None)
    return client.host if client else ""


class _OneSession(StateHolder):
    """What Gradio keeps for a session, but one for all.

    It would make one for every name that a client writes, of 45 KB in some 10 ms of the thread that
    serves, and keep the last answer of the API to each of 10,000. Nothing here needs them.
    """

    def __getitem__(self, session_id: str) -> SessionState:
        return super().__getitem__("")


def keep_no_sessions(app: Any) -> None:
    """Let the server make nothing for sessions, and keep nothing."""
    app.state_holder = _OneSession()
    app.state_holder.set_blocks(app.get_blocks())


def page_of(scope: Scope) -> Page:
    """The page that a request asks; Gradio keeps it with its app."""
    return scope["app"].get_blocks()


def is_address(text: str) -> bool:
    """Whether what should be a path names something elsewhere, by a scheme or a machine."""
    return _SCHEME.match(text) is not None


def refuse_addresses(data: Any) -> None:
    """Refuse what names a file by an address, anywhere in an event's data; forget every `url`.

    Clients send a file's `url` along, and there is no use for it here.

    Raises:
        gr.Error: there is one.
    """
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                value.pop("url", None)
                if is_address(value["path"]):
                    raise _refusal("Send a photo as a file, not as an address.")
            left += value.values()
        elif isinstance(value, (list, tuple)):
            left += value


def path_of(upload: Any) -> str | None:
    """The path of an upload that Gradio has checked to be one; None for none."""
    return upload["path"] if isinstance(upload, dict) else None


def server_function(name: str, answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function for `server_functions`, under a name of its own.

    Gradio marks it, which it can't do with a method, and makes it an attribute of the component,
    where "page" and the like have a meaning already. It awaits one that is async, and gives a
    thread to one that is not.
    """

    async def awaited(question: Any) -> Any:
        turns.over()
        return await answer(question)

    def function(question: Any) -> Any:
        turns.over()
        return answer(question)

    chosen = awaited if inspect.iscoroutinefunction(answer) else function

    chosen.__name__ = name
    return chosen


def found_nothing(error: Exception) -> bool:
    """Whether Gradio did not find the component or the event that a client named.

    It looks it up in a dictionary, and lets the KeyError go.
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (Path(last.filename).name, last.name) in {
        ("routes.py", "component_server"),
        ("route_utils.py", "get_fn"),
    }


def end_within(demo: gr.Blocks, seconds: int) -> None:
    """End open connections so long after the process was told to stop.

    Gradio has no setting for it, and open pages never end by themselves.
    """
    demo.server.config.timeout_graceful_shutdown = seconds


def connect_by(demo: gr.Blocks, connection: type[Any]) -> None:
    """Let connections be of this class; uvicorn asks for it with each, and Gradio for none."""
    demo.server.config.http_protocol_class = connection
