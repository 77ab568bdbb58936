"""What a search can be narrowed to, with counts.

Vector search has no end: every passage is more or less near. So a facet counts the documents that hold one
of the best passages by words (``WORDED``) or one of the leg's candidates by meaning; of a query without
words, all documents that its filters leave. Each facet is counted as if its own filter were not set: the
numbers say what choosing another value would give.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from documents.facets import FACETS, FacetValue
from documents.models import Chunk, Document
from search.browsing import asks_for_documents, documents_of
from search.metrics import Stopwatch
from search.retrieval import ask, nearest, scope_of, settled
from search.types import Asked, Filters, SearchRequest

if TYPE_CHECKING:
    from documents.querysets import DocumentQuerySet, User

Facets = dict[str, list[FacetValue]]

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

    The legs are asked once, and once more for each facet whose own filter is set.
    """
    asked = settled(ask(request, user, Stopwatch()))
    bases: dict[Filters, DocumentQuerySet] = {}
    counts: Facets = {}
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
