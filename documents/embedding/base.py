"""The seam of the embedding engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a space has to know of its model. ``revision`` is the SHA-256 of the weights."""

    name: str
    revision: str
    dimensions: int
    max_tokens: int


class Embedder(Protocol):
    """Turns texts into unit vectors. Implementations load their weights at the first call."""

    card: ModelCard

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimensions), float32, each of length 1, in the texts' order.

        Longer texts are cut at ``card.max_tokens``. Raises ``EmbeddingUnavailable`` when the engine
        cannot run here.
        """
        ...


class TokenCounter(Protocol):
    """The model's own tokenizer, for the chunker."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """The character span of each token of ``text``, without special tokens."""
        ...
