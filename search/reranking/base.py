"""The seam of the rerankers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from search.types import Hit


class Reranker(Protocol):
    """Puts the first hits in a better order, by reading query and passage together.

    ``depth`` is how many hits it reads: what a better order is worth against the time that it takes.
    """

    @property
    def name(self) -> str: ...

    @property
    def depth(self) -> int: ...

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        """The same hits, best first, with new scores. Ranks are numbered by the caller."""
        ...
