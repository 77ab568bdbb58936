"""``python -m tests.portal.small_portal PORT N``: supervisor and web processes, a small application."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

from portal.supervisor import Supervisor
from portal.uvicorn_server import Parting, PortalServer, configured
from portal.web import bound, web_children


async def application(scope: Any, receive: Any, send: Any) -> None:
    """``/pid`` at once; ``/words/N`` a word every 0.1 s, N of them; ``/break`` dies."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        return
    if scope["path"] == "/break":
        os._exit(3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"].startswith("/words/"):
        for _ in range(int(scope["path"].rpartition("/")[2])):
            await send({"type": "http.response.body", "body": b"word ", "more_body": True})
            await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def serve(listening: int, told: int) -> None:
    parting = Parting(application)
    PortalServer(configured(parting), parting, told).run([socket.socket(fileno=listening)])


def main(port: int, processes: int) -> None:
    with bound("127.0.0.1", port) as held:
        children = web_children(held, processes, os.environ)
        for child in children:
            child.command = [sys.executable, "-m", __spec__.name, "serve", str(held.fileno())]
        supervisor = Supervisor(children)
        supervisor.start()
        supervisor.watch()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
