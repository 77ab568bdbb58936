"""The BM25 index is derived data: a restart of the server may spoil it, and it is rebuilt then."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection

from documents import lexical
from documents.models import Chunk, Collection, Document, DocumentIdentity
from search.pipeline import search
from search.types import SearchRequest

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _restarted(collection: Collection, make_document: Callable[..., Document]) -> None:
    make_document(collection, "The heron stands in the reeds.")
    with connection.cursor() as cursor:
        cursor.execute(f"COMMENT ON INDEX {lexical.PASSAGES.bm25} IS 'checked since an earlier start'")


@pytest.mark.usefixtures("_restarted")
def test_after_a_restart_the_index_is_stale_until_it_was_checked() -> None:
    assert lexical.backend() == "stale"
    lexical.repair_after_restart()
    assert lexical.backend() == "bm25"
    assert Chunk.objects.lexical(["heron"], 10, lexical.backend())


@pytest.mark.usefixtures("_restarted")
def test_what_is_only_in_memory_is_written_by_a_rebuild() -> None:
    with connection.cursor() as cursor:
        assert not lexical.is_whole(cursor, lexical.PASSAGES)
        assert lexical.repair_after_restart()
        assert lexical.is_whole(cursor, lexical.PASSAGES)
        cursor.execute(f"COMMENT ON INDEX {lexical.PASSAGES.bm25} IS NULL")
    assert not lexical.repair_after_restart(), "a whole index is not rebuilt"
    assert lexical.backend() == "bm25"


@pytest.fixture
def _without_the_extension(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with connection.cursor() as cursor:
        lexical.drop_index(cursor)
        monkeypatch.setattr(lexical, "bm25_available", lambda cursor: False)
        lexical.create_index(cursor)
        yield
        monkeypatch.undo()
        lexical.drop_index(cursor)
        lexical.create_index(cursor)


@pytest.mark.usefixtures("_without_the_extension")
def test_without_the_extension_text_search_serves_all_lexical_legs(
    collection: Collection, make_document: Callable[..., Document], alice: User, charlie: User
) -> None:
    document = make_document(collection, "The heron stands in the reeds.", title="Wading birds")
    DocumentIdentity.objects.update_or_create(
        document=document, defaults={"collection": collection, "text": "Wading birds"}
    )
    assert lexical.backend() == "tsvector"
    for objects, text in ((Chunk.objects, "heron"), (DocumentIdentity.objects, "wading birds")):
        terms = lexical.terms_of(text)
        assert len(objects.visible_to(alice).lexical(terms, 10, "tsvector")) == 1
        assert objects.visible_to(charlie).lexical(terms, 10, "tsvector") == []
    result = search(request=SearchRequest("heron"), user=alice)
    assert "bm25" in result.degraded
    assert [hit.document_title for hit in result.hits] == ["Wading birds"]
    assert not lexical.repair_after_restart()
    lexical.rebuild(lexical.IDENTITIES)


def test_all_legs_serve_by_bm25_or_none_does() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {lexical.IDENTITIES.bm25}")
        assert lexical.backend() == "tsvector"
        lexical.create_index(cursor)
    assert lexical.backend() == "bm25"


def test_terms_are_folded_stemmed_and_each_comes_once(
    collection: Collection, make_document: Callable[..., Document]
) -> None:
    make_document(collection, "The heron stands in the reeds.")
    assert lexical.terms_of("Herons, the hérons") == ["heron"]
    assert lexical.terms_of("") == lexical.terms_of("the of and") == []
