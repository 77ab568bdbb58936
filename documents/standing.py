"""Where a passage stands, beyond the candidates that a leg brings: counted, for somebody who asks why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from documents.querysets import distance_in

if TYPE_CHECKING:
    from documents.models import EmbeddingSpace
    from documents.querysets import EmbeddingQuerySet


def rank_by_meaning(
    own: EmbeddingQuerySet, among: EmbeddingQuerySet, vector: Any, space: EmbeddingSpace
) -> int | None:
    """The rank, from 1, that the nearest of ``own`` has ``among`` others; None where ``own`` has no vectors.

    Exact, and as dear: every vector of ``among`` is measured, about a second for a million.
    """
    nearest = list(own.by_scan(vector, space, 1).values_list("distance", flat=True))
    if not nearest:
        return None
    measured = among.filter(space_id=space.pk).annotate(distance=distance_in(space, vector))
    return measured.filter(distance__lt=nearest[0]).count() + 1
