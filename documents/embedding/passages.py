"""Passages as they are stored: a vector, and the packed vectors of their tokens, computed or kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from documents.embedding import kept
from documents.embedding.base import Encoding
from documents.embedding.registry import passage_engine
from documents.embedding.tokens import pack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Bytes that say how many dimensions the vector behind them has.
HEAD = 2

Encode = Callable[[Sequence[str]], list[Encoding]]


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A passage's unit vector, and those of its tokens as ``embedding.tokens`` packs them."""

    vector: NDArray[np.floating]
    tokens: bytes


def encode_passages(revision: str, texts: Sequence[str], encode: Encode) -> list[StoredVector]:
    """In the texts' order. Only what is not kept is encoded; ``revision`` is that of the model's weights."""
    engine = passage_engine()
    keys = [kept.key_of("passage", engine, revision, kept.sha256(text)) for text in texts]
    found = {
        key: unpacked(value) for key, value in zip(keys, kept.fetch("passage", keys), strict=True) if value
    }
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
    if missing:
        encoded = encode(list(missing.values()))
        new = {
            key: StoredVector(each.vector, pack(each.tokens))
            for key, each in zip(missing, encoded, strict=True)
        }
        kept.keep("passage", {key: packed(each) for key, each in new.items()})
        found |= new
    return [found[key] for key in keys]


def packed(stored: StoredVector) -> bytes:
    """In half precision, as the column holds it."""
    return len(stored.vector).to_bytes(HEAD) + stored.vector.astype("<f2").tobytes() + stored.tokens


def unpacked(value: bytes) -> StoredVector:
    import numpy as np

    dimensions = int.from_bytes(value[:HEAD])
    end = HEAD + 2 * dimensions
    return StoredVector(np.frombuffer(value[HEAD:end], dtype="<f2"), value[end:])
