"""``python -m benchmarks.load``: the published load test on a cached search, beside a bare ASGI application.

A portal of its own with two web processes and the sample documents; ``ab -n 10000 -c 100`` on a search that
was asked before, on ``/healthz/live``, and on ``benchmarks.bare_asgi``, which sends the very bytes of that
search out of the same Redis by the same server; and on the same search of the same portal served by granian.
In turns, three rounds, medians; then with kept connections. ab runs on the same cores. Writes
``benchmarks/results/load.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from benchmarks import ab
from benchmarks.figures import Figure, measured, write
from benchmarks.portal import ROOT, Portal, free_port, running, wait_for
from benchmarks.report import plain
from documents.samples import FOLDER, SAMPLES

WEB_PROCESSES = 2
ROUNDS = 3
WARMING = 500
PICTURED = (*range(0, 95, 5), *range(95, 101))
BARE_KEY = "benchmark:bare"
QUERY = SAMPLES[0].questions[0]
COLLECTION = "waterworks"


@dataclass(frozen=True, slots=True)
class Target:
    """What ab asks, and how."""

    name: str
    address: str
    headers: Sequence[str] = ()
    keep_alive: bool = False


class NotKept(Exception):
    """The same search did not bring the same results twice: what would be measured is no cached search."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--requests", type=int, default=ab.REQUESTS, help="of each run of ab")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    load_before = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="portal-load-") as folder:
        found = carry_out(Path(folder), options)
    measured_ones = figures(found, options)
    write("load", measured_ones, load_before=load_before, runs=details(found))
    print("\n".join(plain(measured_ones)))


def details(found: dict[str, list[ab.Run]]) -> dict[str, Any]:
    """What lies behind the medians, and the points of the picture."""
    return {
        name: {
            "per_second": [run.per_second for run in runs],
            "errors": sum(run.errors for run in runs),
            "percentiles_ms": {str(n): round(ab.middle(runs).percentile(n), 2) for n in PICTURED},
        }
        for name, runs in found.items()
    }


def carry_out(folder: Path, options: argparse.Namespace) -> dict[str, list[ab.Run]]:
    with running(folder, WEB_PROCESSES=str(WEB_PROCESSES)) as portal:
        with_samples(portal)
        targets = [*of_portal(portal)]
        with bare(portal, body_of(targets[0])) as address, by_granian(portal, targets[0]) as other:
            targets[1:1] = [Target("bare ASGI", address), other]
            return rounds(targets, options)


def with_samples(portal: Portal) -> None:
    """The sample documents, ready to be found."""
    portal.manage("ingest", str(FOLDER), "--collection", COLLECTION, "--wait").check_returncode()


def of_portal(portal: Portal) -> Iterator[Target]:
    token = portal.manage("create_token", "--user", "admin").stdout.strip()
    address = str(httpx.URL(f"{portal.address}/api/v1/search/", params={"q": QUERY}))
    yield Target("cached search", address, [f"Authorization: Bearer {token}"])
    yield Target("health", f"{portal.address}/healthz/live")


def body_of(target: Target) -> bytes:
    """The answer of the search; asked twice, as what is measured has to be kept."""
    name, _, value = target.headers[0].partition(": ")
    first, again = (httpx.get(target.address, headers={name: value}).raise_for_status() for _ in range(2))
    if first.json()["results"] != again.json()["results"] or not first.json()["results"]:
        raise NotKept
    return again.content


@contextlib.contextmanager
def bare(portal: Portal, body: bytes) -> Iterator[str]:
    """The address of the bare application, which is served as long as this lasts."""
    Redis(unix_socket_path=str(portal.layout.redis_socket)).set(BARE_KEY, body)
    port = free_port()
    own = {"BARE_KEY": BARE_KEY, "BARE_REDIS": portal.layout.redis_url}
    command = [sys.executable, "-m", "benchmarks.bare_asgi", str(port), str(WEB_PROCESSES)]
    with beside(portal, command, own, f"http://127.0.0.1:{port}/") as address:
        yield address


