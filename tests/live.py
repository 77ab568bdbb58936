"""The portal's application on a port of its own, in the test's process: with its database and its patches."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class LiveServer(uvicorn.Server):
    """Lets go of what the application holds in its event loop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        from portal.asgi import hot_door

        await super().shutdown(sockets)
        await hot_door.close()


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server that answers while the block runs. For tests that commit what they write."""
    from portal.asgi import application

    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, lifespan="off", log_level="warning", ws="none"
    )
    server = LiveServer(config)
    thread = threading.Thread(target=server.run, name="live-portal", daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
