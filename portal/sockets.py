"""Who may open a WebSocket, and where it leads."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.contrib.auth.models import AnonymousUser
from django.utils import translation

import documents.routing
import search.routing
from portal.accounts.authentication import bearer_secret, user_for_token
from portal.limits import Application, Receive, Scope, Send, header
from portal.metrics import sockets_open
from portal.reader import spoken

program_sockets: Application = URLRouter(
    [*documents.routing.websocket_urlpatterns, *search.routing.websocket_urlpatterns]
)
browser_sockets: Application = AllowedHostsOriginValidator(AuthMiddlewareStack(program_sockets))
refused: Application = WebsocketDenier()


async def socket_door(scope: Scope, receive: Receive, send: Send) -> None:
    """A program brings a token; a browser brings its session, and an Origin that is ours."""
    with sockets_open.track_inprogress():
        await opened(scope, receive, send)


async def opened(scope: Scope, receive: Receive, send: Send) -> None:
    secret = bearer_secret(header(scope, b"authorization").decode("latin-1"))
    if secret is not None:
        user = await database_sync_to_async(user_for_token, thread_sensitive=False)(secret)
        await program_sockets({**scope, "user": user or AnonymousUser()}, receive, send)
    elif from_same_origin(scope):
        with translation.override(language_asked(scope)):
            await browser_sockets(scope, receive, send)
    else:
        await refused(scope, receive, send)


def language_asked(scope: Scope) -> str:
    """A page says which language it is in (``http.js``), as a browser's socket sends no headers of ours."""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("language", [""])
    return spoken(asked[0])


def from_same_origin(scope: Scope) -> bool:
    """Another port or another allowed host is another site: its pages may not use our session."""
    origin, host = (header(scope, name).decode("latin-1").lower() for name in (b"origin", b"host"))
    return bool(host) and urlsplit(origin).netloc == host
