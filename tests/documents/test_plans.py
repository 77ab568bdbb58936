"""Each index is used by the query that depends on it, with access and filters in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from documents import lexical
from documents.filters import DocumentFilters
from documents.models import Chunk, Collection, Document, DocumentIdentity, Embedding, EmbeddingSpace
from documents.querysets import EmbeddingQuerySet
from documents.spaces import active_space, index_name
from tests.passages import add_passages, any_vector

pytestmark = pytest.mark.django_db
MakeDocument = Callable[..., Document]

#: More than Postgres would rather read through.
CROWD = 3000
#: Not the passages: who has written some holds a lock of the BM25 index until the transaction ends, and an
#: autovacuum that waits for it holds the one that ANALYZE needs.
ANALYSED = ("documents_embedding", "documents_document")


@contextmanager
def explained(*without: str) -> Iterator[list[str]]:
    """The plans of all queries made meanwhile; ``without`` names ways that a small table would go."""
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        settings, separator, query = sql.rpartition("true);")
        if not sql.startswith("EXPLAIN"):
            with connection.connection.cursor() as cursor:  # type: ignore[union-attr]
                cursor.execute(f"{settings}{separator} EXPLAIN {query}", params)
                if separator:
                    cursor.nextset()
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        for kind in without:
            cursor.execute(f"SET LOCAL enable_{kind} = off")
    with connection.execute_wrapper(explain):
        yield plans


@pytest.fixture
def space(collection: Collection, make_document: MakeDocument) -> EmbeddingSpace:
    """A few documents of Alice's, and a crowd of passages in another collection of hers."""
    for number in range(3):
        make_document(collection, f"The heron number {number} stands in the reeds.", title=f"Herons {number}")
    crowded = Collection.objects.create(slug="crowd", name="Crowd", owner=collection.owner)
    document = Document.objects.create(
        collection=crowded, title="Crowd", filename="c", file="c", sha256="0" * 64, size=1, kind="text"
    )
    found = active_space()
    assert found
    add_passages(document, found, [any_vector(seed) for seed in range(CROWD)])
    with connection.cursor() as cursor:
        for table in ANALYSED:
            cursor.execute(f"ANALYZE {table}")
    return found


def narrowed(user: User) -> EmbeddingQuerySet:
    found: EmbeddingQuerySet = Embedding.objects.visible_to(user).of_documents(
        DocumentFilters(kinds=("text",))
    )
    return found


@pytest.mark.parametrize("filtered", [False, True])
def test_many_allowed_passages_are_looked_for_in_the_graph(
    space: EmbeddingSpace, alice: User, filtered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.scope.FEW_ROWS", 100)
    allowed = narrowed(alice) if filtered else Embedding.objects.visible_to(alice)
    with explained() as plans:
        assert len(allowed.nearest(any_vector(), space=space, k=10)) == 10
    assert any(index_name(space.pk) in plan for plan in plans)
    assert not any("Seq Scan on documents_embedding" in plan for plan in plans)


def test_a_small_collection_is_measured_by_the_index_on_collections(space: EmbeddingSpace, bob: User) -> None:
    with explained() as plans:
        assert len(Embedding.objects.visible_to(bob).nearest(any_vector(), space=space, k=10)) == 3
    assert "documents_embedding_collection_id" in plans[-1]
    assert index_name(space.pk) not in plans[-1]


def test_few_documents_are_measured_by_the_index_on_documents(space: EmbeddingSpace, alice: User) -> None:
    document = Document.objects.get(title="Herons 1")
    allowed = Embedding.objects.visible_to(alice).of_documents(DocumentFilters(documents=(document.pk,)))
    with explained() as plans:
        assert len(allowed.nearest(any_vector(), space=space, k=10)) == 1
    assert "documents_embedding_document_id" in plans[-1]


def test_the_exact_scan_never_uses_the_graph(space: EmbeddingSpace, alice: User) -> None:
    with explained("seqscan") as plans:
        narrowed(alice).exact(any_vector(), space=space, k=10)
    assert index_name(space.pk) not in plans[-1]


@pytest.mark.parametrize("index", lexical.INDEXES, ids=["passages", "identities"])
def test_the_lexical_legs_use_their_bm25_index(
    index: lexical.LexicalIndex, space: EmbeddingSpace, alice: User
) -> None:
    model = Chunk if index is lexical.PASSAGES else DocumentIdentity
    allowed = model.objects.visible_to(alice).of_documents(DocumentFilters(kinds=("text",)))
    with explained() as plans:
        allowed.lexical(["heron"], 10, "bm25")
    assert index.bm25 in plans[-1]


@pytest.mark.parametrize("index", lexical.INDEXES, ids=["passages", "identities"])
def test_without_the_extension_text_search_uses_its_index(
    index: lexical.LexicalIndex, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "bm25_available", lambda cursor: False)
    with connection.cursor() as cursor:
        lexical.drop_index(cursor)
        lexical.create_index(cursor)
    model = Chunk if index is lexical.PASSAGES else DocumentIdentity
    # A GIN index is read by a bitmap; in an empty table any other index would cost the same.
    with explained("seqscan", "indexscan", "indexonlyscan") as plans:
        model.objects.visible_to(alice).lexical(["heron"], 10, "tsvector")
    assert index.tsvector in plans[-1]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (DocumentFilters(titles=("eron",)), "document_title_trigrams"),
        (DocumentFilters(tags=("pumps",)), "document_tags_gin"),
        (DocumentFilters(since=date(2020, 1, 1), before=date(2020, 2, 1)), "document_by_date"),
    ],
    ids=["title", "tags", "date"],
)
def test_filters_on_documents_use_their_index(
    filters: DocumentFilters, index: str, collection: Collection
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO documents_document (id, collection_id, title, filename, file, sha256, size, kind, "
            "media_type, page_count, chunk_count, indexed_file, indexed_kind, only_attached, source, "
            "language, quality, notice, tags, metadata, status, stage, percent, stage_done, stage_total, "
            "reason, error_detail, content_version, tries, interruptions, updated_at, dated) "
            "SELECT gen_random_uuid(), %s, md5(n::text), 'f', 'f', n::text, 1, 'text', '', 1, 1, '', '', "
            "false, '', '', '', '', ARRAY['t' || n], '{}', 'queued', '', 0, 0, 0, '', '', 1, 0, 0, now(), "
            "date '2000-01-01' + n FROM generate_series(1, 20000) n",
            [collection.pk],
        )
        cursor.execute("ANALYZE documents_document")
    with explained() as plans:
        list(Document.objects.described(filters).values_list("pk", flat=True))
    assert index in plans[-1]
