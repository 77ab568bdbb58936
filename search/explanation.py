"""What every stage of a search did: its candidates, their ranks, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from search.fusion import normalised, standout
from search.metrics import Stopwatch, usual_ms
from search.types import Asked, Candidate, Filters, Reranking

if TYPE_CHECKING:
    from search.pipeline import Stages

#: What only curators are shown: a BM25 score as it is tells of everybody's documents.
RAW = "raw"


def explained(stages: Stages, watch: Stopwatch) -> dict[str, Any]:
    """Scores are from 0 to 1 among themselves; as the legs gave them they stand under ``RAW``."""
    legs, reranking = stages.legs, stages.reranking
    return {
        "query": understood(stages.asked),
        "legs": {leg: told(candidates) for leg, candidates in legs.candidates.items()},
        "documents": [
            {"document": str(each.document_id), "rank": each.rank, "score": round(each.score, 4)}
            for each in legs.documents
        ],
        "standout": round(standout(legs.candidates.get("keyword", ())), 4),
        "quoted": round(legs.quoted, 4),
        "fused": [
            {"chunk": entry.chunk_id, "rank": rank, "score": entry.score, "ranks": entry.ranks}
            for rank, entry in enumerate(stages.ranked, 1)
        ],
        **reread(reranking),
        "reranked": [
            {"chunk": hit.chunk_id, "score": round(hit.score, 4)} for hit in stages.reranked[: reranking.read]
        ],
        "held_back": [{"document": str(pk), "count": count} for pk, count in held_back(stages).items()],
        "timings": dict(watch.timings),
        RAW: raw_scores(stages),
    }


def shown(explanation: Mapping[str, Any], *, raw: bool) -> dict[str, Any]:
    """An explanation as it leaves the portal: with the legs' own scores only where ``raw`` says so."""
    return {name: part for name, part in explanation.items() if raw or name != RAW}


def raw_scores(stages: Stages) -> list[dict[str, Any]]:
    """Cosine and BM25 score of each passage that is known to have one."""
    if stages.legs.signals:
        return [
            {"chunk": each.chunk_id, "vector": each.vector, "keyword": each.keyword}
            for each in stages.legs.signals
        ]
    return [
        {"chunk": each.chunk_id, leg: each.score}
        for leg, candidates in stages.legs.candidates.items()
        for each in candidates
    ]


def held_back(stages: Stages) -> dict[UUID, int]:
    """Documents whose passages gave way to those of others, and how many did."""
    limit = stages.asked.request.limit
    kept = {hit.chunk_id for hit in stages.hits[:limit]}
    gave_way = (hit.document_id for hit in stages.reranked[:limit] if hit.chunk_id not in kept)
    return dict(Counter(gave_way))


def understood(asked: Asked) -> dict[str, Any]:
    """The query as it was read: words, phrases, exclusions, filters."""
    query = asked.query
    return {
        "text": query.text,
        "phrases": list(query.phrases),
        "without": list(query.without),
        "filters": narrowing(query.filters),
    }


def narrowing(filters: Filters) -> dict[str, list[str]]:
    """The filters that are set, as they are written in a query or a request."""
    given: dict[str, Sequence[object]] = {
        "collection": filters.collections,
        "document": filters.documents,
        "tag": filters.tags,
        "type": filters.kinds,
        "title": filters.titles,
        "since": [filters.since] if filters.since else [],
        "before": [filters.before] if filters.before else [],
    }
    return {name: [str(value) for value in values] for name, values in given.items() if values}


def reread(reranking: Reranking) -> dict[str, Any]:
    """Whether the reranker ran, and what it saved not to."""
    saved = usual_ms("rerank") if reranking.skipped else 0.0
    return {
        "reranker": reranking.name,
        "rerank_skipped": reranking.skipped,
        "rerank_saved_ms": saved,
    }


def told(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    scores = normalised(candidates)
    return [
        {"chunk": each.chunk_id, "rank": each.rank, "score": round(score, 4)}
        for each, score in zip(candidates, scores, strict=True)
    ]
