"""Retrieval SQL: access is decided inside, short results are completed (its plans: documents/test_plans)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from django.contrib.auth.models import AnonymousUser, User

from documents import lexical
from documents.filters import DocumentFilters
from documents.models import Chunk, Collection, Document, Embedding
from documents.spaces import active_space
from tests.passages import add_passages, any_vector
from tests.search.examples import BREAD, HERONS, TRAMS

pytestmark = pytest.mark.django_db
MakeDocument = Callable[..., Document]


@pytest.fixture
def herons(collection: Collection, make_document: MakeDocument) -> Document:
    return make_document(collection, HERONS, title="Herons")


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


@pytest.mark.parametrize("few", [0, 10_000])
def test_a_filter_that_leaves_few_rows_still_gets_them_all(
    herons: Document,
    collection: Collection,
    make_document: MakeDocument,
    alice: User,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """2,000 foreign vectors stand nearer than the rows that the filter allows.

    With no rows counted as few the graph is asked first, and brings none of them.
    """
    monkeypatch.setattr("documents.scope.few", lambda k, total: few)
    space = active_space()
    assert space
    add_passages(herons, space, [any_vector(seed) for seed in range(2000)])
    wanted = [make_document(collection, text) for text in (TRAMS, BREAD)]
    vector = -np.mean([e.vector for e in Embedding.objects.filter(document__in=wanted)], axis=0)
    allowed = Embedding.objects.visible_to(alice).of_documents(
        DocumentFilters(documents=tuple(d.pk for d in wanted))
    )
    found = allowed.nearest(vector, space=space, k=10)
    assert len(found) == Embedding.objects.filter(document__in=wanted).count()
    assert found == sorted(found, key=lambda row: -row[1])
