"""Using the embedded servers from any process: they run for as long as somebody holds a session."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psycopg

from portal.embedded.layout import DATABASE, ROLE, Layout
from portal.environment import kept_secret

START_SECONDS = 90.0


class EmbeddedError(RuntimeError):
    """The embedded servers could not be started."""


#: The locks this process holds, by data folder; the kernel releases them when it ends, however it ends.
_held: dict[Path, IO[bytes]] = {}


def use(layout: Layout) -> None:
    """Make sure that the servers run, and keep them for the life of this process. Idempotent.

    Raises ``EmbeddedError`` with what the servers said when they cannot start.
    """
    if layout.data_dir in _held:
        return
    layout.make_folders()
    lock = layout.users_lock.open("ab")
    # An owner that is stopping holds this exclusively: whoever comes then waits for the stop to end.
    fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        wait_for_owner(layout)
    except BaseException:
        lock.close()
        raise
    _held[layout.data_dir] = lock


def release(layout: Layout) -> None:
    """Give the session back before the process ends."""
    if lock := _held.pop(layout.data_dir, None):
        lock.close()


def wait_for_owner(layout: Layout) -> None:
    deadline = time.monotonic() + START_SECONDS
    spawned: int | None = None
    while time.monotonic() < deadline:
        state = read_state(layout)
        if owner_lives(layout):
            # The owner may not have seen yet that a server died: only an answer proves that it runs.
            if state.get("state") == "ready" and postgres_answers(layout):
                return
        elif spawned is None:
            layout.state_file.unlink(missing_ok=True)
            spawned = spawn_owner(layout)
        elif ended(spawned):
            if error := state.get("error"):
                raise EmbeddedError(error)
            spawned = None
        time.sleep(0.03)
    raise EmbeddedError(f"The embedded servers were not ready within {START_SECONDS:.0f} s: {layout.logs}")


def postgres_answers(layout: Layout) -> bool:
    try:
        password = kept_secret(layout.password_file)
        psycopg.connect(host=str(layout.sockets), user=ROLE, dbname=DATABASE, password=password).close()
    except psycopg.OperationalError:
        return False
    return True


def owner_lives(layout: Layout) -> bool:
    with layout.owner_lock.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_state(layout: Layout) -> Mapping[str, str]:
    try:
        state = json.loads(layout.state_file.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(layout: Layout, **state: str) -> None:
    path = layout.state_file
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": str(os.getpid()), **state}))
    fresh.rename(path)


def spawn_owner(layout: Layout) -> int:
    """Start the owner; it belongs to nobody, and outlives the process that happened to come first."""
    root = Path(__file__).resolve().parents[2]
    with (layout.logs / "owner.log").open("ab") as log, open(os.devnull, "rb") as nothing:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "portal.embedded.owner", str(layout.data_dir)],
            {**os.environ, "PYTHONPATH": str(root)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
            setsid=True,
        )


def ended(pid: int) -> bool:
    """Whether the process has ended; also when it was never ours to wait for."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
