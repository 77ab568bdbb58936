"""The lexical index over passages: BM25 where the extension is, text search where it is missing."""

from __future__ import annotations

import logging
import re
from typing import Any, Literal

from django.db import connection

#: ``stale`` is BM25 after a restart of the server, until the index was checked.
Backend = Literal["bm25", "stale", "tsvector"]

logger = logging.getLogger(__name__)

BM25_INDEX = "chunk_context_bm25"
TSVECTOR_INDEX = "chunk_context_tsvector"
TEXT_CONFIG = "english"
#: As seconds, so that no session's time zone changes how it reads.
SERVER_START = "extract(epoch FROM pg_postmaster_start_time())::text"


def create_index(cursor: Any) -> None:
    """Create the index that this server can have. Both are derived data: drop and create at will."""
    if bm25_available(cursor):
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_textsearch")
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {BM25_INDEX} ON documents_chunk "
            f"USING bm25 (context) WITH (text_config = '{TEXT_CONFIG}')"
        )
        mark_sound(cursor)
    else:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {TSVECTOR_INDEX} ON documents_chunk "
            f"USING gin (to_tsvector('{TEXT_CONFIG}', context))"
        )


def drop_index(cursor: Any) -> None:
    cursor.execute(f"DROP INDEX IF EXISTS {BM25_INDEX}")
    cursor.execute(f"DROP INDEX IF EXISTS {TSVECTOR_INDEX}")


def bm25_available(cursor: Any) -> bool:
    """The extension has to be installed and preloaded: without the second its index cannot be made."""
    cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_textsearch'")
    if cursor.fetchone() is None:
        return False
    cursor.execute("SHOW shared_preload_libraries")
    return "pg_textsearch" in cursor.fetchone()[0]


def backend() -> Backend:
    """What the lexical leg can use now. Asked for every search: a restart of the server changes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT obj_description(to_regclass(%s)), {SERVER_START}, to_regclass(%s)",
            [BM25_INDEX, BM25_INDEX],
        )
        comment, started, index = cursor.fetchone()
    if index is None:
        return "tsvector"
    return "bm25" if comment == sound_since(started) else "stale"


def sound_since(started: str) -> str:
    """The comment on the index that says: checked since this start of the server."""
    return f"checked since the start of {started}"


def repair_after_restart() -> bool:
    """Check the BM25 index once for each start of the server; rebuild it when it is not whole.

    pg_textsearch 1.0.0 keeps its newest passages and its count of passages in memory: after a clean
    restart the count is wrong, after a crash the passages are missing as well. What a rebuild writes
    is on disk and stays. Returns whether it was rebuilt. Any number of processes may call this.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('documents.lexical'))")
        if not cursor.fetchone()[0]:
            return False
        try:
            if backend() != "stale":
                return False
            whole = is_whole(cursor)
            if not whole:
                logger.info("the BM25 index is not whole after a restart of the server; rebuilding it")
                rebuild()
            mark_sound(cursor)
            return not whole
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('documents.lexical'))")


def rebuild() -> None:
    """Build the index that there is anew, beside the old one."""
    index = TSVECTOR_INDEX if backend() == "tsvector" else BM25_INDEX
    with connection.cursor() as cursor:
        cursor.execute(f"REINDEX INDEX CONCURRENTLY {index}")


def is_whole(cursor: Any) -> bool:
    """Whether every passage is in the index's segments on disk. Unknown to any but a superuser: no."""
    cursor.execute("SELECT current_setting('is_superuser')")
    if cursor.fetchone()[0] != "on":
        return False
    cursor.execute("SELECT bm25_summarize_index(%s), (SELECT count(*) FROM documents_chunk)", [BM25_INDEX])
    summary, passages = cursor.fetchone()
    counted = re.search(r"total_docs: (\d+)", summary)
    in_memory = re.search(r"docids: (\d+)", summary)
    return bool(counted and int(counted[1]) == passages and (in_memory is None or in_memory[1] == "0"))


def mark_sound(cursor: Any) -> None:
    cursor.execute(f"SELECT {SERVER_START}")
    cursor.execute(f"COMMENT ON INDEX {BM25_INDEX} IS %s", [sound_since(cursor.fetchone()[0])])
