"""Which reranker serves: ``RERANKER_MODEL`` when it is set, else late interaction."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from search.reranking.base import Reranker
from search.reranking.late_interaction import NAME, LateInteraction
from search.types import Asked, Rerank

CROSS_ENCODER = "search.reranking.cross_encoder.CrossEncoderReranker"


def reranker_for(asked: Asked) -> Reranker | None:
    """The reranker for a search; None leaves the order, as where nothing was embedded to be reread."""
    if asked.request.rerank == "off" or not asked.query.text:
        return None
    if settings.RERANKER_MODEL:
        return load(settings.RERANKER_MODEL)
    if asked.request.mode == "keyword" and asked.request.rerank != "on":
        return None
    return LateInteraction(asked.space, asked.encoding) if asked.space and asked.encoding else None


def reranker_name(wish: Rerank) -> str | None:
    """For receipts and reports."""
    return None if wish == "off" else settings.RERANKER_MODEL or NAME


@cache
def load(model: str) -> Reranker:
    """Imported at its first use: it may bring torch."""
    reranker: Reranker = import_string(CROSS_ENCODER)(model)
    return reranker
