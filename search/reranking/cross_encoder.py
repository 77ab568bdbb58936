"""A cross-encoder of sentence-transformers. Imports torch, so this module is imported when it is used."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from search.types import Hit


class CrossEncoderReranker:
    """Scores each pair of query and passage with one model."""

    def __init__(self, model: str) -> None:
        self.name = model
        self._model: Any = None
        self._lock = threading.Lock()

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        if not hits:
            return []
        pairs = [(query, " ".join((hit.document_title, *hit.heading, hit.text))) for hit in hits]
        scores = self._loaded().predict(pairs, show_progress_bar=False)
        scored = [replace(hit, score=float(score)) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                from sentence_transformers import CrossEncoder

                self._model = CrossEncoder(self.name)
            return self._model
