"""``python -m benchmarks.servers``: uvicorn against granian, the same application, the same minutes.

Asked at 100 at once, in rounds that take turns: by ``ab`` (Debian: apache2-utils), by ``ab -k``, and by a
client of our own that keeps its connections. ``ab`` speaks HTTP/1.0, and uvicorn keeps no connection of that
version, whatever ``-k`` asks for: ``kept`` counts them, and only our client (HTTP/1.1) compares kept ones.
``small`` is bare ASGI with the JSON of a search; ``live`` is the portal's ``/healthz/live``, on the servers
that the settings name. Then each is told to renew its processes (SIGHUP) under requests and an open stream.
granian has to be installed (``pip install granian``; the portal does not need it). Writes
``benchmarks/results/servers.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.machine import describe
from benchmarks.start import free_port

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "benchmarks" / "results" / "servers.json"
SERVERS = ("uvicorn", "granian")
APPLICATIONS = {
    "small": ("benchmarks.servers:small", "/"),
    "live": ("portal.asgi:application", "/healthz/live"),
}
AT_ONCE = 100
STREAM_SECONDS = 6
#: What a search of ten results weighs.
RESULT = {"rank": 1, "document": {"id": "0", "title": "Annual report"}, "text": "word " * 120, "matched": {}}
BODY = json.dumps({"query": "heron", "results": [RESULT] * 10}).encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def small(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/stream":
        await stream(send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def stream(send: Any) -> None:
    """Goes on for ``STREAM_SECONDS``, a word ten times a second."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(STREAM_SECONDS * 10):
        await send({"type": "http.response.body", "body": b"word ", "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body", "body": b"end"})


@dataclass(frozen=True)
class Case:
    server: str
    application: str
    processes: int
    client: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=5000)
    options = parser.parse_args()
    # Django is slower by more than that: so each case takes about as long.
    counts = {"small": options.requests, "live": options.requests // 5}
    found: dict[Case, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for application in APPLICATIONS:
            for processes in (1, 2):
                for server in SERVERS:
                    with running(server, application, processes) as (address, _):
                        for client, ask in CLIENTS.items():
                            case = Case(server, application, processes, client)
                            found.setdefault(case, []).append(ask(address, counts[application]))
    rows = [{**vars(case), **summary(figures)} for case, figures in found.items()]
    renewals = {server: renewed(server) for server in SERVERS}
    report = {"machine": describe(), "rounds": options.rounds, "requests": options.requests}
    TARGET.write_text(json.dumps({**report, "rows": rows, "renewals": renewals}, indent=1) + "\n")
    print("\n".join(markdown(rows)))
    for server, found_of in renewals.items():
        print(f"{server}, renewed by SIGHUP: {found_of}")


def command(server: str, application: str, processes: int, port: int) -> list[str]:
    path = APPLICATIONS[application][0]
    if server == "uvicorn":
        options = ["--workers", str(processes), "--no-access-log", "--log-level", "warning"]
        options += ["--lifespan", "off", "--loop", "uvloop", "--http", "httptools", "--no-server-header"]
    else:
        options = ["--workers", str(processes), "--no-access-log", "--log-level", "warning"]
        options += ["--interface", "asginl", "--loop", "uvloop", "--http", "1", "--no-ws"]
    return [sys.executable, "-m", server, path, "--host", "127.0.0.1", "--port", str(port), *options]


@contextmanager
def running(server: str, application: str, processes: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    address = f"http://127.0.0.1:{port}{APPLICATIONS[application][1]}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "portal.settings"}
    process = subprocess.Popen(command(server, application, processes, port), cwd=ROOT, env=environment)
    try:
        wait_until_it_answers(address)
        yield address, process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_answers(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def renewed(server: str) -> dict[str, Any]:
    """What becomes of requests, and of a stream, while two processes are told to give way to new ones."""
    streamed: list[str] = []
    answered = failed = 0
    with running(server, "small", 2) as (address, process):
        follower = threading.Thread(target=lambda: streamed.append(read(f"{address}stream")))
        follower.start()
        time.sleep(1)
        process.send_signal(signal.SIGHUP)
        while follower.is_alive():
            if read(address).startswith("{"):
                answered += 1
            else:
                failed += 1
        follower.join()
    return {"answered": answered, "failed": failed, "stream_whole": streamed[0].endswith("end")}


def read(address: str) -> str:
    """What comes, or which error."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            return str(answer.read().decode())
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def by_ab(address: str, requests: int, *flags: str) -> dict[str, float]:
    command = ["ab", "-q", *flags, "-c", str(AT_ONCE), "-n", str(requests), address]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return {
        "per_second": number(r"Requests per second:\s+([\d.]+)", done.stdout),
        "p50_ms": number(r"\s50%\s+(\d+)", done.stdout),
        "p99_ms": number(r"\s99%\s+(\d+)", done.stdout),
        "failed": number(r"Failed requests:\s+(\d+)", done.stdout)
        + number(r"Non-2xx responses:\s+(\d+)", done.stdout),
        "kept": number(r"Keep-Alive requests:\s+(\d+)", done.stdout),
    }


def by_kept_connections(address: str, requests: int) -> dict[str, float]:
    """HTTP/1.1, each connection for many requests. It reads no more of an answer than its length."""
    import uvloop

    parts = urlsplit(address)
    assert parts.hostname
    assert parts.port
    taken: list[float] = []
    begun = time.perf_counter()
    each = requests // AT_ONCE

    async def ask_all() -> None:
        asking = (ask(parts.hostname or "", parts.port or 0, parts.path, each, taken) for _ in range(AT_ONCE))
        await asyncio.gather(*asking)

    uvloop.run(ask_all())
    taken.sort()
    return {
        "per_second": len(taken) / (time.perf_counter() - begun),
        "p50_ms": taken[len(taken) // 2] * 1000,
        "p99_ms": taken[int(len(taken) * 0.99)] * 1000,
        "failed": each * AT_ONCE - len(taken),
        "kept": len(taken),
    }


async def ask(host: str, port: int, path: str, times: int, taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    for _ in range(times):
        begun = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert head.startswith(b"HTTP/1.1 200")
        assert length
        await reader.readexactly(int(length[1]))
        taken.append(time.perf_counter() - begun)
    writer.close()


CLIENTS = {
    "ab": by_ab,
    "ab -k": lambda address, requests: by_ab(address, requests, "-k"),
    "HTTP/1.1, kept": by_kept_connections,
}


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else 0.0


def summary(figures: list[dict[str, float]]) -> dict[str, Any]:
    """The median round, and the slowest and fastest."""
    rates = sorted(figure["per_second"] for figure in figures)
    middle = {name: statistics.median(figure[name] for figure in figures) for name in figures[0]}
    failed = sum(figure["failed"] for figure in figures)
    return {**middle, "failed": failed, "least": rates[0], "most": rates[-1]}


def markdown(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "| application | processes | client | server | requests/s (range) | kept | p50 | p99 | failed |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in sorted(rows, key=lambda row: (row["application"], row["processes"], row["client"])):
        rates = f"{row['per_second']:.0f} ({row['least']:.0f}–{row['most']:.0f})"
        yield (
            f"| {row['application']} | {row['processes']} | {row['client']} | {row['server']} | {rates} | "
            f"{row['kept']:.0f} | {row['p50_ms']:.0f} ms | {row['p99_ms']:.0f} ms | {row['failed']:.0f} |"
        )


if __name__ == "__main__":
    main()
