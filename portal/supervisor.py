"""Keeping the portal's processes alive: starts them, starts them again when they die, stops them.

SIGUSR2 renews them: each web process ends only when its successor serves. SIGHUP, which a closing terminal
sends, ends the portal, as Ctrl-C and SIGTERM do.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger("portal.supervisor")

LOOK_SECONDS = 0.2
STOP_SECONDS = 30.0
#: A process that dies at once is started again ever more slowly, up to this pause.
LONGEST_PAUSE = 10.0
STEADY_SECONDS = 10.0
#: A successor has so long to serve; the process before it so long to finish what it began.
SUCCESSOR_SECONDS = 60.0
RETIRED_SECONDS = 150.0
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


def die_with_parent() -> None:
    """In the child: out of the terminal's group, so that Ctrl-C reaches the supervisor alone."""
    os.setsid()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Running:
    """A process, since when it runs, and where it says that it serves."""

    process: subprocess.Popen[bytes]
    told: int = -1
    since: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds since it was started, or retired."""
        return time.monotonic() - self.since

    def serves(self) -> bool:
        try:
            return bool(os.read(self.told, 1))
        except BlockingIOError:
            return False

    def close(self) -> None:
        if self.told >= 0:
            os.close(self.told)
            self.told = -1


@dataclass
class Child:
    """One process to keep alive. A ``gentle`` one tells when it serves, on a file that is its last argument,
    and is renewed without a pause; the files that it ``keeps`` are its parent's.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    keeps: tuple[int, ...] = ()
    gentle: bool = False
    running: Running | None = None
    successor: Running | None = None
    retired: list[Running] = field(default_factory=list)
    failures: int = 0
    due_at: float = 0.0

    def start(self) -> None:
        self.running = self.begun()

    def begun(self) -> Running:
        command, kept, told = list(self.command), self.keeps, -1
        if self.gentle:
            told, telling = os.pipe()
            os.set_blocking(told, False)
            command, kept = [*command, str(telling)], (*kept, telling)
        try:
            process = subprocess.Popen(
                command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                pass_fds=kept,
            )
        finally:
            if self.gentle:
                os.close(telling)
        return Running(process, told)

    def look(self) -> None:
        """Start it again if it died; the more often it dies at once, the longer the pause."""
        self.look_at_retired()
        if self.successor:
            self.look_at_successor(self.successor)
        if self.running is None:
            if time.monotonic() >= self.due_at:
                self.start()
            return
        code = self.running.process.poll()
        if code is None:
            return
        self.failures = 0 if self.running.age > STEADY_SECONDS else self.failures + 1
        pause = min(0.5 * 2**self.failures, LONGEST_PAUSE)
        logger.warning("%s ended (%s); starting it again in %.1f s", self.name, code, pause)
        self.forget(self.running)
        self.running, self.due_at = None, time.monotonic() + pause

    def renew(self) -> None:
        """A gentle one gets a successor first; another is asked to end, and one more is started beside it."""
        if self.gentle:
            self.successor = self.begun()
        else:
            self.retire(signal.SIGTERM)

    def retire(self, number: signal.Signals) -> None:
        """Ask the running one to end. ``look`` starts another one, where none has taken its place."""
        if self.running:
            self.running.process.send_signal(number)
            self.running.since = time.monotonic()
            self.retired.append(self.running)
        self.running, self.due_at = None, 0.0

    def look_at_successor(self, successor: Running) -> None:
        if successor.process.poll() is not None or successor.age > SUCCESSOR_SECONDS:
            logger.error("the new process of %s does not serve; the old one stays", self.name)
            successor.process.kill()
            successor.process.wait()
            self.forget(successor)
            self.successor = None
        elif successor.serves():
            self.retire(signal.SIGUSR2)
            self.running, self.successor, self.failures = successor, None, 0

    def look_at_retired(self) -> None:
        for one in list(self.retired):
            if one.process.poll() is None and one.age > RETIRED_SECONDS:
                one.process.kill()
            if one.process.poll() is not None:
                self.forget(one)
                self.retired.remove(one)

    def forget(self, one: Running) -> None:
        one.close()
        if folder := self.environment.get("PROMETHEUS_MULTIPROC_DIR"):
            from prometheus_client.multiprocess import mark_process_dead

            # Else what it counted as running would run for ever.
            mark_process_dead(one.process.pid, folder)

    @property
    def all_running(self) -> list[Running]:
        return [one for one in (self.running, self.successor, *self.retired) if one]

    def terminate(self) -> None:
        for one in self.all_running:
            if one.process.poll() is None:
                one.process.terminate()

    def wait(self, deadline: float) -> None:
        for one in self.all_running:
            try:
                one.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("%s did not end in time; killed", self.name)
                one.process.kill()
                one.process.wait()
            one.close()


@dataclass
class Supervisor:
    """Runs children until told to stop."""

    children: Sequence[Child]
    stopping: threading.Event = field(default_factory=threading.Event)
    renewing: threading.Event = field(default_factory=threading.Event)
    to_renew: deque[Child] = field(default_factory=deque)

    def stop(self, *_: object) -> None:
        self.stopping.set()

    def renew(self, *_: object) -> None:
        self.renewing.set()

    def start(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.stop)
        signal.signal(signal.SIGUSR2, self.renew)
        for child in self.children:
            child.start()

    def watch(self) -> None:
        """Blocks until stopped, then ends every child and waits for it."""
        try:
            while not self.stopping.wait(LOOK_SECONDS):
                for child in self.children:
                    child.look()
                self.renew_next()
        finally:
            self.shut_down()

    def renew_next(self) -> None:
        """One at a time, so that memory is needed for one more process and not for twice as many."""
        if self.renewing.is_set():
            self.renewing.clear()
            self.to_renew = deque(self.children)
        if self.to_renew and not any(child.successor for child in self.children):
            self.to_renew.popleft().renew()

    def shut_down(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.terminate()
        for child in self.children:
            child.wait(deadline)
