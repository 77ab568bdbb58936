"""``python -m benchmarks.start``: seconds from ``manage.py runportal`` to ready, first and later starts."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
LATER_STARTS = 3


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        print(f"first start (empty data folder): {seconds_to_ready(Path(folder)):.1f} s")
        later = sorted(seconds_to_ready(Path(folder)) for _ in range(LATER_STARTS))
        print(f"later starts: {later[len(later) // 2]:.1f} s (median of {LATER_STARTS})")
    print(f"processor time of all of it: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime:.1f} s")


def seconds_to_ready(data_dir: Path) -> float:
    environment = {**os.environ, "DATA_DIR": str(data_dir), "PORT": str(free_port())}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runportal"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "is ready" in line:
            break
    taken = time.perf_counter() - started
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    wait_until_idle(data_dir)
    return taken


def wait_until_idle(data_dir: Path) -> None:
    """The embedded servers stop a moment after their last user."""
    while (data_dir / "postgres" / "postmaster.pid").exists():
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
