"""The one process that owns the embedded servers: ``python -m portal.embedded.owner DATA_DIR``."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from portal.embedded.layout import Layout
from portal.embedded.postgres import start_postgres
from portal.embedded.redis import start_redis
from portal.embedded.servers import Account, Server, ServerError, server_account
from portal.embedded.session import write_state

logger = logging.getLogger("portal.embedded")

LOOK_SECONDS = 0.2
#: How long nobody has to want the servers before they stop: covers one command after another.
IDLE_SECONDS = 2.0
RESTART_PAUSE = 0.5

Starter = Callable[[Layout, Account], Server]


@dataclass
class Owner:
    layout: Layout
    account: Account
    servers: dict[Starter, Server] = field(default_factory=dict)
    stopping: bool = False

    def start_all(self) -> None:
        self.account.own(self.layout.sockets)
        for starter in (start_postgres, start_redis):
            self.servers[starter] = starter(self.layout, self.account)

    def restart_the_dead(self) -> None:
        for starter, server in list(self.servers.items()):
            if not server.alive():
                logger.warning("%s ended (%s); starting it again", server.name, server.process.returncode)
                time.sleep(RESTART_PAUSE)
                with contextlib.suppress(ServerError):  # the next look tries again
                    self.servers[starter] = starter(self.layout, self.account)

    def stop_all(self) -> None:
        for server in reversed(self.servers.values()):
            server.stop()

    def serve(self, users: IO[bytes]) -> None:
        """Watch until nobody has held the users' lock for a while; returns holding it exclusively."""
        idle_since: float | None = None
        while not self.stopping:
            time.sleep(LOOK_SECONDS)
            self.restart_the_dead()
            if not try_lock(users):
                idle_since = None
            elif idle_since is None:
                idle_since = time.monotonic()
                fcntl.flock(users, fcntl.LOCK_UN)
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                return
            else:
                fcntl.flock(users, fcntl.LOCK_UN)


def try_lock(file: IO[bytes], seconds: float = 0.0) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)


def main(data_dir: str) -> int:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    layout = Layout(Path(data_dir))
    # Users look whether this lock is held by taking it for a moment, hence the patience.
    with layout.owner_lock.open("ab") as own, layout.users_lock.open("ab") as users:
        if not try_lock(own, seconds=2.0):
            return 0
        write_state(layout, state="starting")
        try:
            owner = Owner(layout, server_account())
            signal.signal(signal.SIGTERM, lambda *_: setattr(owner, "stopping", True))
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            owner.start_all()
        except (ServerError, OSError, KeyError) as error:
            logger.exception("could not start")
            write_state(layout, state="failed", error=str(error))
            return 1
        write_state(layout, state="ready")
        try:
            owner.serve(users)
        finally:
            write_state(layout, state="stopping")
            owner.stop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
