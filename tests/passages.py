"""Passages with vectors of the tests' own: no parser and no model has a part in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from documents.models import Chunk, Document, Embedding, EmbeddingSpace


def any_vector(seed: int = 1) -> Any:
    """Of length 1, in no direction that means anything."""
    vector = np.random.default_rng(seed).normal(size=384)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def add_passages(document: Document, space: EmbeddingSpace, vectors: Sequence[Any]) -> None:
    """A passage of ``document`` for each of ``vectors``, after those that it has."""
    first = document.chunks.count()
    rows = Chunk.objects.bulk_create(
        Chunk(
            document=document,
            collection_id=document.collection_id,
            ordinal=number,
            text=f"passage {number}",
            context=f"passage {number}",
            page_start=1,
            page_end=1,
            start=0,
            end=5,
            token_count=1,
            content_hash="0" * 64,
        )
        for number in range(first, first + len(vectors))
    )
    Embedding.objects.bulk_create(
        Embedding(
            chunk=row, space=space, document=document, collection_id=document.collection_id, vector=vector
        )
        for row, vector in zip(rows, vectors, strict=True)
    )
    Document.objects.filter(pk=document.pk).update(chunk_count=first + len(vectors))
