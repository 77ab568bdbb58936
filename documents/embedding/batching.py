"""Batches of texts of like length: what is padded is computed, so little should be padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

#: Padded tokens in one batch. More are no faster, with either int8 file, and each of the calls that run at
#: once takes memory for its own.
TOKEN_BUDGET = 256


def length_sorted(lengths: Sequence[int], budget: int = TOKEN_BUDGET) -> Iterator[list[int]]:
    """Indices in batches, longest first, each batch at most ``budget`` tokens when padded.

    Every index comes exactly once; one text longer than the budget is a batch of its own.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[batch[0]] if batch else lengths[index]
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def unit(vectors: Vectors) -> Vectors:
    """The same directions, each of length 1."""
    import numpy as np

    norms: Vectors = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors / norms
