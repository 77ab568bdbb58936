"""The lexical index over passages: BM25 where the extension is, text search where it is missing."""

from __future__ import annotations

from typing import Any, Literal

from django.db import connection

Backend = Literal["bm25", "tsvector"]

BM25_INDEX = "chunk_context_bm25"
TSVECTOR_INDEX = "chunk_context_tsvector"
TEXT_CONFIG = "english"


def create_index(cursor: Any) -> None:
    """Create the index that this server can have. Both are derived data: drop and create at will."""
    if bm25_available(cursor):
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_textsearch")
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {BM25_INDEX} ON documents_chunk "
            f"USING bm25 (context) WITH (text_config = '{TEXT_CONFIG}')"
        )
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
    """Which index the lexical leg uses. Asked of the database once per process."""
    global _backend
    if _backend is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_indexes WHERE indexname = %s", [BM25_INDEX])
            _backend = "bm25" if cursor.fetchone() else "tsvector"
    return _backend


_backend: Backend | None = None
