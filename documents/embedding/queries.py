"""Vectors of queries, kept in Redis: a query that comes again costs no model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.core.cache import cache

from documents.embedding.registry import get_embedder, model_card

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DAY = 24 * 60 * 60


def embed_query(model: str, text: str) -> NDArray[np.float32]:
    """The unit vector of ``text``, of shape (dimensions,). Raises ``EmbeddingUnavailable``."""
    import numpy as np

    digest = hashlib.sha256(text.encode()).hexdigest()
    key = f"query:{model_card(model).revision[:16]}:{digest}"
    if kept := cache.get(key):
        return np.frombuffer(kept, dtype=np.float32)
    vector = get_embedder(model).embed([text])[0]
    cache.set(key, vector.tobytes(), DAY)
    return vector
