"""What a portal's documents are doing, seen from its database, while faults are thrown at it."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import psycopg

from benchmarks.portal import Portal

LOOK_SECONDS = 0.1


class Watch(threading.Thread):
    """Looks at every document ten times a second, in the database; knows when which one moved on."""

    def __init__(self, portal: Portal) -> None:
        super().__init__(daemon=True)
        self.portal, self.stopping = portal, threading.Event()
        self.rows: dict[str, tuple[Any, ...]] = {}
        #: (the look before it, the look that saw it, document): in between, it moved.
        self.moves: list[tuple[float, float, str]] = []
        self.changed: dict[str, float] = {}
        self.longest_pause = (0.0, "")
        self.last_look = time.monotonic()

    def run(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(psycopg.Error, OSError), self.portal.database() as connection:
                while not self.stopping.wait(LOOK_SECONDS):
                    self.look(connection)
            self.stopping.wait(LOOK_SECONDS)

    def look(self, connection: psycopg.Connection) -> None:
        began = time.monotonic()
        query = "SELECT id::text, status, stage, percent, updated_at FROM documents_document"
        for pk, *state in connection.execute(query).fetchall():
            self.note(pk, tuple(state), began)
        self.last_look = began

    def note(self, pk: str, state: tuple[Any, ...], now: float) -> None:
        before = self.rows.get(pk)
        if before == state:
            return
        self.rows[pk] = state
        # Waiting in the queue is no progress, however it came to wait.
        if before is not None and state[0] != "queued":
            self.moves.append((self.last_look, now, pk))
            if before[0] == "processing":
                self.longest_pause = max(self.longest_pause, (now - self.changed[pk], pk))
        self.changed[pk] = now

    def on_their_way(self) -> list[str]:
        return [pk for pk, row in list(self.rows.items()) if row[0] in ("queued", "processing")]

    def in_hand(self) -> str:
        return next((pk for pk, row in list(self.rows.items()) if row[0] == "processing"), "")

    def seconds_to_move(self, since: float, pk: str = "") -> float | None:
        """From ``since`` to the first look that saw a move which happened later."""
        moves = (seen for before, seen, who in self.moves if before >= since and pk in ("", who))
        first = next(moves, None)
        return None if first is None else first - since
