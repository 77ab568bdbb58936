"""``python -m benchmarks.scale N``: N passages in the portal's own tables; how fast and whole they are found.

Real passages first (``--real`` names the data folder of a portal; else the texts in ``../shared/data`` where
they are), then made up ones (``synthetic``). They lie in a data folder of the benchmark's own (``--data``).
Every query goes through the portal's code. ``--keep`` leaves the folder, ``--reuse`` asks it again,
``--only-build`` leaves it without asking.

Peers in the same run: exact numpy, ``ts_rank``, and hnswlib where it is installed (``pip install hnswlib``;
the portal itself does not need it). Writes ``benchmarks/results/scale-N.json`` and prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import passages
from benchmarks.machine import describe
from benchmarks.synthetic import Corpus, Floats, question_text

ROOT = Path(__file__).resolve().parent.parent
K = 100
#: Queries of each kind for each combination of access and filter.
QUERIES = 20
#: Those of them whose words are looked for exactly, and whose hybrid result is compared: both are slow.
COMPARED = 5
#: Questions without a filter: so many for the figures that are held against the peers.
UNFILTERED = 200


@dataclass(frozen=True)
class Question:
    vector: Floats
    text: str


@dataclass(frozen=True)
class Cell:
    """A user and a filter, what they leave, and questions: half about anything, half about that."""

    user: str
    tag: str
    rows: Any
    questions: Sequence[Question]


def main() -> None:
    options = arguments()
    built = not options.reuse
    if built:
        shutil.rmtree(options.data, ignore_errors=True)
    passages.open_portal(options.data)
    real_file = options.data / "real.npz"
    if built:
        passages.save(real_file, real_passages(options))
    corpus = Corpus(options.passages, passages.load(real_file), options.seed)
    try:
        if built:
            build(corpus, options.data)
        if options.only_build:
            return
        report = {
            "machine": describe(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "passages": corpus.size,
            "real": corpus.real_size,
            "documents": corpus.document_count,
            "topics": corpus.topics,
            "build": json.loads((options.data / "build.json").read_text()),
            **measure(corpus, options.data),
        }
    finally:
        if not (options.keep or options.reuse or options.only_build):
            leave(options.data)
    target = ROOT / "benchmarks" / "results" / f"scale-{corpus.size}.json"
    target.write_text(json.dumps(report, indent=1) + "\n")
    print("\n".join(markdown(report)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("passages", type=int, help="how many")
    parser.add_argument(
        "--data", type=Path, default=ROOT / ".data-scale", help="where the portal's data lies"
    )
    parser.add_argument("--real", type=Path, help="the data folder of a portal to take passages from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the data folder")
    parser.add_argument("--reuse", action="store_true", help="ask what an earlier run kept")
    parser.add_argument("--only-build", action="store_true", help="fill and leave the data folder")
    found = parser.parse_args()
    found.data = found.data.resolve()
    return found


def real_passages(options: argparse.Namespace) -> Any:
    """A process of its own reads another portal: one process uses one."""
    if not options.real:
        return passages.of_corpora()
    file = options.data / "taken.npz"
    command = [sys.executable, "-m", "benchmarks.passages", str(options.real.resolve()), str(file)]
    subprocess.run(command, cwd=ROOT, check=True)
    return passages.load(file)


def leave(folder: Path) -> None:
    """Remove the folder when the servers in it have stopped."""
    waiting = (
        "import sys, time, shutil, pathlib; f = pathlib.Path(sys.argv[1]); e = time.time() + 60\n"
        "while (f / 'postgres' / 'postmaster.pid').exists() and time.time() < e: time.sleep(0.5)\n"
        "shutil.rmtree(f, ignore_errors=True)"
    )
    subprocess.Popen([sys.executable, "-c", waiting, str(folder)], start_new_session=True)


def build(corpus: Corpus, folder: Path) -> None:
    from benchmarks.filling import Filling, index_sizes, kept_facts, place
    from documents.spaces import ensure_active_space

    filling = Filling(corpus, place(corpus), ensure_active_space(), folder / "vectors.npy")
    filling.fill()
    kept_facts(folder / "build.json", {"seconds": filling.seconds, "bytes": index_sizes()})


# --- Questions --------------------------------------------------------------------------------


def measure(corpus: Corpus, folder: Path) -> dict[str, Any]:
    from benchmarks.filling import masks, place
    from benchmarks.peers import by_ts_rank, exact_scores, in_numpy, in_process
    from documents import lexical

    lexical.repair_after_restart()
    prewarm()
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    texts = TextsOfPortal()
    asked = questions(corpus, vectors, texts, np.arange(corpus.size), UNFILTERED, "unfiltered")
    matrix = np.stack([question.vector for question in asked])
    best = exact_scores(vectors, np.arange(corpus.size), matrix, 10)
    unfiltered = Cell("all-100", "", np.arange(corpus.size), asked)
    found: dict[str, Any] = {"unfiltered": figures(unfiltered, vectors, exact_words([unfiltered]))}
    terms = [lexical.terms_of(question.text) for question in asked]
    found["peers"] = {
        "hnswlib": in_process(vectors, matrix, best),
        "numpy": in_numpy(vectors, matrix),
        "ts_rank": by_ts_rank(terms, K),
    }
    cells = [
        Cell(user, tag, rows, questions_for(corpus, vectors, texts, rows, user, tag))
        for user, tag, mask in masks(corpus, place(corpus))
        for rows in [np.flatnonzero(mask)]
    ]
    words = exact_words(cells)
    found["cells"] = [
        {"user": cell.user, "tag": cell.tag, "allowed": len(cell.rows), **figures(cell, vectors, words)}
        for cell in cells
    ]
    return found


def prewarm() -> None:
    """As when the portal has run for a while: what was read is in memory, the indexes last."""
    from django.db import connection

    from documents import lexical
    from documents.spaces import active_space, index_name

    space = active_space()
    assert space
    tables = ("documents_document", "documents_chunk", "documents_embedding")
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        for name in (*tables, *(index.bm25 for index in lexical.INDEXES), index_name(space.pk)):
            cursor.execute("SELECT pg_prewarm(%s)", [name])


def questions_for(
    corpus: Corpus, vectors: Any, texts: TextsOfPortal, rows: Any, user: str, tag: str
) -> list[Question]:
    anything = questions(corpus, vectors, texts, np.arange(corpus.size), QUERIES, user, tag, "any")
    inside = questions(corpus, vectors, texts, rows, QUERIES, user, tag, "inside")
    return [each for pair in zip(anything, inside, strict=True) for each in pair]


def questions(
    corpus: Corpus, vectors: Any, texts: TextsOfPortal, rows: Any, count: int, *purpose: str
) -> list[Question]:
    rng = corpus.rng("asked", *purpose)
    chosen = np.sort(rng.choice(rows, count))
    found = corpus.questions(np.asarray(vectors[chosen], np.float32), *purpose)
    asked = [question_text(rng, texts[int(number)]) for number in chosen]
    return [Question(vector, text) for vector, text in zip(found, asked, strict=True)]


class TextsOfPortal:
    """The texts of passages by their number."""

    def __getitem__(self, number: int) -> str:
        from documents.models import Chunk

        return str(Chunk.objects.values_list("context", flat=True).get(pk=number + 1))


# --- Figures ----------------------------------------------------------------------------------


def figures(cell: Cell, vectors: Any, words: Any) -> dict[str, Any]:
    """Times and recall@10 of each leg and of the hybrid search, for one combination."""
    from benchmarks.peers import exact_scores, timings
    from documents import lexical

    asked = calls(cell)
    by_vector, by_words, search = asked["vector"], asked["bm25"], asked["hybrid"]
    terms = [lexical.terms_of(question.text) for question in cell.questions]
    count = len(cell.questions)
    matrix = np.stack([question.vector for question in cell.questions])
    best = exact_scores(vectors, cell.rows, matrix, 10)
    near = [recall([near.score for near in by_vector(n)[:10]], best[n], 1e-3) for n in range(count)]
    worded = [words.recall([pk for pk, _ in by_words(n)[:10]], terms[n], cell.rows) for n in range(COMPARED)]
    return {
        "vector": {**timings(by_vector, count), "recall": mean(near)},
        "bm25": {**timings(by_words, count), "recall": mean(worded)},
        "hybrid": {**timings(search, count), "recall": hybrid_recall(search)},
    }


def calls(cell: Cell) -> dict[str, Callable[[int], Any]]:
    """Each leg and the hybrid search, to be asked a question by its number."""
    from django.contrib.auth.models import User

    from documents import lexical, vector_scan
    from documents.models import Chunk
    from documents.spaces import active_space
    from search.retrieval import scope_of
    from search.types import Filters

    user, space = User.objects.get(username=cell.user), active_space()
    terms = [lexical.terms_of(question.text) for question in cell.questions]

    def scope() -> Any:
        return scope_of(Filters(tags=(cell.tag,) if cell.tag else ()), user)

    def by_vector(n: int) -> Any:
        return vector_scan.nearest(scope(), cell.questions[n].vector, space=space, k=K)

    def by_words(n: int) -> Any:
        return Chunk.objects.within(scope()).lexical(terms[n], K, "bm25")

    return {"vector": by_vector, "bm25": by_words, "hybrid": hybrid(cell, user)}


def hybrid(cell: Cell, user: Any) -> Callable[[int], list[int]]:
    """A whole search without reranking. The model runs for its time; the vector is the question's own."""
    from search import retrieval
    from search.pipeline import search
    from search.types import Filters, SearchRequest

    encode = retrieval.encode_query

    def ask(n: int) -> list[int]:
        question = cell.questions[n]

        def encoded(model: str, text: str) -> Any:
            found = encode(model, text)
            return type(found)(question.vector, found.tokens)

        retrieval.encode_query = encoded
        try:
            request = SearchRequest(
                question.text, filters=Filters(tags=(cell.tag,) if cell.tag else ()), rerank="off"
            )
            return [hit.chunk_id for hit in search(request=request, user=user).hits]
        finally:
            retrieval.encode_query = encode

    return ask


