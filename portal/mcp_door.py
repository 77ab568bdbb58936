"""``/mcp``: the portal's tools for models, over MCP's streamable HTTP, beside Django.

Every request brings its token and is served by itself: no session, so that any process may answer any of
them. Host and Origin are judged by the rules of the rest of the portal, not by the SDK's, which know neither
``.example.com`` nor ``*`` of ALLOWED_HOSTS. The SDK is imported at the first request that a token lets in.
"""

from __future__ import annotations

import asyncio
import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from portal.accounts.authentication import bearer_secret, user_for_token
from portal.limits import Receive, Scope, Send, header
from portal.sockets import from_same_origin

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PATHS = ("/mcp", "/mcp/")
SIGN_IN = "A token is needed: Authorization: Bearer dp_…. It is missing, unknown or was revoked."


async def mcp_door(scope: Scope, receive: Receive, send: Send) -> None:
    """An ASGI application. The order is that of a gate: whose address, whose page, which way, who."""
    if not is_ours(text_header(scope, b"host")):
        await refuse(scope, send, 400, "This portal has another name.")
    elif header(scope, b"origin") and not from_same_origin(scope):
        await refuse(scope, send, 403, "Pages of other sites may not call this.")
    elif scope["method"] != "POST":
        # There is no session, so there is nothing to listen to (GET) and nothing to end (DELETE).
        await refuse(scope, send, 405, "Only POST is answered.", allow="POST")
    elif (user := await caller(scope)) is None:
        await refuse(scope, send, 401, SIGN_IN, **{"www-authenticate": "Bearer"})
    else:
        await served({**scope, "user": user}, receive, send)


def is_ours(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def text_header(scope: Scope, name: bytes) -> str:
    return header(scope, name).decode("latin-1")


async def caller(scope: Scope) -> User | None:
    secret = bearer_secret(text_header(scope, b"authorization"))
    if not secret:
        return None
    user: User | None = await database_sync_to_async(user_for_token, thread_sensitive=False)(secret)
    return user


async def served(scope: Scope, receive: Receive, send: Send) -> None:
    """One request from beginning to end. Whoever hangs up cancels it, and what it began is stopped."""
    manager = await asyncio.to_thread(new_manager)
    async with manager.run():
        await manager.handle_request(scope, receive, send)


def new_manager() -> Any:
    """It can be run but once, and without sessions there is nothing in it to keep."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    return StreamableHTTPSessionManager(the_server(), stateless=True)


@cache
def the_server() -> Any:
    from search.mcp_server import server

    return server(bearer)


async def bearer(context: Any) -> User:
    """Whose token came with the request that this call stands in."""
    user: User = context.request.scope["user"]
    return user


async def refuse(scope: Scope, send: Send, status: int, detail: str, **headers: str) -> None:
    """A problem object (RFC 9457), as of every door."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    body = json.dumps({**problem, "instance": scope["path"]}, ensure_ascii=False).encode()
    sent = {"content-type": "application/problem+json", "content-length": str(len(body)), **headers}
    lines = [(name.encode(), value.encode()) for name, value in sent.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
