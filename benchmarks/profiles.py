"""``python -m benchmarks.profiles``: where the time of each hot way goes, and what its limit is.

A portal of its own with the articles of ``../shared/data/xquad-en`` (else texts that are written here).
Four ways in turn, each under load for some seconds: a cached search (``ab``, connections kept), hybrid
searches that were not asked before (reranking off), answers with the extractive generator, documents on
their way into the index. py-spy looks at the web server, for documents at the worker with its jail, a
hundred times a second (it needs to be root, or allowed to trace); its stacks are folded by stage and by
module (``benchmarks.stacks``). Threads without work are left out; waiting for Postgres or Redis counts as
theirs. What C code does counts for the Python frame that called it; threads of its own (ONNX Runtime's,
say) are seen only in the processor time, which is told of web, worker, Postgres, Redis and client.

Writes ``benchmarks/results/profiles.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from benchmarks import answers
from benchmarks.corpus import Author
from benchmarks.figures import Figure, measured, write
from benchmarks.ingest import say
from benchmarks.portal import Portal, running
from benchmarks.processor import groups, measured_usage, shares
from benchmarks.stacks import by_module, by_stage, read
from benchmarks.trace import queries

SECONDS = 12
#: Samples a second.
RATE = 100
WARM_UP_SECONDS = 2.0
AB_CLIENTS = 16
#: Characters of a document that is indexed, and how many are sent ahead of the worker.
DOCUMENT, AHEAD = 20_000, 4
#: Of a core or of all: what is used beyond this is at its limit.
FULL = 0.9

#: Sends one request, or runs a load tool; how many requests that was.
Load = Callable[[httpx.Client], int]


@dataclass(frozen=True, slots=True)
class Way:
    """``clients`` send what ``load`` says, again and again; ``process`` is the group that is looked at."""

    name: str
    load: Load
    clients: int
    process: str = "web"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="under load, each way")
    report = measure(parser.parse_args().seconds)
    write("profiles", list(figures_of(report)), markdown=list(markdown(report)), **report)
    print("\n".join(markdown(report)))


def measure(seconds: int = SECONDS) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="portal-profiles-") as name, running(Path(name)) as portal:
        say("documents to ask about")
        corpus, _ = answers.material(Path(name) / "corpus", argparse.Namespace(seed=1, questions=60))
        portal.manage("ingest", str(corpus), "--collection", "answers", "--wait").check_returncode()
        with portal.client() as client:
            headers = dict(client.headers)
            found = [
                profile(portal, way, headers, seconds, Path(name)) for way in ways(portal, headers, seconds)
            ]
    return {"ways": found, "cores": len(os.sched_getaffinity(0))}


def ways(portal: Portal, headers: dict[str, str], seconds: int) -> Iterator[Way]:
    asked, author = itertools.cycle(queries(5000, seed=3)), Author(3)
    questions = itertools.cycle(queries(5000, seed=4))
    yield Way("cached search", by_ab(portal, headers, seconds, next(asked)), clients=1)
    yield Way(
        "uncached hybrid search",
        lambda client: done(client.get("search/", params={"q": next(asked), "rerank": "off"})),
        clients=4,
    )
    yield Way(
        "answer",
        lambda client: done(client.post("answers/", json={"question": next(questions)[:400]})),
        clients=2,
    )
    yield Way("document into the index", documents(portal, author), clients=1, process="worker")


def done(answer: httpx.Response) -> int:
    answer.raise_for_status()
    return 1


def by_ab(portal: Portal, headers: dict[str, str], seconds: int, query: str) -> Load:
    """ab takes less of the processor than any client in Python. It runs a moment longer than is looked."""
    address = f"{portal.address}/api/v1/search/?{urlencode({'q': query, 'rerank': 'off'})}"
    count, limit = "10000000", str(seconds + round(2 * WARM_UP_SECONDS))
    command = ["ab", "-q", "-k", "-c", str(AB_CLIENTS), "-t", limit, "-n", count]
    command += ["-H", f"Authorization: {headers['authorization']}", address]

    def load(client: httpx.Client) -> int:
        for _ in range(2):  # computed, then kept
            done(client.get(address))
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return next(
            int(line.split()[-1]) for line in said.splitlines() if line.startswith("Complete requests")
        )

    return load


def documents(portal: Portal, author: Author) -> Load:
    """Texts that are sent as fast as the worker takes them."""

    def load(client: httpx.Client) -> int:
        made = author.make("txt", DOCUMENT)
        waiting = "documents/?status=queued"
        while len(client.get(waiting).json()["results"]) >= AHEAD:
            time.sleep(0.1)
        return done(client.post("documents/", files={"file": (made.name, made.content)}))

    return load


# --- One way --------------------------------------------------------------------------------


def profile(portal: Portal, way: Way, headers: dict[str, str], seconds: int, folder: Path) -> dict[str, Any]:
    say(way.name)
    with under_load(portal, way, headers) as sent:
        time.sleep(WARM_UP_SECONDS)
        pid = groups(portal)[way.process][0]
        with measured_usage(portal) as cores:
            stacks = list(read(recorded(pid, seconds, folder / "stacks.txt")))
    samples = sum(count for _, count in stacks)
    return {
        "way": way.name,
        "process": way.process,
        "clients": AB_CLIENTS if way.name == "cached search" else way.clients,
        "requests": sum(sent),
        "samples": samples,
        # Python threads that were at work on average, or waited for an answer of a server's.
        "busy_threads": round(samples / (RATE * seconds), 2),
        "cores": cores,
        "shares": shares(cores),
        "stages": by_stage(stacks),
        "modules": by_module(stacks),
        "limit": limit(cores, way.process),
    }


@contextmanager
def under_load(portal: Portal, way: Way, headers: dict[str, str]) -> Iterator[list[int]]:
    """The requests that were answered, when it is over. A client that fails ends, and is told of."""
    stopping, sent, failed = threading.Event(), list[int](), list[Exception]()

    def work() -> None:
        with httpx.Client(base_url=f"{portal.address}/api/v1/", headers=headers, timeout=60) as client:
            try:
                while not stopping.is_set():
                    sent.append(way.load(client))
            except Exception as error:  # told below
                failed.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(way.clients)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]


def recorded(pid: int, seconds: int, target: Path) -> str:
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid), "--subprocesses"]
    command += ["--duration", str(seconds), "--rate", str(RATE), "--format", "raw", "--output", str(target)]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_text()


# --- Telling --------------------------------------------------------------------------------


def limit(cores: dict[str, float], process: str) -> str:
    """What keeps it from being faster, as far as the processor tells."""
    used = sum(value for name, value in cores.items() if name != "wall")
    there = len(os.sched_getaffinity(0))
    most = max(shares(cores).items(), key=lambda entry: entry[1])
    if used >= FULL * there:
        return f"the processor: all {there} cores are busy, {most[0]} takes {most[1]} %"
    if cores[process] >= FULL:
        return f"one interpreter: the {process} process fills a core, and another one would be free"
    return f"waiting: {used:.1f} of {there} cores are used; more clients would bring more"


def figures_of(report: dict[str, Any]) -> Iterator[Figure]:
    for found in report["ways"]:
        stage, share = next(iter(found["stages"].items()), ("", 0.0))
        name = f"{found['way']}, largest stage of {found['process']}"
        yield measured(name, share, unit="%", note=f"{stage}; limit: {found['limit']}")


def markdown(report: dict[str, Any]) -> Iterator[str]:
    heads = ("way", "process", "where its time goes", "own modules", "processor", "limit")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for found in report["ways"]:
        cells = (
            *(found["way"], found["process"], listed(found["stages"], 6), listed(found["modules"], 4)),
            *(listed(found["shares"], 5), found["limit"]),
        )
        yield f"| {' | '.join(cells)} |"


def listed(shares: dict[str, float], most: int) -> str:
    first: Sequence[tuple[str, float]] = sorted(shares.items(), key=lambda entry: -entry[1])[:most]
    return ", ".join(f"{name} {share:.0f} %" for name, share in first if share >= 1)


if __name__ == "__main__":
    main()
