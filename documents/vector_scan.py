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

- On the way through the graph every condition stands in a ``CASE``, or Postgres might prefer another index
  and sort; the document's conditions are a scalar subquery on its key, which cannot become a join.
- Reading on is in ``relaxed_order``, and sorted afterwards: in strict order pgvector throws away what a later
  round finds nearer than the last row of an earlier one (recall@10 under a 10 % filter .75, relaxed .97). And
  it must not be stopped early by ``max_scan_tuples``, as then the rows at hand come whatever they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from pgvector import HalfVector

from documents.scope import GRAPH_COST, Condition, Scope, few
from documents.statements import Statement, answers, key_list

if TYPE_CHECKING:
    from documents.models import EmbeddingSpace

#: Candidates that the graph scan keeps; pgvector's own limit is 1,000.
EF_SEARCH = 200
EF_SEARCH_LIMIT = 1_000
#: Candidates asked for in the second round, in terms of those that should just do.
MARGIN = 1.5
#: Rows that are read through the graph at most, and the memory for that in units of ``work_mem``.
MAX_TUPLES = 20_000
MEMORY_MULTIPLIER = 4

SETTINGS = """SELECT set_config('hnsw.iterative_scan', %s, true), set_config('hnsw.ef_search', %s, true),
    set_config('hnsw.max_scan_tuples', %s, true), set_config('hnsw.scan_mem_multiplier', %s, true);"""
GRAPH = """SELECT chunk_id, vector::halfvec({dimensions}) <=> %s::halfvec({dimensions}) AS distance,
    document_id FROM documents_embedding e
    WHERE space_id = {space} AND CASE WHEN {condition} THEN true ELSE false END
    ORDER BY distance LIMIT %s"""
#: The same order by an expression that no index has.
MEASURED = """SELECT chunk_id, (vector::halfvec({dimensions}) <=> %s::halfvec({dimensions})) + 0.0
        AS distance, document_id FROM documents_embedding e WHERE space_id = {space} AND {condition}
    ORDER BY distance LIMIT %s"""
PLACED = """SELECT chunk_id, vector::halfvec({dimensions}) <=> %s::halfvec({dimensions}), document_id
    FROM documents_embedding WHERE space_id = {space} AND chunk_id = ANY (%s)"""
#: The document of each row is looked up by its key.
OF_A_DOCUMENT = "(SELECT true FROM ({documents}) meant(id) WHERE meant.id = e.document_id)"
#: Few documents: by the index on them, whatever the planner believes their number to be. Many: a join.
OF_FEW_DOCUMENTS = "document_id = ANY (ARRAY ({documents}))"
OF_MANY_DOCUMENTS = "document_id IN ({documents})"


class Near(NamedTuple):
    """A passage and its cosine to the query, with its document."""

    chunk_id: int
    score: float
    document_id: UUID


def nearest(scope: Scope, vector: Any, *, space: EmbeddingSpace, k: int) -> list[Near]:
    """The ``k`` passages of ``scope`` nearest to ``vector`` by cosine, or all where it has fewer."""
    try:
        if scope.named is not None and (rows := of_named(scope, vector, space, k)) is not None:
            return rows
        if scope.extent(k).is_small(k):
            return measured(scope, vector, space, k, small=True)
        found = near(scope, vector, space, k)
        return found if len(found) == k else far(scope, vector, space, k, len(found))
    except EmptyResultSet:
        return []


def of_named(scope: Scope, vector: Any, space: EmbeddingSpace, k: int) -> list[Near] | None:
    """Those of a few documents that are named, in one message; None where they hold too much for that."""
    condition, counting = scope.condition(OF_FEW_DOCUMENTS), scope.counting()
    most = few(k, scope.among or 0)
    sql = shaped(MEASURED, Condition(f"{condition.sql} AND ({counting.sql}) <= %s", ()), space)
    given = [literal(vector), *condition.parameters, *counting.parameters, most, k]
    counted, rows = answers(counting, Statement(sql, given))
    return scored(rows) if counted[0][0] <= most else None


