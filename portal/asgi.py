"""The way in for HTTP and WebSocket. ``uvicorn portal.asgi:application``."""

from __future__ import annotations

import os
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

if settings.EMBEDDED:
    from portal.embedded import use

    use(settings.EMBEDDED_LAYOUT)

django_application = get_asgi_application()

# These import models, so they have to wait for the line above.
from channels.routing import ProtocolTypeRouter  # noqa: E402

from portal.limits import Application, BodyLimit, Receive, Scope, Send  # noqa: E402
from portal.mcp_door import PATHS, mcp_door  # noqa: E402
from portal.one_thread import OneThreadHandler  # noqa: E402
from portal.sockets import socket_door  # noqa: E402

in_one_thread = OneThreadHandler()


async def http_door(scope: Scope, receive: Receive, send: Send) -> None:
    await door_of(scope["path"])(scope, receive, send)


def door_of(path: str) -> Application:
    if path in PATHS:
        return mcp_door
    return cast(Application, django_application if path.startswith(settings.STATIC_URL) else in_one_thread)


application = ProtocolTypeRouter({"http": BodyLimit(http_door), "websocket": socket_door})
