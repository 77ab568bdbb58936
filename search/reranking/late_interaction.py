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
        likeness = dict(zip((hit.chunk_id for hit in known), telling(matches), strict=True))
        late = scaled([likeness.get(hit.chunk_id) for hit in hits])
        first = scaled([hit.score for hit in hits])
        blended = [(one + WEIGHT * other) / (1 + WEIGHT) for one, other in zip(first, late, strict=True)]
        scored = [replace(hit, score=score) for hit, score in zip(hits, blended, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)


def telling(matches: NDArray[np.float32]) -> list[float]:
    """One number for each passage: tokens count by how far they tell these passages apart.

    A long question has words that every passage meets ("answer the question by …"): they say nothing.
    """
    weights = matches.std(axis=0)
    whole = float(weights.sum())
    likeness = matches @ weights / whole if whole else matches.mean(axis=1)
    return [float(value) for value in likeness]
