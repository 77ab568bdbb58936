"""The web processes: one socket, and any number of servers that accept from it.

``python -m portal.web HOST PORT PROCESSES`` keeps them alive, without Django in the process that does so.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from portal.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parent.parent


def bound(host: str, port: int) -> socket.socket:
    """The socket of all web processes, held here, so that it is there while one takes another's place.

    Raises ``OSError`` when the port is taken. Who connects before the first process listens is refused.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((host, port))
    except OSError:
        held.close()
        raise
    return held


def web_children(held: socket.socket, processes: int, environment: Mapping[str, str]) -> list[Child]:
    # PGAPPNAME: whose a connection is, for who looks into pg_stat_activity.
    surroundings = {**environment, "PGAPPNAME": "portal web", "PYTHONPATH": importable(environment)}
    command = [sys.executable, "-m", "portal.uvicorn_server", str(held.fileno())]
    names = ["web"] if processes == 1 else [f"web {number}" for number in range(1, processes + 1)]
    return [Child(name, command, surroundings, keeps=(held.fileno(),), gentle=True) for name in names]


def importable(environment: Mapping[str, str]) -> str:
    """PYTHONPATH with the project, wherever a process is started from."""
    return os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))


def main(host: str, port: int, processes: int) -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    environment = dict(os.environ)
    # While one process takes another's place there are two, and both are counted.
    environment.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="portal-metrics-"))
    with bound(host, port) as held:
        supervisor = Supervisor(web_children(held, processes, environment))
        supervisor.start()
        supervisor.watch()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
