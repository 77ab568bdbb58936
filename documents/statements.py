"""Several statements in one message, and several messages that see one moment.

What a search asks at the same time costs one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from psycopg import IsolationLevel

if TYPE_CHECKING:
    from documents.querysets import User

Rows = list[tuple[Any, ...]]
#: The key of no user, in the place of which that of one is put.
SOMEBODY = -2_147_483_647


class Statement(NamedTuple):
    """A question of one result, with its parameters."""

    sql: str
    parameters: Sequence[Any] = ()


def answers(*statements: Statement, then: Statement | None = None) -> list[Rows]:
    """The rows of each, in their order; ``then`` is told at last, and has none."""
    said = [*statements, then] if then else statements
    with connection.cursor() as cursor:
        cursor.execute(
            ";\n".join(each.sql for each in said),
            [parameter for each in said for parameter in each.parameters],
        )
        found: list[Rows] = [cursor.fetchall()]
        for _ in statements[1:]:
            cursor.nextset()
            found.append(cursor.fetchall())
        return found


def key_list(keys: Iterable[object]) -> str:
    """Keys for ``= ANY (%s)``: as a list each would be put into words by itself."""
    return "{" + ",".join(map(str, keys)) + "}"


def seen_by(user: User, rows: Callable[[Any], Any]) -> Statement:
    """The statement of ``rows(user)``, a query set of values that depends on the user's key alone.

    It is put together once in a process, for somebody: that takes longer than most statements run. Raises
    ``EmptyResultSet`` for the anonymous.
    """
    if not user.is_authenticated:
        raise EmptyResultSet
    sql, parameters = for_somebody(rows)
    return Statement(sql, [user.pk if each == SOMEBODY else each for each in parameters])


@cache
def for_somebody(rows: Callable[[Any], Any]) -> Statement:
    return of(rows(get_user_model()(pk=SOMEBODY)))


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
