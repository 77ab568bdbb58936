"""The stages of retrieval, switched on in turn: what ``benchmarks.evaluation`` measures.

A new stage is one more entry in ``stages``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from benchmarks.bare import BareText
from documents.models import Chunk, Collection
from search import fusion, pipeline
from search.metrics import Stopwatch
from search.types import Filters, Legs, Ranked, Rerank, SearchRequest

#: The vector leg's share in the convex combination that looks at nothing else.
FIXED_WEIGHT = 0.7
#: As served, without what names the document.
WITHOUT_DOCUMENTS = replace(fusion.DEFAULT, document=0.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands: its document's file name, its page from 1, its number."""

    document: str
    page: int
    passage: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One way to rank: from a question to places, best first.

    ``builds_on`` names the stage that it adds something to. ``leg``: a leg as it serves, nothing fused in it.
    """

    name: str
    search: Callable[[str], list[Place]]
    builds_on: str = ""
    leg: bool = False


def stages(collection: Collection) -> list[Stage]:
    """Every stage that can be had here."""
    asked = Searches(collection)
    return [
        Stage("vector, bare", asked.bare_vector),
        Stage("BM25, bare", asked.bare_words),
        Stage("vector + context", lambda question: asked.leg(question, "vector"), "vector, bare", leg=True),
        Stage("BM25 + context", lambda question: asked.leg(question, "keyword"), "BM25, bare", leg=True),
        Stage("RRF", lambda question: asked.fused(question, reciprocal_rank)),
        Stage("convex", lambda question: asked.fused(question, fixed), "RRF"),
        Stage("adaptive", lambda question: asked.fused(question, adaptive), "convex"),
        Stage("+ document", lambda question: asked.fused(question, fusion.fuse), "adaptive"),
        Stage("+ rerank", asked.served, "+ document"),
    ]


def reciprocal_rank(legs: Legs) -> list[Ranked]:
    return fusion.reciprocal_rank(legs.candidates)


def fixed(legs: Legs) -> list[Ranked]:
    return fusion.convex(legs.candidates, FIXED_WEIGHT)


def adaptive(legs: Legs) -> list[Ranked]:
    return fusion.fuse(legs, WITHOUT_DOCUMENTS)


class Searches:
    """Asks each question once for all stages that start from the same candidates, as its owner."""

    def __init__(self, collection: Collection) -> None:
        self.collection, self.owner = collection, collection.owner
        self.filters = Filters(collections=(collection.slug,))
        self.places = places_of(collection)
        self.staged = lru_cache(maxsize=4)(self._staged)

    def _staged(self, question: str, rerank: Rerank) -> pipeline.Stages:
        request = SearchRequest(question, "hybrid", self.filters, rerank=rerank)
        return pipeline.staged(request, self.owner, Stopwatch())

    @cached_property
    def bare(self) -> BareText:
        return BareText(self.collection)

    def bare_vector(self, question: str) -> list[Place]:
        return self._placed(self.bare.by_vector(question))

    def bare_words(self, question: str) -> list[Place]:
        return self._placed(self.bare.by_words(question))

    def leg(self, question: str, leg: str) -> list[Place]:
        candidates = self.staged(question, "off").legs.candidates
        return self._placed([entry.chunk_id for entry in candidates.get(leg, [])])

    def fused(self, question: str, fuse: Callable[[Legs], Sequence[Ranked]]) -> list[Place]:
        return self._placed([entry.chunk_id for entry in fuse(self.staged(question, "off").legs)])

    def served(self, question: str) -> list[Place]:
        """As a user gets it, where a sure first hit is not reread: reranked ones, then the rest as fused."""
        found = self.staged(question, "auto")
        order = [hit.chunk_id for hit in found.reranked] + [entry.chunk_id for entry in found.ranked]
        return self._placed(list(dict.fromkeys(order)))

    def _placed(self, passages: Sequence[int]) -> list[Place]:
        return [self.places[pk] for pk in passages if pk in self.places]


def places_of(collection: Collection) -> dict[int, Place]:
    rows = Chunk.objects.filter(collection=collection).values_list("document__filename", "page_start", "pk")
    return {pk: Place(name, page, pk) for name, page, pk in rows}
