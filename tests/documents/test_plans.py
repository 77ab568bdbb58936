"""Each index is used by the query that depends on it, with access and filters in it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection

from documents import lexical
from documents.filters import DocumentFilters
from documents.models import Chunk, Collection, Document, DocumentIdentity, Embedding, EmbeddingSpace
from documents.querysets import EmbeddingQuerySet
from documents.spaces import active_space, index_name
from tests.explained import explained
from tests.indexed import indexed_document
from tests.passages import add_passages, any_vector
from tests.people import person, research

pytestmark = pytest.mark.django_db

#: More than Postgres would rather read through.
CROWD = 3000
#: Not the passages: who has written some holds a lock of the BM25 index until the transaction ends, and an
#: autovacuum that waits for it holds the one that ANALYZE needs.
ANALYSED = ("documents_embedding", "documents_document")


@pytest.fixture(scope="module")
def space(module_rows: None) -> EmbeddingSpace:
    """A few documents of Alice's, and a crowd of passages in another collection of hers."""
    for number in range(3):
        text = f"The heron number {number} stands in the reeds."
        indexed_document(research(), text, title=f"Herons {number}")
    crowded = Collection.objects.create(slug="crowd", name="Crowd", owner=person("alice"))
    document = Document.objects.create(
        collection=crowded, title="Crowd", filename="c", file="c", sha256="0" * 64, size=1, kind="text"
    )
    found = active_space()
    assert found
    add_passages(document, found, [any_vector(seed) for seed in range(CROWD)])
    with connection.cursor() as cursor:
        for table in ANALYSED:
            cursor.execute(f"ANALYZE {table}")
    connection.check_constraints()  # foreign keys wait with it, and hold up a test that makes an index
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
