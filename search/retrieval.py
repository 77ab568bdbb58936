"""The legs: candidates of vectors, of words and of the documents meant, and what had to be done without."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet

from documents import lexical, lexical_scan, vector_scan
from documents.embedding.queries import encode_query
from documents.exceptions import EmbeddingUnavailable
from documents.models import Chunk, Collection, Document, DocumentIdentity, Embedding
from documents.scope import Scope
from documents.spaces import active_space_in, check_weights, serving_statement
from documents.statements import Rows, Statement, answers, key_list, of, seen_by
from documents.vector_scan import Near
from search.browsing import NEWEST, newest
from search.metrics import Stopwatch
from search.query import read
from search.types import Asked, Candidate, Filters, Legs, NamedDocument, Query, SearchRequest, Signals
from search.words import clean

if TYPE_CHECKING:
    from documents.embedding.queries import QueryEncoding
    from documents.models import EmbeddingSpace
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
#: Queries that are embedded at once. A model's call lets go of the interpreter, and a few share one.
EMBEDDING = ThreadPoolExecutor(8, thread_name_prefix="embed-query")
#: What a passage's document counts when the best are chosen.
DOCUMENT = 0.5
DOCUMENTS = "SELECT id, document_id FROM documents_chunk WHERE id = ANY (%s)"
COVERED = "SELECT terms, passage_terms(language, %s) FROM documents_chunk WHERE id = %s"


def ask(request: SearchRequest, user: User, watch: Stopwatch) -> Asked:
    """The request, understood. Its embedding has begun, and goes on while the legs by words are asked."""
    with watch.stage("understand"):
        asked = opened(request, query_of(request), user)
    wants_vector = request.mode != "keyword" or request.rerank == "on"
    if asked.space is None or not asked.query.text or not wants_vector:
        return replace(asked, space=None)
    return replace(asked, begun=EMBEDDING.submit(embedded, asked.space, asked.query.text, watch))


def embedded(space: EmbeddingSpace, text: str, watch: Stopwatch) -> tuple[QueryEncoding, str] | None:
    """The query's encoding, and its vector as Postgres reads it; None without an embedding engine."""
    try:
        with watch.stage("embed"):
            check_weights(space)
            encoding = encode_query(space.model, text)
            return encoding, vector_scan.literal(encoding.vector)
    except EmbeddingUnavailable as error:
        logger.warning("searching without vectors: %s", error)
        return None


def settled(asked: Asked) -> Asked:
    """The request with its embedding, which is waited for. Without one the other legs serve."""
    if asked.begun is None:
        return asked
    if (found := asked.begun.result()) is None:
        return replace(asked, space=None, begun=None, degraded=("vector",))
    encoding, vector = found
    return replace(asked, encoding=encoding, vector=vector, begun=None)


def opened(request: SearchRequest, query: Query, user: User) -> Asked:
    """All that the database has to say before a search begins, in one message."""
    asked = [allowed_statement(query.filters, user), lexical.BACKEND, serving_statement()]
    asked += [lexical.terms_statement(query.text)] if query.text else []
    allowed, backend, serving, *said = answers(*asked)
    terms = tuple(lexical.terms_in(said[0], query.text)) if said else ()
    return Asked(
        request,
        replace(query, terms=terms),
        scope_in(allowed, query.filters),
        lexical.backend_in(backend),
        active_space_in(serving),
    )


def query_of(request: SearchRequest) -> Query:
    """What the request looks for. A question has no operators: what looks like one is a word of it."""
    if not request.plain:
        return read(request.query, request.filters)
    return Query(clean(request.query), filters=request.filters)


def retrieve(asked: Asked, user: User, watch: Stopwatch) -> Legs:
    """Every leg that the mode asks for; a hybrid search knows the scores of all for each candidate."""
    if not asked.query.text:
        with watch.stage(NEWEST):
            return Legs({NEWEST: newest(asked.query, user, depth(asked.request.limit))})
    if asked.request.mode == "hybrid":
        return hybrid(asked, watch)
    asked = settled(asked)
    if asked.request.mode == "vector" and "vector" not in asked.degraded:
        return Legs({"vector": by_score(vector_leg(asked, watch))}, degraded=asked.degraded)
    words = keyword_leg(asked, watch)
    return Legs({"keyword": words}, degraded=(*asked.degraded, *without_bm25(asked)))


def hybrid(asked: Asked, watch: Stopwatch) -> Legs:
    words, documents = lexical_legs(asked, watch)
    asked = settled(asked)
    near = [] if "vector" in asked.degraded else vector_leg(asked, watch)
    candidates = {} if "vector" in asked.degraded else {"vector": by_score(near)}
    candidates["keyword"] = words
    with watch.stage("signals"):
        signals, quoted = signals_of(asked, candidates, near, documents)
    return Legs(candidates, signals, documents, quoted, (*asked.degraded, *without_bm25(asked)))


