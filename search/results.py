"""Results of a search as they are kept: keys of passages, scores, ranks and places of marks. No text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from search.types import Hit, Ranked, SearchRequest, SearchResult

JSON = dict[str, Any]


def packed(result: SearchResult) -> JSON | None:
    """None when something was missing: the next search may be whole."""
    if result.degraded:
        return None
    return {
        "hits": [[hit.chunk_id, hit.score, hit.matched, hit.highlights] for hit in result.hits],
        "held_back": {str(pk): count for pk, count in result.held_back.items()},
        "has_words": result.has_words,
        # Its words are those of documents, so it is asked for anew.
        "suggests": result.suggestion is not None,
    }


def ranked_of(value: JSON) -> list[Ranked]:
    return [Ranked(chunk, score, ranks) for chunk, score, ranks, _ in value["hits"]]


def marked(hits: Sequence[Hit], value: JSON) -> tuple[Hit, ...] | None:
    """The passages of ``value`` with their ranks and marks; None unless all of them are there."""
    if len(hits) != len(value["hits"]):
        return None
    spans = [tuple((start, end) for start, end in found) for *_, found in value["hits"]]
    return tuple(
        replace(hit, rank=rank, highlights=marks)
        for rank, (hit, marks) in enumerate(zip(hits, spans, strict=True), 1)
    )


def unpacked(value: JSON, request: SearchRequest, hits: tuple[Hit, ...]) -> SearchResult:
    """The result without its times."""
    return SearchResult(
        request=request,
        hits=hits,
        degraded=(),
        took_ms=0.0,
        timings={},
        held_back={UUID(pk): count for pk, count in value["held_back"].items()},
        has_words=value["has_words"],
        cached=True,
    )
