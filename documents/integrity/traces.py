"""Looks for a text wherever the portal keeps anything: the proof that a deleted document is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django_redis import get_redis_connection

from documents.stored_files import stored_files

BLOCK = 1024 * 1024
#: ``\\n`` is how JSON writes a line break.
ROWS_THAT_HOLD = r"""
    SELECT count(*), array_agg(DISTINCT coalesce(
    'document ' || (to_jsonb(t) ->> 'document_id'), 'key ' || (to_jsonb(t) ->> 'id'), '?'))
    FROM {table} t WHERE position(%s in lower(regexp_replace(t::text, '(\s|\\+n)+', ' ', 'g'))) > 0"""


def traces_of(text: str) -> list[str]:
    """The tables, files and cached keys that hold ``text`` (words, without quotation marks).

    Case, blanks and line breaks make no difference in tables. Files are searched as they are: a packed
    original (an office document, most PDFs) does not show its words.
    """
    return [*in_tables(text), *in_files(text.encode()), *in_cache(text.encode())]


def in_tables(text: str) -> Iterator[str]:
    """Every row of every table, as text: no column can be forgotten."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(ROWS_THAT_HOLD.format(table=table), [" ".join(text.lower().split())])
            number, keys = cursor.fetchone()
            if number:
                yield f"table {table}: {number} rows ({', '.join(keys[:3])})"


def in_files(wanted: bytes) -> Iterator[str]:
    for name in stored_files():
        with suppress(FileNotFoundError), default_storage.open(name) as file:
            if holds(file, wanted):
                yield f"file {name}"


def holds(file: Any, wanted: bytes) -> bool:
    """Read in blocks that overlap by the length of what is looked for."""
    before = b""
    while block := file.read(BLOCK):
        if wanted in before + block:
            return True
        before = block[-len(wanted) :]
    return False


def in_cache(wanted: bytes) -> Iterator[str]:
    redis = get_redis_connection()
    for key in redis.scan_iter(count=1000):
        if redis.type(key) == b"string" and wanted in (redis.get(key) or b""):
            yield f"cached {key.decode(errors='replace')}"
