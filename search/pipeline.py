"""The only place where the stages of the read way meet."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet

from documents.models import Chunk
from documents.spaces import serving_model
from documents.statements import Statement, answers, key_list, seen_by, snapshot
from search import abstention, receipts
from search.aside import step_aside
from search.caching import PATIENCE_SECONDS, looked_up, results_key, store
from search.diversity import diverse
from search.exceptions import GenerationFailed
from search.explanation import explained, held_back
from search.fusion import DEFAULT, Weights, fuse
from search.fusion import settings as fusion_settings
from search.generation.assessing import assessed
from search.generation.base import Generator
from search.generation.registry import get_fallback, get_generator
from search.highlights import highlights
from search.metrics import Stopwatch, rerank_skipped_total, search_seconds, searches_total
from search.models import Tuning
from search.query import read
from search.reading import joined
from search.recent import remember
from search.reranking.base import Reranker
from search.reranking.files import RerankerUnavailable
from search.reranking.registry import reranker_for, reranker_name
from search.results import marked, packed, ranked_of, unpacked
from search.retrieval import ask, retrieve, settled
from search.rewriting import standalone
from search.sheet import Sheet
from search.spelling import suggestion
from search.types import (
    Asked,
    Filters,
    GenerationRequest,
    Hit,
    Legs,
    Mode,
    Outcome,
    Ranked,
    Rerank,
    Reranking,
    SearchRequest,
    SearchResult,
    Source,
    Step,
    Turn,
    Waiting,
)
from search.words import among, clean, content_words, stem

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

EVERYTHING = Filters()
#: Passages that are found to answer a question, and sources that are read: neighbours are one.
PASSAGES = 12
SOURCES = 8
#: What a hit is made of.
SHOWN = (
    *("document_id", "document__title", "ordinal", "heading", "text", "start", "end", "page_start"),
    *("page_end", "content_hash", "boxes"),
)
AMONG = ' AND "documents_chunk"."id" = ANY (%s)'
#: So many times the results are fetched, for others to take the place of a document's surplus.
SPREAD = 3
#: A first hit that is so far above the second, of 1, is not reread.
SURE = 0.2


# --- Search ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stages:
    """What each stage of one search handed to the next; ``hits`` are all that were fetched."""

    asked: Asked
    legs: Legs
    ranked: Sequence[Ranked]
    reranking: Reranking
    reranked: Sequence[Hit]
    hits: Sequence[Hit]

    @property
    def degraded(self) -> tuple[str, ...]:
        return (*self.legs.degraded, *self.reranking.degraded)


def search(*, request: SearchRequest, user: User) -> SearchResult:
    """What ``user`` may see and ``request`` asks for, best first. Raises ``BadRequest``.

    What was found before is fetched again as long as nothing has changed that could change it (``caching``).
    """
    watch = Stopwatch()
    key = results_key(request, user)
    with looked_up("results", key, PATIENCE_SECONDS) as value:
        result = found_before(value, request, user, watch) if value else None
        if result is None:
            result = found_now(request, user, watch)
            store("results", key, packed(result))
    search_seconds.labels("yes" if result.cached else "no").observe(watch.elapsed() / 1000)
    remember(request, user)
    return result


def found_now(request: SearchRequest, user: User, watch: Stopwatch | None = None) -> SearchResult:
    """With other words suggested, where a word of the query is in none of the results."""
    watch = watch or Stopwatch()
    result = found(request, user, watch)
    return suggested(result, user, watch) if is_poor(result) else result


def suggested(result: SearchResult, user: User, watch: Stopwatch) -> SearchResult:
    request = result.request
    with watch.stage("spelling"):
        query = read(request.query, request.filters)
        return replace(result, suggestion=suggestion(query, user, raw=request.query))


def found_before(
    value: dict[str, Any], request: SearchRequest, user: User, watch: Stopwatch
) -> SearchResult | None:
    """The result of which ``value`` was kept; None where a passage of it is not there any more."""
    with watch.stage("hydrate"):
        hits = marked(hydrated(ranked_of(value), user), value)
    if hits is None:
        return None
    result = unpacked(value, request, hits)
    if value["suggests"]:
        result = suggested(result, user, watch)
    return replace(result, took_ms=watch.elapsed(), timings=dict(watch.timings))


def is_poor(result: SearchResult) -> bool:
    """Whether a word of the query is in none of the results: it may be misspelt."""
    missing = {stem(word) for word in content_words(result.request.query)}
    for hit in result.hits:
        if not missing:
            break
        missing -= among(" ".join((hit.document_title, *hit.heading, hit.text)), missing)
    return bool(missing)


def found(request: SearchRequest, user: User, watch: Stopwatch) -> SearchResult:
    stages = staged(request, user, watch)
    searches_total.labels(request.mode, "+".join(stages.degraded) or "no").inc()
    return SearchResult(
        request=request,
        hits=shown(stages.hits[: request.limit], stages.asked.query.text),
        degraded=stages.degraded,
        took_ms=watch.elapsed(),
        timings=dict(watch.timings),
        explanation=explained(stages, watch) if request.explain else None,
        held_back=held_back(stages),
        has_words=bool(stages.asked.query.text),
    )


def staged(request: SearchRequest, user: User, watch: Stopwatch) -> Stages:
    """The whole way of a search, with all that its stages saw."""
    asked = ask(request, user, watch)
    spread = SPREAD if request.per_document else 1
    with snapshot():
        legs = retrieve(asked, user, watch)
        asked = settled(asked)
        reranker = reranker_for(asked)
        wanted = max(request.limit * spread, reranker.depth if reranker else 0)
        with watch.stage("fusion"):
            ranked = fuse(legs, weights_for(request.mode, asked.query.filters))
        with watch.stage("hydrate"):
            first = hydrated(ranked[:wanted], user)
        reranked, reranking = reordered(reranker, asked, first, watch)
    return Stages(asked, legs, ranked, reranking, reranked, diverse(reranked, request.per_document))


def weights_for(mode: Mode, filters: Filters) -> Weights:
    """What was learned (``tune``) for the one collection that is searched, else the default."""
    if mode != "hybrid":
        return DEFAULT
    learned = Tuning.for_search(filters.collections) or {}
    return replace(DEFAULT, **{name: learned[name] for name in asdict(DEFAULT) if name in learned})


def hydrated(ranked: Sequence[Ranked], user: User) -> list[Hit]:
    """The passages of ``ranked`` in that order."""
    try:
        statement = seen_by(user, passages_shown)
    except EmptyResultSet:
        return []
    keys = key_list(entry.chunk_id for entry in ranked)
    (rows,) = answers(Statement(statement.sql + AMONG, (*statement.parameters, keys)))
    passages = {pk: row for pk, *row in rows}
    return [hit(passages[entry.chunk_id], entry) for entry in ranked if entry.chunk_id in passages]


def passages_shown(user: User) -> Any:
    return Chunk.objects.visible_to(user).order_by().values_list("pk", *SHOWN)


def hit(row: Sequence[Any], entry: Ranked) -> Hit:
    document, title, ordinal, heading, text, start, end, page, page_end, content_hash, boxes = row
    return Hit(
        rank=0,
        score=entry.score,
        chunk_id=entry.chunk_id,
        document_id=document,
        document_title=title,
        page=page,
        page_end=page_end,
        heading=tuple(heading),
        text=text,
        start=start,
        end=end,
        content_hash=content_hash,
        boxes=tuple(tuple(box) for box in json.loads(boxes)),
        matched=entry.ranks,
        ordinal=ordinal,
    )


def reordered(
    reranker: Reranker | None, asked: Asked, hits: list[Hit], watch: Stopwatch
) -> tuple[list[Hit], Reranking]:
    """The first hits in the reranker's order, the rest behind them; all in their own when it cannot run."""
    if reranker is None or not hits:
        return hits, Reranking()
    if asked.request.rerank == "auto" and is_sure(hits):
        rerank_skipped_total.inc()
        return hits, Reranking(reranker.name, skipped=True)
    try:
        with watch.stage("rerank"):
            first = reranker.rerank(asked.query.text, hits[: reranker.depth])
    except RerankerUnavailable:  # it told the log, once
        return hits, Reranking(reranker.name, degraded=("rerank",))
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        logger.warning("the reranker %s did not run: %s", reranker.name, error)
        return hits, Reranking(reranker.name, degraded=("rerank",))
    return [*first, *hits[reranker.depth :]], Reranking(reranker.name, read=len(first))


