"""Late interaction: for every token of the query, the nearest token of the passage (MaxSim).

Needs no model of its own: the tokens' vectors come from the embedding model, and are stored packed beside
each passage. Khattab and Zaharia, "ColBERT" (2020), blended here with the score of the first stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from documents.embedding.queries import QueryEncoding
from documents.embedding.tokens import best_matches
from documents.models import Embedding, EmbeddingSpace
from search.fusion import scaled
from search.types import Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "late-interaction"
#: What it counts beside the first stage's 1.
WEIGHT = 0.2
DEPTH = 20


@dataclass(frozen=True, slots=True)
class LateInteraction:
    """A ``Reranker`` for one query, in the space that its passages were found in."""

    space: EmbeddingSpace
    encoding: QueryEncoding
    name: str = NAME
    depth: int = DEPTH

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        stored = Embedding.objects.token_vectors(self.space, [hit.chunk_id for hit in hits])
        known = [hit for hit in hits if stored.get(hit.chunk_id)]
        if len(known) < 2:
            return list(hits)
        matches = best_matches(self.encoding.tokens, [stored[hit.chunk_id] for hit in known])
        late = dict(zip((hit.chunk_id for hit in known), scaled(telling(matches)), strict=True))
        first = dict(zip((hit.chunk_id for hit in hits), scaled([hit.score for hit in hits]), strict=True))
        blended = {pk: (first[pk] + WEIGHT * late[pk]) / (1 + WEIGHT) for pk in late}
        better = iter(sorted(known, key=lambda hit: -blended[hit.chunk_id]))
        # What was embedded before there were vectors of tokens keeps its place.
        order = [next(better) if hit.chunk_id in late else hit for hit in hits]
        return [replace(hit, score=blended.get(hit.chunk_id, first[hit.chunk_id])) for hit in order]


def telling(matches: NDArray[np.float32]) -> list[float]:
    """One number for each passage: tokens count by how far they tell these passages apart.

    A long question has words that every passage meets ("answer the question by …"): they say nothing.
    """
    weights = matches.std(axis=0)
    whole = float(weights.sum())
    likeness = matches @ weights / whole if whole else matches.mean(axis=1)
    return [float(value) for value in likeness]
