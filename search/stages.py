"""An explanation as a curator reads it: passages with titles instead of keys, a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from documents.models import Chunk, Document
from search.explanation import RAW
from search.presentation import STAGES, passage_url
from search.types import SearchResult

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Candidates of each leg, and of the fusion, that the page shows.
ROWS = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One passage in one stage; ``ranks`` are those that it has elsewhere, ``raw`` is the leg's own score."""

    rank: int
    title: str
    page: int
    url: str
    score: float
    raw: float | None = None
    ranks: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    label: Any
    count: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class ShownStages:
    """``times`` are (stage, milliseconds), the longest being ``longest``."""

    result: SearchResult
    explanation: Mapping[str, Any]
    stages: list[Stage]
    documents: list[tuple[int, str, str, float]]
    times: list[tuple[str, float]]
    longest: float


def shown_stages(result: SearchResult, user: User) -> ShownStages:
    """``result`` must have been asked to explain."""
    told = result.explanation or {}
    lists: dict[str, list[dict[str, Any]]] = {**told["legs"], "fusion": told["fused"]}
    lists["rerank"] = [{**entry, "rank": rank} for rank, entry in enumerate(told["reranked"], 1)]
    chunks = passages({entry["chunk"] for rows in lists.values() for entry in rows[:ROWS]}, user)
    raw = {entry["chunk"]: entry for entry in told[RAW]}
    stages = [
        Stage(name, STAGES[name], len(rows), list(rows_of(name, rows[:ROWS], chunks, raw)))
        for name, rows in lists.items()
        if rows or name in told["legs"]
    ]
    times = list(told["timings"].items())
    longest = max((ms for _, ms in times), default=0.0)
    return ShownStages(result, told, stages, named(told["documents"], user), times, longest)


def passages(chunk_ids: set[int], user: User) -> dict[int, Chunk]:
    visible = Chunk.objects.visible_to(user).select_related("document")
    found: dict[int, Chunk] = visible.defer("text", "context", "terms", "boxes").in_bulk(chunk_ids)
    return found


def rows_of(
    name: str, rows: list[dict[str, Any]], chunks: Mapping[int, Chunk], raw: Mapping[int, Any]
) -> Any:
    for entry in rows:
        if chunk := chunks.get(entry["chunk"]):
            yield Row(
                rank=entry["rank"],
                title=chunk.document.title,
                page=chunk.page_start,
                url=passage_url(
                    chunk.document_id, page=chunk.page_start, chunk=chunk.pk, start=chunk.start, end=chunk.end
                ),
                score=entry["score"],
                raw=raw.get(chunk.pk, {}).get(name),
                ranks={str(STAGES[leg]): rank for leg, rank in entry.get("ranks", {}).items()},
            )


def named(documents: list[dict[str, Any]], user: User) -> list[tuple[int, str, str, float]]:
    """Rank, title, address and score of the documents that the query's words name."""
    found = Document.objects.visible_to(user).in_bulk([UUID(each["document"]) for each in documents])
    pairs = ((each, found.get(UUID(each["document"]))) for each in documents)
    return [
        (each["rank"], document.title, document.get_absolute_url(), each["score"])
        for each, document in pairs
        if document
    ]
