"""What the cached way is held against: an ASGI application that reads the answer's bytes from Redis.

Nothing else: no token, no scope, no metrics. ``python -m benchmarks.bare_asgi`` serves it as the portal is
served, by the same server with as many processes. ``BARE_KEY`` is their key in the portal's Redis.
"""

from __future__ import annotations

import os
from typing import Any

from redis.asyncio import Redis

APPLICATION = "benchmarks.bare_asgi:application"
PORTAL = "portal.asgi:application"

KEPT = os.environ.get("BARE_KEY", "")
if KEPT:
    redis = Redis.from_url(os.environ["BARE_REDIS"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    body = await redis.get(KEPT)
    assert isinstance(body, bytes)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    from django.conf import settings

    from portal.web import web_command

    command = [APPLICATION if part == PORTAL else part for part in web_command("127.0.0.1", settings.PORT)]
    assert APPLICATION in command, "the server is told its application by another name now"
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
