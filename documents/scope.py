"""Which passages may be found, looked up once for all legs of a search, and how many these are.

The collections are resolved first and named. As a subquery their number is unknown to the planner: 833 rows
of 100,000 were found by reading the whole table (48 ms; named, 0.6 ms). Documents stay a query: there may be
many of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models

#: Measuring a vector is the unit of cost (about 1 µs); a row that the graph brings costs so many.
GRAPH_COST = 8
#: So many rows are always measured: a small collection that stands apart is hardly connected in the graph.
FEW_ROWS = 8_000
#: Documents that are counted at first; more only where they are very short.
COUNTED_DOCUMENTS = 2_000
ALL_DOCUMENTS = 2**31

IN_COLLECTIONS = "collection_id = ANY (%s)"
#: Documents and their passages, as far as counted, and all passages, as Postgres last estimated.
COUNTED = """SELECT count(*), coalesce(sum(chunk_count), 0),
    (SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'documents_chunk'::regclass)
    FROM (SELECT chunk_count FROM documents_document e WHERE {condition} LIMIT %s) counted"""


@dataclass(frozen=True, slots=True)
class Condition:
    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """Passages of a scope, and of everything. ``whole``: counted to the end; else there are more."""

    allowed: int
    total: int
    whole: bool = True

    def is_small(self, k: int) -> bool:
        """Whether measuring them costs no more than the graph, if they lie anywhere in it."""
        return self.allowed <= few(k, self.total)


@dataclass(frozen=True)
class Scope:
    """Which passages may be found: those in ``collections`` (keys), of ``documents`` (None: any)."""

    collections: tuple[int, ...]
    documents: models.QuerySet[Any] | None = None

    def condition(self, documents: str) -> Condition:
        """On the rows of a table with ``collection_id``; ``documents`` is how theirs are asked for.

        Raises ``EmptyResultSet`` when nothing can be meant.
        """
        if not self.collections:
            raise EmptyResultSet
        if self.documents is None:
            return Condition(IN_COLLECTIONS, (list(self.collections),))
        meant = self.documents.filter(collection_id__in=self.collections).order_by().values("pk")
        sql, parameters = meant.query.sql_with_params()
        return Condition(
            f"{IN_COLLECTIONS} AND {documents.format(documents=sql)}", (list(self.collections), *parameters)
        )

    def extent(self, k: int) -> Extent:
        """Counted by documents, which are a twentieth of the passages, and no further than it matters."""
        if self._first.whole or not self._first.is_small(k):
            return self._first
        return self.counted(few(k, self._first.total) + 1)

    @cached_property
    def _first(self) -> Extent:
        return self.counted(COUNTED_DOCUMENTS)

    def counted(self, limit: int = ALL_DOCUMENTS) -> Extent:
        """The passages of up to ``limit`` documents. Raises ``EmptyResultSet`` as ``condition`` does."""
        condition = self.condition("id IN ({documents})")
        with connection.cursor() as cursor:
            cursor.execute(COUNTED.format(condition=condition.sql), [*condition.parameters, limit])
            documents, allowed, total = cursor.fetchone()
        return Extent(int(allowed), int(total or 0), documents < limit)


def few(k: int, total: int) -> int:
    return max(FEW_ROWS, int(sqrt(k * total * GRAPH_COST)))
