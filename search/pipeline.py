"""The only place where the stages of the read way meet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from documents.models import Chunk
from documents.querysets import snapshot
from search.exceptions import GenerationFailed
from search.fusion import SETTINGS as FUSION
from search.fusion import fuse, normalised
from search.generation.base import Generator
from search.generation.registry import get_fallback, get_generator
from search.highlights import highlights
from search.metrics import Stopwatch, searches_total
from search.numbering import Numbering
from search.reranking.base import Reranker
from search.reranking.registry import reranker_for
from search.retrieval import retrieve
from search.support import check
from search.types import (
    Candidate,
    DraftSentence,
    Filters,
    GenerationRequest,
    Hit,
    Legs,
    Mode,
    Outcome,
    Piece,
    Ranked,
    Rerank,
    SearchRequest,
    SearchResult,
    Selected,
    Sentence,
    Source,
    Sources,
    Step,
    Token,
    Turn,
)
from search.words import clean, content_words

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

EVERYTHING = Filters()
#: Passages that are read to answer a question.
SOURCES = 8
#: Candidates that a reranker reads.
RERANK_DEPTH = 50
#: A question of fewer content words than this is read together with the one before it.
FOLLOW_UP_WORDS = 3


# --- Search ---------------------------------------------------------------------------------


def search(*, request: SearchRequest, user: User) -> SearchResult:
    """What ``user`` may see and ``request`` asks for, best first."""
    return found(request, user, Stopwatch())


def found(request: SearchRequest, user: User, watch: Stopwatch) -> SearchResult:
    reranker = reranker_for(request.rerank)
    wanted = max(request.limit, RERANK_DEPTH) if reranker else request.limit
    with snapshot():
        legs = retrieve(request, user, watch)
        with watch.stage("fusion"):
            ranked = fuse(legs.candidates)
        with watch.stage("hydrate"):
            hits = hydrated(ranked[:wanted], user)
    degraded = legs.degraded
    if reranker:
        hits, lost = reordered(reranker, request.query, hits, watch)
        degraded += lost
    searches_total.labels(request.mode, "+".join(degraded) or "no").inc()
    return SearchResult(
        request=request,
        hits=shown(hits[: request.limit], request.query),
        degraded=degraded,
        took_ms=watch.elapsed(),
        timings=dict(watch.timings),
        explanation=explained(legs, ranked, reranker, hits, watch) if request.explain else None,
    )


def hydrated(ranked: Sequence[Ranked], user: User) -> list[Hit]:
    """The passages of ``ranked`` in that order."""
    rows = Chunk.objects.visible_to(user).select_related("document").defer("context")
    chunks = rows.in_bulk([entry.chunk_id for entry in ranked])
    return [hit(chunks[entry.chunk_id], entry) for entry in ranked if entry.chunk_id in chunks]


def hit(chunk: Chunk, entry: Ranked) -> Hit:
    return Hit(
        rank=0,
        score=entry.score,
        chunk_id=chunk.pk,
        document_id=chunk.document_id,
        document_title=chunk.document.title,
        page=chunk.page_start,
        page_end=chunk.page_end,
        heading=tuple(chunk.heading),
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        content_hash=chunk.content_hash,
        boxes=tuple(tuple(box) for box in chunk.boxes),
        matched=entry.ranks,
    )


def reordered(
    reranker: Reranker, query: str, hits: list[Hit], watch: Stopwatch
) -> tuple[list[Hit], tuple[str, ...]]:
    """The hits in the reranker's order; in their own when it cannot run, which is reported."""
    try:
        with watch.stage("rerank"):
            return reranker.rerank(clean(query), hits), ()
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        logger.warning("the reranker %s did not run: %s", reranker.name, error)
        return hits, ("rerank",)


def shown(hits: Sequence[Hit], query: str) -> tuple[Hit, ...]:
    return tuple(
        replace(each, rank=rank, highlights=highlights(query, each.text)) for rank, each in enumerate(hits, 1)
    )


def explained(
    legs: Legs, ranked: Sequence[Ranked], reranker: Reranker | None, hits: Sequence[Hit], watch: Stopwatch
) -> dict[str, Any]:
    """Every stage's candidates, ranks and milliseconds."""
    return {
        "legs": {leg: told(candidates) for leg, candidates in legs.candidates.items()},
        "fused": [
            {"chunk": entry.chunk_id, "rank": rank, "score": entry.score, "ranks": entry.ranks}
            for rank, entry in enumerate(ranked, 1)
        ],
        "reranker": reranker.name if reranker else None,
        "reranked": [{"chunk": h.chunk_id, "score": round(h.score, 4)} for h in hits] if reranker else [],
        "timings": dict(watch.timings),
    }


