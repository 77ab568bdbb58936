"""What the cached way is held against: an ASGI application that reads the answer's bytes from Redis.

Nothing else: no token, no scope, no metrics. ``python -m benchmarks.bare_asgi PORT PROCESSES`` serves it as
the portal is served: by the same server, as many processes on one socket. ``BARE_KEY`` is the bytes' key in
the Redis ``BARE_REDIS``.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

from redis.asyncio import Redis
from uvicorn import Server

from portal.uvicorn_server import configured
from portal.web import bound

KEPT = os.environ.get("BARE_KEY", "")
if KEPT:
    redis = Redis.from_url(os.environ["BARE_REDIS"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    body = await redis.get(KEPT)
    assert isinstance(body, bytes)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(port: int, processes: int) -> None:
    """Until it is told to end, and its processes with it."""
    from portal.supervisor import die_with_parent

    with bound("127.0.0.1", port) as held:
        command = [sys.executable, "-m", "benchmarks.bare_asgi", "--on", str(held.fileno())]
        children = [
            subprocess.Popen(command, pass_fds=[held.fileno()], preexec_fn=die_with_parent)
            for _ in range(processes)
        ]
        for child in children:
            child.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--on":
        Server(configured(application)).run([socket.socket(fileno=int(sys.argv[2]))])
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
