"""Both legs on the passages' own text, without title and heading path: what context is held against.

Exact and in process: every passage is measured, by numpy and by ``documents.bm25``. The vectors are kept in
the data folder, as embedding a collection anew takes as long as the first time.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.db import connection

from documents import lexical
from documents.bm25 import ExactBm25
from documents.embedding.queries import encode_query
from documents.embedding.registry import get_passage_embedder
from documents.models import Chunk
from documents.spaces import active_space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from documents.models import Collection

DEPTH = 100
STEP = 256

TERMS = "SELECT id, passage_terms(language, text) FROM documents_chunk WHERE collection_id = %s ORDER BY id"


class BareText:
    """The passages of a collection, without what stands around them. Keys of passages, best first."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        space = active_space()
        assert space, "an evaluation has documents, and so a space"
        self.model = space.model
        self.texts = dict(
            Chunk.objects.filter(collection=collection).order_by("pk").values_list("pk", "text")
        )
        self.keys = np.array(list(self.texts))

    def by_vector(self, question: str) -> list[int]:
        return self._best(self._vectors @ encode_query(self.model, question).vector)

    def by_words(self, question: str) -> list[int]:
        known = [term for term in lexical.terms_of(question) if term in self._vocabulary]
        return self._best(self._bm25.scores(known), above=0.0)

    def _best(self, scores: NDArray[Any], above: float = -np.inf) -> list[int]:
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        return [int(self.keys[row]) for row in order if scores[row] > above]

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        digest = hashlib.sha256("\0".join((self.model, *self.texts.values())).encode()).hexdigest()
        file = Path(settings.DATA_DIR) / "evaluation" / f"{digest[:32]}.npy"
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            half = file.with_suffix(".part.npy")
            np.save(half, self._embedded())
            half.rename(file)
        found: NDArray[np.float32] = np.load(file)
        return found

    def _embedded(self) -> NDArray[np.float32]:
        embedder, texts = get_passage_embedder(self.model), list(self.texts.values())
        steps = (texts[start : start + STEP] for start in range(0, len(texts), STEP))
        return np.concatenate([embedder.embed(step) for step in steps])

    @cached_property
    def _terms(self) -> dict[int, str]:
        with connection.cursor() as cursor:
            cursor.execute(TERMS, [self.collection.pk])
            return dict(cursor.fetchall())

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return frozenset(term for terms in self._terms.values() for term in terms.split())

    @cached_property
    def _bm25(self) -> ExactBm25:
        exact = ExactBm25(self._vocabulary)
        for pk, terms in self._terms.items():
            exact.add(pk, terms)
        return exact
