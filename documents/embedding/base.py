"""The seam of the embedding engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]
    Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a space has to know of its model. ``revision`` is the SHA-256 of the weights."""

    name: str
    revision: str
    dimensions: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text's unit vector, shape (dimensions,), and those of its tokens, shape (tokens, dimensions).

    Tokens that the model adds itself are left out; those behind ``card.max_tokens`` are cut.
    """

    vector: Vector
    tokens: Vectors


class Embedder(Protocol):
    """Turns texts into unit vectors. Implementations load their weights at the first call."""

    card: ModelCard

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dimensions), float32, each of length 1, in the texts' order.

        Longer texts are cut at ``card.max_tokens``. Raises ``EmbeddingUnavailable`` when the engine
        cannot run here.
        """
        ...

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """The same with the vectors of the tokens, in one pass of the model."""
        ...


class TokenCounter(Protocol):
    """The model's own tokenizer, for the chunker."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """The character span of each token of ``text``, without special tokens."""
        ...
