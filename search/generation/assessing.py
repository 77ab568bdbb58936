"""The stage between retrieval and generation: what the sources have to say to the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from documents.embedding.recent import RecentVectors
from documents.embedding.registry import get_embedder
from documents.exceptions import EmbeddingUnavailable
from documents.spaces import active_space, check_weights
from search.generation.scoring import assess
from search.types import Assessment, Source

#: Different questions find the same passages, and twenty of their sentences are most of what an answer costs.
SENTENCES = RecentVectors(4096)


def assessed(question: str, sources: Sequence[Source], *, by_words: bool = False) -> Assessment:
    """Every sentence of the sources, scored; by words alone where that is wanted or no engine can run."""
    if by_words:
        return assess(question, sources, None)
    try:
        return assess(question, sources, embed)
    except EmbeddingUnavailable:
        return assess(question, sources, None)


def embed(texts: Sequence[str]) -> Any:
    space = active_space()
    if space is None:
        raise EmbeddingUnavailable
    check_weights(space)
    return SENTENCES.embed(space.revision, texts, get_embedder(space.model).embed)
