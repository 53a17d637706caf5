"""A visitor without a browser: Gradio's own protocol over HTTP, for the crowd and for tests."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx


class Refused(Exception):
    """What a visitor asked was answered with an error; its text is what the page would show."""


@dataclass(frozen=True)
class Client:
    """One user's browser: a session of Gradio's protocol over HTTP."""

    http: httpx.AsyncClient
    config: dict
    session: str = field(default_factory=lambda: secrets.token_hex(6))

    def component(self, label: str) -> int:
        """The number of a component by its label, its text or its id in the page."""
        for one in self.config["components"]:
            if label in [one["props"].get(name) for name in ("label", "elem_id", "value")]:
                return one["id"]
        raise LookupError(label)

    def event(self, label: str, kind: str) -> int:
        """The number of what runs at an event of a component."""
        target = [self.component(label), kind]
        for one in self.config["dependencies"]:
            if target in [list(each) for each in one["targets"]]:
                return one["id"]
        raise LookupError(f"{label}.{kind}")

    async def upload(self, photo: bytes) -> dict:
        """Send a photo; returns what events take for it, and `open` as its source."""
        files = {"files": ("photo.jpg", photo, "image/jpeg")}
        answer = await self.http.post("/gradio_api/upload", files=files)
        answer.raise_for_status()
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    async def run(self, event: int, data: list) -> list:
        """Queue an event and wait for what it returns."""
        question = {
            "data": data,
            "fn_index": event,
            "session_hash": self.session,
            "event_data": None,
        }
        answer = await self.http.post("/gradio_api/queue/join", json=question)
        answer.raise_for_status()
        parameters = {"session_hash": self.session}
        async with self.http.stream("GET", "/gradio_api/queue/data", params=parameters) as lines:
            async for line in lines.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise Refused(str(message["output"].get("error")))
                    return message["output"]["data"]
        raise RuntimeError("the stream ended before the answer")

    async def open(self, source: Any, **question: Any) -> dict:
        """The scene of an upload, or of {"example": a name}."""
        return await self.ask("scene_open", {"source": source, **question})

    async def post(self, name: str, question: Any) -> httpx.Response:
        """What one of the viewer's functions answers, as it comes."""
        return await self.http.post(
            "/gradio_api/component_server",
            json={
                "data": question,
                "component_id": self.component("viewer"),
                "fn_name": name,
                "session_hash": self.session,
            },
        )

    async def ask(self, name: str, question: Any) -> dict:
        """Call one of the viewer's functions."""
        answer = await self.post(name, question)
        answer.raise_for_status()
        found = answer.json()
        if "error" in found:
            raise Refused(found["error"])
        return found
