"""Encodings kept in Redis, by model and SHA-256 of the text: what was computed once is not computed again.

Values are bytes without any text. Redis may be gone: then everything is computed, and after a failure
nothing is sent there for a while.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from documents import metrics
from documents.sparing import Spared

logger = logging.getLogger(__name__)

Kind = Literal["query", "passage"]

PREFIX = "portal:encoding"
TTL_SECONDS = 24 * 60 * 60
#: From this share of its memory on Redis takes no more passages, of 3 kB each: the rest is for results.
MOST_OF_MEMORY = 0.5
#: Keys in one command.
STEP = 1000

redis_if_there = Spared(logger, "no encodings are kept")


def key_of(kind: Kind, engine: str, revision: str, text_sha256: str) -> str:
    """``revision`` is that of the model's card: the same weights under another name make the same vectors."""
    return f"{PREFIX}:{kind}:{engine}:{revision}:{text_sha256}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fetch(kind: Kind, keys: Sequence[str]) -> list[bytes | None]:
    """What is kept under each key, asked for in one command."""
    found: list[bytes | None] = redis_if_there.ask(lambda redis: redis.mget(keys)) or [None] * len(keys)
    hits = sum(each is not None for each in found)
    metrics.embedding_cache_total.labels(kind, "hit").inc(hits)
    metrics.embedding_cache_total.labels(kind, "miss").inc(len(keys) - hits)
    return found


def keep(kind: Kind, values: Mapping[str, bytes]) -> None:
    """For a day, or until Redis needs the room (volatile-lru). Passages may fill half of it."""
    redis_if_there.ask(lambda redis: store(redis, kind, values))


def store(redis: Any, kind: Kind, values: Mapping[str, bytes]) -> None:
    if kind == "passage" and is_half_full(redis.info("memory")):
        return
    with redis.pipeline(transaction=False) as pipeline:
        for key, value in values.items():
            pipeline.set(key, value, ex=TTL_SECONDS)
        pipeline.execute()


def is_half_full(memory: Mapping[str, int]) -> bool:
    """Never, where Redis has no limit."""
    limit = memory.get("maxmemory", 0)
    return bool(limit) and memory["used_memory"] > limit * MOST_OF_MEMORY


def forget(engines: Iterable[str], revisions: Iterable[str], texts_sha256: Sequence[str]) -> None:
    """Drop passages, as of a document that was deleted."""
    spaces = [(engine, revision) for revision in revisions for engine in engines]
    keys = [key_of("passage", *space, digest) for space in spaces for digest in texts_sha256]

    def drop(redis: Any) -> None:
        for start in range(0, len(keys), STEP):
            redis.unlink(*keys[start : start + STEP])

    redis_if_there.ask(drop)
