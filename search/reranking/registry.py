"""Which reranker serves here: named by ``RERANKER_MODEL``, imported at first use."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from search.reranking.base import Reranker
from search.types import Rerank

CROSS_ENCODER = "search.reranking.cross_encoder.CrossEncoderReranker"


def reranker_for(wish: Rerank) -> Reranker | None:
    """The reranker for a request. ``auto`` means: when one is configured. None leaves the order."""
    if wish == "off" or not settings.RERANKER_MODEL:
        return None
    return load(settings.RERANKER_MODEL)


@cache
def load(model: str) -> Reranker:
    reranker: Reranker = import_string(CROSS_ENCODER)(model)
    return reranker