def exact(scope: Scope, vector: Any, *, space: EmbeddingSpace, k: int) -> list[Near]:
    """The same, with every passage of ``scope`` measured, however many there are."""
    try:
        return measured(scope, vector, space, k)
    except EmptyResultSet:
        return []


def near(scope: Scope, vector: Any, space: EmbeddingSpace, k: int) -> list[Near]:
    """What is allowed of the graph's nearest, in up to two rounds; ``k`` rows at most."""
    ef_search = min(max(EF_SEARCH, k), EF_SEARCH_LIMIT)
    found = through_graph(scope, vector, space, k, ef_search)
    promised = int(MARGIN * k * ef_search / max(len(found), 1))
    if len(found) < k and promised <= EF_SEARCH_LIMIT:
        found = through_graph(scope, vector, space, k, promised)
    return found


def far(scope: Scope, vector: Any, space: EmbeddingSpace, k: int, seen: int) -> list[Near]:
    """The same where only ``seen`` were allowed of those nearby: by the way that costs less."""
    needed = k * EF_SEARCH // max(seen, 1)
    if needed <= MAX_TUPLES and scope.counted > needed * GRAPH_COST:
        found = through_graph(scope, vector, space, k, EF_SEARCH, go_on=True)
        if len(found) == k:
            return found
    return measured(scope, vector, space, k)


def through_graph(
    scope: Scope, vector: Any, space: EmbeddingSpace, k: int, ef_search: int, *, go_on: bool = False
) -> list[Near]:
    """What is allowed of the nearest ``ef_search`` rows; ``go_on``: of as many as it takes for ``k``.

    Settings and query go to the server as one message, which is a transaction: the settings end with it.
    """
    condition = scope.condition(OF_A_DOCUMENT)
    iterative = "relaxed_order" if go_on else "off"
    settings = [iterative, str(ef_search), str(MAX_TUPLES), str(MEMORY_MULTIPLIER)]
    with connection.cursor() as cursor:
        cursor.execute(
            SETTINGS + shaped(GRAPH, condition, space),
            [*settings, literal(vector), *condition.parameters, k],
        )
        cursor.nextset()
        return scored(cursor.fetchall())


def measured(scope: Scope, vector: Any, space: EmbeddingSpace, k: int, *, small: bool = False) -> list[Near]:
    """Every allowed row. ``small``: those of few documents, by the index on them."""
    condition = scope.condition(OF_FEW_DOCUMENTS if small else OF_MANY_DOCUMENTS)
    with connection.cursor() as cursor:
        cursor.execute(shaped(MEASURED, condition, space), [literal(vector), *condition.parameters, k])
        return scored(cursor.fetchall())


def shaped(statement: str, condition: Condition, space: EmbeddingSpace) -> str:
    """Space and length are literals: they name the partial index."""
    return statement.format(dimensions=int(space.dimensions), space=int(space.pk), condition=condition.sql)


def measuring(vector: Any, space: EmbeddingSpace, chunk_ids: Iterable[int]) -> Statement:
    """Those of these passages that the space holds, in no order: rows as ``scored`` reads them."""
    return Statement(
        PLACED.format(dimensions=int(space.dimensions), space=int(space.pk)),
        (literal(vector), key_list(chunk_ids)),
    )


def literal(vector: Any) -> str:
    """A vector as Postgres reads it. A search asks with one several times, so it may be text already."""
    return vector if isinstance(vector, str) else str(HalfVector(vector).to_text())


def scored(rows: Iterable[tuple[int, float, UUID]]) -> list[Near]:
    """Nearest first; equally near ones by age, so that order is stable."""
    found = sorted(rows, key=lambda row: (row[1], row[0]))
    return [Near(pk, 1.0 - distance, document) for pk, distance, document in found]
