"""The BM25 index is derived data: a restart of the server may spoil it, and it is rebuilt then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from documents import lexical
from documents.models import Chunk, Collection, Document

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