@contextlib.contextmanager
def by_granian(portal: Portal, search: Target) -> Iterator[Target]:
    """The portal once more, on another server, with the same Redis and Postgres."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "portal.asgi:application", "--interface", "asginl"]
    command += ["--workers", str(WEB_PROCESSES), "--loop", "uvloop", "--http", "1", "--log-level", "warning"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--backpressure", "512"]
    with tempfile.TemporaryDirectory(prefix="granian-metrics-") as metrics:
        own = {"PROMETHEUS_MULTIPROC_DIR": metrics}
        with beside(portal, command, own, f"http://127.0.0.1:{port}/healthz/live"):
            address = str(httpx.URL(search.address).copy_with(port=port))
            yield Target("cached search by granian", address, search.headers)


@contextlib.contextmanager
def beside(portal: Portal, command: Sequence[str], own: dict[str, str], address: str) -> Iterator[str]:
    """A server of the portal's surroundings, once it answers at ``address``."""
    process = subprocess.Popen(command, cwd=ROOT, env={**portal.environment, **own})
    try:
        wait_for(lambda: answers(address), 60)
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address).is_success
    return False


def rounds(targets: Sequence[Target], options: argparse.Namespace) -> dict[str, list[ab.Run]]:
    """In turns, so that each meets the same machine; first with a new connection for every request."""
    kept = [Target(f"{one.name}, -k", one.address, one.headers, keep_alive=True) for one in targets]
    found: dict[str, list[ab.Run]] = {}
    for group in (targets, kept):
        for target in group:
            ask(target, WARMING)
        for number in range(options.rounds):
            for target in group:
                found.setdefault(target.name, []).append(ask(target, options.requests))
                rate = found[target.name][-1].per_second
                print(f"round {number + 1}, {target.name}: {rate:,.0f}/s", file=sys.stderr, flush=True)
    return found


def ask(target: Target, requests: int) -> ab.Run:
    return ab.run(target.address, headers=target.headers, keep_alive=target.keep_alive, requests=requests)


def figures(found: dict[str, list[ab.Run]], options: argparse.Namespace) -> list[Figure]:
    middle = {name: ab.middle(runs) for name, runs in found.items()}
    search, bare_run = middle["cached search"], middle["bare ASGI"]
    note = f"ab -n {options.requests} -c {ab.AT_ONCE}, {options.rounds} rounds"
    peer = f"bare ASGI: {bare_run.per_second:,.0f}"

    def taken(name: str, value: float, **more: Any) -> Figure:
        return measured(name, round(value, 3), note=note, **more)

    kept, bare_kept = middle["cached search, -k"], middle["bare ASGI, -k"]
    other = middle["cached search by granian"].per_second
    return [
        taken("cached search", search.per_second, peer=peer),
        taken("cached search, mean", search.mean, peer=f"bare ASGI: {bare_run.mean:.1f}"),
        taken("cached search, p50", search.percentile(50), unit="ms"),
        taken("cached search, p95", search.percentile(95), unit="ms"),
        taken("cached search, p99", search.percentile(99), peer=f"bare ASGI: {bare_run.percentile(99):.1f}"),
        taken("cached search, longest", search.longest),
        taken("cached search, errors", search.error_share),
        taken("cached search by granian", other, unit="requests/s"),
        taken("cached search beside bare ASGI", search.per_second / bare_run.per_second, peer=peer),
        taken(
            "cached search, connections kept",
            kept.per_second,
            unit="requests/s",
            peer=f"bare ASGI: {bare_kept.per_second:,.0f}",
        ),
        taken(
            "cached search beside bare ASGI, connections kept",
            kept.per_second / bare_kept.per_second,
            unit="×",
        ),
        taken("health, 100 at once", middle["health"].per_second, unit="requests/s"),
        taken("health, 100 at once, p95", middle["health"].percentile(95), unit="ms"),
    ]


if __name__ == "__main__":
    main()