def told(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """A leg's candidates, scores from 0 to 1 among themselves.

    A BM25 score as it is would tell how rare a word is in everybody's documents.
    """
    scores = normalised(candidates)
    return [
        {"chunk": each.chunk_id, "rank": each.rank, "score": round(score, 4)}
        for each, score in zip(candidates, scores, strict=True)
    ]


# --- Answers --------------------------------------------------------------------------------


def answer(*, question: str, user: User, **options: Any) -> Outcome:
    """The answer as a whole, without any of it being stored. Options as of ``answer_pieces``."""
    *_, outcome = answer_pieces(question=question, user=user, **options)
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
    ``settings["fallback"]`` of the outcome says why.
    """
    watch = Stopwatch()
    asked = standalone(question, history)
    result = found(SearchRequest(asked, mode, filters, SOURCES, rerank), user, watch)
    sheet = Sheet([Source(n, each) for n, each in enumerate(result.hits, 1)], watch, should_stop)
    generator = get_generator()
    # A model reads the earlier turns itself; quoting sentences needs the whole question in one.
    wording = clean(question) if generator.remote else asked
    request = GenerationRequest(wording, tuple(sheet.sources), tuple(history))
    sheet.settings = produced_by(generator, mode, rerank, result)
    try:
        with watch.stage("generate"):
            yield from sheet.written_by(generator, request)
    except GenerationFailed as error:
        logger.warning("%s failed: %s", generator.name, error)
        sheet.settings["fallback"] = str(error)
        if not any(sentence.supported for sentence in sheet.sentences):
            sheet.begin_again()
            yield from sheet.written_by(get_fallback(), replace(request, question=asked))
    yield sheet.outcome()


def standalone(question: str, history: Sequence[Turn]) -> str:
    """What to look for: a short follow-up is read together with the question before it."""
    if history and len(content_words(question)) < FOLLOW_UP_WORDS:
        return clean(f"{history[-1].question} {question}")
    return clean(question)


def produced_by(generator: Generator, mode: Mode, rerank: Rerank, result: SearchResult) -> dict[str, Any]:
    reranker = reranker_for(rerank)
    return {
        "generator": generator.name,
        "embedding_model": settings.EMBEDDING_MODEL,
        "reranker": reranker.name if reranker else None,
        "mode": mode,
        "fusion": FUSION,
        "sources": [each.chunk_id for each in result.hits],
        "degraded": list(result.degraded),
    }


class Sheet:
    """One answer while it is written."""

    def __init__(self, sources: list[Source], watch: Stopwatch, should_stop: Callable[[], bool]) -> None:
        self.sources = sources
        self.numbering = Numbering(sources)
        self.watch = watch
        self.should_stop = should_stop
        self.sentences: list[Sentence] = []
        self.settings: dict[str, Any] = {}
        self.stopped = False
        self.restarting = False

    def begin_again(self) -> None:
        """Another generator answers instead; the next sources say so. Numbers stay what they are."""
        self.sentences.clear()
        self.restarting = True

    def written_by(self, generator: Generator, request: GenerationRequest) -> Iterator[Step]:
        if not self.sources or generator.remote:
            yield self.announced(self.numbering.by_source())
        if not self.sources:
            return
        if generator.remote and not connection.in_atomic_block:
            connection.close()  # back to the pool: a model may take a minute
        with closing(generator.generate(request)) as pieces:  # type: ignore[type-var]
            for piece in pieces:
                if self.should_stop():
                    self.stopped = True
                    return
                yield self.step(piece)

    def step(self, piece: Piece) -> Step:
        match piece:
            case Selected(quotes):
                return self.announced(self.numbering.by_quote(quotes))
            case DraftSentence():
                checked = check(piece, {source.n: source for source in self.sources})
                self.sentences.append(self.numbering.cite(checked))
                return self.sentences[-1]
            case Token():
                self.watch.timings.setdefault("first_token", self.watch.elapsed())
                return piece

    def announced(self, sources: Sources) -> Sources:
        restart, self.restarting = self.restarting, False
        return replace(sources, restart=restart)

    def outcome(self) -> Outcome:
        return Outcome(
            sentences=tuple(self.sentences),
            evidence=self.numbering.cited_by(self.sentences),
            timings={**self.watch.timings, "total": self.watch.elapsed()},
            settings=self.settings,
            stopped=self.stopped,
        )
