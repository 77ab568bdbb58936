"""How the lexical legs read the rows that may be found: on the way through the BM25 index, or each of them.

The index brings the best first, whoever may see them, and is asked for a number: when that did not suffice
it begins again with twice as many. So it is told at once how many it will take, by the share of the rows that
is allowed: under a filter that keeps 1 % of a million passages 33 ms instead of 67. Where hardly any are
allowed, they are scored one by one.

A row's score is the one that the scan has just computed (``bm25_get_current_score``). As an expression it
would be computed again: 0.1 ms a row, 10 ms for a search that takes 1.5. It is right on the way through the
index and nowhere else, so sorting is ruled out for the statement: without a sort there is only that way.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

from documents.lexical import LexicalIndex
from documents.statements import Rows, Statement, answers, key_list

if TYPE_CHECKING:
    from documents.scope import Condition, Extent

#: Rows asked for, in terms of those that should just do.
MARGIN = 1.3
#: The fewest rows asked for. Begun again, the scan goes on at the place where it was: of rows with like
#: scores one can be passed over, another come twice (pg_textsearch 1.0 to 1.3, its pull request 417).
MIN_REACH = 200
#: More than the index brings at once: pg_textsearch's own limit is 100,000.
MAX_REACH = 50_000
#: Scoring a row by itself costs as much as walking past so many (0.04 ms on average, as most hold no term).
ROW_COST = 16

ONLY_WALKS = Statement("SELECT set_config('enable_sort', 'off', true)")
WALK = "SELECT * FROM ({walk}) walked LIMIT %s"
AGAIN_ALL = Statement("SET LOCAL enable_sort TO DEFAULT")


#: What an ordered query set of the whole scope is, without the time to put it together.
ORDERED = """SELECT {key}, bm25_get_current_score() FROM {table}
    WHERE CASE WHEN {condition} THEN true ELSE false END
    ORDER BY terms <@> to_bm25query(%s, '{index}') LIMIT {reach}"""
#: Rows that may hold a term, before they are scored (``expressions.holding``).
SCORED = """SELECT id, terms <@> to_bm25query(%s, '{index}') FROM {table}
    WHERE id = ANY (%s) AND ({holding})"""


def is_small(extent: Extent, k: int) -> bool:
    """Whether scoring each allowed row costs less than walking past all that are better."""
    return extent.counted and extent.allowed <= sqrt(MARGIN * k * extent.total / ROW_COST)


def reach(k: int, share: float) -> int:
    """How many rows to ask for to have ``k`` allowed ones, where ``share`` of all are."""
    return max(k, MIN_REACH, int(min(MARGIN * k / max(share, 1e-9), MAX_REACH)))


def ordered(
    index: LexicalIndex, key: str, terms: Sequence[str], condition: Condition, reach: int
) -> Statement:
    """The best by ``index`` of the rows on which ``condition`` holds: key and current score."""
    sql = ORDERED.format(
        key=key, table=index.table, condition=condition.sql, index=index.bm25, reach=int(reach)
    )
    return Statement(sql, (*condition.parameters, " ".join(terms)))


def scoring(index: LexicalIndex, terms: Sequence[str], keys: Sequence[int]) -> Statement:
    """The scores of these rows that may hold a term: key and score, as the index has it."""
    holding = " OR ".join(["strpos(terms, %s) > 0"] * len(terms))
    sql = SCORED.format(table=index.table, index=index.bm25, holding=holding)
    return Statement(sql, (" ".join(terms), key_list(keys), *terms))


def walked(*walks: tuple[Statement, int]) -> list[list[tuple[Any, float]]]:
    """The first ``k`` rows of each walk, an ordered query of keys and current scores, in one message."""
    asked = [Statement(WALK.format(walk=walk.sql), (*walk.parameters, k)) for walk, k in walks]
    _, *found = answers(ONLY_WALKS, *asked, then=AGAIN_ALL)
    return [matching(rows) for rows in found]


def matching(rows: Rows) -> list[tuple[Any, float]]:
    found: dict[Any, float] = {}
    for pk, score in rows:
        if score < 0:
            found.setdefault(pk, -score)
    return list(found.items())
