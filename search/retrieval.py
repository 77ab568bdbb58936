"""The legs: candidates of vectors, of words and of the documents meant, and what had to be done without."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Value

from documents import lexical, vector_scan
from documents.embedding.queries import encode_query
from documents.exceptions import EmbeddingUnavailable
from documents.expressions import PassageTerms
from documents.models import Chunk, Collection, Document, DocumentIdentity, Embedding
from documents.scope import Scope
from documents.spaces import active_space, check_weights
from documents.vector_scan import Near
from search.browsing import NEWEST, newest
from search.metrics import Stopwatch
from search.query import understood
from search.types import Asked, Candidate, Filters, Legs, NamedDocument, Query, SearchRequest, Signals
from search.words import clean

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

#: Candidates of each leg; more where more results are asked for.
DEPTH = 100
MAX_DEPTH = 200
#: Documents that a query may name, and those of them whose passages are looked at.
NAMED = 50
MEANT = 5
#: Candidates without a keyword score that are asked for one, best first: each costs 0.1 ms.
WORDED = 30
#: Passages with a phrase that are measured by the vector leg; those it brings when it has to leave some out.
HOLDERS = 1000
BEFORE_EXCLUSION = 500
#: So many terms make a quotation.
QUOTATION_TERMS = 3
#: What a passage's document counts when the best are chosen.
DOCUMENT = 0.5


def ask(request: SearchRequest, watch: Stopwatch) -> Asked:
    """The request, understood and embedded. Without an embedding engine the other legs serve."""
    with watch.stage("understand"):
        asked = Asked(request, query_of(request))
    wants_vector = request.mode != "keyword" or request.rerank == "on"
    if not asked.query.text or not wants_vector:
        return asked
    space = active_space()
    if space is None:
        return asked
    try:
        with watch.stage("embed"):
            check_weights(space)
            return replace(asked, space=space, encoding=encode_query(space.model, asked.query.text))
    except EmbeddingUnavailable as error:
        logger.warning("searching without vectors: %s", error)
        return replace(asked, degraded=("vector",))


def query_of(request: SearchRequest) -> Query:
    """What the request looks for. A question has no operators: what looks like one is a word of it."""
    if not request.plain:
        return understood(request.query, request.filters)
    text = clean(request.query)
    return Query(text, tuple(lexical.terms_of(text)), filters=request.filters)


def retrieve(asked: Asked, user: User, watch: Stopwatch) -> Legs:
    """Every leg that the mode asks for; a hybrid search knows the scores of all for each candidate."""
    if not asked.query.text:
        with watch.stage(NEWEST):
            return Legs({NEWEST: newest(asked.query, user, depth(asked.request.limit))})
    mode, scope = asked.request.mode, scope_of(asked.query.filters, user)
    candidates: dict[str, list[Candidate]] = {}
    near: list[Near] = []
    degraded = asked.degraded
    backend = lexical.backend()
    if mode != "keyword" and "vector" not in degraded:
        near = vector_leg(asked, scope, watch, backend)
        candidates["vector"] = ranked((each.chunk_id, each.score) for each in near)
    if mode != "vector" or "vector" in degraded:
        candidates["keyword"] = keyword_leg(asked, scope, watch, backend)
        degraded += () if backend == "bm25" else ("bm25",)
    if mode != "hybrid":
        return Legs(candidates, degraded=degraded)
    documents = document_leg(asked, scope, watch, backend)
    with watch.stage("signals"):
        signals = tuple(signals_of(asked, scope, candidates, near, documents, backend))
        quoted = covered(asked, candidates["keyword"])
    return Legs(candidates, signals, documents, quoted, degraded)


def depth(limit: int) -> int:
    """How many candidates each leg brings for ``limit`` results."""
    return min(max(DEPTH, 2 * limit), MAX_DEPTH)


def vector_leg(asked: Asked, scope: Scope, watch: Stopwatch, backend: lexical.Backend) -> list[Near]:
    with watch.stage("vector"):
        return nearest(asked, scope, backend)


def nearest(asked: Asked, scope: Scope, backend: lexical.Backend) -> list[Near]:
    """The nearest passages that say what the query wants said, and nothing that it does not.

    The graph knows nothing of words. What holds a phrase comes from the lexical index and is measured; else
    more are brought than are wanted, and those that may not be among them are left out.
    """
    if asked.space is None or asked.encoding is None:
        return []
    query, k = asked.query, depth(asked.request.limit)
    vector, space = asked.encoding.vector, asked.space
    if terms := lexical.terms_of(" ".join(query.phrases)) if query.phrases else []:
        chunks = Chunk.objects.within(scope).saying(query.phrases, query.without)
        holders = [pk for pk, _ in chunks.lexical(terms, HOLDERS, backend)]
        return Embedding.objects.within(scope).filter(chunk_id__in=holders).by_scan(vector, space, k).rows()
    if not (query.phrases or query.without):
        return vector_scan.nearest(scope, vector, space=space, k=k)
    found = vector_scan.nearest(scope, vector, space=space, k=BEFORE_EXCLUSION)
    among = Chunk.objects.filter(pk__in=[near.chunk_id for near in found])
    kept = set(among.saying(query.phrases, query.without).values_list("pk", flat=True))
    return [near for near in found if near.chunk_id in kept][:k]


def keyword_leg(asked: Asked, scope: Scope, watch: Stopwatch, backend: lexical.Backend) -> list[Candidate]:
    query = asked.query
    with watch.stage("keyword"):
        allowed = Chunk.objects.within(scope).saying(query.phrases, query.without)
        return ranked(allowed.lexical(query.terms, depth(asked.request.limit), backend))


def document_leg(
    asked: Asked, scope: Scope, watch: Stopwatch, backend: lexical.Backend
) -> tuple[NamedDocument, ...]:
    """The documents that the words of the query name, weighted by how rare these are in names."""
    with watch.stage("document"):
        allowed = DocumentIdentity.objects.within(scope)
        found = allowed.named_by(asked.query.terms, NAMED, backend)
    best = found[0][1] if found else 1.0
    return tuple(NamedDocument(pk, rank, score / best) for rank, (pk, score) in enumerate(found, 1))


def signals_of(
    asked: Asked,
    scope: Scope,
    candidates: Mapping[str, Sequence[Candidate]],
    near: Sequence[Near],
    documents: Sequence[NamedDocument],
    backend: lexical.Backend,
) -> Iterable[Signals]:
    """All that is known of each candidate, and of the nearest passages of the documents meant."""
    of_leg = {leg: {each.chunk_id: each for each in found} for leg, found in candidates.items()}
    measured = {each.chunk_id: each for each in near}
    measured |= {each.chunk_id: each for each in nearest_in(asked, scope, documents[:MEANT], backend)}
    cosines, document_of = placed(asked, measured, of_leg["keyword"].keys() - measured.keys())
    found = {*measured, *of_leg["keyword"]}
    named = {each.document_id: each for each in documents}
    fits = {pk: named.get(document_of[pk]) for pk in found if pk in document_of}
    words = {pk: each.score for pk, each in of_leg["keyword"].items()}
    words |= worded(asked, backend, found - words.keys(), cosines, fits)
    for pk, fit in fits.items():
        ranks = {leg: each[pk].rank for leg, each in of_leg.items() if pk in each}
        ranks |= {"document": fit.rank} if fit else {}
        yield Signals(pk, cosines.get(pk), words.get(pk), fit.score if fit else 0.0, ranks)


def covered(asked: Asked, words: Sequence[Candidate]) -> float:
    """The share of the query's terms in the passage that matches them best; of few words it says nothing."""
    if not words or len(asked.query.terms) < QUOTATION_TERMS:
        return 0.0
    best = Chunk.objects.filter(pk=words[0].chunk_id)
    in_its_language = best.annotate(asked=PassageTerms("language", Value(asked.query.text)))
    row = in_its_language.values_list("terms", "asked").first()
    held, wanted = (set(part.split()) for part in row) if row else (set(), set())
    return len(wanted & held) / len(wanted) if len(wanted) >= QUOTATION_TERMS else 0.0


