"""Very many documents, as rows alone: what is looked at is a list of them."""

from __future__ import annotations

from django.db import connection

from documents.models import Collection

INSERT = """
INSERT INTO documents_document (
    id, collection_id, title, filename, file, sha256, size, kind, media_type, page_count, chunk_count,
    only_attached, indexed_file, indexed_kind, source, language, quality, notice, tags, metadata,
    status, stage, percent, stage_done, stage_total, reason, error_detail, content_version, tries,
    interruptions, updated_at)
SELECT
    gen_random_uuid(), %s, 'Minutes of meeting ' || to_char(n, 'FM00000'), 'minutes-' || n || '.txt', 'none',
    encode(sha256(n::text::bytea), 'hex'), 1000 + n, (ARRAY['text', 'markdown', 'html'])[1 + n %% 3],
    'text/plain', 1 + n %% 40, 3,
    false, '', '', '', 'en', 'good', '', ARRAY[(ARRAY['board', 'harbour', 'finance'])[1 + n %% 3]], '{}',
    'ready', '', 100, 0, 0, '', '', 1, 0,
    0, now() - n * interval '1 h'
FROM generate_series(1, %s) n
"""


def many_documents(collection: Collection, count: int) -> None:
    """Ready ones, in three formats and with three tags, an hour apart."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [collection.pk, count])
