"""Web processes on one socket: renewed without a failed request, replaced when they die, ended in time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Small:
    """A running ``small_portal``."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str = "/pid") -> str:
        return httpx.get(f"{self.address}{path}", timeout=30).text

    def pids(self) -> set[str]:
        """Of the processes that answer: asked often enough to meet each."""
        return {self.get() for _ in range(60)}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[int], Small]]:
    started: list[Small] = []

    def start(processes: int) -> Small:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "tests.portal.small_portal", str(port), str(processes)]
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        running = Small(port, subprocess.Popen(command, cwd=ROOT, env=environment))
        started.append(running)
        until(lambda: answers(running))
        return running

    yield start
    for running in started:
        running.process.terminate()
        running.process.wait(40)


def answers(running: Small) -> bool:
    try:
        return bool(running.get())
    except httpx.TransportError:
        return False


def until(condition: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.1)


@dataclass
class Load:
    """Requests in a loop: on new connections, and on ones that are kept."""

    address: str
    stop: threading.Event = field(default_factory=threading.Event)
    answered: list[str] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)

    def ask(self, *, kept: bool) -> None:
        client = httpx.Client()
        while not self.stop.is_set():
            try:
                self.answered.append(client.get(f"{self.address}/words/1", timeout=30).text)
            except httpx.TransportError as error:
                self.failed.append(error)
            if not kept:
                client.close()
                client = httpx.Client()
        client.close()


@contextmanager
def load(address: str) -> Iterator[Load]:
    running = Load(address)
    threads = [threading.Thread(target=running.ask, kwargs={"kept": n % 2 == 0}) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("processes", [1, 2])
def test_no_request_fails_while_processes_are_renewed(small: Callable[[int], Small], processes: int) -> None:
    portal = small(processes)
    former = portal.pids()
    with load(portal.address) as running:
        portal.process.send_signal(signal.SIGUSR2)
        until(lambda: not portal.pids() & former)
        count = len(running.answered)
        until(lambda: len(running.answered) > count + 10)
    assert running.failed == []
    assert {text[:5] for text in running.answered} == {"word "}


def test_a_stream_goes_on_to_its_end_and_a_socket_is_sent_elsewhere(small: Callable[[int], Small]) -> None:
    portal = small(1)
    former = portal.get()
    streamed: list[str] = []
    thread = threading.Thread(target=lambda: streamed.append(portal.get("/words/60")))
    with connect(f"ws://127.0.0.1:{portal.port}/") as followed:
        thread.start()
        portal.process.send_signal(signal.SIGUSR2)
        with pytest.raises(ConnectionClosed) as closed:
            followed.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert portal.get() != former
    thread.join()
    assert streamed == ["word " * 60 + former]
    until(lambda: not Path(f"/proc/{former}").exists() or "Z" in state_of(former))


def test_one_that_dies_is_replaced_and_what_it_counted_as_running_goes(
    small: Callable[[int], Small], tmp_path: Path
) -> None:
    portal = small(2)
    until(lambda: len(portal.pids()) == 2)
    former = portal.pids()
    gauges = {pid: tmp_path / f"gauge_livesum_{pid}.db" for pid in former}
    for path in gauges.values():
        path.touch()
    with pytest.raises(httpx.TransportError):
        portal.get("/break")
    until(lambda: len(portal.pids() - former) == 1)
    assert len(portal.pids()) == 2
    assert sorted(path.exists() for path in gauges.values()) == [False, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_soon_though_a_process_is_retiring(
    small: Callable[[int], Small], number: signal.Signals
) -> None:
    portal = small(1)
    former = portal.get()
    thread = threading.Thread(target=cut_off, args=[portal])
    thread.start()
    portal.process.send_signal(signal.SIGUSR2)
    until(lambda: portal.get() != former)
    portal.process.send_signal(number)
    assert portal.process.wait(20) == 0
    thread.join()


def cut_off(portal: Small) -> None:
    with suppress(httpx.TransportError):
        portal.get("/words/600")


def state_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
