"""Queries as vectors, kept in Redis: a query that comes again costs no model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from documents.embedding import kept
from documents.embedding.gathering import Gathering
from documents.embedding.passages import HEAD
from documents.embedding.registry import get_embedder, model_card, query_engine
from documents.embedding.tokens import rotated

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

#: Queries in one call of the model: more save nothing, and the first of them waits longer.
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class QueryEncoding:
    """``vector`` is of length 1, shape (dimensions,); ``tokens`` as of ``tokens.rotated``."""

    vector: Floats
    tokens: Floats


def encode_query(model: str, text: str) -> QueryEncoding:
    """What ``model`` makes of a query. Raises ``EmbeddingUnavailable``."""
    key = kept.key_of("query", query_engine(), model_card(model).revision, kept.sha256(text))
    if value := kept.fetch("query", [key])[0]:
        return unpacked(value)
    encoding = gathering(model).encode(text)
    found = QueryEncoding(encoding.vector, rotated(encoding.tokens))
    kept.keep("query", {key: packed(found)})
    return found


@cache
def gathering(model: str) -> Gathering:
    return Gathering(lambda texts: get_embedder(model).encode(texts), MOST_AT_ONCE)


def packed(encoding: QueryEncoding) -> bytes:
    bits = encoding.tokens.shape[1]
    head = len(encoding.vector).to_bytes(HEAD) + bits.to_bytes(HEAD)
    return head + encoding.vector.astype("<f4").tobytes() + encoding.tokens.astype("<f2").tobytes()


def unpacked(value: bytes) -> QueryEncoding:
    import numpy as np

    dimensions, bits = int.from_bytes(value[:HEAD]), int.from_bytes(value[HEAD : 2 * HEAD])
    end = 2 * HEAD + 4 * dimensions
    tokens = np.frombuffer(value[end:], dtype="<f2").astype(np.float32).reshape(-1, bits)
    return QueryEncoding(np.frombuffer(value[2 * HEAD : end], dtype="<f4"), tokens)
