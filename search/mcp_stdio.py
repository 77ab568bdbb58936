"""The MCP server on standard input and output. Whoever may start it reads the database as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.stdio import stdio_server

from search.exceptions import NotFound
from search.mcp_server import server, threaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def serve(find: Callable[[], User | None]) -> None:
    """Until the client closes its end. ``find`` is asked at every call: people leave."""

    async def who(context: Any) -> User:
        user = await threaded(find)
        if user is None:
            raise NotFound("This user may not sign in any more.")
        return user

    async def run() -> None:
        serving = server(who)
        async with stdio_server() as (incoming, outgoing):
            await serving.run(incoming, outgoing, serving.create_initialization_options())

    anyio.run(run)