def without_bm25(asked: Asked) -> tuple[str, ...]:
    return () if asked.backend == "bm25" else ("bm25",)


def depth(limit: int) -> int:
    """How many candidates each leg brings for ``limit`` results."""
    return min(max(DEPTH, 2 * limit), MAX_DEPTH)


def vector_leg(asked: Asked, watch: Stopwatch) -> list[Near]:
    with watch.stage("vector"):
        return nearest(asked, asked.scope)


def by_score(near: Iterable[Near]) -> list[Candidate]:
    return ranked((each.chunk_id, each.score) for each in near)


def nearest(asked: Asked, scope: Scope) -> list[Near]:
    """The nearest passages that say what the query wants said, and nothing that it does not.

    The graph knows nothing of words. What holds a phrase comes from the lexical index and is measured; else
    more are brought than are wanted, and those that may not be among them are left out.
    """
    if asked.space is None or asked.encoding is None:
        return []
    query, k = asked.query, depth(asked.request.limit)
    vector, exact, space = asked.vector, asked.encoding.vector, asked.space
    if terms := lexical.terms_of(" ".join(query.phrases)) if query.phrases else []:
        chunks = Chunk.objects.within(scope).saying(query.phrases, query.without)
        holders = [pk for pk, _ in chunks.lexical(terms, HOLDERS, asked.backend)]
        return Embedding.objects.within(scope).filter(chunk_id__in=holders).by_scan(exact, space, k).rows()
    if not (query.phrases or query.without):
        return vector_scan.nearest(scope, vector, space=space, k=k)
    found = vector_scan.nearest(scope, vector, space=space, k=BEFORE_EXCLUSION)
    among = Chunk.objects.filter(pk__in=[near.chunk_id for near in found])
    kept = set(among.saying(query.phrases, query.without).values_list("pk", flat=True))
    return [near for near in found if near.chunk_id in kept][:k]


def lexical_legs(asked: Asked, watch: Stopwatch) -> tuple[list[Candidate], tuple[NamedDocument, ...]]:
    """Both legs by words: in one message where both walk through their index, and nothing else is asked."""
    walks = walks_of(asked)
    if not walks:
        return keyword_leg(asked, watch), document_leg(asked, watch)
    with watch.stage("keyword"):
        passages, documents = lexical_scan.walked(*walks)
        return ranked(passages), named(documents)


def walks_of(asked: Asked) -> list[tuple[Statement, int]]:
    """None at all unless both legs can be asked so."""
    query, scope, k = asked.query, asked.scope, depth(asked.request.limit)
    if asked.backend == "tsvector" or not query.terms or query.phrases or query.without:
        return []
    try:
        passages = Chunk.objects.walk(query.terms, k, scope)
        documents = DocumentIdentity.objects.walk(query.terms, NAMED, scope)
    except EmptyResultSet:
        return []
    return [(passages, k), (documents, NAMED)] if passages and documents else []


def keyword_leg(asked: Asked, watch: Stopwatch) -> list[Candidate]:
    query = asked.query
    with watch.stage("keyword"):
        allowed = Chunk.objects.within(asked.scope).saying(query.phrases, query.without)
        return ranked(allowed.lexical(query.terms, depth(asked.request.limit), asked.backend))


def document_leg(asked: Asked, watch: Stopwatch) -> tuple[NamedDocument, ...]:
    """The documents that the words of the query name, weighted by how rare these are in names."""
    with watch.stage("document"):
        allowed = DocumentIdentity.objects.within(asked.scope)
        return named(allowed.named_by(asked.query.terms, NAMED, asked.backend))


def named(found: Sequence[tuple[UUID, float]]) -> tuple[NamedDocument, ...]:
    best = found[0][1] if found else 1.0
    return tuple(NamedDocument(pk, rank, score / best) for rank, (pk, score) in enumerate(found, 1))


