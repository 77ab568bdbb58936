"""Which passages may be found, looked up once for all legs of a search, and how many these are.

The collections are resolved first and named. As a subquery their number is unknown to the planner: 833 rows
of 100,000 were found by reading the whole table (48 ms; named, 0.6 ms). Documents stay a query: there may be
many of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection, models

from documents.statements import Statement, answers, key_list

#: Measuring a vector is the unit of cost (about 1 µs); a row that the graph brings costs so many.
GRAPH_COST = 8
#: So many rows are always measured: a small collection that stands apart is hardly connected in the graph.
FEW_ROWS = 8_000
#: An estimate that is so many times more than few is believed; the others are counted.
SURELY = 4
#: Documents that hold so much of everything are looked up row by row; gathering their keys would take longer.
WIDE = 0.1

#: So long an estimate of whole collections holds, and of so many at most.
ESTIMATE_SECONDS = 10.0
MOST_ESTIMATES = 1_000

IN_COLLECTIONS = "collection_id = ANY (%s)"
OF_NAMED = "document_id = ANY (%s)"
NAMED = "SELECT chunk_count FROM documents_document WHERE id = ANY (%s) AND collection_id = ANY (%s)"
#: Of documents, which are a twentieth of the passages. The statistics know collections, types, frequent tags.
ESTIMATED = "EXPLAIN (FORMAT JSON) {documents};"
#: Documents and passages in all, as Postgres last estimated.
TOTALS = """SELECT greatest(d.reltuples, 0), greatest(c.reltuples, 0) FROM pg_class d, pg_class c
    WHERE d.oid = 'documents_document'::regclass AND c.oid = 'documents_chunk'::regclass"""
COUNTED = "SELECT coalesce(sum(chunk_count), 0) FROM ({documents}) counted"


@dataclass(frozen=True, slots=True)
class Condition:
    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """Passages of a scope, ``counted`` or estimated, and of everything, as last estimated."""

    allowed: int
    total: int
    counted: bool = True

    @property
    def share(self) -> float:
        """Of all passages those of the scope, from 0 to 1."""
        return self.allowed / max(self.total, self.allowed, 1)

    def is_small(self, k: int) -> bool:
        """Whether measuring them costs no more than the graph, if they lie anywhere in it."""
        return self.allowed <= few(k, self.total)


@dataclass(frozen=True)
class Scope:
    """Which passages may be found: those in ``collections`` (keys), of ``documents`` (None: any).

    ``among``: how many passages there are in all, where ``documents`` are known to be a few (``of``), and
    which these are: ``named``.
    """

    collections: tuple[int, ...]
    documents: models.QuerySet[Any] | None = None
    among: int | None = None
    named: tuple[UUID, ...] | None = None

    def of(self, documents: Iterable[UUID]) -> Scope:
        """Of these few documents alone, which are within the scope."""
        from documents.models import Document

        named = tuple(documents)
        few_ones = Document.objects.filter(pk__in=named)
        return Scope(self.collections, few_ones, among=self._estimate.total, named=named)

    def condition(self, documents: str) -> Condition:
        """On the rows of a table with ``collection_id``; ``documents`` is how theirs are asked for.

        Raises ``EmptyResultSet`` when nothing can be meant.
        """
        if not self.collections:
            raise EmptyResultSet
        if self.named is not None:
            return Condition(
                f"{IN_COLLECTIONS} AND {OF_NAMED}", (key_list(self.collections), key_list(self.named))
            )
        if self.documents is None:
            return Condition(IN_COLLECTIONS, (key_list(self.collections),))
        meant = self.documents.filter(collection_id__in=self.collections).order_by().values("pk")
        sql, parameters = meant.query.sql_with_params()
        return Condition(
            f"{IN_COLLECTIONS} AND {documents.format(documents=sql)}",
            (key_list(self.collections), *parameters),
        )

    def extent(self, k: int) -> Extent:
        """Counted where ``k`` of them could be had by measuring all; else an estimate does."""
        if self.among is not None:
            return Extent(self.counted, self.among)
        if self._estimate.allowed > SURELY * few(k, self._estimate.total):
            return self._estimate
        return Extent(self.counted, self._estimate.total)

    @property
    def is_wide(self) -> bool:
        return self.among is None and self._estimate.share >= WIDE

    @cached_property
    def counted(self) -> int:
        """The passages of the scope."""
        try:
            return int(answers(self.counting())[0][0][0])
        except EmptyResultSet:
            return 0

    def counting(self) -> Statement:
        """What ``counted`` asks. Raises ``EmptyResultSet`` when nothing can be meant."""
        sql, parameters = self._documents()
        return Statement(COUNTED.format(documents=sql), parameters)

    @cached_property
    def _estimate(self) -> Extent:
        """Of whole collections it is kept for a moment: it only decides by which way they are read."""
        if self.documents is not None:
            return self._estimated()
        asked_at, found = _estimates.get(self.collections, (0.0, None))
        if found is None or time.monotonic() - asked_at > ESTIMATE_SECONDS:
            if len(_estimates) >= MOST_ESTIMATES:
                _estimates.clear()
            found = self._estimated()
            _estimates[self.collections] = (time.monotonic(), found)
        return found

    def _estimated(self) -> Extent:
        try:
            sql, parameters = self._documents()
        except EmptyResultSet:
            return Extent(0, 0)
        with connection.cursor() as cursor:
            cursor.execute(ESTIMATED.format(documents=sql) + TOTALS, parameters)
            rows = cursor.fetchone()[0][0]["Plan"]["Plan Rows"]
            cursor.nextset()
            documents, passages = cursor.fetchone()
        share = min(rows / documents, 1.0) if documents else 0.0
        return Extent(int(share * passages), int(passages), counted=False)

    def _documents(self) -> tuple[str, tuple[Any, ...]]:
        """Those of the scope, as SQL. Raises ``EmptyResultSet`` when nothing can be meant."""
        from documents.models import Document

        if self.named is not None:
            return NAMED, (key_list(self.named), key_list(self.collections))
        every = Document.objects.all() if self.documents is None else self.documents
        meant = every.filter(collection_id__in=self.collections).order_by().values("chunk_count")
        found: tuple[str, tuple[Any, ...]] = meant.query.sql_with_params()
        return found


#: Nothing may be found.
NOWHERE = Scope(())


def forget_estimates() -> None:
    """Ask anew next time."""
    _estimates.clear()


_estimates: dict[tuple[int, ...], tuple[float, Extent]] = {}


def few(k: int, total: int) -> int:
    return max(FEW_ROWS, int(sqrt(k * total * GRAPH_COST)))
