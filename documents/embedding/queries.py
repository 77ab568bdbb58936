"""Queries as vectors, kept in Redis: a query that comes again costs no model."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.cache import cache

from documents.embedding.registry import get_embedder, model_card
from documents.embedding.tokens import rotated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class QueryEncoding:
    """``vector`` is of length 1, shape (dimensions,); ``tokens`` as of ``tokens.rotated``."""

    vector: Floats
    tokens: Floats


def encode_query(model: str, text: str) -> QueryEncoding:
    """What ``model`` makes of a query. Raises ``EmbeddingUnavailable``."""
    card = model_card(model)
    digest = hashlib.sha256(f"{card.name}\0{text}".encode()).hexdigest()
    key = f"query:{card.revision[:16]}:{digest}"
    if kept := cache.get(key):
        return unpacked(*kept)
    encoding = get_embedder(model).encode([text])[0]
    turned = rotated(encoding.tokens)
    cache.set(key, (encoding.vector.tobytes(), turned.astype("float16").tobytes(), turned.shape[1]), DAY)
    return QueryEncoding(encoding.vector, turned)


def unpacked(vector: bytes, tokens: bytes, bits: int) -> QueryEncoding:
    import numpy as np

    found = np.frombuffer(tokens, dtype=np.float16).astype(np.float32).reshape(-1, bits)
    return QueryEncoding(np.frombuffer(vector, dtype=np.float32), found)
