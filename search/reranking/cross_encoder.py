"""Reranking by a cross-encoder: one model reads query and passage together and gives the pair a score.

The engine: ONNX Runtime where ``prepare_models`` has made the model's file, torch elsewhere.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from search.reranking.files import RerankerUnavailable, prepared_card, prepared_folder
from search.reranking.pairs import PairScorer
from search.types import Hit

logger = logging.getLogger(__name__)

#: A model that could not be loaded is tried again after so long, and not by every request.
RETRY_SECONDS = 60.0
#: So many hits are read; each costs a run of the model.
DEPTH = 20


class CrossEncoderReranker:
    """A ``Reranker`` that loads at the first use. Ordered by the model's logits; scores are from 0 to 1.

    ``rerank`` raises ``RerankerUnavailable``.
    """

    depth = DEPTH

    def __init__(self, model: str) -> None:
        self.name = model
        self._lock = threading.Lock()
        self._scorer: PairScorer | None = None
        self._refusal = ""
        self._retry_at = 0.0

    def rerank(self, query: str, hits: Sequence[Hit]) -> list[Hit]:
        if not hits:
            return []
        scorer = self._loaded()
        try:
            scores = scorer.scores(query, [passage(hit) for hit in hits])
        except Exception as error:  # engines raise of their own kinds
            raise self._told(f"{self.name} failed: {error}") from error
        if not all(score == score for score in scores):
            raise self._told(f"{self.name} gave a score that is no number.")
        order = sorted(zip(scores, hits, strict=True), key=lambda scored: -scored[0])
        return [replace(hit, score=likelihood(float(score))) for score, hit in order]

    def _loaded(self) -> PairScorer:
        if self._scorer is None:
            with self._lock:
                if self._scorer is None:
                    self._scorer = self._load()
        return self._scorer

    def _load(self) -> PairScorer:
        if time.monotonic() < self._retry_at:
            raise RerankerUnavailable(self._refusal)
        try:
            return pair_scorer(self.name)
        except Exception as error:  # a damaged file can raise anything; search goes on without
            self._refusal = str(error)
            self._retry_at = time.monotonic() + RETRY_SECONDS
            raise self._told(self._refusal) from error

    def _told(self, reason: str) -> RerankerUnavailable:
        logger.warning("search goes on without the reranker: %s", reason)
        return RerankerUnavailable(reason)


def pair_scorer(model: str) -> PairScorer:
    """The engine of ``model``, loaded."""
    if card := prepared_card(model):
        from search.reranking.onnx_pairs import OnnxPairScorer

        return OnnxPairScorer(prepared_folder(model), card)
    from search.reranking.torch_pairs import TorchPairScorer

    return TorchPairScorer(model)


def likelihood(logit: float) -> float:
    """Between 0 and 1, as the scores of the first stage are."""
    return 0.5 * (1 + math.tanh(logit / 2))


def passage(hit: Hit) -> str:
    """What is read beside the query: where the text stands, and the text."""
    return " ".join((hit.document_title, *hit.heading, hit.text))
