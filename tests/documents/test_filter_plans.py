"""Filters on documents use the indexes that are made for them."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from documents.filters import DocumentFilters
from documents.models import Document
from tests.explained import explained
from tests.people import research

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def crowd(module_rows: None) -> None:
    """20,000 documents: more than Postgres would rather read through."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO documents_document (id, collection_id, title, filename, file, sha256, size, kind, "
            "media_type, page_count, chunk_count, indexed_file, indexed_kind, only_attached, source, "
            "language, quality, notice, tags, metadata, status, stage, percent, stage_done, stage_total, "
            "reason, error_detail, content_version, tries, interruptions, updated_at, dated) "
            "SELECT gen_random_uuid(), %s, md5(n::text), 'f', 'f', n::text, 1, 'text', '', 1, 1, '', '', "
            "false, '', '', '', '', ARRAY['t' || n], '{}', 'queued', '', 0, 0, 0, '', '', 1, 0, 0, now(), "
            "date '2000-01-01' + n FROM generate_series(1, 20000) n",
            [research().pk],
        )
        cursor.execute("ANALYZE documents_document")


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (DocumentFilters(titles=("eron",)), "document_title_trigrams"),
        (DocumentFilters(tags=("pumps",)), "document_tags_gin"),
        (DocumentFilters(since=date(2020, 1, 1), before=date(2020, 2, 1)), "document_by_date"),
    ],
    ids=["title", "tags", "date"],
)
@pytest.mark.usefixtures("crowd")
def test_filters_on_documents_use_their_index(filters: DocumentFilters, index: str) -> None:
    with explained() as plans:
        list(Document.objects.described(filters).values_list("pk", flat=True))
    assert index in plans[-1]
