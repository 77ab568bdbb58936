"""Retrieval SQL: the indexes are used, access is decided inside, short results are completed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.db.models import F, Value

from documents import lexical, querysets
from documents.models import Chunk, Collection, Document, Embedding
from documents.querysets import Bm25Score, TextVector
from documents.spaces import active_space, index_name
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db
MakeDocument = Callable[..., Document]


def plan(queryset: Any, *without: str) -> str:
    """The plan for a table too large to read through, which this one is not."""
    with connection.cursor() as cursor:
        for kind in ("seqscan", "sort", *without):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
    return str(queryset.explain())


def any_vector(seed: int = 1) -> Any:
    vector = np.random.default_rng(seed).normal(size=384)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture
def herons(collection: Collection, make_document: MakeDocument) -> Document:
    return make_document(collection, HERONS, title="Herons")


def test_the_vector_leg_uses_the_index_of_its_space(herons: Document, alice: User) -> None:
    space = active_space()
    assert space
    allowed = Embedding.objects.visible_to(alice, collections=["research"]).of_documents(kinds=["text"])
    assert index_name(space.pk) in plan(allowed.by_index(any_vector(), space, 5))


def test_the_exact_scan_leaves_the_index_alone(herons: Document, alice: User) -> None:
    space = active_space()
    assert space
    assert index_name(space.pk) not in plan(
        Embedding.objects.visible_to(alice).by_scan(any_vector(), space, 5)
    )


def test_the_lexical_leg_uses_the_bm25_index(herons: Document, alice: User) -> None:
    score = Bm25Score(F("context"), Value("herons"))
    found = Chunk.objects.visible_to(alice).annotate(score=score).order_by("score").values("pk", "score")
    assert lexical.BM25_INDEX in plan(found[:5])


def test_without_the_extension_text_search_uses_its_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX {lexical.TSVECTOR_INDEX} ON documents_chunk "
            f"USING gin (to_tsvector('{lexical.TEXT_CONFIG}', context))"
        )
    wanted = SearchQuery("heron", search_type="websearch", config="english")
    found = Chunk.objects.annotate(vector=TextVector("context")).filter(vector=wanted)
    # A GIN index is read by a bitmap; in an empty table any other index would cost the same.
    assert lexical.TSVECTOR_INDEX in plan(found.values("pk"), "indexscan", "indexonlyscan")


@pytest.mark.parametrize("backend", ["bm25", "tsvector"])
def test_both_lexical_legs_find_the_words(
    backend: lexical.Backend,
    monkeypatch: pytest.MonkeyPatch,
    collection: Collection,
    make_document: MakeDocument,
    alice: User,
    charlie: User,
) -> None:
    for title, text in (("Herons", HERONS), ("Trams", TRAMS), ("Bread", BREAD)):
        make_document(collection, text, title=title)
    words = ["which", "year", "did", "the", "tram", "network", "of", "Velmora", "open"]
    ((pk, score), *_) = Chunk.objects.visible_to(alice).lexical(words, 10, backend)
    assert Chunk.objects.get(pk=pk).document.title == "Trams"
    assert score > 0
    assert Chunk.objects.visible_to(charlie).lexical(words, 10, backend) == []
    assert Chunk.objects.visible_to(AnonymousUser()).lexical(words, 10, backend) == []


@pytest.mark.parametrize("backend", ["bm25", "tsvector"])
@pytest.mark.parametrize("words", [[], ["the", "of"], ["x" * 5000], ["word"] * 1000, ["or", "or", "and"]])
def test_odd_words_find_nothing_and_raise_nothing(
    backend: lexical.Backend, words: list[str], herons: Document, alice: User
) -> None:
    assert Chunk.objects.visible_to(alice).lexical(words, 10, backend) == []


def test_access_is_decided_inside_the_vector_query(herons: Document, alice: User, charlie: User) -> None:
    space = active_space()
    assert space
    for user, expected in ((alice, 1), (charlie, 0), (AnonymousUser(), 0)):
        assert len(Embedding.objects.visible_to(user).nearest(any_vector(), space=space, k=5)) == expected


@pytest.mark.parametrize("exact_rows", [1, querysets.EXACT_ROWS])
def test_a_filter_that_leaves_few_rows_still_gets_them_all(
    herons: Document,
    collection: Collection,
    make_document: MakeDocument,
    alice: User,
    exact_rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2,000 foreign vectors stand nearer than the three rows that the filter allows.

    With ``exact_rows`` at 1 the index scan comes back short; by default few rows are never left to it.
    """
    monkeypatch.setattr(querysets, "EXACT_ROWS", exact_rows)
    space = active_space()
    assert space
    crowd(herons, space.pk, 2000)
    wanted = [make_document(collection, text) for text in (TRAMS, BREAD)]
    vector = -np.mean([e.vector for e in Embedding.objects.filter(document__in=wanted)], axis=0)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL hnsw.max_scan_tuples = 100")
        cursor.execute("SET LOCAL enable_seqscan = off")
    allowed = Embedding.objects.visible_to(alice).of_documents(documents=[d.pk for d in wanted])
    found = allowed.nearest(vector, space=space, k=10)
    assert len(found) == Embedding.objects.filter(document__in=wanted).count()
    assert found == sorted(found, key=lambda row: -row[1])


def crowd(document: Document, space: int, count: int) -> None:
    """Passages with vectors of their own, more than an index scan reads."""
    chunk = document.chunks.get()
    rows = Chunk.objects.bulk_create(
        Chunk(
            document=document,
            collection_id=document.collection_id,
            ordinal=n,
            text="crowd",
            context="crowd",
            page_start=1,
            page_end=1,
            start=0,
            end=5,
            token_count=1,
            content_hash=chunk.content_hash,
        )
        for n in range(1, count + 1)
    )
    Embedding.objects.bulk_create(
        Embedding(
            chunk=row,
            space_id=space,
            document=document,
            collection_id=document.collection_id,
            vector=any_vector(row.pk),
        )
        for row in rows
    )


def test_large_tables_are_read_by_the_index_without_being_told(herons: Document, alice: User) -> None:
    space = active_space()
    assert space
    crowd(herons, space.pk, 3000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE documents_embedding")
    found = (
        Embedding.objects.visible_to(alice).by_index(any_vector(), space, 10).values("chunk_id", "distance")
    )
    assert index_name(space.pk) in str(found.explain())
