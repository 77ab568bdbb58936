"""``python -m benchmarks.uploads``: uploads, health, from upload to searchable, documents an hour, answers.

On a portal of its own, all over REST by one client, one request after the other: answers with the extractive
generator about the articles of ``../shared/data/xquad-en`` (else about texts that are written here); the
doors of health, at rest and while documents are indexed; uploads of 10 MB; from upload to *ready*, which is
searchable, for the three sizes that are published, one document at a time and then many of all three. Files
are made for the run and all differ. Writes ``benchmarks/results/uploads.json``.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks import answers
from benchmarks.corpus import Author, File, heavy_pdf
from benchmarks.figures import Figure, measured, write
from benchmarks.ingest import UPLOAD_BYTES, Bench, Failed, say
from benchmarks.portal import Portal, running
from benchmarks.spread import spread

#: Name in the table, form and characters of ``corpus.Author``: the three sizes that are published.
SIZES = (
    ("text of 100 KB", "txt", 100_000),
    ("Markdown of 50 KB", "md", 50_000),
    ("PDF of 10 pages", "pdf of 10 pages", 0),
)
DOORS = ("live", "ready")
#: Between two looks at the doors while documents are indexed: a monitor, not a load.
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many of each; the defaults take about three minutes on two cores."""

    uploads: int = 20
    health: int = 200
    singles: int = 3
    batch: int = 4
    questions: int = 40


@dataclass
class Counts:
    """Every request that was sent, and those that were not answered as they should be."""

    asked: int = 0
    errors: list[str] = field(default_factory=list)

    def add(self, asked: int, *errors: str) -> None:
        self.asked += asked
        self.errors += errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    usual = Amounts()
    parser.add_argument("--uploads", type=int, default=usual.uploads, help="of 10 MB")
    parser.add_argument("--health", type=int, default=usual.health, help="requests to each door, at rest")
    parser.add_argument("--singles", type=int, default=usual.singles, help="of each size, one at a time")
    parser.add_argument("--batch", type=int, default=usual.batch, help="of each size, all together")
    parser.add_argument("--questions", type=int, default=usual.questions)
    report = measure(Amounts(**vars(parser.parse_args())))
    figures = figures_of(report)
    write("uploads", figures, **report)
    for figure in figures:
        print(f"{figure.name}: {figure.value} {figure.unit} {figure.goal}")


def measure(amounts: Amounts) -> dict[str, Any]:
    counts, author = Counts(), Author(1)
    with tempfile.TemporaryDirectory(prefix="portal-uploads-") as name:
        folder = Path(name)
        with running(folder) as portal, portal.client() as client, portal.database() as database:
            bench = Bench(portal, client, database, author, folder)
            found: dict[str, Any] = {"answers": asked(portal, folder, amounts.questions, counts)}
            say("health at rest")
            found["health"] = health(portal, amounts.health, counts)
            say("uploads of 10 MB")
            found["uploads"] = uploads(bench, amounts.uploads, counts)
            with watched_doors(portal, counts) as busy:
                for size, form, characters in SIZES:
                    say(f"{size}, from upload to searchable")
                    made = [author.make(form, characters) for _ in range(amounts.singles)]
                    found[size] = searchable(bench, made, counts)
                say("documents an hour")
                found["hour"] = hour(bench, amounts.batch, counts)
            found["health_while_indexing"] = busy
    return {**found, "requests": counts.asked, "errors": counts.errors}


# --- Parts ----------------------------------------------------------------------------------


def asked(portal: Portal, folder: Path, questions: int, counts: Counts) -> dict[str, Any]:
    """Streamed answers; ``whole`` is from the request being sent to the last event."""
    say("documents to ask about")
    corpus, texts = answers.material(folder / "corpus", argparse.Namespace(seed=1, questions=questions))
    portal.manage("ingest", str(corpus), "--collection", "answers", "--wait").check_returncode()
    say("answers")
    found = answers.one_by_one(portal, texts)
    counts.add(found["asked"], *found["errors"])
    return found


