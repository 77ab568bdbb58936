"""BM25 computed exactly, from the terms of every passage: what the index is held against. Pure numpy."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: As pg_textsearch has them.
K1, B = 1.2, 0.75


class ExactBm25:
    """Scores of all rows for queries whose terms are named beforehand: only their postings are kept."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._postings: dict[str, tuple[array[int], array[int]]] = {
            term: (array("q"), array("q")) for term in terms
        }
        self._rows: dict[Any, int] = {}
        self._lengths = array("q")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: Any, terms: str) -> None:
        """A row: its key (anything hashable) and its terms, parted by blanks."""
        row, words = len(self._rows), terms.split()
        self._rows[key] = row
        self._lengths.append(len(words))
        times: dict[str, int] = {}
        for word in words:
            if word in self._postings:
                times[word] = times.get(word, 0) + 1
        for word, count in times.items():
            rows, counts = self._postings[word]
            rows.append(row)
            counts.append(count)

    def scores(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """Of every row, in the order they were added; 0 where no term is in it."""
        lengths = np.asarray(self._lengths, dtype=np.float64)
        found = np.zeros(len(lengths))
        norms = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9)) if len(lengths) else lengths
        for term in dict.fromkeys(terms):
            rows, counts = (np.asarray(part, dtype=np.int64) for part in self._postings[term])
            rarity = np.log(1 + (len(lengths) - len(rows) + 0.5) / (len(rows) + 0.5))
            found[rows] += rarity * counts * (K1 + 1) / (counts + norms[rows])
        return found

    def row_of(self, key: Any) -> int | None:
        """Where the row's score stands; None for one that was not added."""
        return self._rows.get(key)
