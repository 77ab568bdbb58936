"""The vector leg under access and filters: its recall against the exact scan, whichever way it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection

from documents import vector_scan
from documents.filters import DocumentFilters
from documents.models import Chunk, Collection, Document, Embedding, EmbeddingSpace
from documents.recall import recall_at_10, stored_vectors
from documents.scope import TOTALS, Extent, Scope, forget_estimates
from documents.services import collection_create
from documents.spaces import active_space, ensure_active_space
from tests.passages import add_passages
from tests.people import person, research

pytestmark = pytest.mark.django_db

PER_DOCUMENT = 40
DOCUMENTS = 60
TAGS = {"half": 2, "tenth": 10, "rare": 30}


def vectors_about(topic: int, count: int) -> Any:
    rng = np.random.default_rng(topic)
    centre = rng.normal(size=384)
    found = centre / np.linalg.norm(centre) + rng.normal(size=(count, 384)) * 0.03
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def add(collection: Collection, space: EmbeddingSpace, topic: int) -> Document:
    """A document of ``PER_DOCUMENT`` passages about ``topic``, with every tag whose turn it is."""
    document = Document.objects.create(
        collection=collection,
        title=f"Topic {topic}",
        filename="t",
        file="t",
        sha256=f"{topic:064x}",
        size=1,
        kind="text",
        tags=[tag for tag, step in TAGS.items() if topic % step == 0],
    )
    add_passages(document, space, vectors_about(topic, PER_DOCUMENT))
    return document


@pytest.fixture(scope="module")
def space(module_rows: None) -> EmbeddingSpace:
    """2,400 passages: nine tenths are Alice's and Bob's, one tenth is Charlie's own."""
    found = ensure_active_space()
    own = collection_create(owner=person("charlie"), name="Own", slug="own")
    for topic in range(DOCUMENTS):
        add(own if topic % 10 == 5 else research(), found, topic)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE documents_embedding")
    return found


@pytest.mark.parametrize("few", [0, 10_000], ids=["graph", "measured"])
@pytest.mark.parametrize("tag", ["", *TAGS])
def test_recall_holds_under_access_and_filters(
    space: EmbeddingSpace, bob: User, charlie: User, tag: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.scope.few", lambda k, total: few)
    recalls = []
    for user in (bob, charlie):
        allowed = Embedding.objects.visible_to(user)
        allowed = allowed.of_documents(DocumentFilters(tags=(tag,))) if tag else allowed
        recalls += [recall_at_10(allowed, vectors_about(topic, 1)[0], space) for topic in range(0, 60, 6)]
    known = [recall for recall in recalls if recall is not None]
    assert known
    assert sum(known) / len(known) >= 0.95


@pytest.mark.parametrize("few", [0, 10_000], ids=["graph", "measured"])
def test_nothing_of_others_is_ever_brought(
    space: EmbeddingSpace, charlie: User, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("documents.scope.few", lambda k, total: few)
    for topic in (0, 5):
        found = Embedding.objects.visible_to(charlie).nearest(vectors_about(topic, 1)[0], space=space, k=50)
        passages = Chunk.objects.filter(pk__in=[near.chunk_id for near in found])
        assert set(passages.values_list("collection__slug", flat=True)) == {"own"}
        assert len(found) == 50
    assert (
        Embedding.objects.visible_to(AnonymousUser()).nearest(vectors_about(0, 1)[0], space=space, k=5) == []
    )


def test_impossible_filters_find_nothing(space: EmbeddingSpace, bob: User) -> None:
    allowed = Embedding.objects.visible_to(bob)
    for nothing in (
        allowed.of_documents(DocumentFilters(documents=(uuid4(),))),
        allowed.of_documents(DocumentFilters(tags=("unknown",))),
        Embedding.objects.visible_to(bob, collections=["unknown"]),
    ):
        assert nothing.nearest(vectors_about(0, 1)[0], space=space, k=5) == []
        assert nothing.exact(vectors_about(0, 1)[0], space=space, k=5) == []
        assert recall_at_10(nothing, vectors_about(0, 1)[0], space) is None


def test_a_scope_is_counted_unless_it_is_surely_large(
    space: EmbeddingSpace, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = tuple(Collection.objects.values_list("pk", flat=True))
    narrowed = Document.objects.filter(tags__overlap=["rare"])
    with monkeypatch.context() as patch:  # other tests' outlive their rows
        patch.setattr("documents.scope.TOTALS", "SELECT 0, 0")
        assert Scope(every).extent(10) == Extent(DOCUMENTS * PER_DOCUMENT, 0), "without statistics"
    assert Scope((collection.pk,), narrowed).extent(10).allowed == 2 * PER_DOCUMENT
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE documents_document")
        cursor.execute(TOTALS)
        assert cursor.fetchone()[0] == DOCUMENTS
    monkeypatch.setattr("documents.scope.TOTALS", f"SELECT {DOCUMENTS}, 1000000")
    assert Scope(every).extent(10) == Extent(DOCUMENTS * PER_DOCUMENT, 0), "kept for a moment"
    forget_estimates()
    assert Scope(every).extent(10) == Extent(1_000_000, 1_000_000, counted=False)
    assert Scope(every).extent(10).share == 1
    assert Scope((collection.pk,), narrowed).extent(10) == Extent(2 * PER_DOCUMENT, 1_000_000)
    assert Scope(()).extent(10) == Extent(0, 0)


def test_the_settings_of_a_scan_end_with_it(space: EmbeddingSpace, bob: User) -> None:
    scope = Embedding.objects.visible_to(bob).scope()
    vector_scan.through_graph(scope, vectors_about(0, 1)[0], space, 10, 200)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('hnsw.iterative_scan')")
        # A test is one transaction, to whose end they last; reading on is never left switched on.
        assert cursor.fetchone() == ("off",)


def test_stored_vectors_are_those_of_the_collection(
    space: EmbeddingSpace, collection: Collection, make_document: Callable[..., Document]
) -> None:
    own = Collection.objects.get(slug="own")
    assert len(stored_vectors(own, space, 5)) == 5
    assert len(stored_vectors(own, space, 0)) == 0
    assert len(stored_vectors(collection, space, 10**6)) == 54 * PER_DOCUMENT
    assert active_space() == space


def test_a_narrowing_that_the_graph_knows_nothing_of_is_refused(space: EmbeddingSpace, bob: User) -> None:
    """Left out in silence it would bring what was not asked for."""
    allowed = Embedding.objects.visible_to(bob).filter(chunk__ordinal=0)
    with pytest.raises(ValueError, match="visible_to and of_documents only"):
        allowed.nearest(vectors_about(0, 1)[0], space=space, k=5)
