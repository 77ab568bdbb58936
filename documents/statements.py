"""Several statements in one message, and several messages that see one moment.

What a search asks at the same time costs one round trip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg import IsolationLevel

Rows = list[tuple[Any, ...]]


class Statement(NamedTuple):
    """A question of one result, with its parameters."""

    sql: str
    parameters: Sequence[Any] = ()


def answers(*statements: Statement) -> list[Rows]:
    """The rows of each, in their order. Outside a transaction the message is one."""
    with connection.cursor() as cursor:
        cursor.execute(
            ";\n".join(each.sql for each in statements),
            [parameter for each in statements for parameter in each.parameters],
        )
        found: list[Rows] = [cursor.fetchall()]
        for _ in statements[1:]:
            cursor.nextset()
            found.append(cursor.fetchall())
        return found


def of(rows: Any) -> Statement:
    """A query set of values. Raises ``EmptyResultSet`` when it can have none."""
    return Statement(*rows.query.sql_with_params())


@contextmanager
def snapshot() -> Iterator[None]:
    """Several queries that see the same moment: a document is found as it was or as it is, never as both.

    Inside a transaction they see what that one sees.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    raw = connection.connection
    before = raw.isolation_level, raw.read_only
    # Said with the first statement, where ``SET TRANSACTION`` would be a message of its own.
    raw.isolation_level, raw.read_only = IsolationLevel.REPEATABLE_READ, True
    try:
        with transaction.atomic():
            yield
    finally:
        if not raw.closed:
            raw.isolation_level, raw.read_only = before
