"""The BM25 indexes against BM25 computed from the terms themselves, on sampled queries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction

from documents import lexical
from documents.bm25 import ExactBm25
from documents.lexical import LexicalIndex
from documents.models import Chunk, DocumentIdentity

logger = logging.getLogger(__name__)

K = 10
#: Below it index and computation have parted. The index keeps lengths coarsely, as Lucene does, which puts
#: passages of nearly one score in another order: a sound one agrees to about .95.
GOAL = 0.85
#: Terms of a passage that make a query.
WORDS = 4
#: Scores that differ by less are of one rank.
SAME = 1e-6

QUERYSETS = {lexical.PASSAGES: Chunk.objects, lexical.IDENTITIES: DocumentIdentity.objects}


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the exact first ten, the share that the index brings; and how often its first is the exact first."""

    index: str
    rows: int
    queries: int
    overlap: float
    first: float
    rebuilt: bool = False

    @property
    def parted(self) -> bool:
        return bool(self.queries) and self.overlap < GOAL


def check(index: LexicalIndex, queries: Sequence[str], samples: int) -> Agreement:
    """Up to half of the samples are ``queries``, texts that people asked; the others are words of rows."""
    asked = [terms for terms in map(lexical.terms_of, queries[: samples // 2]) if terms]
    asked += sampled_terms(index, samples - len(asked))
    exact = computed(index, {term for terms in asked for term in terms})
    found = [agreement(index, exact, terms) for terms in asked]
    compared = [each for each in found if each is not None]
    return Agreement(
        index=index.bm25,
        rows=len(exact),
        queries=len(compared),
        overlap=share(overlap for overlap, _ in compared),
        first=share(first for _, first in compared),
    )


def repaired(index: LexicalIndex, queries: Sequence[str], samples: int) -> Agreement:
    """Build the index anew, and look again."""
    logger.warning("%s does not bring what it should; rebuilding it", index.bm25)
    lexical.rebuild(index)
    again = check(index, queries, samples)
    return Agreement(again.index, again.rows, again.queries, again.overlap, again.first, rebuilt=True)


def share(values: Any) -> float:
    kept = list(values)
    return round(sum(kept) / len(kept), 4) if kept else 1.0


def sampled_terms(index: LexicalIndex, count: int) -> list[list[str]]:
    """A few terms of each of ``count`` rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT ARRAY(SELECT t FROM (SELECT DISTINCT unnest(string_to_array(s.terms, ' ')) AS t) w "
            f"ORDER BY md5(t) LIMIT {WORDS}) FROM (SELECT terms FROM {index.table} "
            "WHERE terms <> '' ORDER BY random() LIMIT %s) s",
            [max(count, 0)],
        )
        return [terms for (terms,) in cursor.fetchall() if terms]


def computed(index: LexicalIndex, terms: set[str]) -> ExactBm25:
    """Read through the table once; the memory is that of the postings of ``terms``."""
    exact = ExactBm25(terms)
    key = "id" if index is lexical.PASSAGES else "document_id"
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT {key}, terms FROM {index.table}")
        for pk, text in cursor:
            exact.add(pk, text or "")
    return exact


def agreement(index: LexicalIndex, exact: ExactBm25, terms: Sequence[str]) -> tuple[float, float] | None:
    """Overlap of the first ten, and whether the first is one of the best; None where nothing matches.

    Rows of one score are interchangeable, so the exact scores of what the index brings are compared.
    """
    scores = exact.scores(terms)
    best = np.sort(scores[scores > 0])[::-1][:K]
    if not len(best):
        return None
    found = [scores[row] for pk in by_index(index, terms) if (row := exact.row_of(pk)) is not None]
    overlap = sum(bool(score >= best[-1] - SAME) for score in found) / len(best)
    return min(overlap, 1.0), float(bool(found) and bool(found[0] >= best[0] - SAME))


def by_index(index: LexicalIndex, terms: Sequence[str]) -> list[Any]:
    return [pk for pk, _ in QUERYSETS[index].by_index(terms, K, K)]
