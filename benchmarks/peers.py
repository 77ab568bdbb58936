"""What the portal's figures are held against: an index in process, plain numpy, Postgres' own ranking."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from django.db import connection

from benchmarks.synthetic import Floats
from documents import lexical
from documents.models import Chunk

M, EF_CONSTRUCTION = 16, 200
EF_SEARCH = (100, 200)
#: Rows that are multiplied at once: half floats become floats here.
STEP = 50_000
#: Queries for the slow ones.
FEW = 10

Figures = dict[str, Any]


def timings(call: Callable[[int], object], count: int) -> Figures:
    """p50 and p95 in milliseconds, and queries per second of one client."""
    call(0)
    taken = []
    for number in range(count):
        started = time.perf_counter()
        call(number)
        taken.append(time.perf_counter() - started)
    return {
        "p50_ms": round(float(np.percentile(taken, 50)) * 1000, 2),
        "p95_ms": round(float(np.percentile(taken, 95)) * 1000, 2),
        "per_second": round(count / sum(taken), 1),
        "queries": count,
    }


def exact_scores(vectors: Any, rows: Any, questions: Floats, k: int) -> Floats:
    """The ``k`` best cosines of each question among ``rows`` of ``vectors`` (half floats), best first."""
    best = np.full((len(questions), 0), 0, np.float32)
    for start in range(0, len(rows), STEP):
        part = np.asarray(vectors[rows[start : start + STEP]], np.float32)
        both = np.concatenate([best, questions @ part.T], axis=1)
        best = -np.sort(-both, axis=1)[:, :k]
    return np.asarray(best, np.float32)


def in_numpy(vectors: Any, questions: Floats) -> Figures:
    everything = np.arange(len(vectors))
    return timings(lambda n: exact_scores(vectors, everything, questions[n : n + 1], 10), FEW)


def in_process(vectors: Any, questions: Floats, best: Floats) -> list[Figures]:
    """hnswlib with the parameters of the portal's index, one client, its own distance; empty without it."""
    try:
        import hnswlib
    except ImportError:
        print("hnswlib is not installed: no index in process to compare with")
        return []
    index = hnswlib.Index("cosine", vectors.shape[1])
    index.init_index(len(vectors), M=M, ef_construction=EF_CONSTRUCTION)
    started = time.perf_counter()
    for start in range(0, len(vectors), STEP):
        index.add_items(np.asarray(vectors[start : start + STEP], np.float32))
    built = round(time.perf_counter() - started, 1)
    found = []
    for ef_search in EF_SEARCH:
        index.set_ef(ef_search)
        distances = index.knn_query(questions, k=10, num_threads=1)[1]
        recall = float(((1 - distances) >= best[:, 9:10] - 1e-4).mean())
        figures = timings(lambda n: index.knn_query(questions[n], k=10, num_threads=1), len(questions))
        found.append({"ef_search": ef_search, "build_s": built, "recall": round(recall, 4), **figures})
    return found


def by_ts_rank(queries: Sequence[Sequence[str]], k: int) -> Figures:
    """The leg that serves where BM25 is missing, on the index that it would have."""
    index = lexical.PASSAGES
    started = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {index.tsvector} ON {index.table} "
            f"USING gin (to_tsvector('{lexical.TEXT_CONFIG}', terms))"
        )
    built = round(time.perf_counter() - started, 1)
    try:
        figures = timings(lambda n: Chunk.objects.lexical(queries[n], k, "tsvector"), min(FEW, len(queries)))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {index.tsvector}")
    return {"build_s": built, **figures}
