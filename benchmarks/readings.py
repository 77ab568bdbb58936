"""Figures of the parts that keep their results in a form of their own, read from their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.figures import Figure, measured

Found = Mapping[str, Any]

STARTS = {
    "first_start_s": "runportal to ready, empty data folder",
    "later_start_s": "runportal to ready, later",
    "web_ready_s": "web process ready",
    "web_ready_cpu_s": "web process ready, processor time",
    "web_ready_mb": "web process memory",
    "web_embedder_mb": "web process memory, embedder loaded",
    "web_reranked_mb": "web process memory, after reranking",
    "worker_idle_mb": "worker memory, idle",
    "worker_after_document_mb": "worker memory, after a document",
}
UNITS = {"s": "s", "mb": "MB"}
YARDSTICK = "torch fp32"
#: Of each environment: as many packages as say where its size comes from.
PACKAGES = 5


def start(found: Found) -> Iterator[Figure]:
    for key, value in found["figures"].items():
        yield measured(STARTS.get(key, key), value, unit=UNITS.get(key.rpartition("_")[2], ""))


def sizes(found: Found) -> Iterator[Figure]:
    for name, environment in found["environments"].items():
        packages = sorted(environment["largest"].items(), key=lambda each: -each[1])[:PACKAGES]
        note = ", ".join(f"{package} {size:.0f}" for package, size in packages)
        yield measured(f"installed {name}", environment["mb"], unit="MB", note=note)


def servers(found: Found) -> Iterator[Figure]:
    for row in found["rows"]:
        connections = "kept" if row["kept"] else "new"
        name = (
            f"{row['server']}, {row['application']}, {row['processes']} processes, {connections} connections"
        )
        note = f"p99 {row['p99_ms']:.0f} ms, {row['failed']:.0f} failed"
        yield measured(name, row["per_second"], unit="requests/s", note=note)


def embedding(found: Found) -> Iterator[Figure]:
    """The same two goals for each engine of ours: speed of passages, and the worst set's share of nDCG."""
    wide = "AVX-512" if found["avx512"] else "no AVX-512"
    ours = {name: row for name, row in found["speed"].items() if not name.startswith(YARDSTICK)}
    for name, row in ours.items():
        note = f"passages, {row['passages_per_second']} a second; queries {row['ratio_queries']} ×; {wide}"
        yield measured(f"embedding beside {YARDSTICK}, {name}", row["ratio_passages"], note=note)
    for name in ours:
        shares = {each: row[name]["share"] for each, row in found["ndcg"].items()}
        note = ", ".join(f"{each} {share}" for each, share in shares.items())
        least = min(shares.values(), default=None)
        yield measured(f"embedding nDCG@10 beside {YARDSTICK}, {name}", least, note=note)


READINGS: Mapping[str, Callable[[Found], Iterator[Figure]]] = {
    "start": start,
    "sizes": sizes,
    "servers": servers,
    "embedding": embedding,
}