def signals_of(
    asked: Asked,
    candidates: Mapping[str, Sequence[Candidate]],
    near: Sequence[Near],
    documents: Sequence[NamedDocument],
) -> tuple[tuple[Signals, ...], float]:
    """All that is known of each candidate, and of the nearest passages of the documents meant.

    And the share of the query's terms in the passage that matches them best.
    """
    of_leg = {leg: {each.chunk_id: each for each in found} for leg, found in candidates.items()}
    measured = {each.chunk_id: each for each in near}
    meant = nearest_in(asked, documents[:MEANT])
    measured |= {each.chunk_id: each for each in meant}
    fits = {each.document_id.int: each for each in documents}
    words = {pk: each.score for pk, each in of_leg["keyword"].items()}
    unknown = promising((each for pk, each in measured.items() if pk not in words), fits)
    rest = measure(asked, words.keys() - measured.keys(), unknown, candidates["keyword"])
    words |= rest.words
    document_of = {pk: each.document_id for pk, each in measured.items()} | rest.document_of
    cosines = {pk: each.score for pk, each in measured.items()} | rest.cosines
    signals = []
    for pk in {*measured, *of_leg["keyword"]}:
        if pk in document_of:
            fit = fits.get(document_of[pk].int)
            ranks = {leg: each[pk].rank for leg, each in of_leg.items() if pk in each}
            ranks |= {"document": fit.rank} if fit else {}
            score = fit.score if fit else 0.0
            signals.append(Signals(pk, cosines.get(pk), words.get(pk), score, ranks))
    return tuple(signals), rest.quoted


@dataclass(frozen=True, slots=True)
class Rest:
    """What the legs left open: cosines and documents of passages by words, scores by words of the others.

    ``quoted`` is the share of the query's terms that the first passage by words holds.
    """

    cosines: dict[int, float]
    document_of: dict[int, UUID]
    words: dict[int, float]
    quoted: float


def measure(asked: Asked, unmeasured: Set[int], unworded: Sequence[int], words: Sequence[Candidate]) -> Rest:
    """All of it in one message."""
    terms = asked.query.terms
    if asked.space and asked.encoding:
        statements = {"cosines": vector_scan.measuring(asked.vector, asked.space, unmeasured)}
    else:
        statements = {"documents": Statement(DOCUMENTS, (key_list(unmeasured),))}
    if terms and unworded:
        statements["words"] = Chunk.objects.scoring(terms, unworded, asked.backend)
    if words and len(terms) >= QUOTATION_TERMS:
        statements["covered"] = Statement(COVERED, (asked.query.text, words[0].chunk_id))
    found = dict(zip(statements, answers(*statements.values()), strict=True))
    measured = vector_scan.scored(found.get("cosines", []))
    document_of = {near.chunk_id: near.document_id for near in measured} | dict(found.get("documents", []))
    if unplaced := unmeasured - document_of.keys():  # a passage without a vector in this space
        document_of |= dict(answers(Statement(DOCUMENTS, (key_list(unplaced),)))[0])
    return Rest(
        {near.chunk_id: near.score for near in measured},
        document_of,
        Chunk.objects.scores_in(found.get("words", []), unworded, asked.backend),
        covered(found.get("covered", [])),
    )


def covered(rows: Rows) -> float:
    """The share of the query's terms in the passage that matches them best; of few words it says nothing."""
    held, wanted = (set(part.split()) for part in rows[0]) if rows else (set(), set())
    return len(wanted & held) / len(wanted) if len(wanted) >= QUOTATION_TERMS else 0.0


def nearest_in(asked: Asked, documents: Sequence[NamedDocument]) -> list[Near]:
    if not documents:
        return []
    return nearest(asked, asked.scope.of(each.document_id for each in documents))


def promising(unknown: Iterable[Near], fits: Mapping[int, NamedDocument]) -> list[int]:
    """Of the passages that the keyword leg did not bring those that may come out on top.

    ``fits`` by the number of a document's key: a UUID is hashed in Python.
    """

    def promise(near: Near) -> float:
        fit = fits.get(near.document_id.int)
        return near.score + DOCUMENT * (fit.score if fit else 0.0)

    return [near.chunk_id for near in sorted(unknown, key=promise, reverse=True)[:WORDED]]


def scope_of(filters: Filters, user: User) -> Scope:
    """What ``user`` may see of what ``filters`` leave."""
    return scope_in(answers(allowed_statement(filters, user))[0], filters)


def allowed_statement(filters: Filters, user: User) -> Statement:
    """The collections of a scope."""
    try:
        if not filters.collections:
            return seen_by(user, collections_seen)
        return of(collections_seen(user).filter(slug__in=filters.collections))
    except EmptyResultSet:
        return Statement("SELECT 0 WHERE false")


def collections_seen(user: User) -> Any:
    return Collection.objects.visible_to(user).order_by().values_list("pk")


def scope_in(rows: Rows, filters: Filters) -> Scope:
    meant = Document.objects.described(filters) if filters.about_documents else None
    return Scope(tuple(pk for (pk,) in rows), meant)


def ranked(scored: Iterable[tuple[int, float]]) -> list[Candidate]:
    return [Candidate(pk, rank, float(score)) for rank, (pk, score) in enumerate(scored, 1)]
