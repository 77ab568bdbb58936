"""Looks for a text wherever the portal keeps anything: the proof that a deleted document is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django_redis import get_redis_connection

from documents.stored_files import stored_files

BLOCK = 1024 * 1024


def traces_of(text: str) -> list[str]:
    """The tables, files and cached keys that hold ``text`` (words, without quotation marks)."""
    return [*in_tables(text), *in_files(text.encode()), *in_cache(text.encode())]


def in_tables(text: str) -> Iterator[str]:
    """Every row of every table, as text: no column can be forgotten."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE position(%s in t::text) > 0", [text])
            if number := cursor.fetchone()[0]:
                yield f"table {table}: {number} rows"


def in_files(wanted: bytes) -> Iterator[str]:
    for name in stored_files():
        with default_storage.open(name) as file:
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
