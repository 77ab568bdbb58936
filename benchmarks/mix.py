"""``python -m benchmarks.mix``: a hundred people at once by locust: 60 browse, 25 search, 10 ask, 5 upload.

A portal of its own with two web processes and the sample documents, which all of them see; each uploads into
a collection of their own, which the worker indexes meanwhile. They search and ask what the samples suggest
and words of their passages, a few questions often and most seldom. locust runs on the same cores, and rounds
times above 100 ms to two digits. Writes ``benchmarks/results/mix.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, measured, write
from benchmarks.load import COLLECTION, WEB_PROCESSES, with_samples
from benchmarks.portal import ROOT, Portal, running
from benchmarks.report import plain
from benchmarks.synthetic import question_text
from documents.samples import SAMPLES

PEOPLE, SECONDS = 100, 90
PER_SECOND = 10
QUESTIONS = 200
KINDS = ("browse", "search", "ask", "upload")
REFUSED = ", refused"
TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class Row:
    """What locust counted of one kind. Times in milliseconds."""

    name: str
    requests: int
    failures: int
    per_second: float
    p50: float
    p95: float
    p99: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="with all of them there")
    options = parser.parse_args()
    load_before = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory(prefix="portal-mix-") as name:
        folder = Path(name)
        with running(folder, WEB_PROCESSES=str(WEB_PROCESSES)) as portal:
            with_samples(portal)
            (folder / "mix.json").write_text(json.dumps(material(portal, options.people)))
            run(portal, folder, options)
        rows = read((folder / "run.json").read_text())
        failures = list(csv.DictReader((folder / "run_failures.csv").read_text().splitlines()))
    found = figures(rows)
    write(
        "mix",
        found,
        people=options.people,
        load_before=load_before,
        rows=[asdict(row) for row in rows],
        failures=failures[:20],
    )
    print("\n".join(plain(found)))


def material(portal: Portal, people: int) -> dict[str, Any]:
    """Who there is, what they see, and what they look for."""
    command = [sys.executable, "-m", "benchmarks.people", COLLECTION, str(people)]
    done = subprocess.run(command, cwd=ROOT, env=portal.environment, stdout=subprocess.PIPE, check=True)
    with portal.database() as database:
        query = "SELECT context FROM documents_chunk ORDER BY content_hash"
        texts = [context for (context,) in database.execute(query).fetchall()]
    rng = np.random.default_rng(1)
    suggested = [question for sample in SAMPLES for question in sample.questions]
    made = [question_text(rng, texts[number % len(texts)]) for number in range(QUESTIONS - len(suggested))]
    return {**json.loads(done.stdout), "questions": [*suggested, *made]}


def run(portal: Portal, folder: Path, options: argparse.Namespace) -> None:
    """The people come ten a second; what counts begins when all are there."""
    coming = options.people / PER_SECOND
    command = [sys.executable, "-m", "locust", "-f", "benchmarks/locustfile.py", "--headless"]
    command += ["--host", portal.address, "-u", str(options.people), "-r", str(PER_SECOND)]
    command += ["-t", f"{options.seconds + coming:.0f}s", "--reset-stats", "--stop-timeout", "20"]
    command += ["--csv", str(folder / "run"), "--json-file", str(folder / "run")]
    command += ["--only-summary", "--exit-code-on-error", "0"]
    environment = {**os.environ, "MIX": str(folder / "mix.json"), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


def read(stats: str) -> list[Row]:
    """The lines of locust's final JSON, and one of all of them together; its CSV may lack the last second."""
    entries = [entry for entry in json.loads(stats) if entry["num_requests"]]
    rows = [row(entry["name"], [entry]) for entry in entries]
    return [*rows, row(TOGETHER, entries)]


def row(name: str, entries: Sequence[Mapping[str, Any]]) -> Row:
    times: Counter[float] = Counter()
    for entry in entries:
        times.update({float(time): count for time, count in entry["response_times"].items()})
    begun = min((entry["start_time"] for entry in entries), default=0.0)
    ended = max((entry["last_request_timestamp"] for entry in entries), default=0.0)
    requests = sum(entry["num_requests"] for entry in entries)
    return Row(
        name=name,
        requests=requests,
        failures=sum(entry["num_failures"] for entry in entries),
        per_second=round(requests / max(ended - begun, 1.0), 2),
        p50=percentile(times, 50),
        p95=percentile(times, 95),
        p99=percentile(times, 99),
    )


def percentile(times: Mapping[float, int], percent: int) -> float:
    """The time within which so many of them were answered; ``times`` counts them."""
    wanted = percent / 100 * sum(times.values())
    before = zip(sorted(times), accumulate(times[time] for time in sorted(times)), strict=True)
    return next((time for time, count in before if count >= wanted), 0.0)


def figures(rows: list[Row]) -> list[Figure]:
    named = {row.name: row for row in rows}
    whole = named[TOGETHER]
    refused = sum(row.requests for row in rows if row.name.endswith(REFUSED))
    note = f"{whole.requests:,} requests, {whole.failures} failed"
    found = [
        measured("mix, requests", whole.per_second, unit="requests/s", note=note),
        measured("mix, errors", round(100 * whole.failures / whole.requests, 3), note=note),
        measured("mix, refused", round(100 * refused / whole.requests, 3), unit="%", note="with Retry-After"),
    ]
    for kind in KINDS:
        if kind in named:
            row = named[kind]
            note = f"{row.requests:,} requests, p95 {row.p95:,.0f} ms, p99 {row.p99:,.0f} ms"
            found.append(measured(f"mix, {kind} p50", row.p50, unit="ms", note=note))
    if "ask" in named:
        found.append(measured("mix, answer p50", named["ask"].p50 / 1000, note="asked to answered"))
    return found


if __name__ == "__main__":
    main()
