"""A portal of a benchmark's own: started as ``make run`` starts it, with its own data folder and port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from portal.embedded.layout import DATABASE, ROLE, Layout
from portal.supervisor import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
#: This processor's own int8 files, as the image holds them. Without them a portal has the ready-made one.
MODELS = ROOT / ".data-models"
#: What a portal needs of the environment; nothing else that is set here reaches it.
KEPT = ("PATH", "HOME", "LANG")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DidNotStart(RuntimeError):
    """The portal ended, or was not ready in time; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A line of the process table; ``command`` is what it was started with."""

    pid: int
    parent: int
    command: str


@dataclass
class Portal:
    """A running portal and the ways to its processes; every process id is found from its own folder."""

    data_dir: Path
    log: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    #: Settings beside those that every portal needs.
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def layout(self) -> Layout:
        return Layout(self.data_dir)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        given = {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "ADMIN_PASSWORD": "of-the-benchmark"}
        return {**kept, **given, "MODELS_DIR": str(MODELS), **self.extra}

    def start(self) -> None:
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "runportal"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the benchmark, which then stops the portal itself.
                preexec_fn=die_with_parent,
            )
        wait_for(lambda: self.said_ready() or self.process is None or self.ended(), READY_SECONDS)
        if not self.said_ready():
            raise DidNotStart(f"The portal did not start:\n{self.log.read_text()[-4000:]}")

    def said_ready(self) -> bool:
        return "The portal is ready" in self.log.read_text(errors="replace")

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """End the portal, and wait for all that it started: the servers stop after their last user."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS)
            self.process.kill()
            self.process.wait()
        wait_for(lambda: not self.left_over(), STOP_SECONDS)

    def left_over(self) -> list[Process]:
        """What still runs of it: every one of its programs names the data folder."""
        return [one for one in processes() if str(self.data_dir) in one.command]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)

    def client(self) -> httpx.Client:
        """The REST API as the first user."""
        token = self.manage("create_token", "--user", "admin").stdout.strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{self.address}/api/v1/", headers=headers, timeout=60)

    def database(self) -> psycopg.Connection:
        """For looking only: what the REST API would say, without loading the web process."""
        password = self.layout.password_file.read_text()
        address = str(self.layout.sockets)
        return psycopg.connect(host=address, user=ROLE, dbname=DATABASE, password=password, autocommit=True)

    def child(self, name: str) -> int | None:
        """The portal's own child whose command line holds ``name``, if it runs at the moment."""
        assert self.process is not None
        return next((one.pid for one in processes(self.process.pid) if name in one.command), None)

    def postmaster(self) -> int | None:
        try:
            return int((self.layout.postgres / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def redis(self) -> int | None:
        socket = str(self.layout.redis_socket)
        return next((one.pid for one in processes() if socket in one.command), None)


@contextlib.contextmanager
def running(folder: Path, **extra: str) -> Iterator[Portal]:
    """A portal on ``folder/data``, stopped in the end, whatever happens. ``extra``: settings of its own."""
    with started(Portal(folder / "data", folder / "portal.log", extra=extra)) as portal:
        yield portal


@contextlib.contextmanager
def started(portal: Portal) -> Iterator[Portal]:
    """The same on any data folder."""
    try:
        portal.start()
        yield portal
    finally:
        portal.stop()


def processes(parent: int | None = None) -> list[Process]:
    """The processes of this machine, or the children of one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            above = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent is None or above == parent:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found.append(Process(int(folder.name), above, command.decode(errors="replace")))
    return found


def wait_for(condition: Callable[[], object], seconds: float, pause: float = 0.05) -> bool:
    """Whether ``condition`` came true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
