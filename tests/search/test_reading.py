"""Neighbours are read as one, and cited one by one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from documents.models import Chunk, Collection, Document
from search.numbering import Numbering
from search.pipeline import hydrated
from search.reading import joined
from search.types import Hit, Quote, Ranked, Source

TEXT = "\n\n".join(
    f"Paragraph {n} tells of the {bird}. " + f"The {bird} lives by the water and eats small fish. " * 12
    for n, bird in enumerate(("heron", "stork", "crane", "egret"), 1)
)


@pytest.fixture
def hits(collection: Collection, make_document: Callable[..., Document]) -> list[Hit]:
    """The passages of one page, in their order."""
    document = make_document(collection, TEXT, title="Birds")
    keys = Chunk.objects.filter(document=document).order_by("ordinal").values_list("pk", flat=True)
    found = hydrated([Ranked(pk, 1.0, {}) for pk in keys], collection.owner)
    assert len(found) >= 4
    return found


def test_neighbours_are_one_under_the_name_of_the_best(hits: list[Hit]) -> None:
    (one,) = joined([hits[1], hits[0]])
    assert one.chunk_id == hits[1].chunk_id
    assert (one.start, one.end) == (hits[0].start, hits[1].end)
    assert one.text.startswith(hits[0].text[:40])
    assert one.text.endswith(hits[1].text[-40:])
    assert [part.chunk_id for part in one.parts] == [hits[0].chunk_id, hits[1].chunk_id]


def test_a_passage_between_two_joins_them(hits: list[Hit]) -> None:
    (one,) = joined([hits[0], hits[2], hits[1]])
    assert one.chunk_id == hits[0].chunk_id
    assert len(one.parts) == 3


def test_what_does_not_touch_stays_apart_and_in_order(hits: list[Hit]) -> None:
    apart = joined([hits[3], hits[0]])
    assert apart == [hits[3], hits[0]]


def test_passages_of_two_documents_are_never_one(
    hits: list[Hit], collection: Collection, make_document: Callable[..., Document], alice: User
) -> None:
    other = make_document(collection, TEXT.replace("water", "sea"), title="Other")
    chunk = Chunk.objects.filter(document=other).order_by("ordinal")[1]
    assert len(joined([hits[0], *hydrated([Ranked(chunk.pk, 1.0, {})], collection.owner)])) == 2


def test_a_citation_names_the_passage_that_holds_its_words(hits: list[Hit]) -> None:
    (one,) = joined([hits[0], hits[1]])
    begin = len(one.text) - 25
    (evidence,) = Numbering([Source(1, one)]).by_quote([Quote(1, begin, begin + 20)]).evidence
    assert evidence.hit.chunk_id == hits[1].chunk_id
    assert evidence.quote == one.text[begin : begin + 20]
