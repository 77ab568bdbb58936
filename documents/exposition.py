"""What processes of one machine counted, and what they take of it; the worker's own door for that."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

#: What is told of each process: of what prometheus_client knows of it, the part that people look at.
TOLD = ("process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds")
#: What a process can be.
PROCESSES = ("web", "worker", "command")


def counted() -> CollectorRegistry:
    """Of the processes that share a folder for it (``PROMETHEUS_MULTIPROC_DIR``), else of this one."""
    gathered = CollectorRegistry()
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        # First, because it clears away what processes that are gone said of themselves.
        gathered.register(Processes(Path(folder)))
        MultiProcessCollector(gathered)  # type: ignore[no-untyped-call]
    else:
        gathered.register(REGISTRY)  # type: ignore[arg-type]
    return gathered


def open_door(port: int, host: str) -> None:
    """Answers scrapes beside the worker's work, which is done all the same where the port is taken."""
    try:
        start_http_server(port, addr=host, registry=counted())  # type: ignore[arg-type]
    except OSError as error:
        logger.error("nobody can read what this worker counts at %s:%s: %s", host, port, error)


class Processes(Collector):
    """Memory, processor time and open files of each process that counts in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def describe(self) -> Iterable[Metric]:
        return empty().values()

    def collect(self) -> Iterator[Metric]:
        families = empty()
        for pid in self.living():
            of_one = ProcessCollector(pid=lambda: pid, registry=None).collect()  # noqa: B023 - asked at once
            for metric in of_one:
                if metric.name in families:
                    family = families[metric.name]
                    family.add_metric([kind_of(pid), str(pid)], metric.samples[0].value)  # type: ignore[attr-defined]
        yield from families.values()

    def living(self) -> list[int]:
        """The gauges of the others go: an answer that a dead process wrote is not being written."""
        pids = {int(path.stem.rpartition("_")[2]) for path in self.folder.glob("*_*.db")}
        living = {pid for pid in pids if Path(f"/proc/{pid}").exists()}
        for dead in pids - living:
            mark_process_dead(dead, str(self.folder))  # type: ignore[no-untyped-call]
        return sorted(living)


def empty() -> dict[str, Metric]:
    labels = ["process", "pid"]
    memory, seconds, files = TOLD
    return {
        memory: GaugeMetricFamily(memory, "Memory that is in use.", labels=labels),
        seconds: CounterMetricFamily(seconds, "Processor time, user and system.", labels=labels),
        files: GaugeMetricFamily(files, "Open files and sockets.", labels=labels),
    }


def kind_of(pid: int) -> str:
    """By its command line: what ``manage.py`` was asked for, and a web server where it is none of ours."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:  # it has ended meanwhile
        return "command"
    if not any(word.endswith("manage.py") for word in words):
        return "web"
    return "worker" if "worker" in words else "command"
