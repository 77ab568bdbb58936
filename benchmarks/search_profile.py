"""``python -m benchmarks.search_profile --data DIR``: what one uncached search costs, and where.

The corpus is one that ``benchmarks.scale N --keep --data DIR`` left. Each query is another one and comes by
REST with a bearer token, through the ASGI application without a web server. Processor time is counted for
this process, for Postgres and for Redis: on a busy machine it says more than time by the clock. Prints
Markdown and writes ``benchmarks/results/search-profile.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.machine import describe

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "search-profile.json"
USER = "all-100"
WARM = 60
SEED = 41
#: ``/proc/<pid>/stat`` counts in these.
TICK_MS = 1000.0 / os.sysconf("SC_CLK_TCK")
#: Fields of ``/proc/<pid>/stat`` behind the name, which may hold blanks.
PARENT, USER_TICKS, SYSTEM_TICKS = 1, 11, 12


@dataclass
class Statements:
    """Every statement of the requests between two looks, by its first words."""

    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def watch(self, connection: Any, **_said: Any) -> None:
        if self.timed not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.timed)

    def timed(self, execute: Callable[..., Any], sql: str, *given: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, *given)
        finally:
            self.times[shape_of(sql)].append((time.perf_counter() - started) * 1000)


def shape_of(sql: str) -> str:
    """A statement by what it reads first, and from where."""
    said = re.sub(r"\s+", " ", sql).strip()
    tables = list(dict.fromkeys(re.findall(r'(?:FROM|UPDATE) "?([a-z_]+)', said)))
    return f"{said[:48]} … {' '.join(tables[:4])}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the data folder that scale kept")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--together", type=int, default=1, help="so many at once")
    options = parser.parse_args()
    # Not before the settings: numpy is told there how many threads it has.
    os.environ |= {"DATA_DIR": str(options.data.resolve()), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    import portal.settings  # noqa: F401
    from benchmarks import passages

    passages.open_portal(options.data)
    report = measure(options.requests, options.together)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(markdown(report)))


def measure(requests: int = 300, together: int = 1) -> dict[str, Any]:
    """Of ``requests`` distinct searches, ``together`` at once, in the portal that is open."""
    from django.db.backends.signals import connection_created
    from django_redis import get_redis_connection

    from documents.models import Chunk

    statements = Statements()
    connection_created.connect(statements.watch)
    get_redis_connection("default").flushdb()  # what an earlier run kept
    queries, token = questions(WARM + requests), a_token()
    asyncio.run(asked(queries[:WARM], token, together))
    statements.times.clear()
    before, stages, started = processor_ms(), stage_sums(), time.perf_counter()
    milliseconds = asyncio.run(asked(queries[WARM:], token, together))
    wall = time.perf_counter() - started
    spent = {name: (ms - before[name]) / requests for name, ms in processor_ms().items()}
    return {
        "machine": describe(),
        "passages": Chunk.objects.count(),
        "requests": requests,
        "together": together,
        "p50_ms": round(statistics.median(milliseconds), 2),
        "p95_ms": round(statistics.quantiles(milliseconds, n=20)[-1], 2),
        "per_second": round(requests / wall, 1),
        "cpu_ms": {name: round(ms, 2) for name, ms in spent.items()},
        "stages_ms": per_request(stages, stage_sums(), requests),
        "statements": told(statements.times, requests),
    }


def questions(count: int) -> list[str]:
    """As somebody asks who remembers a few words of a passage; never one twice."""
    import numpy as np

    from benchmarks.synthetic import question_text
    from documents.models import Chunk

    rng, last = np.random.default_rng(SEED), Chunk.objects.order_by("pk").last()
    assert last
    found: dict[str, None] = {}
    while len(found) < count:
        pk = int(rng.integers(1, last.pk + 1))
        if text := Chunk.objects.filter(pk=pk).values_list("context", flat=True).first():
            found[question_text(rng, text)] = None
    return list(found)


def a_token() -> str:
    from django.contrib.auth.models import User

    from portal.accounts.services import token_create

    return token_create(user=User.objects.get(username=USER), name="search profile")[1]


async def asked(queries: Sequence[str], token: str, together: int) -> list[float]:
    """Milliseconds of each, ``together`` at a time. Raises ``AssertionError`` for anything but an answer."""
    waiting = iter(queries)
    found: list[float] = []

    async def one_after_the_other() -> None:
        for query in waiting:
            started = time.perf_counter()
            status = await get(query, token)
            assert status == 200, status
            found.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(one_after_the_other() for _ in range(together)))
    return found


async def get(query: str, token: str) -> int:
    from portal.asgi import application

    said = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/api/v1/search/",
        "raw_path": b"/api/v1/search/",
        "query_string": urlencode({"q": query, "rerank": "off"}).encode(),
        "headers": [
            (b"host", b"localhost"),
            (b"accept", b"*/*"),
            (b"authorization", b"Bearer " + token.encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    bodies = [{"type": "http.request", "body": b"", "more_body": False}]
    status: list[int] = []

    async def receive() -> Any:
        if not bodies:
            await asyncio.Event().wait()
        return bodies.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    await application(said, receive, send)
    return status[0]


# --- Processor time -----------------------------------------------------------------------------


def processor_ms() -> dict[str, float]:
    """Milliseconds of processor time so far, by who spent them."""
    from django.conf import settings

    postgres = int((settings.DATA_DIR / "postgres" / "postmaster.pid").read_text().split()[0])
    stats = dict(process_stats())
    of_postgres = [ticks for parent, ticks, _ in stats.values() if parent == postgres]
    of_redis = [ticks for _, ticks, line in stats.values() if str(settings.DATA_DIR) in line]
    return {
        "portal": time.process_time() * 1000,
        "postgres": sum(of_postgres) * TICK_MS,
        "redis": sum(of_redis) * TICK_MS,
    }


def process_stats() -> Iterator[tuple[int, tuple[int, int, str]]]:
    """Process → (parent, ticks, the command line of a Redis)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "stat").read_text().rpartition(")")[2].split()
            line = (folder / "cmdline").read_text() if "redis" in (folder / "comm").read_text() else ""
        except OSError:
            continue  # it has just ended
        yield int(folder.name), (int(said[PARENT]), int(said[USER_TICKS]) + int(said[SYSTEM_TICKS]), line)


