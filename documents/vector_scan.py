"""How the vector leg reads the passages that may be found: through the HNSW graph, or each of them.

The graph brings the nearest first, whoever may see them. How many it has to bring for *k* allowed ones
depends on how many of those near the query are allowed, which is not the share of all: collections and tags
are about something. So it is asked once for the nearest, and what is allowed among them tells what comes
next:

1. Few allowed rows are measured, each of them: exact, and soon done.
2. Else the graph is asked for its nearest 200. Mostly that is all.
3. Were few of these allowed, it is asked once more for as many as that promises to take, where it can keep as
   many candidates: more candidates are also what keeps its recall up.
4. Else every allowed row is measured, unless there are so many that reading on through the graph is cheaper.

What the statements look like decides whether an index can be used:

- The collections are resolved first and named. As a subquery their number is unknown to the planner: 833 rows
  of 100,000 were found by reading the whole table (48 ms; named, 0.6 ms).
- On the way through the graph every condition stands in a ``CASE``, or Postgres might prefer another index
  and sort; the document's conditions are a scalar subquery on its key, which cannot become a join.
- Reading on is in ``relaxed_order``, and sorted afterwards: in strict order pgvector throws away what a later
  round finds nearer than the last row of an earlier one (recall@10 under a 10 % filter .75, relaxed .97). And
  it must not be stopped early by ``max_scan_tuples``, as then the rows at hand come whatever they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from pgvector import HalfVector

if TYPE_CHECKING:
    from documents.models import EmbeddingSpace

#: Measuring a row is the unit of cost (about 1 µs); a row that the graph brings costs so many.
GRAPH_COST = 8
#: So many rows are always measured: a small collection that stands apart is hardly connected in the graph.
FEW_ROWS = 8_000
#: Candidates that the graph scan keeps; pgvector's own limit is 1,000.
EF_SEARCH = 200
EF_SEARCH_LIMIT = 1_000
#: Candidates asked for in the second round, in terms of those that should just do.
MARGIN = 1.5
#: Rows that are read through the graph at most, and the memory for that in units of ``work_mem``.
MAX_TUPLES = 20_000
MEMORY_MULTIPLIER = 4
#: Documents that are counted at first; more only where they are very short.
COUNTED_DOCUMENTS = 2_000
ALL_DOCUMENTS = 2**31

SETTINGS = """SELECT set_config('hnsw.iterative_scan', %s, true), set_config('hnsw.ef_search', %s, true),
    set_config('hnsw.max_scan_tuples', %s, true), set_config('hnsw.scan_mem_multiplier', %s, true);"""
GRAPH = """SELECT chunk_id, vector::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance
    FROM documents_embedding e WHERE space_id = {space} AND CASE WHEN {condition} THEN true ELSE false END
    ORDER BY distance LIMIT %s"""
#: The same order by an expression that no index has.
MEASURED = """SELECT chunk_id, (vector::halfvec({dimensions}) <=> %s::halfvec({dimensions})) + 0.0 AS distance
    FROM documents_embedding e WHERE space_id = {space} AND {condition} ORDER BY distance LIMIT %s"""
IN_COLLECTIONS = "collection_id = ANY (%s)"
#: The document of each row is looked up by its key.
OF_A_DOCUMENT = "(SELECT true FROM ({documents}) meant(id) WHERE meant.id = e.document_id)"
#: Few documents: by the index on them, whatever the planner believes their number to be. Many: a join.
OF_FEW_DOCUMENTS = "document_id = ANY (ARRAY ({documents}))"
OF_MANY_DOCUMENTS = "document_id IN ({documents})"
#: Documents and their passages, as far as counted; the rows of the space's index, as Postgres last estimated.
COUNTED = """SELECT count(*), coalesce(sum(chunk_count), 0),
    (SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = to_regclass(%s))
    FROM (SELECT chunk_count FROM documents_document e WHERE {condition} LIMIT %s) counted"""

#: (primary key of the passage, score; higher is better), best first.
Scored = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Condition:
    sql: str
    parameters: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """Passages of a scope (at least so many, where it has very many), and of the whole space."""

    allowed: int
    total: int

    def is_small(self, k: int) -> bool:
        """Whether measuring them costs no more than the graph, if they lie anywhere in it."""
        return self.allowed <= few(k, self.total)


def few(k: int, total: int) -> int:
    return max(FEW_ROWS, int(sqrt(k * total * GRAPH_COST)))


def nearest(scope: Scope, vector: Any, *, space: EmbeddingSpace, k: int) -> Scored:
    """The ``k`` passages of ``scope`` nearest to ``vector`` by cosine, or all where it has fewer."""
    try:
        if extent_of(scope, space, k).is_small(k):
            return measured(scope, vector, space, k, small=True)
        found = near(scope, vector, space, k)
        return found if len(found) == k else far(scope, vector, space, k, len(found))
    except EmptyResultSet:
        return []


def exact(scope: Scope, vector: Any, *, space: EmbeddingSpace, k: int) -> Scored:
    """The same, with every passage of ``scope`` measured, however many there are."""
    try:
        return measured(scope, vector, space, k)
    except EmptyResultSet:
        return []


def near(scope: Scope, vector: Any, space: EmbeddingSpace, k: int) -> Scored:
    """What is allowed of the graph's nearest, in up to two rounds; ``k`` rows at most."""
    ef_search = min(max(EF_SEARCH, k), EF_SEARCH_LIMIT)
    found = through_graph(scope, vector, space, k, ef_search)
    promised = int(MARGIN * k * ef_search / max(len(found), 1))
    if len(found) < k and promised <= EF_SEARCH_LIMIT:
        found = through_graph(scope, vector, space, k, promised)
    return found


