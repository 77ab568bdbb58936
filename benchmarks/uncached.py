"""``python -m benchmarks.uncached``: searches of which nothing is kept, over 100,000 passages, 24 at once.

The passages are those of ``benchmarks.scale``, made once in a data folder that stays (``--data``), on which a
portal with two web processes is started. Each query is asked once: a few words of a stored passage and some
of everybody's (``synthetic.question_text``, seeded); what an earlier run kept is thrown away first. As a user
who sees everything; hybrid, rerank off, then on. The client runs on the same cores; what it takes is
told. Writes ``benchmarks/results/uncached.json``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from redis import Redis

from benchmarks.asking import Asked, ask
from benchmarks.figures import Figure, measured, write
from benchmarks.portal import ROOT, Portal, started
from benchmarks.report import plain
from benchmarks.synthetic import question_text

PASSAGES, AT_ONCE, SECONDS = 100_000, 24, 40.0
WEB_PROCESSES = 2
#: Asked first, for models and memory; not measured.
WARMING = 100
#: No portal of this machine's size answers more in a second.
MOST_PER_SECOND = 500
PICTURED = (1, *range(5, 95, 5), *range(95, 100))
USER = "all-100"
#: In the keys of what the worker does once a day (``documents.sweep``).
PERIODIC = b"periodic:"
#: What every answer holds to which both legs contributed.
WHOLE = b'"degraded":[]'


def main() -> None:
    options = arguments()
    if not (options.data / "build.json").exists():
        build(options)
    found: dict[str, Asked] = {}
    portal = Portal(options.data, options.data / "portal.log", extra={"WEB_PROCESSES": str(WEB_PROCESSES)})
    load_before = round(os.getloadavg()[0], 1)
    with started(portal):
        forget(portal)
        rereads = has_tokens(portal)
        texts = questions(portal, options)
        share = len(texts) // 2
        for rerank, asked in (("off", texts[:share]), ("on", texts[share:])):
            found[rerank] = measure(portal, rerank, asked, options.seconds)
    details: dict[str, Any] = {
        f"rerank_{rerank}": {
            "answered": len(asked.times),
            "refused": asked.refused,
            "errors": asked.errors[:20],
            "seconds": round(asked.seconds, 1),
            "client_cpu_percent": round(asked.cpu_share, 1),
            "percentiles_ms": {str(n): round(asked.percentile(n), 1) for n in PICTURED},
        }
        for rerank, asked in found.items()
    }
    measured_ones = figures(found, rereads=rereads)
    write("uncached", measured_ones, passages=options.passages, load_before=load_before, **details)
    print("\n".join(plain(measured_ones)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder that benchmarks.scale filled; made if missing")
    parser.add_argument("--passages", type=int, default=PASSAGES)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each measurement")
    parser.add_argument("--seed", type=int, default=1)
    found = parser.parse_args()
    found.data = (found.data or ROOT / f".data-scale-{found.passages}").resolve()
    return found


def build(options: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "benchmarks.scale", str(options.passages)]
    subprocess.run([*command, "--data", str(options.data), "--only-build"], cwd=ROOT, check=True)


def forget(portal: Portal) -> None:
    """What earlier runs left in Redis: the same seed asks the same queries.

    Not when the daily works were done: they would begin again, beside what is measured.
    """
    redis = Redis(unix_socket_path=str(portal.layout.redis_socket))
    for key in list(redis.scan_iter(count=1000)):
        if PERIODIC not in key:
            redis.delete(key)


def questions(portal: Portal, options: argparse.Namespace) -> list[str]:
    """Enough for both measurements; none comes twice."""
    rng = np.random.default_rng(options.seed)
    count = round(2 * (WARMING + options.seconds * MOST_PER_SECOND))
    with portal.database() as database:
        row = database.execute("SELECT max(id) FROM documents_chunk").fetchone()
        assert row is not None
        keys = np.sort(rng.integers(1, row[0] + 1, min(count, row[0])))
        query = "SELECT id, context FROM documents_chunk WHERE id = ANY(%s)"
        texts: dict[int, str] = dict(database.execute(query, [np.unique(keys).tolist()]).fetchall())
    made = [question_text(rng, texts[key]) for key in rng.permutation(keys).tolist() if key in texts]
    return list(dict.fromkeys(made))


def measure(portal: Portal, rerank: str, texts: Sequence[str], seconds: float) -> Asked:
    token = portal.manage("create_token", "--user", USER).stdout.strip()
    paths = [f"/api/v1/search/?{urlencode({'q': text, 'rerank': rerank})}" for text in texts]
    given: dict[str, Any] = {
        "headers": {"Authorization": f"Bearer {token}"},
        "at_once": AT_ONCE,
        "wanted": WHOLE,
    }
    ask(portal.address, paths[:WARMING], seconds=seconds, **given)
    return ask(portal.address, paths[WARMING:], seconds=seconds, **given)


def has_tokens(portal: Portal) -> bool:
    """Whether there is anything to rerank by; a folder of an older ``benchmarks.filling`` has nothing."""
    query = "SELECT EXISTS (SELECT 1 FROM documents_embedding WHERE tokens IS NOT NULL)"
    with portal.database() as database:
        row = database.execute(query).fetchone()
    return bool(row and row[0])


def figures(found: dict[str, Asked], *, rereads: bool) -> list[Figure]:
    off, on = found["off"], found["on"]
    lines = []
    for rerank, asked in found.items() if rereads else [("off", off)]:
        name, note = f"uncached search, rerank {rerank}", f"{AT_ONCE} at once, {asked.total:,} queries"
        taken = f"{note}; the client took {asked.cpu_share:.0f} % of a core"
        lines += [
            measured(name, round(asked.per_second, 1), note=taken),
            measured(f"{name}, p50", round(asked.percentile(50), 1), unit="ms", note=note),
            measured(f"{name}, p95", round(asked.percentile(95), 1), note=note),
            measured(f"{name}, p99", round(asked.percentile(99), 1), unit="ms", note=note),
        ]
    missed = off.total - len(off.times) + on.total - len(on.times)
    share = 100 * missed / max(off.total + on.total, 1)
    note = f"{off.refused + on.refused} refused among {missed}"
    return [*lines, measured("uncached search, errors", round(share, 3), note=note)]


if __name__ == "__main__":
    main()
