"""A real portal, started as ``make run`` starts it, on a data folder and a port of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 90
#: The shell of it without windows draws the same pages for half of the processor time.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, port: int) -> dict[str, str]:
    """Nothing of the test run's own settings reaches the portal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "DATA_DIR": str(data_dir), "PORT": str(port), "ADMIN_PASSWORD": "the-admins-password"}


@dataclass
class Portal:
    """A running portal, and its doors."""

    process: subprocess.Popen[str]
    address: str
    environment: dict[str, str]
    log: Path
    clients: list[httpx.Client] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return Path(self.environment["DATA_DIR"])

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=check,
            timeout=300,
        )

    def bearer(self, user: str = "admin") -> dict[str, str]:
        """The header by which a program signs in as ``user``."""
        if user not in self.tokens:
            self.tokens[user] = self.manage("create_token", "--user", user).stdout.strip()
        return {"Authorization": f"Bearer {self.tokens[user]}"}

    def client(self, user: str = "admin") -> httpx.Client:
        headers = self.bearer(user)
        client = httpx.Client(base_url=f"{self.address}/api/v1/", headers=headers, timeout=60)
        self.clients.append(client)
        return client

    def children(self, name: str) -> list[int]:
        """Process ids of the portal's own processes whose command line holds ``name``."""
        found = subprocess.run(
            ["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
        )
        lines = [line.split(None, 2) for line in found.stdout.splitlines()[1:]]
        return [int(pid) for pid, ppid, args in lines if int(ppid) == self.process.pid and name in args]

    def postgres(self) -> int:
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        for client in self.clients:
            client.close()
        self.process.send_signal(number)
        return self.process.wait(60)


def start_portal(data_dir: Path, **extra: str) -> Portal:
    port = free_port()
    log = data_dir.parent / f"{data_dir.name}-{port}.log"
    variables = {**environment(data_dir, port), **extra}
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "runportal"],
            cwd=ROOT,
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    portal = Portal(process, f"http://127.0.0.1:{port}", variables, log)
    wait_for(lambda: "The portal is ready" in log.read_text() or process.poll() is not None, READY_SECONDS)
    if process.poll() is not None:
        pytest.fail(f"the portal ended at once:\n{log.read_text()}")
    return portal


def wait_for(condition: Callable[[], Any], seconds: float = 60, pause: float = 0.1) -> Any:
    """The first true value of ``condition``; fails when it stays false for too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(pause)
    return pytest.fail(f"nothing came of {condition} in {seconds} s")


@contextmanager
def portal_of_its_own(template: Portal | None = None, **extra: str) -> Iterator[Portal]:
    """One whose folder goes with it; from a copy of a stopped one's in half the time."""
    with tempfile.TemporaryDirectory(prefix="portal-own-") as folder:
        data = Path(folder) / "data"
        if template:
            copy_folder(template.data_dir, data)
        running = start_portal(data, **extra)
        running.tokens |= template.tokens if template else {}
        try:
            yield running
        finally:
            running.stop()
            wait_for(lambda: not servers_in(folder), 30)


@pytest.fixture(scope="session")
def used_before() -> Iterator[Portal]:
    """A portal that was started and stopped once, for others to begin with a copy of its folder."""
    with tempfile.TemporaryDirectory(prefix="portal-template-") as folder:
        stopped = start_portal(Path(folder) / "data")
        stopped.bearer()
        stopped.stop()
        wait_for(lambda: not servers_in(folder), 30)
        yield stopped


@pytest.fixture(scope="session")
def portal(used_before: Portal) -> Iterator[Portal]:
    """One portal for the tests that leave it as it was."""
    with portal_of_its_own(used_before) as running:
        yield running


@pytest.fixture
def own_portal(used_before: Portal) -> Iterator[Callable[..., Portal]]:
    """Portals for tests that break things; each is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="portal-faults-") as folder:
        started: list[Portal] = []

        def start(name: str = "data", **extra: str) -> Portal:
            data = Path(folder) / name
            if not data.exists():
                copy_folder(used_before.data_dir, data)
            running = start_portal(data, **extra)
            running.tokens |= used_before.tokens
            started.append(running)
            return running

        yield start
        for running in started:
            running.stop()
        wait_for(lambda: not servers_in(folder), 30)


def copy_folder(source: Path, target: Path) -> None:
    """With owners and permissions: Postgres insists on them."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def servers_in(folder: str) -> list[str]:
    found = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in found.stdout.splitlines() if re.search(rf"-D {re.escape(folder)}", line)]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Started once for a module: it takes seconds. Not for longer: its thread has no ORM meanwhile."""
    if CHROMIUM is None:
        pytest.skip("Chromium is missing (Debian: apt-get install chromium-headless-shell)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """For contexts of the test's own, which are closed behind it."""
    yield chromium
    for context in chromium.contexts:
        context.close()
