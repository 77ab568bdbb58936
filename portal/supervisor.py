"""Keeping the portal's processes alive: starts them, starts them again when they die, stops them."""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger("portal.supervisor")

LOOK_SECONDS = 0.2
STOP_SECONDS = 30.0
#: A process that dies at once is started again ever more slowly, up to this pause.
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


def die_with_parent() -> None:
    """In the child: out of the terminal's group, so that Ctrl-C reaches the supervisor alone."""
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    due_at: float = 0.0

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command, env=dict(self.environment), stdin=subprocess.DEVNULL, preexec_fn=die_with_parent
        )

    def look(self) -> None:
        """Start it again if it died; the more often it dies at once, the longer the pause."""
        if self.process is None:
            if time.monotonic() >= self.due_at:
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived > STEADY_SECONDS else self.failures + 1
        pause = min(0.5 * 2**self.failures, LONGEST_PAUSE)
        logger.warning("%s ended (%s); starting it again in %.1f s", self.name, code, pause)
        self.process, self.due_at = None, time.monotonic() + pause

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("%s did not end in time; killed", self.name)
            self.process.kill()
            self.process.wait()


@dataclass
class Supervisor:
    """Runs children until told to stop."""

    children: Sequence[Child]
    stopping: threading.Event = field(default_factory=threading.Event)

    def stop(self, *_: object) -> None:
        self.stopping.set()

    def start(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.stop)
        for child in self.children:
            child.start()

    def watch(self) -> None:
        """Blocks until stopped, then ends every child and waits for it."""
        try:
            while not self.stopping.wait(LOOK_SECONDS):
                for child in self.children:
                    child.look()
        finally:
            self.shut_down()

    def shut_down(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(deadline)