def stage_sums() -> dict[str, float]:
    from search.metrics import stage_seconds

    samples = (sample for family in stage_seconds.collect() for sample in family.samples)
    return {each.labels["stage"]: each.value * 1000 for each in samples if each.name.endswith("_sum")}


def per_request(before: dict[str, float], after: dict[str, float], requests: int) -> dict[str, float]:
    return {stage: round((ms - before.get(stage, 0.0)) / requests, 2) for stage, ms in after.items()}


def told(times: dict[str, list[float]], requests: int) -> list[dict[str, Any]]:
    rows = (
        {
            "statement": shape,
            "each_request": round(len(each) / requests, 2),
            "median_ms": round(statistics.median(each), 2),
            "ms_each_request": round(sum(each) / requests, 2),
        }
        for shape, each in times.items()
    )
    return sorted(rows, key=lambda row: -float(str(row["ms_each_request"])))


def markdown(report: dict[str, Any]) -> Iterator[str]:
    cpu = report["cpu_ms"]
    yield f"{report['machine']}; {report['passages']:,} passages; {report['requests']} searches, "
    yield f"{report['together']} at once: p50 {report['p50_ms']} ms, p95 {report['p95_ms']} ms, "
    yield f"{report['per_second']} a second"
    yield ""
    yield "processor: " + ", ".join(f"{name} {ms} ms" for name, ms in cpu.items())
    yield "stages: " + ", ".join(f"{name} {ms}" for name, ms in report["stages_ms"].items())
    yield ""
    yield "| statement | a request | median ms | ms a request |"
    yield "|---|---|---|---|"
    for row in report["statements"]:
        yield " | ".join(["", *map(str, row.values()), ""]).strip()
    number = sum(row["each_request"] for row in report["statements"])
    yield f"\n{number:.1f} statements a request"


if __name__ == "__main__":
    main()
