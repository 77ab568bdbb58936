"""Token vectors, packed: one bit for each of 128 random directions.

Late interaction wants a vector for each token of a passage: 384 floats each would be a thousand times the
text. The signs of a random rotation keep their angles: on three sets of questions the ranking was the same as
with floats, at 16 bytes for a token (``docs/evaluation.md``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

#: Directions kept of a token's vector: as many bits.
BITS = 128
SEED = 20_260


@cache
def rotation(dimensions: int) -> Floats:
    """The same for every process and machine: shape (dimensions, bits), columns orthonormal."""
    import numpy as np

    bits = min(BITS, max(dimensions - dimensions % 8, 8))
    random = np.random.Generator(np.random.PCG64(SEED)).standard_normal((max(dimensions, bits), bits))
    return np.linalg.qr(random)[0][:dimensions].astype(np.float32)


def pack(tokens: Floats) -> bytes:
    """Vectors of shape (tokens, dimensions) as bits, token after token."""
    import numpy as np

    return np.packbits(tokens @ rotation(tokens.shape[1]) > 0, axis=1).tobytes()


def rotated(tokens: Floats) -> Floats:
    """A query's token vectors, to be held against packed ones: shape (tokens, bits), each of length 1."""
    import numpy as np

    turned = tokens @ rotation(tokens.shape[1])
    return (turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def best_matches(query: Floats, packed: Sequence[bytes]) -> Floats:
    """How near the nearest token of each passage comes to each token of the query, from −1 to 1.

    ``query`` is of ``rotated``, shape (tokens, bits); the answer has shape (passages, tokens).
    """
    import numpy as np

    found = np.full((len(packed), len(query)), -1.0, dtype=np.float32)
    bits = query.shape[1]
    for row, each in enumerate(packed):
        if each:
            signs = np.unpackbits(np.frombuffer(each, dtype=np.uint8)).reshape(-1, bits) * np.float32(2) - 1
            found[row] = (query @ signs.T).max(axis=1) / np.sqrt(bits, dtype=np.float32)
    return found
