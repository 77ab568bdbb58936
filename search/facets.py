"""What a search can be narrowed to, with counts.

Vector search has no end: every passage is more or less near. So a facet counts the documents that hold one
of the best passages by words (``WORDED``) or one of the leg's candidates by meaning; of a query without
words, all documents that its filters leave. Each facet is counted as if its own filter were not set: the
numbers say what choosing another value would give.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from documents.facets import FACETS, Counted, Facets, labelled
from documents.models import Chunk, Document
from search.browsing import asks_for_documents, documents_of
from search.caching import PATIENCE_SECONDS, corpus_now, key_of, looked_up, store
from search.metrics import Stopwatch
from search.retrieval import ask, depth, nearest, scope_of, settled, without_bm25
from search.types import Asked, Filters, SearchRequest
from search.words import clean

if TYPE_CHECKING:
    from documents.querysets import DocumentQuerySet, User

#: Passages by words whose documents are counted.
WORDED = 500
#: The filter that is a facet's own, unset.
OWN: dict[str, dict[str, Any]] = {
    "collection": {"collections": ()},
    "type": {"kinds": ()},
    "tag": {"tags": ()},
    "year": {"since": None, "before": None},
}


def facets_of(request: SearchRequest, user: User) -> Facets:
    """Collection, type, tag and year of what ``request`` matches. Raises ``BadRequest``.

    What was counted before is kept as long as nothing has changed that ``user`` may see (``caching``).
    """
    key = facets_key(request, user)
    with looked_up("facets", key, PATIENCE_SECONDS) as counts:
        if counts is None:
            asked = settled(ask(request, user, Stopwatch()))
            counts = counted(asked, user)
            store("facets", key, None if asked.degraded or without_bm25(asked) else counts)
    return labelled(counts)


def facets_key(request: SearchRequest, user: User) -> str | None:
    """Without what decides the order of results only."""
    wanted = {"query": clean(request.query), "mode": request.mode, "filters": asdict(request.filters)}
    return key_of("facets", corpus_now(user, Filters()), {**wanted, "limit": depth(request.limit)})


def counted(asked: Asked, user: User) -> dict[str, list[Counted]]:
    """The legs are asked once, and once more for each facet whose own filter is set."""
    bases: dict[Filters, DocumentQuerySet] = {}
    counts: dict[str, list[Counted]] = {}
    for name, unset in OWN.items():
        filters = replace(asked.query.filters, **unset)
        if filters not in bases:
            bases[filters] = matching(asked, filters, user)
        counts[name] = FACETS[name](bases[filters])
    return counts


def matching(asked: Asked, filters: Filters, user: User) -> DocumentQuerySet:
    if not asked.query.text:
        browses = asks_for_documents(asked.query)
        return documents_of(filters, user) if browses else Document.objects.none()
    held = Chunk.objects.filter(pk__in=candidates(asked, filters, user)).order_by()
    documents = set(held.values_list("document_id", flat=True))
    return Document.objects.visible_to(user).filter(pk__in=documents)


def candidates(asked: Asked, filters: Filters, user: User) -> set[int]:
    """The passages of the legs that the mode asks for."""
    mode, query, backend = asked.request.mode, asked.query, asked.backend
    scope = asked.scope if filters == query.filters else scope_of(filters, user)
    found: set[int] = set()
    if mode != "keyword":
        found.update(near.chunk_id for near in nearest(asked, scope))
    if mode != "vector" or "vector" in asked.degraded:
        allowed = Chunk.objects.within(scope).saying(query.phrases, query.without)
        found.update(pk for pk, _ in allowed.lexical(query.terms, WORDED, backend))
    return found
