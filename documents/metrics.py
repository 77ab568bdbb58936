"""What the write way counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

document_processing_seconds = Histogram(
    "document_processing_seconds",
    "Time from the start of a document's job to its passages being searchable.",
    ["file_type"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
documents_processed_total = Counter(
    "documents_processed_total", "Documents that ended, by how: ready or failed.", ["outcome"]
)
embedding_batch_passages = Histogram(
    "embedding_batch_passages",
    "Passages per call of the embedding engine.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
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
embedding_space_built_ratio = Gauge(
    "embedding_space_built_ratio",
    "Share of the passages that have their vector in a space, as its last builder knew it: 0 to 1.",
    ["space"],
    multiprocess_mode="mostrecent",
)
