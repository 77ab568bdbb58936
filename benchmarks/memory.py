"""How much memory a portal's processes take while something happens, looked at again and again."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.portal import Portal, processes

SAMPLE_SECONDS = 0.05


class Sampler(threading.Thread):
    """Peaks of resident memory (RSS) and of the part that is a process's own share (PSS), in MB."""

    def __init__(self, portal: Portal) -> None:
        super().__init__(daemon=True)
        self.portal, self.stopping = portal, threading.Event()
        self.peaks: dict[str, dict[str, float]] = {}

    def run(self) -> None:
        while not self.stopping.wait(SAMPLE_SECONDS):
            for name, pid in self.processes():
                with contextlib.suppress(OSError, ValueError):  # it has just ended
                    self.note(name, memory(pid))

    def processes(self) -> Iterator[tuple[str, int]]:
        web, worker = self.portal.child("uvicorn"), self.portal.child("manage.py worker")
        if web:
            yield "web", web
        if worker:
            yield "worker", worker
            # Only the worker's children: the web process has a jail too, for pictures of pages.
            yield from (("jail", child.pid) for child in processes(worker))

    def note(self, name: str, sizes: dict[str, float]) -> None:
        peaks = self.peaks.setdefault(name, {"rss_mb": 0.0, "pss_mb": 0.0})
        for what, size in sizes.items():
            peaks[what] = max(peaks[what], round(size, 1))


def memory(pid: int) -> dict[str, float]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.MULTILINE))
    return {"rss_mb": int(found["Rss"]) / 1024, "pss_mb": int(found["Pss"]) / 1024}