def health(portal: Portal, count: int, counts: Counts) -> dict[str, Any]:
    with httpx.Client(base_url=portal.address) as client:
        return {door: spread([knock(client, door, counts) for _ in range(count)]) for door in DOORS}


def knock(client: httpx.Client, door: str, counts: Counts) -> float:
    """Milliseconds until the door has answered."""
    began = time.perf_counter()
    answer = client.get(f"/healthz/{door}")
    taken = (time.perf_counter() - began) * 1000
    counts.add(1, *([] if answer.status_code == 200 else [f"{door}: {answer.status_code}"]))
    return taken


@contextmanager
def watched_doors(portal: Portal, counts: Counts) -> Iterator[dict[str, Any]]:
    """Both doors looked at, twenty times a second, as long as it lasts; figures when it is over."""
    stopping, found = threading.Event(), dict[str, Any]()
    taken: dict[str, list[float]] = {door: [] for door in DOORS}
    own = Counts()

    def look() -> None:
        with httpx.Client(base_url=portal.address) as client:
            while not stopping.wait(PAUSE_SECONDS):
                for door in DOORS:
                    taken[door].append(knock(client, door, own))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stopping.set()
        thread.join()
    counts.add(own.asked, *own.errors)
    found |= {door: spread(values) for door, values in taken.items()}


def uploads(bench: Bench, count: int, counts: Counts) -> dict[str, Any]:
    """Seconds until the 202; meanwhile the worker indexes those before, as it would."""
    seconds, pks = [], []
    for number in range(count):
        file = File("pdf", f"heavy-{number}.pdf", heavy_pdf(bench.author, UPLOAD_BYTES))
        began = time.perf_counter()
        try:
            pks.append(bench.upload(file))
        except Failed as error:
            counts.errors.append(str(error))
        seconds.append(time.perf_counter() - began)
    bench.wait_until_ready(pks)
    counts.add(count)
    return spread(seconds, 3)


def searchable(bench: Bench, files: Sequence[File], counts: Counts) -> dict[str, Any]:
    seconds = [bench.seconds_to_ready([file]) for file in files]
    counts.add(len(files))
    return {"count": len(files), "median": round(median(seconds), 2), "each": [round(s, 2) for s in seconds]}


def hour(bench: Bench, batch: int, counts: Counts) -> dict[str, Any]:
    """As many of each published size, uploaded at once."""
    files = [bench.author.make(form, characters) for _ in range(batch) for _, form, characters in SIZES]
    seconds = bench.seconds_to_ready(files)
    counts.add(len(files))
    per_hour = round(3600 * len(files) / seconds)
    return {"documents": len(files), "seconds": round(seconds, 1), "per_hour": per_hour}


# --- Figures --------------------------------------------------------------------------------


def figures_of(report: dict[str, Any]) -> list[Figure]:
    rest, busy, whole = report["health"], report["health_while_indexing"], report["answers"]["whole"]
    errors = round(100 * len(report["errors"]) / report["requests"], 3)
    return [
        measured("upload of 10 MB, p50", report["uploads"]["p50"], unit="s"),
        measured("upload of 10 MB, p95", report["uploads"]["p95"]),
        measured("health, p95", rest["ready"]["p95"], note="/healthz/ready, one client, at rest"),
        measured("health, live, p95", rest["live"]["p95"]),
        measured("health while indexing, p95", busy["ready"]["p95"], note="/healthz/ready"),
        measured("health while indexing, live, p95", busy["live"]["p95"]),
        *(measured(f"{size}, upload to searchable", report[size]["median"]) for size, _, _ in SIZES),
        measured("documents per hour", report["hour"]["per_hour"], note="the three sizes, as many of each"),
        measured("answer, p50", whole and whole["p50"] / 1000, unit="s", note="extractive, streamed, whole"),
        measured("answer, p95", whole and whole["p95"] / 1000, note="extractive, streamed, whole"),
        measured(
            "uploads, health and answers, errors", round(errors, 3), note=f"{report['requests']} requests"
        ),
    ]


if __name__ == "__main__":
    main()
