"""``python -m benchmarks.start``: how long a start takes, and how much memory it ends with.

The whole portal, from ``manage.py runportal`` to ready: on an empty data folder, and later. The web process
alone, against servers that run already: from its command line to ``/healthz/ready``, and what it holds then,
after the first search (which loads the embedding model) and after one that reranks. The worker, idle and
after a document. Files are in the page cache and modules are compiled, as for all starts but the very first.
Writes ``benchmarks/results/start.json`` and prints Markdown.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import describe
from benchmarks.memory import memory
from benchmarks.portal import ROOT, Portal, free_port, wait_for
from portal.supervisor import die_with_parent

RESULTS = ROOT / "benchmarks" / "results" / "start.json"
STARTS = 2
READY_SECONDS = 60.0
INDEXED_SECONDS = 60.0
#: Of the issue: seconds to ready, and MB of resident memory.
GOALS = {"web_ready_s": 3.0, "web_ready_mb": 120, "web_embedder_mb": 300}
#: As published for a comparable portal: memory at start.
PUBLISHED = {"web_ready_mb": 100}
DOCUMENT = "# Rain\n\n" + "It rains on the roof of the house by the river, and the river rises. " * 200
TITLES = {
    "first_start_s": "runportal to ready, empty data folder",
    "later_start_s": "runportal to ready, later",
    "web_ready_s": "web process alone to ready",
    "web_ready_cpu_s": "… processor time until then",
    "web_ready_mb": "… memory when ready",
    "web_embedder_mb": "… after the first search (embedding model loaded)",
    "web_reranked_mb": "… after a search that reranks",
    "worker_idle_mb": "worker, idle",
    "worker_after_document_mb": "worker, after one document",
}


def main() -> None:
    report = measure()
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['machine']}\n\n| | measured | goal | published |\n|---|--:|--:|--:|")
    for name, title in TITLES.items():
        shown = (report["figures"][name], GOALS.get(name, ""), PUBLISHED.get(name, ""))
        print(f"| {title} ({name.rpartition('_')[2].replace('mb', 'MB')}) | {' | '.join(map(str, shown))} |")


def measure() -> dict[str, Any]:
    """Every figure, with the machine that it was taken on."""
    with tempfile.TemporaryDirectory() as folder:
        # Models are loaded by who needs them first, not beside what is timed.
        cold = {"MODEL_WARMING": "false"}
        portal = Portal(Path(folder) / "data", Path(folder) / "portal.log", extra=cold)
        figures = {"first_start_s": seconds_to_ready(portal)}
        portal.stop()
        later = []
        for _ in range(STARTS):
            later.append(seconds_to_ready(portal))
            if len(later) < STARTS:
                portal.stop()
        figures["later_start_s"] = statistics.median(later)
        try:
            figures |= worker_figures(portal) | web_figures(portal)
        finally:
            portal.stop()
    return {"machine": describe(), "figures": {name: round(each, 2) for name, each in figures.items()}}


def seconds_to_ready(portal: Portal) -> float:
    started = time.perf_counter()
    portal.start()
    return time.perf_counter() - started


# --- The web process ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Web:
    """A web process beside the portal's own, on the same servers."""

    process: subprocess.Popen[bytes]
    port: int
    seconds: float

    def resident_mb(self) -> float:
        return memory(self.process.pid)["rss_mb"]


def web_figures(portal: Portal) -> dict[str, float]:
    starts = []
    for _ in range(STARTS):
        with web_process(portal) as web:
            starts.append((web.seconds, processor_seconds(web.process.pid), web.resident_mb()))
    seconds, processor, resident = (statistics.median(each) for each in zip(*starts, strict=True))
    figures = {"web_ready_s": seconds, "web_ready_cpu_s": processor, "web_ready_mb": resident}
    with web_process(portal) as web, portal.client() as client:
        for name, rerank in (("web_embedder_mb", "off"), ("web_reranked_mb", "on")):
            address = f"http://127.0.0.1:{web.port}/api/v1/search/"
            client.get(
                address, params={"q": f"the river rises {rerank}", "rerank": rerank}
            ).raise_for_status()
            figures[name] = web.resident_mb()
    return figures


@contextlib.contextmanager
def web_process(portal: Portal) -> Iterator[Web]:
    """The application in its server, on the data folder of ``portal`` and a port of its own."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port)]
    command += ["--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    environment = {**portal.environment, "PROMETHEUS_MULTIPROC_DIR": str(portal.data_dir / "metrics")}
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=die_with_parent)
    try:
        if not wait_for(lambda: is_ready(port), READY_SECONDS, pause=0.01):
            raise RuntimeError("The web process was not ready in time.")
        yield Web(process, port, time.perf_counter() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/ready", timeout=10):
            return True
    except (urllib.error.URLError, OSError):
        return False


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- The worker -----------------------------------------------------------------------------


def worker_figures(portal: Portal) -> dict[str, float]:
    worker = portal.child("manage.py worker")
    assert worker is not None
    wait_for(lambda: processor_seconds(worker) > 0 and is_idle(worker), READY_SECONDS)
    idle = memory(worker)["rss_mb"]
    with portal.client() as client:
        index_a_document(client)
    return {"worker_idle_mb": idle, "worker_after_document_mb": memory(worker)["rss_mb"]}


def is_idle(pid: int) -> bool:
    """Whether it does nothing for a second: it is still importing while the web process is ready."""
    before = processor_seconds(pid)
    time.sleep(1)
    return processor_seconds(pid) - before < 0.1


def index_a_document(client: httpx.Client) -> None:
    made = client.post("documents/", files={"file": ("rain.md", DOCUMENT.encode(), "text/markdown")})
    made.raise_for_status()
    document = made.json()["id"]

    def state() -> Mapping[str, Any]:
        return dict(client.get(f"documents/{document}/").raise_for_status().json())

    if not wait_for(lambda: state()["status"] in ("ready", "failed"), INDEXED_SECONDS, pause=0.2):
        raise RuntimeError("The document was not indexed in time.")


if __name__ == "__main__":
    main()
