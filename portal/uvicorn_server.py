"""One web process: uvicorn on a socket that the supervisor holds open (``portal/web.py`` starts it).

SIGTERM ends it within ``GRACE_SECONDS``. SIGUSR2 lets it end when everything it has begun is done, for a
successor that serves already: requests, streams, and answers that are being written.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
import tempfile
from types import FrameType
from typing import Any

from uvicorn import Config, Server

from portal.limits import Application, Message, Receive, Scope, Send

#: Requests in flight get this long to end when the server stops; and when it has a successor.
GRACE_SECONDS = 10
RETIRE_SECONDS = 140
#: So long after the last connection was accepted whoever has just connected is still answered.
PARTING_SECONDS = 0.5
#: Longer than proxies keep theirs (nginx: 60 s), or they would send into a connection that is being closed.
KEEP_ALIVE_SECONDS = 65
#: Connections of one process, idle ones included: the last bound, behind those of ``portal.admission``.
CONNECTIONS = 2000
FILES = 4096
#: Of one message into a socket: a question, not a document.
MESSAGE_BYTES = 1024 * 1024


class Parting:
    """In front of ``inner``: once it is ``ending``, each answer asks the client to connect anew."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner
        self.ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.ending and scope["type"] == "http":
            send = said_to_close(send)
        await self.inner(scope, receive, send)


def said_to_close(send: Send) -> Send:
    async def send_closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return send_closing


class PortalServer(Server):
    """Says when it serves, and leaves without a request that was accepted and not answered."""

    def __init__(self, config: Config, parting: Parting, told: int) -> None:
        super().__init__(config)
        self.parting = parting
        self.told = told
        self.retiring = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        signal.signal(signal.SIGUSR2, self.retire)
        await super().startup(sockets)
        os.write(self.told, b"1")
        os.close(self.told)

    def retire(self, *_: object) -> None:
        self.config.timeout_graceful_shutdown = RETIRE_SECONDS
        self.should_exit = self.retiring = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.force_exit = self.force_exit or self.retiring

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn closes connections whose request it has not read yet. So: accept no more, then wait."""
        for server in self.servers:
            server.close()
        self.parting.ending = True
        if self.server_state.connections:
            await asyncio.sleep(PARTING_SECONDS)
        await super().shutdown(sockets)


def configured(application: Application) -> Config:
    options: dict[str, Any] = {"lifespan": "off", "access_log": False, "log_level": "warning"}
    return Config(
        application,
        **options,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ws_max_size=MESSAGE_BYTES,
    )


def main(listening: int, told: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    from django.conf import settings

    from portal.asgi import application

    # Django spools what it receives where temporary files go, and /tmp may be memory.
    tempfile.tempdir = str(settings.FILE_UPLOAD_TEMP_DIR)
    parting = Parting(application)
    server = PortalServer(configured(parting), parting, told)
    server.run([socket.socket(fileno=listening)])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
