"""What the write way counts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from documents.models import Stage

document_processing_seconds = Histogram(
    "document_processing_seconds",
    "Time from the start of a document's job to its passages being searchable.",
    ["file_type"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
ingest_stage_seconds = Histogram(
    "ingest_stage_seconds",
    "Time of each stage of the write way, of documents that failed in it too.",
    ["stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600),
)
ingest_wait_seconds = Histogram(
    "ingest_wait_seconds",
    "Time that a document waited for a worker.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600),
)
documents_processed_total = Counter(
    "documents_processed_total", "Documents that ended, by how: ready or failed.", ["outcome"]
)
embedding_batch_passages = Histogram(
    "embedding_batch_passages",
    "Passages per call of the embedding engine.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
embedding_tokens_total = Counter(
    "embedding_tokens_total", "Tokens that the embedding engine read, without padding.", ["engine"]
)
embedding_cache_total = Counter(
    "embedding_cache_total",
    "Encodings that were kept in Redis (hit) or had to be computed (miss), of queries and passages.",
    ["kind", "outcome"],
)
model_load_seconds = Histogram(
    "model_load_seconds",
    "Time to load the embedding model, once per process.",
    ["engine"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
index_prewarm_seconds = Gauge(
    "index_prewarm_seconds",
    "Time to read what the search needs into memory, after the last start of Postgres.",
    multiprocess_mode="mostrecent",
)
embedding_space_built_ratio = Gauge(
    "embedding_space_built_ratio",
    "Share of the passages that have their vector in a space, as its last builder knew it: 0 to 1.",
    ["space"],
    multiprocess_mode="mostrecent",
)


def count_batch(engine: str, lengths: Sequence[int]) -> None:
    """One call of the embedding engine, by the tokens of each text."""
    embedding_batch_passages.observe(len(lengths))
    embedding_tokens_total.labels(engine).inc(sum(lengths))


def timed(stage: Stage) -> AbstractContextManager[object]:
    """Around the work of one stage."""
    return ingest_stage_seconds.labels(stage.value).time()
