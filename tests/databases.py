"""The database of a test run: quick to commit, emptied where there is something, kept for a whole module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.apps import apps
from django.db import connection, transaction

#: Filled by migrations, and never changed by what is tested.
KEPT = ("django_content_type", "auth_permission")
#: Their indexes keep what was deleted until a vacuum: new files cost less than what that does to scores.
REFILLED = ("documents_chunk", "documents_embedding", "documents_documentidentity")
QUEUE = ("procrastinate_jobs", "procrastinate_events", "procrastinate_workers")


def forget_at_crashes(address: dict[str, Any]) -> None:
    """What a test run stores need not outlive a loss of power: no commit waits for a disk."""
    with psycopg.connect(
        host=address["HOST"],
        user=address["USER"],
        password=address["PASSWORD"],
        dbname=address["NAME"],
        autocommit=True,
    ) as session:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            session.execute(f"ALTER SYSTEM SET {name} = off")
        session.execute("SELECT pg_reload_conf()")


def empty_tables(*_: Any) -> None:
    """Empty what a test has filled, the queue too, for which Django makes no tables.

    Instead of Django's own ``flush``, which gives each of some forty tables and all their indexes new files
    and makes permissions anew: 0.4 s after every test, most of which fill a few tables with a few rows.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        filled = filled_tables(cursor)
        if not filled.isdisjoint(REFILLED):
            cursor.execute(f"TRUNCATE {', '.join(REFILLED)}")
        if others := filled.difference(REFILLED):
            # Without foreign keys' triggers: the order does not matter, as all of it goes.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("; ".join(f'DELETE FROM "{table}"' for table in sorted(others)))


def filled_tables(cursor: Any) -> set[str]:
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    managed = {table for table in tables if not table.startswith("procrastinate")}.union(QUEUE)
    parts = (f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in managed.difference(KEPT))
    cursor.execute(" UNION ALL ".join(parts))
    return {table for (table,) in cursor.fetchall()}


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction that is rolled back in the end; those of tests are savepoints in it."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)