def far(scope: Scope, vector: Any, space: EmbeddingSpace, k: int, seen: int) -> Scored:
    """The same where only ``seen`` were allowed of those nearby: by the way that costs less."""
    _, extent = counted(scope, space, ALL_DOCUMENTS)
    needed = k * EF_SEARCH // max(seen, 1)
    if needed <= MAX_TUPLES and extent.allowed > needed * GRAPH_COST:
        found = through_graph(scope, vector, space, k, EF_SEARCH, go_on=True)
        if len(found) == k:
            return found
    return measured(scope, vector, space, k)


def extent_of(scope: Scope, space: EmbeddingSpace, k: int) -> Extent:
    """Counted by documents, which are a twentieth of the passages, and no further than it matters."""
    documents, extent = counted(scope, space, COUNTED_DOCUMENTS)
    if documents == COUNTED_DOCUMENTS and extent.is_small(k):
        _, extent = counted(scope, space, few(k, extent.total) + 1)
    return extent


def counted(scope: Scope, space: EmbeddingSpace, limit: int) -> tuple[int, Extent]:
    from documents.spaces import index_name

    condition = scope.condition("id IN ({documents})")
    with connection.cursor() as cursor:
        cursor.execute(
            COUNTED.format(condition=condition.sql), [index_name(space.pk), *condition.parameters, limit]
        )
        documents, allowed, total = cursor.fetchone()
    return documents, Extent(int(allowed), int(total or 0))


def through_graph(
    scope: Scope, vector: Any, space: EmbeddingSpace, k: int, ef_search: int, *, go_on: bool = False
) -> Scored:
    """What is allowed of the nearest ``ef_search`` rows; ``go_on``: of as many as it takes for ``k``.

    Settings and query go to the server as one message, which is a transaction: the settings end with it.
    """
    condition = scope.condition(OF_A_DOCUMENT)
    iterative = "relaxed_order" if go_on else "off"
    settings = [iterative, str(ef_search), str(MAX_TUPLES), str(MEMORY_MULTIPLIER)]
    with connection.cursor() as cursor:
        cursor.execute(
            SETTINGS + shaped(GRAPH, condition, space),
            [*settings, HalfVector(vector).to_text(), *condition.parameters, k],
        )
        cursor.nextset()
        return scored(cursor.fetchall())


def measured(scope: Scope, vector: Any, space: EmbeddingSpace, k: int, *, small: bool = False) -> Scored:
    """Every allowed row. ``small``: those of few documents, by the index on them."""
    condition = scope.condition(OF_FEW_DOCUMENTS if small else OF_MANY_DOCUMENTS)
    with connection.cursor() as cursor:
        cursor.execute(
            shaped(MEASURED, condition, space), [HalfVector(vector).to_text(), *condition.parameters, k]
        )
        return scored(cursor.fetchall())


def shaped(statement: str, condition: Condition, space: EmbeddingSpace) -> str:
    """Space and length are literals: they name the partial index."""
    return statement.format(dimensions=int(space.dimensions), space=int(space.pk), condition=condition.sql)


def scored(rows: list[tuple[int, float]]) -> Scored:
    """Nearest first; equally near ones by age, so that order is stable."""
    return [(pk, 1.0 - distance) for pk, distance in sorted(rows, key=lambda row: (row[1], row[0]))]
