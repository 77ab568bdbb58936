"""The hot way: a repeated search of a program is answered from Redis, in front of Django.

Taken are only plain requests: ``GET /api/v1/search/`` with a bearer token and nothing that could make the
response another one. Everything else, and whatever is in doubt, goes on to Django, whose response is kept for
the next when the search says that it may be (``search.kept_responses``).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from portal import hot_metrics
from portal.accounts.authentication import bearer_secret, user_for_token
from portal.accounts.models import digest
from portal.hot_store import Found, Headers, HotStore, Kept, Wanted
from portal.limits import Application, Message, Receive, Scope, Send
from portal.mcp_door import is_ours
from search import kept_responses
from search.kept_responses import MAX_BYTES, NOTE, Note, etag_of, query_digest

logger = logging.getLogger(__name__)

PATH = "/api/v1/search/"
#: Headers that change nothing, with the values that do not; others of ours make a response another one.
ACCEPTED = (b"*/*", b"application/json")
DECIDING = frozenset(
    (b"cookie", b"content-length", b"transfer-encoding", b"x-page-language", b"x-requested-with", b"range")
)
#: So many times a request looks again: a view may be noted, or a response be kept, by another meanwhile.
LOOKS = 4
#: Longer queries are pasted texts, which nobody repeats.
MAX_QUERY = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered here."""

    secret: str
    wanted: Wanted
    known: bytes  # what If-None-Match says


class HotDoor:
    """ASGI application in front of ``inner``."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner
        self.stores: WeakKeyDictionary[asyncio.AbstractEventLoop, HotStore] = WeakKeyDictionary()
        #: Views that are being looked up, by token; responses that are being made, by view and query.
        self.lookups: dict[str, asyncio.Event] = {}
        self.making: dict[tuple[str, str], asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        asked = asked_of(scope)
        if asked is None:
            await self.inner(scope, receive, send)
            return
        found = await self.look(asked)
        if found is None:
            await self.inner(scope, receive, send)
        elif says(asked.known, etag := etag_of(found.view, asked.wanted.query)):
            await not_modified(send, etag)
            hot_metrics.count(304, 0, perf_counter() - started)
        elif found.response:
            await respond(send, found.response)
            hot_metrics.count(200, len(found.response.body), perf_counter() - started)
        else:
            await self.make(asked, found, scope, receive, send)

    async def close(self) -> None:
        """Lets go of Redis, at the end of this event loop."""
        if store := self.stores.pop(asyncio.get_running_loop(), None):
            await store.close()

    # --- Looking ------------------------------------------------------------------------------

    async def look(self, asked: Asked) -> Found | None:
        """What there is once nobody else is at it; None where Django has to decide who asks."""
        store = self.store()
        for _ in range(LOOKS):
            found = await store.find(asked.wanted)
            if store.is_paused:
                return None
            if found is None:
                if not await self.view_noted(asked):
                    return None
            elif found.response or not (maker := self.making.get((found.view, asked.wanted.query))):
                return found
            else:
                await maker.wait()
        return found

    def store(self) -> HotStore:
        loop = asyncio.get_running_loop()
        if loop not in self.stores:
            self.stores[loop] = HotStore()
        return self.stores[loop]

    async def view_noted(self, asked: Asked) -> bool:
        """Whether the view of the token may be there now: whoever waited has to look for himself."""
        if other := self.lookups.get(asked.wanted.token):
            await other.wait()
            return True
        self.lookups[asked.wanted.token] = done = asyncio.Event()
        try:
            return await noted_view(asked.secret, asked.wanted.token)
        except (DatabaseError, RedisError, OSError) as error:
            logger.info("no view could be noted: %s", error)
            return False
        finally:
            del self.lookups[asked.wanted.token]
            done.set()

    # --- Making -------------------------------------------------------------------------------

    async def make(self, asked: Asked, found: Found, scope: Scope, receive: Receive, send: Send) -> None:
        """Django's response, kept for the next; who asks for the same meanwhile waits for it."""
        place = (found.view, asked.wanted.query)
        scope[NOTE] = note = Note()
        taken = Taken(send, note, etag_of(*place))
        first = self.making.setdefault(place, done := asyncio.Event()) is done
        try:
            await self.inner(scope, receive, taken.send)
            if note.view == found.view and (response := taken.response()):
                await self.store().keep(found, asked.wanted.query, response)
        finally:
            if first:
                del self.making[place]
                done.set()
        hot_metrics.missed()


@database_sync_to_async
def noted_view(secret: str, token: str) -> bool:
    """False when the token opens nothing. The epoch is read before the database: see ``kept_responses``."""
    read_at = kept_responses.clock()
    user = user_for_token(secret)
    if user is not None:
        kept_responses.note_view(token, kept_responses.view_of(user), read_at)
    return user is not None


# --- Requests -------------------------------------------------------------------------------


def asked_of(scope: Scope) -> Asked | None:
    """None for whatever only Django can answer."""
    if scope["path"] != PATH or scope["method"] != "GET" or not kept_responses.is_wanted():
        return None
    headers = dict(scope["headers"])
    secret = bearer_secret(headers.get(b"authorization", b"").decode("latin-1"))
    query = scope["query_string"]
    if not secret or len(query) > MAX_QUERY or len(headers) != len(scope["headers"]):
        return None
    if not (DECIDING.isdisjoint(headers) and is_plain(headers)):
        return None
    wanted = Wanted(digest(secret), query_digest(query))
    return Asked(secret, wanted, headers.get(b"if-none-match", b""))


def is_plain(headers: dict[bytes, bytes]) -> bool:
    """JSON for a host of ours, over what the portal is meant to be reached by."""
    secure = not settings.HTTPS_ONLY or headers.get(b"x-forwarded-proto") == b"https"
    return headers.get(b"accept", b"*/*") in ACCEPTED and secure and known_host(headers.get(b"host", b""))


@lru_cache(maxsize=256)
def known_host(host: bytes) -> bool:
    return is_ours(host.decode("latin-1"))


def says(known: bytes, etag: str) -> bool:
    """Whether ``If-None-Match`` names the tag."""
    return bool(known) and any(part.strip() in (b"*", etag.encode()) for part in known.split(b","))


# --- Responses ------------------------------------------------------------------------------


class Taken:
    """What passes on its way to the client: it is marked, and remembered if it may be kept."""

    def __init__(self, send: Send, note: Note, etag: str) -> None:
        self._send, self._note, self._etag = send, note, etag
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._status == 200 and self._note.whole:
                message = {**message, "headers": [*message["headers"], *marks(self._etag)]}
            self._headers = list(message["headers"])
        elif message["type"] == "http.response.body" and self._note.view:
            self._pieces.append(message.get("body", b""))
        await self._send(message)

    def response(self) -> Kept | None:
        """None unless it may be kept."""
        body = b"".join(self._pieces)
        sets_cookie = any(name.lower() == b"set-cookie" for name, _ in self._headers)
        if self._status != 200 or sets_cookie or not 0 < len(body) <= MAX_BYTES:
            return None
        return Kept(tuple((bytes(name), bytes(value)) for name, value in self._headers), body)


def marks(etag: str) -> Headers:
    """For a client of its own to keep, and to ask each time whether it still holds."""
    return (
        (b"etag", etag.encode()),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"Authorization"),
    )


async def respond(send: Send, response: Kept) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": response.headers})
    await send({"type": "http.response.body", "body": response.body})


async def not_modified(send: Send, etag: str) -> None:
    await send({"type": "http.response.start", "status": 304, "headers": marks(etag)})
    await send({"type": "http.response.body", "body": b""})
