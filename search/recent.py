"""The queries that were asked last, for audits: what people look for is what has to be found.

They lie in Redis, capped and for a week at most, and are shown to nobody but the one who asked: an audit runs
them as the users who asked them and tells figures. Without Redis none are kept, and a search does not notice.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django_redis import get_redis_connection
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from documents.querysets import User
    from search.types import SearchRequest

logger = logging.getLogger(__name__)

KEY = "portal:recent-queries"
KEPT = 1000
WEEK_SECONDS = 7 * 24 * 60 * 60
#: Longer ones are pasted texts, which nobody searches for twice.
MAX_CHARACTERS = 500
#: So long nothing is sent to a Redis that did not answer: a search must not wait for it again and again.
PAUSE_SECONDS = 30.0

_paused_until = 0.0


@dataclass(frozen=True, slots=True)
class RecentQuery:
    """What a user typed, and the collections (slugs) that the search was narrowed to. ``at`` is Unix time.

    ``options`` are those of the request; None where it was narrowed by more than collections.
    """

    user_id: int
    text: str
    collections: tuple[str, ...]
    at: float
    options: Mapping[str, Any] | None = None


def remember(request: SearchRequest, user: User) -> None:
    """Keep the query of a search. Never raises; costs one message to Redis."""
    global _paused_until
    text = request.query.strip()
    if not text or len(text) > MAX_CHARACTERS or user.pk is None or time.monotonic() < _paused_until:
        return
    filters = request.filters
    entry = json.dumps([user.pk, text, list(filters.collections), int(time.time()), options_of(request)])
    try:
        with redis().pipeline(transaction=False) as pipe:
            pipe.lpush(KEY, entry)
            pipe.ltrim(KEY, 0, KEPT - 1)
            pipe.expire(KEY, WEEK_SECONDS)
            pipe.execute()
    except (RedisError, OSError, UnicodeError) as error:
        _paused_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("recent queries are not kept: %s", error)


def options_of(request: SearchRequest) -> dict[str, Any] | None:
    if request.filters.about_documents or request.explain:
        return None
    return {name: getattr(request, name) for name in ("mode", "limit", "rerank", "per_document")}


def recent() -> list[RecentQuery]:
    """Newest first, each once; nothing when Redis is gone."""
    once = {(each.user_id, each.text, each.collections): each for each in reversed(entries())}
    return sorted(once.values(), key=lambda each: -each.at)


def recent_of(user: User, most: int = 6) -> list[str]:
    """What ``user`` looked for, newest first: without what they had typed on the way to it."""
    kept: list[str] = []
    for each in entries():
        text = " ".join(each.text.split())
        if each.user_id == user.pk and not any(later.startswith(text) for later in kept):
            kept.append(text)
    return kept[:most]


def entries() -> list[RecentQuery]:
    """As often as they were asked within a week, newest first; nothing when Redis is gone."""
    try:
        found = cast(list[bytes], redis().lrange(KEY, 0, KEPT - 1))
    except (RedisError, OSError) as error:
        logger.warning("recent queries cannot be read: %s", error)
        return []
    oldest = time.time() - WEEK_SECONDS
    read = (
        RecentQuery(user, text, tuple(slugs), at, *options)
        for user, text, slugs, at, *options in map(json.loads, found)
    )
    return [each for each in read if each.at > oldest]


def redis() -> Any:
    return get_redis_connection("default")