def is_sure(hits: Sequence[Hit]) -> bool:
    """Whether the first stage needs no second opinion: both legs begin with one passage, far ahead."""
    ranks = hits[0].matched
    agreed = ranks.get("vector") == 1 and ranks.get("keyword") == 1
    return agreed and (len(hits) == 1 or hits[0].score - hits[1].score >= SURE)


def shown(hits: Sequence[Hit], query: str) -> tuple[Hit, ...]:
    return tuple(
        replace(each, rank=rank, highlights=highlights(query, each.text)) for rank, each in enumerate(hits, 1)
    )


# --- Answers --------------------------------------------------------------------------------


def answer(*, question: str, user: User, **options: Any) -> Outcome:
    """The answer as a whole, without any of it being stored. Options as of ``answer_pieces``."""
    for outcome in answer_pieces(question=question, user=user, **options):
        if isinstance(outcome, Waiting):
            step_aside.get()()
    assert isinstance(outcome, Outcome)
    return outcome


def answer_pieces(
    *,
    question: str,
    user: User,
    filters: Filters = EVERYTHING,
    history: Sequence[Turn] = (),
    mode: Mode = "hybrid",
    rerank: Rerank = "auto",
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Sources, words and sentences as they come, and the outcome at last.

    When the language model fails, sentences that stand are kept; where none does, quotes of the
    sources answer, ``restart`` of their ``Sources`` says that what came before is void, and
    ``settings["fallback"]`` of the outcome says why, ``settings["answered_by"]`` who answered.
    """
    watch = Stopwatch()
    with watch.stage("rewrite"):
        asked = standalone(question, history, should_stop)
    versions = receipts.versions(user, filters)  # before the search: what changes meanwhile has changed since
    result = found(SearchRequest(asked, mode, filters, PASSAGES, rerank, plain=True), user, watch)
    watch.timings["retrieval"] = watch.elapsed()
    sheet = Sheet(sources_of(result.hits), watch, should_stop)
    sheet.receipt["standalone"] = asked
    generator = get_generator()
    by = abstention.parameters()
    with watch.stage("assess"):
        # A model reads for itself: words tell what is missing, and nothing keeps it from its first token.
        assessment = assessed(asked, sheet.sources, by_words=generator.remote)
    sheet.settings = produced_by(generator, result, abstention.confidence(assessment, by))
    # A model reads the earlier turns itself; quoting sentences needs the whole question in one.
    wording = clean(question) if generator.remote else asked
    sheet.receipt |= {"trace": receipts.trace(result.hits, sheet.sources), "versions": versions}
    request = GenerationRequest(wording, tuple(sheet.sources), tuple(history), asked, assessment)
    refusal = abstention.refusal(assessment, sheet.sources, by, only_missing=generator.remote)
    if refusal:
        yield sheet.refused(refusal)
    else:
        yield from written(sheet, generator, request)
    if not (sheet.sentences or sheet.stopped or sheet.refusal):
        sheet.refusal = abstention.unanswered(assessment, sheet.sources, dropped=bool(sheet.dropped))
    yield sheet.outcome()


def would_answer(*, question: str, user: User, filters: Filters = EVERYTHING) -> bool:
    """Whether sentences of the sources would answer ``question``; nothing of it is written or counted."""
    stages = staged(SearchRequest(question, "hybrid", filters, PASSAGES, plain=True), user, Stopwatch())
    sources = sources_of(stages.hits)
    refused = abstention.refusal(assessed(question, sources), sources, abstention.parameters())
    return refused is None


def sources_of(hits: Sequence[Hit]) -> list[Source]:
    """What is read of the passages that were found, numbered."""
    return [Source(n, each) for n, each in enumerate(joined(hits[:PASSAGES])[:SOURCES], 1)]


def written(sheet: Sheet, generator: Generator, request: GenerationRequest) -> Iterator[Step]:
    """What the generator says; quotes of the sources where it fails and nothing of it stands."""
    try:
        with sheet.watch.stage("generate"):
            yield from sheet.written_by(generator, request)
    except GenerationFailed as error:
        logger.warning("%s failed: %s", generator.name, error)
        sheet.settings["fallback"] = str(error)
        if not any(sentence.supported for sentence in sheet.sentences):
            yield from quoted(sheet, request)


def quoted(sheet: Sheet, request: GenerationRequest) -> Iterator[Step]:
    """Quotes of the sources in the place of a model's words, or why there are none."""
    generator, by = get_fallback(), abstention.parameters()
    sheet.begin_again()
    assessment = assessed(request.standalone, sheet.sources)
    sheet.settings |= {
        "answered_by": generator.name,
        "confidence": round(abstention.confidence(assessment, by), 4),
    }
    if refusal := abstention.refusal(assessment, sheet.sources, by):
        yield sheet.refused(refusal)
    else:
        asked = replace(request, question=request.standalone, assessment=assessment)
        yield from sheet.written_by(generator, asked)


def produced_by(generator: Generator, result: SearchResult, confidence: float) -> dict[str, Any]:
    request = result.request
    return {
        "generator": generator.name,
        "embedding_model": serving_model(),
        "reranker": reranker_name(request.rerank),
        "mode": request.mode,
        "fusion": fusion_settings(weights_for(request.mode, request.filters)),
        "sources": [each.chunk_id for each in result.hits],
        "degraded": list(result.degraded),
        "confidence": round(confidence, 4),
    }