def nearest_in(
    asked: Asked, scope: Scope, documents: Sequence[NamedDocument], backend: lexical.Backend
) -> list[Near]:
    if not documents:
        return []
    return nearest(asked, scope.of(each.document_id for each in documents), backend)


def placed(
    asked: Asked, measured: Mapping[int, Near], rest: Iterable[int]
) -> tuple[dict[int, float], dict[int, UUID]]:
    """The cosine and the document of each passage: of ``rest`` they are not known yet."""
    if asked.space is None or asked.encoding is None:
        return {}, dict(Chunk.objects.filter(pk__in=rest).values_list("pk", "document_id"))
    known = [*measured.values(), *Embedding.objects.measured(asked.encoding.vector, asked.space, rest)]
    document_of = {near.chunk_id: near.document_id for near in known}
    if unknown := set(rest) - document_of.keys():
        document_of |= dict(Chunk.objects.filter(pk__in=unknown).values_list("pk", "document_id"))
    return {near.chunk_id: near.score for near in known}, document_of


def worded(
    asked: Asked,
    backend: lexical.Backend,
    unknown: Iterable[int],
    cosines: Mapping[int, float],
    fits: Mapping[int, NamedDocument | None],
) -> dict[int, float]:
    """Keyword scores of passages that the keyword leg did not bring: of those that may come out on top."""

    def promise(pk: int) -> float:
        fit = fits.get(pk)
        return cosines.get(pk, 0.0) + DOCUMENT * (fit.score if fit else 0.0)

    best = sorted(unknown, key=promise, reverse=True)[:WORDED]
    return Chunk.objects.lexical_scores(asked.query.terms, best, backend)


def scope_of(filters: Filters, user: User) -> Scope:
    """What ``user`` may see of what ``filters`` leave."""
    allowed = Collection.objects.visible_to(user)
    if filters.collections:
        allowed = allowed.filter(slug__in=filters.collections)
    meant = Document.objects.described(filters) if filters.about_documents else None
    return Scope(tuple(allowed.order_by().values_list("pk", flat=True)), meant)


def ranked(scored: Iterable[tuple[int, float]]) -> list[Candidate]:
    return [Candidate(pk, rank, float(score)) for rank, (pk, score) in enumerate(scored, 1)]
