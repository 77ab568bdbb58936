"""Not all of one document: others get their turn before its passages go on. A pure function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from search.types import Hit


def diverse(hits: Sequence[Hit], per_document: int | None) -> list[Hit]:
    """At most ``per_document`` passages of each document first, in their order; then the rest, in theirs."""
    if per_document is None:
        return list(hits)
    seen: Counter[UUID] = Counter()
    first: list[Hit] = []
    rest: list[Hit] = []
    for hit in hits:
        seen[hit.document_id] += 1
        (first if seen[hit.document_id] <= per_document else rest).append(hit)
    return [*first, *rest]
