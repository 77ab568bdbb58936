"""What was computed before, kept in Redis for those who would get the same: keys, values, leases.

A key is a digest of all that decides a result: the collections that the asker may see within the filters,
each with its ``corpus_version``, what was asked, and the code, models and settings that answer it. Versions
are read before the search begins, so what a change overtook lies under a key that nobody asks for any more.
Values are JSON and hold no text of any document: keys of passages, places, scores; of facets tags and counts.
Whoever reads one fetches the passages again through ``visible_to``.

Redis may be gone: then everything is computed, and after a failure nothing is sent there for a while.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db.models import Subquery

from documents import lexical
from documents.models import Collection, EmbeddingSpace
from documents.spaces import is_comparing
from documents.sparing import Spared
from documents.statements import answers, seen_by
from search.metrics import cache_total
from search.types import Filters, SearchRequest
from search.words import clean

if TYPE_CHECKING:
    from documents.querysets import User

logger = logging.getLogger(__name__)

Kind = Literal["results", "facets", "answers", "semantic"]
JSON = dict[str, Any]
#: (collection, its version, what was learned for it, the space that serves), a row each, by collection.
Corpus = tuple[tuple[int, int, Any, int | None], ...]

PREFIX = "portal:kept"
#: So long a search waits for another process that is just finding the same.
PATIENCE_SECONDS = 1.0
#: What is larger is not kept: a hundred results are 12 kB.
MAX_BYTES = 64 * 1024
#: Who computes has so long before others do so too, should they find nothing; they look every so often.
LEASE_SECONDS = 30
LOOK_SECONDS = 0.02
#: Settings that begin so shape results and answers; keys to somebody's door do not.
SHAPING = ("EMBEDDING_", "LLM_", "NLI_", "RERANKER_", "UNSUPPORTED_")
DOOR_KEY = "_KEY"
#: A lease is given up by whoever holds it, and by nobody else.
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"

redis_if_there = Spared(logger, "nothing is kept of results and answers")


# --- Keys -----------------------------------------------------------------------------------


def corpus_of(user: User, filters: Filters) -> Corpus:
    """What a search of ``user`` looks through and what ranks it, as it is now: one statement."""
    if filters.collections:
        rows = versions(user).filter(slug__in=filters.collections)
        return tuple(rows)
    try:
        (found,) = answers(seen_by(user, versions))
    except EmptyResultSet:
        return ()
    return tuple(
        (pk, version, json.loads(tuned) if tuned else None, space) for pk, version, tuned, space in found
    )


def versions(user: User) -> Any:
    allowed = Collection.objects.visible_to(user)
    serving = EmbeddingSpace.objects.filter(state=EmbeddingSpace.State.ACTIVE).values("pk")[:1]
    rows = allowed.order_by("pk").annotate(space=Subquery(serving))
    return rows.values_list("pk", "corpus_version", "tuning__parameters", "space")


def results_key(request: SearchRequest, user: User) -> str | None:
    """Of a search; None when its results are not to be kept: explained ones tell of this very run."""
    if request.explain:
        return None
    wanted = {**asdict(request), "query": clean(request.query)}
    return key_of("results", corpus_now(user, request.filters), wanted)


def corpus_now(user: User, filters: Filters) -> Corpus:
    """``corpus_of``; empty when nothing is to be kept. Asked before the search begins."""
    return corpus_of(user, filters) if settings.CACHE_TTL_SECONDS and not is_comparing() else ()


def key_of(kind: Kind, corpus: Corpus, wanted: Mapping[str, Any]) -> str | None:
    """None when there is nothing to look through."""
    if not corpus:
        return None
    parts = {"corpus": corpus, "wanted": wanted, "produced_by": produced_by()}
    return f"{PREFIX}:{kind}:{digest_of(parts)}"


def produced_by() -> JSON:
    """What searches and answers, besides what the corpus tells."""
    return {
        "code": code_digest(),
        "languages": lexical.languages(),
        "settings": {
            name: getattr(settings, name)
            for name in dir(settings)
            if name.startswith(SHAPING) and not name.endswith(DOOR_KEY)
        },
    }


@cache
def code_digest() -> str:
    """Of the code that searches: another release, prompt or threshold keeps results of its own."""
    digest = hashlib.sha256()
    for app in ("documents", "search"):
        for file in sorted((Path(settings.BASE_DIR) / app).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def digest_of(parts: Any) -> str:
    """SHA-256 of anything that JSON can say, whatever order its keys are in."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


# --- Values ---------------------------------------------------------------------------------


@contextmanager
def looked_up(kind: Kind, key: str | None, patience: float) -> Iterator[JSON | None]:
    """What is kept under ``key``; None: compute it within, and ``store`` it.

    While one process computes, others who ask for the same wait for its value, ``patience`` seconds at most.
    """
    if key is None:
        yield None
        return
    value = fetch(kind, key)
    lease = None if value is not None else lease_taken(kind, key)
    if value is None and lease is None:
        value = awaited(kind, key, patience)
    count(kind, "miss" if value is None else "hit")
    try:
        yield value
    finally:
        if lease is not None:
            attempt(kind, lambda redis: redis.eval(RELEASE, 1, f"{key}:lease", lease))


def fetch(kind: Kind, key: str) -> JSON | None:
    found = attempt(kind, lambda redis: redis.get(key))
    return json.loads(found) if found else None


def store(kind: Kind, key: str | None, value: JSON | None) -> None:
    """Keep it for ``CACHE_TTL_SECONDS``, or until Redis needs the room (volatile-lru)."""
    if key is None or value is None:
        return
    said = json.dumps(value, separators=(",", ":"))
    if len(said) > MAX_BYTES:
        count(kind, "too_large")
    elif attempt(kind, lambda redis: redis.set(key, said, ex=settings.CACHE_TTL_SECONDS)):
        count(kind, "store")


def lease_taken(kind: Kind, key: str) -> str | None:
    """A token when this process is to compute; None when another one does. Ends by itself."""
    token = secrets.token_hex(8)
    taken = attempt(kind, lambda redis: redis.set(f"{key}:lease", token, nx=True, ex=LEASE_SECONDS))
    return token if taken else None


def awaited(kind: Kind, key: str, patience: float) -> JSON | None:
    """The value that another process computes; None when it gave up, or took too long."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = attempt(kind, lambda redis: redis.mget(key, f"{key}:lease"))
        value, lease = found or (None, None)
        if value:
            return dict(json.loads(value))
        if not lease:
            return None
        time.sleep(LOOK_SECONDS)
    return None


def attempt(kind: Kind, call: Any) -> Any:
    """What Redis answers to ``call``; None when it is gone, which is said once in a while."""
    return redis_if_there.ask(call, lambda: count(kind, "error"))


def count(kind: Kind, outcome: str) -> None:
    cache_total.labels(kind, outcome).inc()