def hybrid_recall(search: Callable[[int], list[int]]) -> float | None:
    """Of the same search with an exact vector leg, the share of the ten results that comes."""
    shares = []
    for n in range(COMPARED):
        served = set(search(n))
        with exact_vector_leg():
            exact = set(search(n))
        if exact:
            shares.append(len(served & exact) / len(exact))
    return mean(shares)


@contextmanager
def exact_vector_leg() -> Iterator[None]:
    from documents import vector_scan

    served = vector_scan.nearest
    vector_scan.nearest = vector_scan.exact
    try:
        yield
    finally:
        vector_scan.nearest = served


def recall(scores: Sequence[float], best: Any, tolerance: float) -> float | None:
    """Equally good ones are interchangeable, so scores are compared."""
    if not len(best):
        return None
    return min(sum(score >= best[-1] - tolerance for score in scores) / len(best), 1.0)


def mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 4) if known else None


class Words:
    """Exact BM25 over all passages; their numbers are in order."""

    def __init__(self, exact: Any) -> None:
        self.exact = exact

    def recall(self, found: Sequence[int], terms: Sequence[str], rows: Any) -> float | None:
        scores = self.exact.scores(terms)
        best = np.sort(scores[rows][scores[rows] > 0])[::-1][:10]
        return recall([scores[pk - 1] for pk in found], best, 1e-6)


