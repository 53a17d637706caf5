"""Agents: a server of the Model Context Protocol (MCP) for the tools, under /mcp.

Needs the extra `mcp`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from ..engine.protocol import NOBODY, asker
from ..errors import CamdemoError, SettingError, shorten
from .downloads import fetched
from .errors import told
from .routes import AGENTS
from .server import journal
from .server.admission import PROGRAM, Admission
from .tools import tools

if TYPE_CHECKING:
    from ..explainer import Explainer

_NAMED = 100  # characters: what is longer than a photo's name is a photo
_INSTRUCTIONS = (
    "What an image classifier saw in a photo, and where it looked. Begin with `explain`; then test "
    "the map with `hide`: a part that mattered takes the label's probability with it. All maps are "
    "signed: below 0 speaks against the label."
)


def _admitted(
    explainer: Explainer,
    admission: Admission,
    answer: Callable[..., Any],
    signature: inspect.Signature,
) -> Callable[..., Any]:
    """A tool that waits for its place, is logged, and refuses in words."""
    from mcp.server.mcpserver.exceptions import ToolError

    async def tool(**given: Any) -> Any:
        who = asker.get() or NOBODY  # of a program nothing is known but from where it asks
        token = asker.set(replace(who, name=f"agent at {who.address}"))
        brings = len(str(given.get("photo", ""))) > _NAMED
        try:
            with journal.request(f"agent {answer.__name__}"):
                await fetched(explainer, admission, given.get("model"))
                return await admission.run(PROGRAM, brings * admission.largest, answer, **given)
        except CamdemoError as error:
            raise ToolError(told(error)) from error
        finally:
            asker.reset(token)

    tool.__name__, tool.__doc__ = answer.__name__, inspect.getdoc(answer)
    tool.__signature__ = signature  # type: ignore[attr-defined]
    tool.__annotations__ = {}
    return tool


def _server(explainer: Explainer, admission: Admission) -> Any:
    """The tools behind the protocol; an argument that there is not is refused, not passed over."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    offered = tools(explainer)
    made = {name: _admitted(explainer, admission, *tool) for name, tool in offered.items()}

    class Server(MCPServer):
        async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
            known = list(inspect.signature(made[name]).parameters) if name in made else []
            unknown = [each for each in arguments if each not in known]
            if known and unknown:
                raise ToolError(
                    f"There is no argument {shorten(unknown[0])}. There are {', '.join(known)}."
                )
            return await super().call_tool(name, arguments, context)

    server = Server("camdemo", instructions=_INSTRUCTIONS, log_level="WARNING")
    for function in made.values():
        server.add_tool(function, structured_output=False)
    return server


class Agents:
    """The server of the tools: a route of the page, and what runs beside it.

    Raises:
        SettingError: the extra `mcp` is not installed.
    """

    def __init__(self, explainer: Explainer, admission: Admission) -> None:
        try:
            from mcp.server.transport_security import TransportSecuritySettings
        except ImportError as error:
            raise SettingError(
                "Agents need the package mcp. Install it with: pip install 'camdemo[mcp]'"
            ) from error
        server = _server(explainer, admission)
        # Each question stands for itself: there is no session that could pile up. Names of hosts
        # are the proxy's business: a page that is on this machine alone takes no other.
        host = explainer.settings.host
        names = ["127.0.0.1:*", "localhost:*", "[::1]:*"]
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=host in ("", "127.0.0.1", "localhost", "::1"),
            allowed_hosts=names,
            allowed_origins=[f"http://{name}" for name in names],
        )
        self._app = server.streamable_http_app(
            streamable_http_path=AGENTS,
            json_response=True,
            stateless_http=True,
            max_request_body_size=explainer.settings.max_upload * 10**6,
            transport_security=security,
        )
        self._manager = server.session_manager
        endpoint = next(one.endpoint for one in self._app.routes if isinstance(one, Route))
        self.route = Route(AGENTS, endpoint, methods=["POST"])

    def running(self) -> Any:
        """A context within which the route answers."""
        return self._manager.run()
