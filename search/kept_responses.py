"""Whole responses to searches, kept for a minute, so that a repeated one leaves without Postgres or Django.

What a token's user may see, in which state and under which settings, is a digest, the *view*; responses lie
under the view, so that all who see the same share them. A token's view is noted for two seconds together with
the *epoch*, which every change of anything that somebody may see replaces: then each token's view is looked
up anew. A view that did not change keeps its responses.

The order makes it safe. Whoever notes a view reads the epoch before the database; whoever changes something
commits before replacing the epoch. And where the epoch cannot be replaced because Redis is away, whoever
changed something waits until all notes have lapsed by Redis' own clock, before anybody is told of the change.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from documents.models import Collection
from search import caching
from search.types import Filters

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from search.types import SearchResult

logger = logging.getLogger(__name__)

PREFIX = "portal:responses"
EPOCH = f"{PREFIX}:epoch"
#: Where the door and the search talk about a request: in its ASGI scope.
NOTE = "portal.kept_responses"
#: So long a note of a view stands, and with it the note that its token was used.
VIEW_SECONDS = 2.0
#: Once in so long a query passes through Django, where it is remembered as recent; and no text of a document
#: lies in Redis for longer.
RESPONSE_SECONDS = 60
#: Larger ones are not kept: a hundred results with their texts are 150 kB.
MAX_BYTES = 256 * 1024
#: The epoch, made where there is none, and Redis' own time in milliseconds.
CLOCK = """
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[1]
  redis.call('SET', KEYS[1], epoch)
end
local now = redis.call('TIME')
return {epoch, now[1] * 1000 + math.floor(now[2] / 1000)}
"""


@dataclass(slots=True)
class Note:
    """What a search tells the door in front of it. ``view``: as it is after a result that was kept."""

    whole: bool = False
    view: str = ""

    def tell(self, result: SearchResult, user: User) -> None:
        self.whole = not (result.degraded or result.request.explain)
        if self.whole and result.cached:
            self.view = view_of(user)


def tell_door(request: Any, result: SearchResult, user: User) -> None:
    """Tell the door, if there is one in front of ``request`` that asks."""
    note = getattr(request, "scope", {}).get(NOTE)
    if note is not None:
        note.tell(result, user)


# --- Views ----------------------------------------------------------------------------------


def view_of(user: User) -> str:
    """A digest of all that decides what ``user`` finds, as the database has it now: two statements."""
    corpus = caching.corpus_of(user, Filters())
    names = Collection.objects.visible_to(user).order_by("pk").values_list("slug", "name")
    parts = {
        "corpus": corpus,
        # Facets show them.
        "names": list(names),
        "curator": user.is_staff,
        "produced_by": caching.produced_by(),
    }
    return caching.digest_of(parts)[:32]


def view_key(token: str) -> str:
    return f"{PREFIX}:view:{token}"


def response_key(view: str, query: str) -> str:
    return f"{PREFIX}:{view}:{query}"


def query_digest(query: bytes) -> str:
    return hashlib.blake2b(query, digest_size=16).hexdigest()


def etag_of(view: str, query: str) -> str:
    """Weak: two responses that say the same may tell different times."""
    return f'W/"{view[:16]}{query[:16]}"'


@dataclass(frozen=True, slots=True)
class Clock:
    """Read before the database is."""

    epoch: str
    now_ms: int

    @property
    def lapses_ms(self) -> int:
        return self.now_ms + int(VIEW_SECONDS * 1000)


def clock() -> Clock:
    """Raises ``RedisError`` or ``OSError``."""
    epoch, now_ms = redis().eval(CLOCK, 1, EPOCH, secrets.token_hex(8))
    return Clock(epoch.decode(), now_ms)


def note_view(token: str, view: str, read_at: Clock) -> None:
    """``token``: its digest. The note lapses at a time of Redis' clock: however late it arrives, no later."""
    redis().set(view_key(token), f"{read_at.epoch}:{view}", pxat=read_at.lapses_ms)


def forget_views() -> None:
    """After a commit that changed what somebody may see or find. When it returns, no older view is served."""
    if not is_wanted():
        return
    try:
        redis().set(EPOCH, secrets.token_hex(8))
    except (RedisError, OSError) as error:
        logger.warning("Redis is away (%s): waiting until nothing older is served", error)
        time.sleep(VIEW_SECONDS)


def redis() -> Any:
    return get_redis_connection("default")


def is_wanted() -> bool:
    return bool(settings.CACHE_TTL_SECONDS)