def exact_words(cells: Sequence[Cell]) -> Words:
    from django.db import connection, transaction

    from documents import lexical
    from documents.bm25 import ExactBm25

    asked = [question.text for cell in cells for question in cell.questions[:COMPARED]]
    exact = ExactBm25(term for text in asked for term in lexical.terms_of(text))
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT id, terms FROM documents_chunk ORDER BY id")
        for pk, terms in cursor:
            exact.add(pk, terms)
    return Words(exact)


# --- Report -----------------------------------------------------------------------------------


def markdown(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['passages']:,} passages ({report['real']:,} real), {report['documents']:,} documents"
    yield report["machine"]
    seconds, sizes = report["build"]["seconds"], report["build"]["bytes"]
    yield "\nBuild: " + ", ".join(f"{name} {taken} s" for name, taken in seconds.items())
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:10]
    yield "\nSizes: " + ", ".join(f"{name} {size / 2**20:,.0f} MB" for name, size in largest)
    yield from ("", "| one client, no filter | p50 | p95 | per second | recall@10 |", "|---|---|---|---|---|")
    peers = report["peers"]
    lines = list(report["unfiltered"].items())
    lines += [(f"hnswlib, ef {each['ef_search']}", each) for each in peers["hnswlib"]]
    lines += [
        ("numpy, exact", {**peers["numpy"], "recall": 1.0}),
        ("ts_rank", {**peers["ts_rank"], "recall": None}),
    ]
    for name, row in lines:
        cells = (f"{row['p50_ms']} ms", f"{row['p95_ms']} ms", row["per_second"], shown(row["recall"]))
        yield f"| {name} | {' | '.join(map(str, cells))} |"
    legs = ("vector", "bm25", "hybrid")
    heads = " | ".join(f"{leg} p50 / p95 | recall" for leg in legs)
    yield from ("", f"| user sees, filter | allowed | {heads} |", "|---" * (2 + 2 * len(legs)) + "|")
    for cell in report["cells"]:
        shares = [
            f"{cell[leg]['p50_ms']} / {cell[leg]['p95_ms']} ms | {shown(cell[leg]['recall'])}" for leg in legs
        ]
        yield f"| {cell['user']} %, {cell['tag'] or '–'} | {cell['allowed']:,} | {' | '.join(shares)} |"


def shown(recall: float | None) -> str:
    return "–" if recall is None else f"{recall:.3f}"


if __name__ == "__main__":
    main()
