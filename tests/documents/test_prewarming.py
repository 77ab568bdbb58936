"""After a start of Postgres the search's indexes are read into memory, once, as much as fits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from documents import prewarming, spaces
from documents.metrics import index_prewarm_seconds
from documents.models import Collection, Document

pytestmark = pytest.mark.django_db

PREWARM = "SELECT pg_prewarm("


def prewarmed(work: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        work()
    return [query["sql"] for query in queries.captured_queries if PREWARM in query["sql"]]


@pytest.fixture
def _indexed(collection: Collection, make_document: Callable[..., Document]) -> None:
    make_document(collection, "The heron stands in the reeds.")


@pytest.mark.usefixtures("_indexed")
def test_it_reads_the_graph_and_the_words_once_for_each_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="documents.prewarming"):
        statements = prewarmed(prewarming.sweep)
    space = spaces.active_space()
    assert space
    assert spaces.index_name(space.pk) in statements[0]
    assert any("documents_chunk'" in statement for statement in statements)
    assert "blocks were read into memory" in caplog.text
    assert index_prewarm_seconds._value.get() > 0
    assert prewarmed(prewarming.sweep) == []
    cache.set(prewarming.KEY, "an earlier start", None)
    assert len(prewarmed(prewarming.sweep)) == len(statements)


@pytest.mark.usefixtures("_indexed")
def test_blocks_are_counted_and_bounded_by_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prewarming.available()
    assert prewarming.prewarm() > 4
    monkeypatch.setattr(prewarming, "BLOCKS", "SELECT 4")
    assert prewarming.prewarm() == 3


def test_it_gives_way_where_the_extension_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(prewarming, "available", lambda: False)
    with caplog.at_level(logging.INFO, logger="documents.prewarming"):
        assert prewarmed(prewarming.sweep) == []
    assert "pg_prewarm is missing" in caplog.text


def test_a_role_that_may_not_make_it_is_told_no() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION IF EXISTS pg_prewarm")
        cursor.execute("CREATE ROLE reader_alone")
        cursor.execute("SET LOCAL ROLE reader_alone")
        assert not prewarming.available()
        cursor.execute("RESET ROLE")
        assert prewarming.available()
