"""The legs: vector and keyword candidates for a request, and what had to be done without."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from documents import lexical
from documents.embedding.queries import embed_query
from documents.exceptions import EmbeddingUnavailable
from documents.models import Chunk, Embedding
from documents.querysets import PassageQuerySet, Scored
from documents.spaces import active_space
from search.metrics import Stopwatch
from search.types import Candidate, Filters, Legs, SearchRequest
from search.words import clean

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

MIN_DEPTH = 50
MAX_DEPTH = 200

Passages = TypeVar("Passages", bound=PassageQuerySet)


def depth(limit: int) -> int:
    """How many candidates each leg brings for ``limit`` results."""
    return min(max(MIN_DEPTH, 2 * limit), MAX_DEPTH)


def retrieve(request: SearchRequest, user: User, watch: Stopwatch) -> Legs:
    """Every leg the mode asks for. Without an embedding engine the keyword leg serves alone."""
    query = clean(request.query)
    found: dict[str, list[Candidate]] = {}
    degraded: list[str] = []
    if request.mode != "keyword" and query:
        try:
            found["vector"] = vector_leg(query, request, user, watch)
        except EmbeddingUnavailable as error:
            logger.warning("searching by keywords only: %s", error)
            degraded.append("vector")
    if request.mode != "vector" or "vector" in degraded:
        backend = lexical.backend()
        found["keyword"] = keyword_leg(query, request, user, watch, backend)
        if backend != "bm25":
            degraded.append("bm25")
    return Legs(found, tuple(degraded))


def vector_leg(query: str, request: SearchRequest, user: User, watch: Stopwatch) -> list[Candidate]:
    space = active_space()
    if space is None:
        return []
    with watch.stage("embed"):
        vector = embed_query(space.model, query)
    with watch.stage("vector"):
        allowed = narrowed(Embedding.objects.all(), request.filters, user)
        return candidates(allowed.nearest(vector, space=space, k=depth(request.limit)))


def keyword_leg(
    query: str, request: SearchRequest, user: User, watch: Stopwatch, backend: lexical.Backend
) -> list[Candidate]:
    with watch.stage("keyword"):
        allowed = narrowed(Chunk.objects.all(), request.filters, user)
        return candidates(allowed.lexical(lexical.terms_of(query), depth(request.limit), backend))


def narrowed(passages: Passages, filters: Filters, user: User) -> Passages:
    allowed = passages.visible_to(user, collections=filters.collections)
    if filters.about_documents:
        allowed = allowed.of_documents(documents=filters.documents, tags=filters.tags, kinds=filters.kinds)
    return allowed


def candidates(scored: Scored) -> list[Candidate]:
    return [Candidate(pk, rank, float(score)) for rank, (pk, score) in enumerate(scored, 1)]
