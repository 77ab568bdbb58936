"""The plans of queries, as they are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def explained(*without: str) -> Iterator[list[str]]:
    """The plans of all queries made meanwhile; ``without`` names ways that a small table would go."""
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        settings, separator, query = sql.rpartition("true);")
        if not sql.startswith("EXPLAIN"):
            with connection.connection.cursor() as cursor:  # type: ignore[union-attr]
                cursor.execute(f"{settings}{separator} EXPLAIN {query}", params)
                if separator:
                    cursor.nextset()
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        for kind in without:
            cursor.execute(f"SET LOCAL enable_{kind} = off")
    with connection.execute_wrapper(explain):
        yield plans
