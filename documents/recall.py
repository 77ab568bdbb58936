"""How much of the exact result the vector index finds, measured on what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from documents.models import Collection, Embedding, EmbeddingSpace
from documents.querysets import EmbeddingQuerySet

K = 10


@dataclass(frozen=True, slots=True)
class CollectionRecall:
    """Mean recall@10 of index against exact scan, within one collection."""

    collection: str
    passages: int
    queries: int
    recall: float


def audit(space: EmbeddingSpace, samples: int) -> list[CollectionRecall]:
    """Every collection that holds vectors, asked for the neighbours of ``samples`` of its own passages.

    Each query is narrowed to the collection, which is where an index that filters late loses rows.
    """
    found = (of_collection(collection, space, samples) for collection in Collection.objects.order_by("slug"))
    return [audited for audited in found if audited.queries]


def of_collection(collection: Collection, space: EmbeddingSpace, samples: int) -> CollectionRecall:
    stored = Embedding.objects.filter(collection=collection, space=space)
    vectors = list(stored.order_by("?").values_list("vector", flat=True)[:samples])
    allowed = Embedding.objects.visible_to(collection.owner, collections=[collection.slug])
    recalls = [recall_of(allowed, vector, space) for vector in vectors]
    mean = fmean(recalls) if recalls else 0.0
    return CollectionRecall(collection.slug, stored.count(), len(recalls), round(mean, 4))


def recall_of(allowed: EmbeddingQuerySet, vector: Any, space: EmbeddingSpace) -> float:
    """Vectors that are equally near are interchangeable, so scores are compared, not keys."""
    exact = allowed.by_scan(vector, space, K).rows()
    served = allowed.nearest(vector, space=space, k=K)
    worst = exact[-1][1] - 1e-6
    return min(sum(score >= worst for _, score in served) / len(exact), 1.0)
