"""After a start of Postgres: what a search reads, back in memory before it is asked for.

The embedded server remembers what was in memory (``autoprewarm``), as of some minutes before a crash; another
one may not, and then the first searches read the graph from disk, page by page.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from django.core.cache import cache
from django.db import DatabaseError, connection, transaction

from documents import lexical, spaces
from documents.metrics import index_prewarm_seconds

logger = logging.getLogger(__name__)

#: The start of the server that was prewarmed for, known to the sweeps of all workers.
KEY = "prewarming"
#: Of ``shared_buffers``: what is loaded last must not drive out the first.
SHARE = 0.75
BLOCKS = "SELECT setting::bigint FROM pg_settings WHERE name = 'shared_buffers'"
SIZE = "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::bigint"


def sweep() -> None:
    """For the worker (setting ``PERIODIC``): prewarms once for each start of the server."""
    started = server_start()
    if cache.get(KEY) == started:
        return
    cache.set(KEY, started, None)
    if not available():
        logger.info("pg_prewarm is missing on this server: its memory fills as it is asked")
        return
    prewarm()


def server_start() -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lexical.SERVER_START}")
        return str(cursor.fetchone()[0])


def available() -> bool:
    """Whether the extension is there, or can be made by the portal's role."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_prewarm'")
        if cursor.fetchone():
            return True
        try:
            with transaction.atomic():
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        except DatabaseError:
            return False
    return True


def prewarm() -> int:
    """How many blocks were read, the graph first, as much as fits."""
    begun, read = time.monotonic(), 0
    with connection.cursor() as cursor:
        cursor.execute(BLOCKS)
        room = int(cursor.fetchone()[0] * SHARE)
        for name in relations():
            cursor.execute(SIZE, [name])
            size = cursor.fetchone()[0] or 0  # nothing where there is no such relation
            if (blocks := min(size, room - read)) > 0:
                cursor.execute("SELECT pg_prewarm(to_regclass(%s), last_block => %s)", [name, blocks - 1])
                read += cursor.fetchone()[0]
    index_prewarm_seconds.set(time.monotonic() - begun)
    logger.info("%s blocks were read into memory in %.1f s", read, time.monotonic() - begun)
    return read


def relations() -> Iterator[str]:
    """What every search reads, what it reads at random first."""
    if space := spaces.active_space():
        yield spaces.index_name(space.pk)
    for index in lexical.INDEXES:
        yield index.bm25
        yield index.tsvector
    yield from ("documents_chunk_pkey", "documents_document", "documents_chunk", "documents_embedding")
