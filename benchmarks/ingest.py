"""``python -m benchmarks.ingest``: how fast files become passages, and what that takes.

Four measurements, on a portal of its own with its own worker, all in one run: the PDF parser in its jail
against pypdf alone on the same files; every format from upload to ready; memory while 500 pages go
through; uploads of 10 MB. Files are made for the run and all differ, so nothing comes from a cache.

Writes ``benchmarks/results/ingest.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg

from benchmarks.corpus import DATA, Author, File, heavy_pdf, pdf_of_pages, readable_forms
from benchmarks.machine import describe
from benchmarks.memory import SAMPLE_SECONDS, Sampler
from benchmarks.portal import ROOT, Portal, running
from documents.chunking import chunk
from documents.embedding import weights
from documents.embedding.tokenizer import ModelTokenizer
from documents.exceptions import DocumentError
from documents.parsing.jail import parse_in_jail
from documents.parsing.pictures.recognition import recognise
from documents.parsing.types import unheard

RESULTS = ROOT / "benchmarks" / "results" / "ingest.json"
COMMAND = "python -m benchmarks.ingest"
#: Every so many filings by name, and so many of their first pages: nobody picked them.
EVERY_FILING, PAGES_OF_A_FILING = 8, 75
ROUNDS = 2
LARGE_PAGES = 500
UPLOADS, UPLOAD_BYTES = 20, 10_000_000
READY_SECONDS = 900.0
#: What another portal's own documentation says of itself: seconds for one document, documents an hour.
#: On which machine it was measured, and whether embedding is within these times, is not stated there.
PUBLISHED = {"PDF, 10 pages": 1.2, "text, 100 KB": 0.3, "Markdown, 50 KB": 0.2}
PUBLISHED_HOUR = 1000
GOAL_RATIO = 8.0


@dataclass(frozen=True, slots=True)
class Type:
    """A row of the table: files of one form, with so many characters of text."""

    name: str
    form: str
    characters: int


TYPES = (
    Type("text, 100 KB", "txt", 100_000),
    Type("Markdown, 50 KB", "md", 50_000),
    Type("PDF, 10 pages", "pdf of 10 pages", 0),
    Type("text of an abstract, 1.5 KB", "txt", 1500),
    Type("Word, 20 KB of text", "docx", 20_000),
    Type("PowerPoint, 15 slides", "pptx", 9000),
    Type("Excel, 500 rows", "xlsx", 50_000),
    Type("CSV, 500 rows", "csv", 50_000),
    Type("HTML, 50 KB", "html", 50_000),
    Type("mail, 10 KB", "eml", 10_000),
    Type("EPUB, 5 chapters, 100 KB of text", "epub", 100_000),
    Type("OpenDocument, 20 KB of text", "odt", 20_000),
    Type("reStructuredText, 50 KB", "rst", 50_000),
    Type("PNG of a page", "png", 3000),
    Type("PDF of 2 scanned pages", "pdf scan", 6000),
)


# --- Extraction against pypdf ---------------------------------------------------------------


def extraction(paths: list[Path]) -> dict[str, Any]:
    """Pages a second of both, file by file in turns, so that both meet the same machine."""
    files = [extraction_of(path) for path in paths]
    pages, ours, theirs = (sum(file[name] for file in files) for name in ("pages", "ours", "pypdf"))
    return {
        "files": files,
        "pages": pages,
        "rounds": ROUNDS,
        "ours_pages_per_second": round(ROUNDS * pages / ours, 1),
        "pypdf_pages_per_second": round(ROUNDS * pages / theirs, 1),
        "ratio": round(theirs / ours, 1),
    }


def extraction_of(path: Path) -> dict[str, Any]:
    ours = theirs = 0.0
    pages = 0
    for _ in range(ROUNDS):
        ours += timed(lambda: parse_in_jail(str(path), "pdf"))[0]
        taken, pages = timed(lambda: extract_with_pypdf(path))
        theirs += taken
    names = {"file": path.name, "pages": pages}
    return {**names, "ours": round(ours, 3), "pypdf": round(theirs, 3), "ratio": round(theirs / ours, 1)}


def extract_with_pypdf(path: Path) -> int:
    """Text alone: no lines, no boxes, no headings, no process of its own."""
    from pypdf import PdfReader

    reader = PdfReader(path)
    for page in reader.pages:
        page.extract_text()
    return len(reader.pages)


def timed(work: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


# --- From upload to ready -------------------------------------------------------------------


class Failed(Exception):
    """A document was refused, failed, or not ready in time: no figure can be given."""


@dataclass
class Bench:
    """A running portal with its doors, and the author of all files."""

    portal: Portal
    client: httpx.Client
    database: psycopg.Connection
    author: Author
    folder: Path

    def upload(self, file: File) -> str:
        answer = self.client.post("documents/", files={"file": (file.name, file.content)})
        if answer.status_code != 202:
            raise Failed(f"{file.name} was answered {answer.status_code}: {answer.text}")
        return str(answer.json()["id"])

    def wait_until_ready(self, pks: list[str]) -> None:
        """Looks into the database, so that the looking costs the web process nothing."""
        deadline = time.monotonic() + READY_SECONDS * max(1, len(pks) / 10)
        query = "SELECT count(*) FILTER (WHERE status = 'ready'), count(*) FILTER (WHERE status = 'failed'), "
        query += (
            "min(reason) FILTER (WHERE status = 'failed') FROM documents_document WHERE id = ANY(%s::uuid[])"
        )
        while time.monotonic() < deadline:
            row = self.database.execute(query, [pks]).fetchone()
            assert row is not None
            if row[1]:
                raise Failed(f"a document failed: {row[2]}")
            if row[0] == len(pks):
                return
            time.sleep(0.02)
        raise Failed("not ready in time")

    def seconds_to_ready(self, files: list[File]) -> float:
        """From the beginning of the first upload to the moment when the last can be found."""
        started = time.perf_counter()
        self.wait_until_ready([self.upload(file) for file in files])
        return time.perf_counter() - started


def by_type(bench: Bench, kind: Type, *, singles: int, batch: int) -> dict[str, Any]:
    def made() -> File:
        return bench.author.make(kind.form, kind.characters)

    alone = [extract_and_chunk(bench.folder, made()) for _ in range(singles)]
    ready = [bench.seconds_to_ready([made()]) for _ in range(singles)]
    together = bench.seconds_to_ready([made() for _ in range(batch)])
    return {
        "type": kind.name,
        "passages": alone[-1][1],
        "extract_and_chunk_seconds": round(median(seconds for seconds, _ in alone), 3),
        "ready_seconds": round(median(ready), 2),
        "documents_per_hour": round(3600 * batch / together),
        "published_seconds": PUBLISHED.get(kind.name),
    }


_counter = ModelTokenizer(weights.locate(weights.PACKAGED_MODEL).tokenizer)


def extract_and_chunk(folder: Path, file: File) -> tuple[float, int]:
    """Seconds in the jail and for cutting, and passages: the same functions that the worker calls."""
    path = folder / file.name
    path.write_bytes(file.content)
    started = time.perf_counter()
    parsed = parse_in_jail(str(path), file.kind)
    parsed = recognise(str(path), file.kind, parsed, languages="eng", report=unheard)
    passages = chunk(parsed, _counter, title=file.name)
    return time.perf_counter() - started, len(passages)


# --- Memory ---------------------------------------------------------------------------------


def memory_of_a_large_file(bench: Bench, content: bytes) -> dict[str, Any]:
    sampler = Sampler(bench.portal)
    sampler.start()
    time.sleep(10 * SAMPLE_SECONDS)
    before = {name: dict(sizes) for name, sizes in sampler.peaks.items()}
    seconds = bench.seconds_to_ready([File("pdf", "large.pdf", content)])
    sampler.stopping.set()
    sampler.join()
    return {
        "pages": LARGE_PAGES,
        "megabytes": round(len(content) / 1e6, 1),
        "ready_seconds": round(seconds, 1),
        "before": before,
        "peak": sampler.peaks,
    }


def large_pdf(author: Author, paths: list[Path]) -> bytes:
    """Five hundred pages of the filings; without them, of made pages."""
    if not paths:
        return pdf_of_pages(author, LARGE_PAGES)
    from pypdf import PdfReader, PdfWriter

    writer, out = PdfWriter(), io.BytesIO()
    for path in paths:
        left = LARGE_PAGES - len(writer.pages)
        if left:
            pages = len(PdfReader(path).pages)
            writer.append(path, pages=(0, min(left, pages)), import_outline=False)
    writer.write(out)
    return out.getvalue()


# --- Uploads --------------------------------------------------------------------------------


def uploads(bench: Bench, count: int) -> dict[str, Any]:
    """Seconds until the 202; the worker is busy with those before, as it would be."""
    seconds, pks = [], []
    for number in range(count):
        file = File("pdf", f"heavy-{number}.pdf", heavy_pdf(bench.author, UPLOAD_BYTES))
        taken, pk = timed(lambda file=file: bench.upload(file))
        seconds.append(taken)
        pks.append(pk)
    bench.wait_until_ready(pks)
    seconds.sort()
    p95 = seconds[max(0, -(-95 * count // 100) - 1)]
    return {"count": count, "p50_seconds": round(median(seconds), 3), "p95_seconds": round(p95, 3)}


# --- The command ----------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with filings/ and xquad-en/")
    parser.add_argument("--documents", type=int, default=10, help="of each type, for documents an hour")
    parser.add_argument("--singles", type=int, default=3, help="of each type, one after the other")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-ingest-") as folder:
        report = carry_out(Path(folder), options)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(table(report)))


def carry_out(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    filings = sorted((options.data / "filings" / "corpus").glob("*.pdf"))
    author = Author(1, options.data)
    report: dict[str, Any] = {"machine": describe(), "command": COMMAND}
    say("extraction against pypdf")
    report["extraction"] = extraction(some_pages(folder, filings) or made_filings(folder, author))
    with running(folder) as portal, portal.client() as client, portal.database() as database:
        bench = Bench(portal, client, database, author, folder)
        say("the first document")
        report["first_document_seconds"] = round(bench.seconds_to_ready([author.make("txt", 1500)]), 2)
        report["types"] = list(every_type(bench, options))
        say("uploads of 10 MB")
        report["uploads_of_10_mb"] = uploads(bench, UPLOADS)
        say(f"{LARGE_PAGES} pages")
        report["large_pdf"] = memory_of_a_large_file(bench, large_pdf(author, filings))
    return report


def some_pages(folder: Path, filings: list[Path]) -> list[Path]:
    from pypdf import PdfReader, PdfWriter

    cut = []
    for path in filings[::EVERY_FILING]:
        writer = PdfWriter()
        last = min(PAGES_OF_A_FILING, len(PdfReader(path).pages))
        writer.append(path, pages=(0, last), import_outline=False)
        writer.write(folder / path.name)
        cut.append(folder / path.name)
    return cut


def made_filings(folder: Path, author: Author) -> list[Path]:
    path = folder / "made.pdf"
    path.write_bytes(pdf_of_pages(author, 300))
    return [path]


def every_type(bench: Bench, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    readable = readable_forms()
    for kind in TYPES:
        if kind.form not in readable:
            yield {"type": kind.name, "left_out": "no parser, or no Tesseract"}
            continue
        say(kind.name)
        try:
            yield by_type(bench, kind, singles=options.singles, batch=options.documents)
        except (DocumentError, Failed) as error:
            yield {"type": kind.name, "left_out": f"failed: {error}"}


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what} …", file=sys.stderr, flush=True)


def table(report: dict[str, Any]) -> list[str]:
    return [
        report["machine"],
        "",
        *type_rows(report),
        "",
        "| what | figure | goal |",
        "|---|---|---|",
        *rows(report),
    ]


def type_rows(report: dict[str, Any]) -> Iterator[str]:
    yield "| type | passages | read and cut | upload to ready | published | documents an hour | published |"
    yield "|---|---|---|---|---|---|---|"
    for entry in report["types"]:
        if "left_out" in entry:
            yield f"| {entry['type']} | {entry['left_out']} | – | – | – | – | – |"
            continue
        published = f"{entry['published_seconds']} s" if entry["published_seconds"] else "–"
        cells = [entry["type"], str(entry["passages"]), f"{entry['extract_and_chunk_seconds']:.3f} s"]
        cells += [f"{entry['ready_seconds']:.2f} s", published]
        cells += [f"{entry['documents_per_hour']:,}", f"{PUBLISHED_HOUR:,}"]
        yield "| " + " | ".join(cells) + " |"


def rows(report: dict[str, Any]) -> Iterator[str]:
    read = report["extraction"]
    each = ", ".join(f"{file['ratio']} ×" for file in read["files"])
    yield (
        f"| text of {read['pages']} pages: ours in its jail, pypdf alone | {read['ours_pages_per_second']} "
        f"and {read['pypdf_pages_per_second']} pages/s: {read['ratio']} × ({each}) | ≥ {GOAL_RATIO:.0f} × |"
    )
    yield f"| first document of a fresh worker, model loaded | {report['first_document_seconds']} s | – |"
    upload = report["uploads_of_10_mb"]
    figures = f"p50 {upload['p50_seconds']} s, p95 {upload['p95_seconds']} s"
    yield f"| upload of 10 MB, {upload['count']} of them | {figures} | – |"
    large = report["large_pdf"]
    size = f"{large['pages']} pages, {large['megabytes']} MB"
    yield f"| PDF of {size}, upload to ready | {large['ready_seconds']} s | – |"
    for name, peak in large["peak"].items():
        before = large["before"].get(name)
        since = f" (before: {before['rss_mb']:.0f})" if before else ""
        figures = f"RSS {peak['rss_mb']:.0f} MB{since}, PSS {peak['pss_mb']:.0f} MB"
        yield f"| peak memory of the {name} process meanwhile | {figures} | – |"


if __name__ == "__main__":
    main()
