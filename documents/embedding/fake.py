"""A deterministic embedder for tests of everything around embedding: no weights, no meaning."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from documents.embedding.base import Encoding, ModelCard
from documents.embedding.weights import ModelFiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]


class FakeEmbedder:
    """A bag of hashed words: texts that share words are near each other, the same on every machine."""

    def __init__(self, files: ModelFiles, card: ModelCard) -> None:
        self.card = card

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors = np.full((len(texts), self.card.dimensions), 1e-6, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.casefold()):
                vectors[row, bucket(word, self.card.dimensions)] += 1.0
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Each word is a token."""
        words = [re.findall(r"\w+", text) or [""] for text in texts]
        vectors = self.embed(texts)
        return [Encoding(vector, self.embed(each)) for vector, each in zip(vectors, words, strict=True)]


def bucket(word: str, size: int) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8]) % size
