"""How much of the exact result the vector leg brings."""

from __future__ import annotations

from typing import Any

from documents.models import Collection, Embedding, EmbeddingSpace
from documents.querysets import EmbeddingQuerySet

K = 10
#: Halves of floats are summed up in another order by each way.
ROUNDING = 1e-6


def recall_at_10(allowed: EmbeddingQuerySet, vector: Any, space: EmbeddingSpace) -> float | None:
    """Of the ten nearest of ``allowed``, the share that a search brings; None where there are none.

    Vectors that are equally near are interchangeable, so scores are compared, not keys.
    """
    exact = allowed.exact(vector, space=space, k=K)
    if not exact:
        return None
    served = allowed.nearest(vector, space=space, k=K)
    worst = exact[-1].score - ROUNDING
    return min(sum(near.score >= worst for near in served) / len(exact), 1.0)


def stored_vectors(collection: Collection, space: EmbeddingSpace, count: int) -> list[Any]:
    """Vectors of passages at random: questions that the collection answers, where nobody asked enough."""
    held = Embedding.objects.filter(collection=collection, space=space)
    chosen = list(held.order_by("?").values_list("pk", flat=True)[:count])
    return list(Embedding.objects.filter(pk__in=chosen).values_list("vector", flat=True))
